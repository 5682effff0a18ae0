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

func init() { caddy.RegisterModule(Any{}) }

// Any lets pass whom at least one of its guards lets pass. They are asked in
// order, until one does.
//
// Who is not signed in gets 401. When none lets pass: 503 if one of them could
// not decide, else 401 if one of them asks for another log-in, else 403.
type Any struct {
	// GuardsRaw are modules of http.auth.guards; the name stands in the member
	// "guard". At least one is required, and none that lets in who is not
	// signed in.
	GuardsRaw []json.RawMessage `json:"guards,omitempty" caddy:"namespace=http.auth.guards inline_key=guard"`

	guards []auth.Guard
}

// CaddyModule returns the Caddy module information.
func (Any) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.guards.any",
		New: func() caddy.Module { return new(Any) },
	}
}

// Provision loads the guards.
func (a *Any) Provision(ctx caddy.Context) error {
	if len(a.GuardsRaw) == 0 {
		return errNoGuards
	}
	var err error
	a.guards, err = loadGuards(ctx, a)
	return err
}

// Check asks the guards until one lets pass. What nobody decided outweighs what
// was forbidden, so that no guard around this one takes it for a "no".
func (a *Any) Check(r *http.Request, id *auth.Identity) error {
	if id == nil {
		return auth.ErrUnauthenticated
	}
	if len(a.guards) == 0 { // Provision saw to it that there are some
		return errNoGuards
	}
	var answer error
	for _, g := range a.guards {
		err := g.Check(r, id)
		if err == nil {
			return nil
		}
		answer = heavier(answer, err)
	}
	return answer
}

// UnmarshalCaddyfile parses:
//
//	any {
//	    <guard> ...
//	}
func (a *Any) UnmarshalCaddyfile(d *caddyfile.Dispenser) (err error) {
	a.GuardsRaw, err = parseGuards(d)
	return err
}

// Interface guards
var (
	_ auth.Guard            = (*Any)(nil)
	_ caddy.Provisioner     = (*Any)(nil)
	_ caddyfile.Unmarshaler = (*Any)(nil)
)
