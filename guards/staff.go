// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
)

func init() { caddy.RegisterModule(Staff{}) }

// Staff lets pass who is staff: the identity's flag, which a token sets with a
// claim that is JSON's true (by default "is_staff") and a key or a user with the
// option staff. A superuser is not staff by being one.
//
// Who is not signed in gets 401, who is not staff 403. The flag is what the
// credential says; what the user store says now is asked with
// "user is_staff true".
type Staff struct{}

// CaddyModule returns the Caddy module information.
func (Staff) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.guards.staff",
		New: func() caddy.Module { return new(Staff) },
	}
}

// Check asks for the flag.
func (Staff) Check(_ *http.Request, id *auth.Identity) error {
	switch {
	case id == nil:
		return auth.ErrUnauthenticated
	case !id.Staff:
		return errStaff
	default:
		return nil
	}
}

var errStaff = auth.Forbidden("not staff")

// UnmarshalCaddyfile parses:
//
//	staff
func (Staff) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return parseBare(d) }

// Interface guards
var (
	_ auth.Guard            = (*Staff)(nil)
	_ caddyfile.Unmarshaler = (*Staff)(nil)
)
