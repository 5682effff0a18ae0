// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package module parses a module of a namespace out of a Caddyfile, into the
// JSON that loads it.
package module

import (
	"encoding/json"
	"sort"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Parse parses the module whose name is the current token of d, up to the end
// of its segment, and returns its JSON with the name under the inline key.
//
// A name that no module of the namespace has is an error that lists the names
// there are; kind says what is looked for: "guard".
func Parse(d *caddyfile.Dispenser, namespace, kind, inlineKey string) (json.RawMessage, error) {
	name := d.Val()
	if !Known(namespace, name) {
		return nil, d.Errf("unrecognized %s %q; there are: %s", kind, name, strings.Join(Names(namespace), ", "))
	}
	unm, err := caddyfile.UnmarshalModule(d, namespace+"."+name)
	if err != nil {
		return nil, err
	}
	var warnings []caddyconfig.Warning
	raw := caddyconfig.JSONModuleObject(unm, inlineKey, name, &warnings)
	if len(warnings) > 0 {
		return nil, d.Errf("encoding %s %q: %s", kind, name, warnings[0].Message)
	}
	return raw, nil
}

// Known reports whether the namespace has a module of that name.
func Known(namespace, name string) bool {
	if name == "" || strings.Contains(name, ".") {
		return false
	}
	_, err := caddy.GetModule(namespace + "." + name)
	return err == nil
}

// Names returns the names of the modules of the namespace, sorted.
func Names(namespace string) []string {
	var names []string
	for _, info := range caddy.GetModules(namespace) {
		names = append(names, info.ID.Name())
	}
	sort.Strings(names)
	return names
}
