// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
)

func init() { caddy.RegisterModule(AllowAny{}) }

// AllowAny lets everybody pass, signed in or not. A good credential still
// becomes the identity; with a bad one, or when nobody could decide, the request
// is anonymous.
//
// It stands alone: another guard beside it is a configuration error, and so is
// AllowAny within any, all or not.
type AllowAny struct{}

// CaddyModule returns the Caddy module information.
func (AllowAny) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.guards.allow_any",
		New: func() caddy.Module { return new(AllowAny) },
	}
}

// Check lets everybody pass.
func (AllowAny) Check(*http.Request, *auth.Identity) error { return nil }

// Admission opens the list to everybody.
func (AllowAny) Admission() auth.Admission { return auth.AdmitAnyone }

// UnmarshalCaddyfile parses:
//
//	allow_any
func (AllowAny) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return parseBare(d) }

// Interface guards
var (
	_ auth.Admitter         = (*AllowAny)(nil)
	_ caddyfile.Unmarshaler = (*AllowAny)(nil)
)
