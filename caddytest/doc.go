// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package caddytest tests caddy-bolt within Caddy: Caddyfiles become the JSON or
// the error that a golden file says, and a built Caddy answers as the examples,
// the README and the documentation print it.
//
// It is the only package that starts Caddy.
package caddytest
