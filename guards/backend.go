// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/module"
)

func init() { caddy.RegisterModule(Backend{}) }

// Backend lets pass who was accepted by one of several authenticators, so that
// a route that several of them serve can ask for one, as in
// "any { backend api_key ... }".
//
// Who is not signed in gets 401, who came another way 403. Which one it was is
// {http.auth.backend}.
type Backend struct {
	// Backends are words of authenticators: "jwt", "api_key", "basic",
	// "provider", or those of modules that were added. At least one is required.
	Backends []string `json:"backends,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Backend) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.guards.backend",
		New: func() caddy.Module { return new(Backend) },
	}
}

// Validate makes sure that the authenticators exist: a word that is misspelt
// would let nobody pass or, within not, everybody.
func (b *Backend) Validate() error { return checkBackends(b.Backends) }

const authenticatorSpace = "http.auth.authenticators"

func checkBackends(backends []string) error {
	if err := checkWords("backend", backends); err != nil {
		return err
	}
	for _, backend := range backends {
		if !module.Known(authenticatorSpace, backend) {
			return fmt.Errorf("unrecognized backend %q; there are: %s", backend, strings.Join(module.Names(authenticatorSpace), ", "))
		}
	}
	return nil
}

// Check asks for the backend.
func (b *Backend) Check(_ *http.Request, id *auth.Identity) error {
	switch {
	case id == nil:
		return auth.ErrUnauthenticated
	case !slices.Contains(b.Backends, id.Backend):
		return auth.Forbidden(fmt.Sprintf("accepted by none of %d backends", len(b.Backends)))
	default:
		return nil
	}
}

// UnmarshalCaddyfile parses:
//
//	backend <authenticators...>
func (b *Backend) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	backends, err := parseWords(d, "backend", unlimited)
	if err != nil {
		return err
	}
	if err := checkBackends(backends); err != nil {
		return d.Errf("guard \"backend\": %v", err)
	}
	b.Backends = backends
	return nil
}

// Interface guards
var (
	_ auth.Guard            = (*Backend)(nil)
	_ caddy.Validator       = (*Backend)(nil)
	_ caddyfile.Unmarshaler = (*Backend)(nil)
)
