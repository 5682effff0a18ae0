// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package auth is the contract of caddy-bolt: what an authenticator, a guard,
// a user store and a revocation store are, and what passes between them.
//
// A module of your own needs this package alone. Register it in Caddy under
// one of these namespaces and its last label becomes a word of the Caddyfile:
//
//	http.auth.authenticators.*  Authenticator    auth { <word> ... }
//	http.auth.guards.*          Guard            guard <word> ...
//	http.auth.users.*           UserStore        users <word> ...
//	http.auth.revocation.*      RevocationStore  revocation <word> ...
//
// The suites in authtest say whether it keeps the contract.
//
// A Go handler that runs behind the auth directive finds out who is asking
// with FromContext.
package auth
