// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

// The modules that come with it.
import (
	_ "github.com/caddybolt/caddy-bolt/apikey"
	_ "github.com/caddybolt/caddy-bolt/command"
	_ "github.com/caddybolt/caddy-bolt/guards"
	_ "github.com/caddybolt/caddy-bolt/jwtauth"
	_ "github.com/caddybolt/caddy-bolt/password"
	_ "github.com/caddybolt/caddy-bolt/revocation"
	_ "github.com/caddybolt/caddy-bolt/users"
)
