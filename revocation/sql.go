// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/module"
	"github.com/caddybolt/caddy-bolt/internal/replica"
	"github.com/caddybolt/caddy-bolt/internal/sqldsn"
)

func init() {
	caddy.RegisterModule(SQL{})
}

// SQL remembers revoked tokens in PostgreSQL, MySQL or MariaDB, for all Caddys
// that share it, in tables of its own that it makes when they are not there:
// caddy_auth_revocations and caddy_auth_sessions.
//
// Each Caddy keeps a copy of what is revoked, and no request asks the database.
// With PostgreSQL a revocation is refused by every Caddy within a tenth of a
// second, with MySQL and MariaDB, which are asked every half second, within one
// second. If the database was not heard for max_stale, the copy is trusted in
// what it holds alone: what is revoked stays refused, and whatever else comes is
// answered with 503 and Retry-After, or passes with "on_error allow". A log-out
// that the database does not take within two seconds is 503; this Caddy refuses
// the token all the same, and writes it as soon as the database is back.
//
// The database is one server, the primary: a standby or a replica does not know yet
// what was revoked. When another answers than before, as after a failover, all is
// read anew. A pooler that reads from one server and writes to another is an outage.
//
// An application that has a table of revoked tokens names it with table and
// column: what stands there is refused, and what Caddy revokes by its "jti" is
// added there, as far as the table allows. A row that the application deletes is
// forgotten. The table is read every half second, or less often if reading it
// takes long.
type SQL struct {
	// The database, as a URL: postgres://user@host/database or
	// mysql://user@host/database. Placeholders such as {env.DATABASE_URL} are
	// replaced. What follows the "?" is as in "users sql".
	DSN string `json:"dsn,omitempty"`

	// The table of an application in which revoked tokens stand, and the column
	// of their "jti". Default: none, and "jti".
	Table  string `json:"table,omitempty"`
	Column string `json:"column,omitempty"`

	// For how long the copy is trusted after the database was heard. Default: 2s,
	// at least 1s, at most 1h.
	MaxStale caddy.Duration `json:"max_stale,omitempty"`

	// What to do with a token when nobody knows whether it is revoked: "deny"
	// answers 503, "allow" lets it pass. Default: "deny".
	OnError string `json:"on_error,omitempty"`

	*replica.Handle `json:"-"`

	clock    clock.Clock
	pool     *caddy.UsagePool
	source   *sqlSource
	released bool
}

// defaultColumn is the column of an application's table.
const defaultColumn = "jti"

// CaddyModule returns the Caddy module information.
func (SQL) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.revocation.sql",
		New: func() caddy.Module { return new(SQL) },
	}
}

// Provision finds the connections that an earlier configuration left, or notes
// how to connect. It opens none.
func (s *SQL) Provision(ctx caddy.Context) error {
	if registry := ctx.GetMetricsRegistry(); registry != nil {
		if err := replica.Register(registry); err != nil {
			return err
		}
	}
	if err := s.check(); err != nil {
		return err
	}
	if sqldsn.ShowsPassword(s.DSN) {
		ctx.Logger().Warn("the password stands in the configuration itself, which Caddy's admin API, autosave file and debug log show: use {env.NAME} or {file./path}")
	}
	dsn, err := sqldsn.Expand(s.DSN)
	if err != nil {
		return err
	}
	target, err := sqldsn.New(dsn, replica.Timeout)
	if err != nil {
		return err
	}
	stale := time.Duration(s.MaxStale)
	if stale == 0 {
		stale = replica.DefaultMaxStale
	}
	made, foreign := &sqlSource{target: target, clock: s.clock, tidy: tidyEvery}, ""
	if s.Table != "" {
		made.foreign = newForeignTable(target.Dialect, s.Table, s.column())
		foreign = s.Table + " " + s.column()
	}
	all, err := json.Marshal([]any{dsn, target.Files, s.Table, s.column(), stale})
	if err != nil {
		return err
	}
	key := fmt.Sprintf("sql %x", sha256.Sum256(all))
	s.Handle, err = replica.Acquire(s.pool, key, s.OnError == "allow", func() (*replica.Node, error) {
		return replica.NewNode(replica.Settings{
			Store: "sql", Server: sqlLabel(dsn), MaxStale: stale, ForeignName: foreign, Source: made, Clock: s.clock,
			Logger: caddy.Log().Named("http.auth.revocation.sql"),
		}), nil
	})
	if err != nil {
		return err
	}
	s.source = s.Node().Source.(*sqlSource) // that of the node which was there
	return nil
}

// Cleanup gives the connections away. They are closed with the last
// configuration that uses them.
func (s *SQL) Cleanup() error {
	if s.released || s.Handle == nil {
		return nil
	}
	s.released = true
	return s.Release()
}

func (s *SQL) column() string {
	if s.Column == "" {
		return defaultColumn
	}
	return s.Column
}

// check judges what needs no placeholder.
func (s *SQL) check() error {
	switch {
	case s.DSN == "":
		return errors.New("dsn is required: postgres://user@host/database or mysql://user@host/database")
	case s.Column != "" && s.Table == "":
		return errors.New("column: belongs to table")
	case s.OnError != "" && s.OnError != "deny" && s.OnError != "allow":
		return fmt.Errorf("on_error: %q is neither deny nor allow", s.OnError)
	}
	for _, name := range strings.Split(s.Table, ".") {
		if s.Table != "" && (name == "" || len(name) > 63 || strings.ContainsRune(name, 0)) {
			return fmt.Errorf("table: %q is no name of a table", s.Table)
		}
	}
	if strings.Count(s.Table, ".") > 1 || strings.HasPrefix(s.Table, ownPrefix) {
		return fmt.Errorf("table: %q is no table of an application", s.Table)
	}
	if len(s.Column) > 63 || strings.ContainsRune(s.Column, 0) {
		return fmt.Errorf("column: %q is no name of a column", s.Column)
	}
	return replica.CheckMaxStale(time.Duration(s.MaxStale))
}

// sqlLabel names the database in logs.
func sqlLabel(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath()
}

// UnmarshalCaddyfile sets up the store. Syntax:
//
//	sql <dsn> {
//	    table <name>
//	    column <name>
//	    max_stale <duration>
//	    on_error deny|allow
//	}
//
// No error quotes the DSN, nor what may be a piece of it.
func (s *SQL) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name
	args := d.RemainingArgs()
	if len(args) != 1 || args[0] == "" {
		return d.Err("revocation sql takes one argument, the database: postgres://user@host/database or mysql://user@host/database")
	}
	s.DSN = args[0]
	_, err := sqldsn.DialectOf(s.DSN)
	if err == nil && !strings.Contains(s.DSN, "{") { // what a placeholder stands for is seen when Caddy starts
		_, _, _, err = sqldsn.Read(s.DSN)
	}
	if err != nil {
		return d.WrapErr(err)
	}
	options := module.NewOptions(d)
	for d.NextBlock(0) {
		switch d.Val() {
		case "table":
			err = options.Text(&s.Table)
		case "column":
			err = options.Text(&s.Column)
		case "max_stale":
			err = options.Duration(&s.MaxStale)
		case "on_error":
			err = options.Text(&s.OnError)
		default:
			err = options.Unknown("revocation sql", "table", "column", "max_stale", "on_error")
		}
		if err != nil {
			return err
		}
	}
	if err := s.check(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*SQL)(nil)
	_ caddy.CleanerUpper    = (*SQL)(nil)
	_ caddyfile.Unmarshaler = (*SQL)(nil)
	_ auth.RevocationPager  = (*SQL)(nil)
	_ auth.RefreshStore     = (*SQL)(nil)
)
