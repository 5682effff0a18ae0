// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package authtest says whether a module keeps the contract of package auth.
//
// Call the suite that fits from a test of the module, with a case that makes
// one; TestAuthenticator, TestGuard, TestUserStore, TestRevocationStore and
// TestRefreshStore each run a list of named checks. NewRequest and NewContext
// prepare a request and a context as Caddy does, so that a module is tested
// without starting Caddy.
//
// Run the tests with -race: half of the contract is about concurrency.
package authtest
