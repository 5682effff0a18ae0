// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
)

func init() { caddy.RegisterModule(Authenticated{}) }

// Authenticated lets pass who is signed in, by whatever authenticator accepts
// the request. It is what applies where no guard is configured, and every list
// of guards implies it, unless allow_any or optional stands in the list.
//
// Who is not signed in gets 401.
type Authenticated struct{}

// CaddyModule returns the Caddy module information.
func (Authenticated) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.guards.authenticated",
		New: func() caddy.Module { return new(Authenticated) },
	}
}

// Check asks for an identity and nothing else.
func (Authenticated) Check(_ *http.Request, id *auth.Identity) error {
	if id == nil {
		return auth.ErrUnauthenticated
	}
	return nil
}

// UnmarshalCaddyfile parses:
//
//	authenticated
func (Authenticated) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return parseBare(d) }

// Interface guards
var (
	_ auth.Guard            = (*Authenticated)(nil)
	_ caddyfile.Unmarshaler = (*Authenticated)(nil)
)
