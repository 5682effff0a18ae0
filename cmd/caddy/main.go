// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Command caddy is Caddy with its standard modules and caddy-bolt, its store in
// Redis included.
//
// It is what README runs and what the integration tests start. To add
// caddy-bolt to a Caddy of your own, build it with xcaddy instead.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddybolt/caddy-bolt"
	_ "github.com/caddybolt/caddy-bolt/revocation/redis"
)

func main() {
	caddycmd.Main()
}
