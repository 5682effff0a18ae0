// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
)

func init() { caddy.RegisterModule(Not{}) }

// Not lets pass whom its guard forbids, and forbids whom its guard lets pass.
//
// It turns "forbidden" into a pass and nothing else: who is not signed in gets
// 401, a condition that could not be evaluated stays 403, and what could not be
// decided stays 503.
type Not struct {
	// GuardsRaw is exactly one module of http.auth.guards; the name stands in
	// the member "guard". Several are refused, since "not both" and "neither"
	// would be written alike: put them into any or all. None that lets in who is
	// not signed in.
	GuardsRaw []json.RawMessage `json:"guards,omitempty" caddy:"namespace=http.auth.guards inline_key=guard"`

	guard auth.Guard
}

// CaddyModule returns the Caddy module information.
func (Not) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.guards.not",
		New: func() caddy.Module { return new(Not) },
	}
}

var errNotSeveral = errors.New("not takes one guard: write not { any { ... } } to refuse whom one of them lets pass, or not { all { ... } } to refuse whom all of them do")

// Provision loads the guard.
func (n *Not) Provision(ctx caddy.Context) error {
	switch len(n.GuardsRaw) {
	case 0:
		return errNoGuards
	case 1:
	default:
		return errNotSeveral
	}
	guards, err := loadGuards(ctx, n)
	if err != nil {
		return err
	}
	n.guard = guards[0]
	return nil
}

var errNotPassed = auth.Forbidden("not: its guard lets pass")

// Check turns the guard's answer round.
func (n *Not) Check(r *http.Request, id *auth.Identity) error {
	if id == nil {
		return auth.ErrUnauthenticated
	}
	if n.guard == nil { // Provision saw to it that there is one
		return errNoGuards
	}
	err := n.guard.Check(r, id)
	switch outcomeOf(err) {
	case passed:
		return errNotPassed
	case forbidden:
		return nil
	default:
		return err
	}
}

// UnmarshalCaddyfile parses either of:
//
//	not <guard> ...
//	not {
//	    <guard> ...
//	}
func (n *Not) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.NextArg() {
		guards, err := parseGuardBlock(d, "not")
		if err == nil && len(guards) > 1 {
			err = d.Errf("guard \"not\": %v", errNotSeveral)
		}
		n.GuardsRaw = guards
		return err
	}
	raw, err := parseGuard(d, "not")
	if err != nil {
		return err
	}
	if d.Next() {
		return d.Errf("guard \"not\" has a word too many: %q", d.Val())
	}
	n.GuardsRaw = []json.RawMessage{raw}
	return nil
}

// Interface guards
var (
	_ auth.Guard            = (*Not)(nil)
	_ caddy.Provisioner     = (*Not)(nil)
	_ caddyfile.Unmarshaler = (*Not)(nil)
)
