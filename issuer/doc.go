// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package issuer has the handlers that give tokens out, end them and publish
// the keys to verify them with:
//
//	http.handlers.auth_token   Token
//	http.handlers.auth_logout  Logout
//	http.handlers.auth_jwks    JWKS
//
// What is issued is what one jwt authenticator of the global auth block
// accepts: its key, its issuer, its audience.
package issuer
