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

func init() { caddy.RegisterModule(Permission{}) }

// Permission lets pass who has a permission. Permissions are those of the
// credential: the claim of a token (by default the first that is present of
// "permissions", "scope" and "scp"), the option permissions of a key or a user.
// They are compared to the letter. A superuser has no permission by being one.
//
// Who is not signed in gets 401, who lacks the permission 403.
type Permission struct {
	// Permission is the permission, such as "reports.view". Required.
	Permission string `json:"permission,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Permission) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.guards.permission",
		New: func() caddy.Module { return new(Permission) },
	}
}

// Validate makes sure that there is a permission.
func (p *Permission) Validate() error { return checkWords("permission", []string{p.Permission}) }

// Check asks for the permission.
func (p *Permission) Check(_ *http.Request, id *auth.Identity) error {
	switch {
	case id == nil:
		return auth.ErrUnauthenticated
	case p.Permission == "" || !id.Permissions.Has(p.Permission):
		return auth.Forbidden(fmt.Sprintf("permission %q is missing", p.Permission))
	default:
		return nil
	}
}

// UnmarshalCaddyfile parses:
//
//	permission <permission>
func (p *Permission) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	words, err := parseWords(d, "permission", 1)
	if err != nil {
		return err
	}
	p.Permission = words[0]
	return nil
}

// Interface guards
var (
	_ auth.Guard            = (*Permission)(nil)
	_ caddy.Validator       = (*Permission)(nil)
	_ caddyfile.Unmarshaler = (*Permission)(nil)
)
