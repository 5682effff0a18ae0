// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package password

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/internal/module"
)

const usersSpace = "http.auth.users"

// UnmarshalCaddyfile parses
//
//	basic {
//		users <store> ...           # any user store
//
//		user <name> <hash> { ... }  # or users here, each as "users static" has them
//	}
//
// With neither, the users are those of the global block.
func (b *Basic) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the module
	if d.NextArg() {
		return d.Err("basic takes no argument: write user <name> <hash> in its block")
	}
	options := module.NewOptions(d)
	var inline []caddyfile.Token
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch d.Val() {
		case "users":
			if inline != nil {
				return d.Err("users beside user: one of them only")
			}
			if err := b.parseUsers(d, options); err != nil {
				return err
			}
		case "user":
			if b.UsersRaw != nil {
				return d.Err("user beside users: one of them only")
			}
			inline = append(inline, d.NextSegment()...)
		default:
			return options.Unknown("basic", "users", "user")
		}
	}
	if inline == nil {
		return nil
	}
	return b.parseInline(inline)
}

func (b *Basic) parseUsers(d *caddyfile.Dispenser, options *module.Options) error {
	if err := options.Once(); err != nil {
		return err
	}
	if !d.NextArg() {
		return d.Err("users takes the name of a user store")
	}
	raw, err := module.Parse(d, usersSpace, "user store", "store")
	b.UsersRaw = raw
	return err
}

// parseInline hands the users to the module that keeps users in the
// configuration, as the block that it parses: each token with the line where it
// stands.
func (b *Basic) parseInline(users []caddyfile.Token) error {
	first, last := users[0], users[len(users)-1]
	block := []caddyfile.Token{
		{File: first.File, Line: first.Line, Text: "static"},
		{File: first.File, Line: first.Line, Text: "{"},
	}
	block = append(block, users...)
	block = append(block, caddyfile.Token{File: last.File, Line: last.Line + last.NumLineBreaks() + 1, Text: "}"})
	d := caddyfile.NewDispenser(block)
	d.Next()
	raw, err := module.Parse(d, usersSpace, "user store", "store")
	b.UsersRaw = raw
	return err
}

// Interface guards
var _ caddyfile.Unmarshaler = (*Basic)(nil)
