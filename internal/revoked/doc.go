// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package revoked is what the revocation stores have in common: the set of all
// revoked tokens, sessions and users in memory, and what an entry of it is.
package revoked
