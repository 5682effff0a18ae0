// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"encoding/json"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/internal/module"
	"github.com/caddybolt/caddy-bolt/internal/passhash"
	"github.com/caddybolt/caddy-bolt/internal/text"
)

// UnmarshalCaddyfile parses
//
//	static {
//		user <name> <hash> {            # once or more
//			id          <id>
//			staff
//			superuser
//			permissions <permission...>
//			disabled
//			field       <name> <value>  # any number of times
//		}
//		issuer <issuer...>
//		no_issuer
//	}
func (s *Static) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the module
	if d.NextArg() {
		return d.Errf("users static takes no argument, not %q", d.Val())
	}
	options := module.NewOptions(d)
	names := make(map[string]int)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch d.Val() {
		case "user":
			u, err := parseUser(d, names)
			if err != nil {
				return err
			}
			s.Users = append(s.Users, u)
		case "issuer":
			if err := options.Words(&s.Issuers); err != nil {
				return err
			}
		case "no_issuer":
			if err := options.Flag(&s.NoIssuer); err != nil {
				return err
			}
		default:
			return options.Unknown("users static", "user", "issuer", "no_issuer")
		}
	}
	if len(s.Users) == 0 {
		return d.Err("users static needs at least one user <name> <hash>")
	}
	return nil
}

// parseUser parses one user; names are the names seen and their lines. What
// stands in the place of the hash is never quoted, nor a name that is one.
func parseUser(d *caddyfile.Dispenser, names map[string]int) (StaticUser, error) {
	var u StaticUser
	args := d.RemainingArgs()
	if len(args) != 2 || args[0] == "" || args[1] == "" {
		return u, d.Err("user takes a name and a hash, as \"caddy hash-password\" prints it")
	}
	u.Username, u.Password = args[0], args[1]
	if err := checkName(u.Username); err != nil {
		return u, d.WrapErr(err)
	}
	if line, ok := names[u.Username]; ok {
		return u, d.Errf("user %q was given already at line %d", u.Username, line)
	}
	names[u.Username] = d.Line()
	if !strings.Contains(u.Password, "{") { // a placeholder is looked up when Caddy starts
		if _, err := passhash.Parse(u.Password); err != nil {
			return u, d.Errf("user %q: %v", u.Username, err)
		}
	}
	options := module.NewOptions(d)
	fields := make(map[string]string)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "id":
			err = checked(d, options.Text(&u.ID), func() error { return checkID(u.ID) })
		case "staff":
			err = options.Flag(&u.Staff)
		case "superuser":
			err = options.Flag(&u.Superuser)
		case "permissions":
			err = checked(d, options.Words(&u.Permissions), func() error { return text.CheckWords("permissions", u.Permissions) })
		case "disabled":
			err = options.Flag(&u.Disabled)
		case "field":
			err = parseField(d, fields)
		default:
			err = options.Unknown("user", "id", "staff", "superuser", "permissions", "disabled", "field")
		}
		if err != nil {
			return u, err
		}
	}
	if len(fields) == 0 {
		return u, nil
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return u, d.Errf("encoding fields: %w", err)
	}
	u.Fields = raw
	return u, nil
}

// checked asks check about an option that was parsed without err.
func checked(d *caddyfile.Dispenser, err error, check func() error) error {
	if err != nil {
		return err
	}
	if err := check(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// parseField parses
//
//	field <name> <value>
func parseField(d *caddyfile.Dispenser, fields map[string]string) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Err("field takes a name and a value")
	}
	name, value := args[0], args[1]
	if err := checkField(name); err != nil {
		return d.WrapErr(err)
	}
	if _, ok := fields[name]; ok {
		return d.Errf("field %q was given already", name)
	}
	if looksLikeHash(value) {
		return d.Errf("field %q is the hash of a password, which is never a field", name)
	}
	fields[name] = value
	return nil
}
