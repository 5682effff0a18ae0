// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package extract

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
)

// ParseSource parses one of the options that name a source, of which there may
// be several:
//
//	header <name> [<scheme>]
//	cookie <name>
//	query  <name>
func ParseSource(d *caddyfile.Dispenser) (auth.Source, error) {
	var s auth.Source
	option := d.Val()
	if !d.NextArg() {
		return s, d.Errf("option %q needs a name", option)
	}
	switch option {
	case "header":
		s.Header = d.Val()
		if d.NextArg() {
			if s.Scheme = d.Val(); s.Scheme == "" {
				return s, d.Errf("option %q has an empty scheme", option)
			}
		}
	case "cookie":
		s.Cookie = d.Val()
	case "query":
		s.Query = d.Val()
	default:
		return s, d.Errf("%q is not header, cookie or query", option)
	}
	if d.NextArg() {
		return s, d.Errf("option %q has an argument too many: %q", option, d.Val())
	}
	if err := check(s); err != nil {
		return s, d.Errf("%v", err)
	}
	return s, nil
}
