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

func init() { caddy.RegisterModule(AllPermissions{}) }

// AllPermissions lets pass who has every one of several permissions: see
// Permission for where they come from.
//
// Who is not signed in gets 401, who lacks one of them 403.
type AllPermissions struct {
	// Permissions are the permissions. At least one is required.
	Permissions []string `json:"permissions,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (AllPermissions) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.guards.all_permissions",
		New: func() caddy.Module { return new(AllPermissions) },
	}
}

// Validate makes sure that there are permissions.
func (p *AllPermissions) Validate() error { return checkWords("permission", p.Permissions) }

// Check asks for the permissions.
func (p *AllPermissions) Check(_ *http.Request, id *auth.Identity) error {
	switch {
	case id == nil:
		return auth.ErrUnauthenticated
	case len(p.Permissions) == 0 || !id.Permissions.HasAll(p.Permissions):
		return auth.Forbidden(fmt.Sprintf("not all of %d permissions", len(p.Permissions)))
	default:
		return nil
	}
}

// UnmarshalCaddyfile parses:
//
//	all_permissions <permissions...>
func (p *AllPermissions) UnmarshalCaddyfile(d *caddyfile.Dispenser) (err error) {
	p.Permissions, err = parseWords(d, "permission", unlimited)
	return err
}

// Interface guards
var (
	_ auth.Guard            = (*AllPermissions)(nil)
	_ caddy.Validator       = (*AllPermissions)(nil)
	_ caddyfile.Unmarshaler = (*AllPermissions)(nil)
)
