// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
)

func init() { caddy.RegisterModule(Optional{}) }

// Optional lets pass who presents no credential. A credential that is presented
// must be good: a bad one is refused with 401, and one that nobody could decide
// about with 503. Guards beside Optional are asked about those who are signed
// in.
//
// Within any, all or not it is a configuration error, and so is an authenticator
// beside it that cannot tell a missing credential from a bad one, such as
// provider.
type Optional struct{}

// CaddyModule returns the Caddy module information.
func (Optional) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.guards.optional",
		New: func() caddy.Module { return new(Optional) },
	}
}

// Check lets everybody pass: what is bad was refused before.
func (Optional) Check(*http.Request, *auth.Identity) error { return nil }

// Admission opens the list to who presents no credential.
func (Optional) Admission() auth.Admission { return auth.AdmitMissing }

// UnmarshalCaddyfile parses:
//
//	optional
func (Optional) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return parseBare(d) }

// Interface guards
var (
	_ auth.Admitter         = (*Optional)(nil)
	_ caddyfile.Unmarshaler = (*Optional)(nil)
)
