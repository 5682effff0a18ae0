// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package apikey

import (
	"crypto/sha256"
	"encoding/json"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/internal/extract"
	"github.com/caddybolt/caddy-bolt/internal/module"
	"github.com/caddybolt/caddy-bolt/internal/text"
)

// UnmarshalCaddyfile parses
//
//	api_key {
//		header <name> [<scheme>]        # these three any number of times
//		cookie <name>
//		query  <name>
//		key <name> <value> {            # any number of times
//			permissions <permission...>
//			staff
//			superuser
//			expires <date or time>
//			disabled
//			meta <name> <value>         # any number of times
//		}
//		file <path>
//		max_size <size>
//	}
func (a *APIKey) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the module
	if d.NextArg() {
		return d.Err("api_key takes no argument: write key <name> <value> in its block")
	}
	options := module.NewOptions(d)
	seen := newSeenKeys()
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "header", "cookie", "query":
			err = a.parsePlace(d)
		case "key":
			err = a.parseKey(d, seen)
		case "file":
			err = options.Text(&a.File)
		case "max_size":
			err = options.Size(&a.MaxSize)
		default:
			err = options.Unknown("api_key", "header", "cookie", "query", "key", "file", "max_size")
		}
		if err != nil {
			return err
		}
	}
	if len(a.Keys) == 0 && a.File == "" {
		return d.Err("api_key needs a key <name> <value> or a file <path>")
	}
	return nil
}

// parsePlace parses one source, which must not be there yet.
func (a *APIKey) parsePlace(d *caddyfile.Dispenser) error {
	s, err := extract.ParseSource(d)
	if err != nil {
		return err
	}
	a.Places = append(a.Places, s)
	if _, err := extract.New(a.Places, 1); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// seenKeys finds keys that are alike while there are lines to name. Those in
// placeholders and files are compared when Caddy starts.
type seenKeys struct {
	lines  map[string]int
	values map[digest]string
}

func newSeenKeys() *seenKeys {
	return &seenKeys{lines: make(map[string]int), values: make(map[digest]string)}
}

// add notes the key on the current line.
func (s *seenKeys) add(d *caddyfile.Dispenser, k *Key) error {
	if line, ok := s.lines[k.Name]; ok {
		return d.Errf("key %q was given already at line %d", k.Name, line)
	}
	s.lines[k.Name] = d.Line()
	value := digest(sha256.Sum256([]byte(k.Key)))
	if !strings.Contains(k.Key, "{") {
		var err error
		if value, _, err = digestOf(k.Key); err != nil {
			return d.Errf("key %q: %w", k.Name, err)
		}
	}
	if other, ok := s.values[value]; ok {
		return d.Errf("keys %q, at line %d, and %q have one value", other, s.lines[other], k.Name)
	}
	s.values[value] = k.Name
	return nil
}

// parseKey parses one key. What stands in the place of its name or its value is
// quoted only where it cannot be the key.
func (a *APIKey) parseKey(d *caddyfile.Dispenser, seen *seenKeys) error {
	args := d.RemainingArgs()
	if len(args) != 2 || args[0] == "" || args[1] == "" {
		return d.Err("key takes a name and a value")
	}
	k := Key{Name: args[0], Key: args[1]}
	if err := checkName(k.Name); err != nil {
		return d.WrapErr(err)
	}
	if err := seen.add(d, &k); err != nil {
		return err
	}
	options := module.NewOptions(d)
	meta := make(map[string]string)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "permissions":
			err = parsePermissions(d, options, &k)
		case "staff":
			err = options.Flag(&k.Staff)
		case "superuser":
			err = options.Flag(&k.Superuser)
		case "expires":
			err = options.Time(&k.Expires)
		case "disabled":
			err = options.Flag(&k.Disabled)
		case "meta":
			err = parseMeta(d, meta)
		default:
			err = options.Unknown("key", "permissions", "staff", "superuser", "expires", "disabled", "meta")
		}
		if err != nil {
			return err
		}
	}
	if len(meta) > 0 {
		raw, err := json.Marshal(meta)
		if err != nil {
			return d.Errf("encoding meta: %w", err)
		}
		k.Meta = raw
	}
	a.Keys = append(a.Keys, k)
	return nil
}

func parsePermissions(d *caddyfile.Dispenser, options *module.Options, k *Key) error {
	if err := options.Words(&k.Permissions); err != nil {
		return err
	}
	if err := text.CheckWords("permissions", k.Permissions); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// parseMeta parses
//
//	meta <name> <value>
func parseMeta(d *caddyfile.Dispenser, meta map[string]string) error {
	args := d.RemainingArgs()
	if len(args) != 2 || args[0] == "" {
		return d.Err("meta takes a name and a value")
	}
	if _, ok := meta[args[0]]; ok {
		return d.Errf("meta %q was given already", args[0])
	}
	meta[args[0]] = args[1]
	return nil
}

// Interface guards
var _ caddyfile.Unmarshaler = (*APIKey)(nil)
