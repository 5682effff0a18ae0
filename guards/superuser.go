// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
)

func init() { caddy.RegisterModule(Superuser{}) }

// Superuser lets pass who is a superuser: the identity's flag, which a token sets
// with a claim that is JSON's true (by default "is_superuser" or "is_admin") and
// a key or a user with the option superuser. Being one implies no permission
// and not being staff.
//
// Who is not signed in gets 401, who is no superuser 403. The flag is what the
// credential says; what the user store says now is asked with
// "user is_superuser true".
type Superuser struct{}

// CaddyModule returns the Caddy module information.
func (Superuser) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.guards.superuser",
		New: func() caddy.Module { return new(Superuser) },
	}
}

// Check asks for the flag.
func (Superuser) Check(_ *http.Request, id *auth.Identity) error {
	switch {
	case id == nil:
		return auth.ErrUnauthenticated
	case !id.Superuser:
		return errSuperuser
	default:
		return nil
	}
}

var errSuperuser = auth.Forbidden("not a superuser")

// UnmarshalCaddyfile parses:
//
//	superuser
func (Superuser) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return parseBare(d) }

// Interface guards
var (
	_ auth.Guard            = (*Superuser)(nil)
	_ caddyfile.Unmarshaler = (*Superuser)(nil)
)
