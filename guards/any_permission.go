// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
)

func init() { caddy.RegisterModule(AnyPermission{}) }

// AnyPermission lets pass who has at least one of several permissions: see
// Permission for where they come from.
//
// Who is not signed in gets 401, who has none of them 403.
type AnyPermission struct {
	// Permissions are the permissions. At least one is required.
	Permissions []string `json:"permissions,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (AnyPermission) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.guards.any_permission",
		New: func() caddy.Module { return new(AnyPermission) },
	}
}

// Validate makes sure that there are permissions.
func (p *AnyPermission) Validate() error { return checkWords("permission", p.Permissions) }

// Check asks for the permissions.
func (p *AnyPermission) Check(_ *http.Request, id *auth.Identity) error {
	switch {
	case id == nil:
		return auth.ErrUnauthenticated
	case !id.Permissions.HasAny(p.Permissions):
		return auth.Forbidden(fmt.Sprintf("none of %d permissions", len(p.Permissions)))
	default:
		return nil
	}
}

// UnmarshalCaddyfile parses:
//
//	any_permission <permissions...>
func (p *AnyPermission) UnmarshalCaddyfile(d *caddyfile.Dispenser) (err error) {
	p.Permissions, err = parseWords(d, "permission", unlimited)
	return err
}

// Interface guards
var (
	_ auth.Guard            = (*AnyPermission)(nil)
	_ caddy.Validator       = (*AnyPermission)(nil)
	_ caddyfile.Unmarshaler = (*AnyPermission)(nil)
)
