// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/module"
)

const guardSpace = "http.auth.guards"

var errNoGuards = errors.New("at least one guard is required")

// loadGuards loads the guards of the field GuardsRaw of host.
func loadGuards(ctx caddy.Context, host any) ([]auth.Guard, error) {
	mods, err := ctx.LoadModule(host, "GuardsRaw")
	if err != nil {
		return nil, fmt.Errorf("loading guards: %w", err)
	}
	list, ok := mods.([]any)
	if !ok || len(list) == 0 {
		return nil, errNoGuards
	}
	guards := make([]auth.Guard, 0, len(list))
	for i, mod := range list {
		g, ok := mod.(auth.Guard)
		if !ok {
			return nil, fmt.Errorf("guards: position %d: %T is not a guard", i, mod)
		}
		if opens(g) {
			return nil, fmt.Errorf("guards: position %d: %w", i, errOpens)
		}
		guards = append(guards, g)
	}
	return guards, nil
}

var errOpens = errors.New("a guard that lets in who is not signed in, such as allow_any and optional, stands at the top of a list only")

// opens reports whether the module opens the list it stands in. Within another
// guard it could not, and whoever wrote it there thinks that it does.
func opens(mod any) bool {
	a, ok := mod.(auth.Admitter)
	return ok && a.Admission() != auth.RequireIdentity
}

// parseGuard parses the guard whose name is the current token.
func parseGuard(d *caddyfile.Dispenser, of string) (json.RawMessage, error) {
	name := d.Val()
	if module.Known(guardSpace, name) {
		info, err := caddy.GetModule(guardSpace + "." + name)
		if err == nil && opens(info.New()) {
			return nil, d.Errf("guard %q lets in who is not signed in, and so stands at the top of a list only, not within %q", name, of)
		}
	}
	return module.Parse(d, guardSpace, "guard", "guard")
}

// parseGuards parses a guard that is a block of guards, one a line.
func parseGuards(d *caddyfile.Dispenser) ([]json.RawMessage, error) {
	d.Next()
	of := d.Val()
	if d.NextArg() {
		return nil, d.Errf("guard %q takes a block with one guard a line, not %q", of, d.Val())
	}
	return parseGuardBlock(d, of)
}

// parseGuardBlock parses the block of the guard of.
func parseGuardBlock(d *caddyfile.Dispenser, of string) ([]json.RawMessage, error) {
	var guards []json.RawMessage
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		raw, err := parseGuard(d, of)
		if err != nil {
			return nil, err
		}
		guards = append(guards, raw)
	}
	if len(guards) == 0 {
		return nil, d.Errf("guard %q needs a block with at least one guard", of)
	}
	if d.Next() {
		return nil, d.Errf("guard %q has a word too many: %q", of, d.Val())
	}
	return guards, nil
}
