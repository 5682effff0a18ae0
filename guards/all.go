// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"encoding/json"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
)

func init() { caddy.RegisterModule(All{}) }

// All lets pass whom every one of its guards lets pass. Guards of a list must all
// agree anyway: All is for a list within any or not.
//
// Who is not signed in gets 401. When not all let pass: 503 if one of them could
// not decide, else 401 if one of them asks for another log-in, else 403.
type All struct {
	// GuardsRaw are modules of http.auth.guards; the name stands in the member
	// "guard". At least one is required, and none that lets in who is not
	// signed in.
	GuardsRaw []json.RawMessage `json:"guards,omitempty" caddy:"namespace=http.auth.guards inline_key=guard"`

	guards []auth.Guard
}

// CaddyModule returns the Caddy module information.
func (All) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.guards.all",
		New: func() caddy.Module { return new(All) },
	}
}

// Provision loads the guards.
func (a *All) Provision(ctx caddy.Context) error {
	if len(a.GuardsRaw) == 0 {
		return errNoGuards
	}
	var err error
	a.guards, err = loadGuards(ctx, a)
	return err
}

// Check asks every guard, also after one that forbids: a later one that cannot
// decide outweighs it, so that no guard around this one takes it for a "no".
func (a *All) Check(r *http.Request, id *auth.Identity) error {
	if id == nil {
		return auth.ErrUnauthenticated
	}
	if len(a.guards) == 0 { // Provision saw to it that there are some
		return errNoGuards
	}
	var answer error
	for _, g := range a.guards {
		if err := g.Check(r, id); err != nil {
			answer = heavier(answer, err)
		}
	}
	return answer
}

// UnmarshalCaddyfile parses:
//
//	all {
//	    <guard> ...
//	}
func (a *All) UnmarshalCaddyfile(d *caddyfile.Dispenser) (err error) {
	a.GuardsRaw, err = parseGuards(d)
	return err
}

// Interface guards
var (
	_ auth.Guard            = (*All)(nil)
	_ caddy.Provisioner     = (*All)(nil)
	_ caddyfile.Unmarshaler = (*All)(nil)
)
