// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/issuer"
)

// jwksPath is where others look for public keys, unless told otherwise.
const jwksPath = "/.well-known/jwks.json"

func parseToken(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	t := new(issuer.Token)
	return t, t.UnmarshalCaddyfile(h.Dispenser)
}

func parseLogout(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	l := new(issuer.Logout)
	return l, l.UnmarshalCaddyfile(h.Dispenser)
}

// parseJWKS parses "auth_jwks [<matcher>] { ... }". Without a matcher the keys
// are at /.well-known/jwks.json.
func parseJWKS(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !h.Next() {
		return nil, h.ArgErr()
	}
	set, matched, err := h.MatcherToken()
	if err != nil {
		return nil, err
	}
	if matched {
		h.Delete()
	} else {
		set = caddy.ModuleMap{"path": caddyconfig.JSON(caddyhttp.MatchPath{jwksPath}, nil)}
	}
	h.Reset()
	j := new(issuer.JWKS)
	if err := j.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return h.NewRoute(set, j), nil
}
