// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/internal/module"
	"github.com/caddybolt/caddy-bolt/internal/sqldsn"
)

// UnmarshalCaddyfile parses
//
//	sql <dsn> {
//		schema          django
//		verify_query    <query>
//		load_query      <query>
//		timeout         <duration>
//		max_connections <number>
//		issuer          <issuer...>
//		no_issuer
//	}
//
// No error quotes the DSN, nor what may be a piece of it.
func (s *SQL) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the module
	args := d.RemainingArgs()
	if len(args) != 1 || args[0] == "" {
		return d.Err("users sql takes one argument, the database: postgres://user@host/database or mysql://user@host/database")
	}
	s.DSN = args[0]
	dialect, err := sqldsn.DialectOf(s.DSN)
	if err == nil && !strings.Contains(s.DSN, "{") { // what a placeholder stands for is seen when Caddy starts
		_, _, _, err = sqldsn.Read(s.DSN)
	}
	if err != nil {
		return d.WrapErr(err)
	}
	options := module.NewOptions(d)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch name := d.Val(); name {
		case "schema":
			err = checked(d, options.Text(&s.Schema), s.checkSchema)
		case "verify_query":
			err = s.parseQuery(d, options, dialect, &s.VerifyQuery)
		case "load_query":
			err = s.parseQuery(d, options, dialect, &s.LoadQuery)
		case "timeout":
			err = options.Duration(&s.Timeout)
			if err == nil && (time.Duration(s.Timeout) < time.Millisecond || time.Duration(s.Timeout) > maxTimeout) {
				err = d.Errf("timeout is not between 1ms and %s", maxTimeout)
			}
		case "max_connections":
			err = s.parseConnections(d, options)
		case "issuer":
			err = options.Words(&s.Issuers)
		case "no_issuer":
			err = options.Flag(&s.NoIssuer)
		default:
			err = options.Unknown("users sql", "schema", "verify_query", "load_query", "timeout", "max_connections", "issuer", "no_issuer")
		}
		if err != nil {
			return err
		}
	}
	if err := s.checkChoice(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (s *SQL) parseQuery(d *caddyfile.Dispenser, options *module.Options, dialect dialect, target *string) error {
	name := d.Val()
	if err := options.Text(target); err != nil {
		return err
	}
	if _, err := checkQuery(*target, dialect); err != nil {
		return d.Errf("%s: %w", name, err)
	}
	return nil
}

func (s *SQL) parseConnections(d *caddyfile.Dispenser, options *module.Options) error {
	var number string
	if err := options.Text(&number); err != nil {
		return err
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > maxConnections {
		return d.Errf("max_connections: %q is not a number between 1 and %d", number, maxConnections)
	}
	s.MaxConnections = n
	return nil
}
