// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
)

func init() { caddy.RegisterModule(Weekdays{}) }

// Weekdays lets pass who is signed in from Monday to Friday; staff may pass on
// every day. Registered under this ID, it is "guard weekdays".
type Weekdays struct {
	now func() time.Time
}

func (Weekdays) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.guards.weekdays",
		New: func() caddy.Module { return new(Weekdays) },
	}
}

func (g *Weekdays) Provision(caddy.Context) error {
	g.now = time.Now
	return nil
}

// Check answers who is not signed in apart from who may not pass: the first is
// told to sign in, and no guard around this one turns it into a pass.
func (g *Weekdays) Check(_ *http.Request, id *auth.Identity) error {
	if id == nil {
		return auth.ErrUnauthenticated
	}
	day := g.now().UTC().Weekday()
	if !id.Staff && (day == time.Saturday || day == time.Sunday) {
		return auth.Forbidden("closed at weekends")
	}
	return nil
}

// UnmarshalCaddyfile parses:
//
//	weekdays
func (g *Weekdays) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the word itself
	if d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

// A guard of your own imports package auth alone.
func Example_guard() {
	g := &Weekdays{now: func() time.Time { return time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC) }} // a Saturday
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	fmt.Println("nobody:", g.Check(r, nil))
	fmt.Println("alice:", g.Check(r, &auth.Identity{ID: "alice"}))
	fmt.Println("staff:", g.Check(r, &auth.Identity{ID: "bob", Staff: true}))

	// Output:
	// nobody: not signed in
	// alice: forbidden: closed at weekends
	// staff: <nil>
}

// Interface guards
var (
	_ auth.Guard            = (*Weekdays)(nil)
	_ caddy.Provisioner     = (*Weekdays)(nil)
	_ caddyfile.Unmarshaler = (*Weekdays)(nil)
)
