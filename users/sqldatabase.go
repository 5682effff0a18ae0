// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/passhash"
	"github.com/caddybolt/caddy-bolt/internal/sqldsn"
	"github.com/caddybolt/caddy-bolt/internal/text"
)

const (
	// maxUserPermissions is how many permissions a user may have.
	maxUserPermissions = 20_000

	// How long a connection is kept that nobody uses, and any connection: a
	// server that moved is found again.
	maxIdleTime = 5 * time.Minute
	maxLifetime = 30 * time.Minute
)

// errManyUsers means that the database knows several: whom it was asked for,
// nobody can say. It is about these users alone.
var errManyUsers = errors.New("it returns more than one user")

// errNoUser means that the database knows no such user.
var errNoUser = errors.New("no such user")

// database is a pool of connections, what is asked over them, and what was
// learned. All configurations that say the same share it; it keeps no logger.
type database struct {
	db         *sql.DB
	dialect    dialect
	timeout    time.Duration
	statements statements
	decoys     *decoys
	sampled    atomic.Bool
	health     health
}

func newDatabase(t *sqldsn.Target, s statements, timeout time.Duration, connections int) *database {
	d := &database{
		db: sql.OpenDB(t.Connector), dialect: t.Dialect, timeout: timeout,
		statements: s, decoys: newDecoys(),
	}
	d.db.SetMaxOpenConns(connections)
	d.db.SetMaxIdleConns(connections)
	d.db.SetConnMaxIdleTime(maxIdleTime)
	d.db.SetConnMaxLifetime(maxLifetime)
	return d
}

// Destruct closes the connections.
func (d *database) Destruct() error { return d.db.Close() }

// byName returns the user who signs in with the name, with the hash.
func (d *database) byName(ctx context.Context, name string) (*record, error) {
	r, err := d.one(ctx, "verify_query", d.statements.verify, name, "id", "username", "password")
	if err != nil {
		return nil, err
	}
	// Collations compare without regard to case, accents or trailing blanks, and
	// numbers with what begins like one: this user was not asked for.
	if r.username != name {
		return nil, errNoUser
	}
	return r, nil
}

// byID returns the user with the ID.
func (d *database) byID(ctx context.Context, id string) (*record, error) {
	r, err := d.one(ctx, "load_query", d.statements.load, id, "id", "username")
	if err != nil {
		return nil, err
	}
	if r.id != id { // MySQL takes "1abc" for 1
		return nil, errNoUser
	}
	return r, nil
}

// one asks for one user.
func (d *database) one(ctx context.Context, what string, q query, value string, required ...string) (*record, error) {
	t, err := d.ask(ctx, q.text, 1, q.bind(value)...)
	if err != nil {
		return nil, named(what, err)
	}
	if err := t.check(required...); err != nil {
		return nil, named(what, err)
	}
	switch len(t.rows) {
	case 0:
		return nil, errNoUser
	case 1:
		r, err := t.record(t.rows[0])
		return r, named(what, err)
	default:
		return nil, named(what, errManyUsers)
	}
}

// named says which query an error is about.
func named(what string, err error) error {
	if err == nil || errors.Is(err, errNoUser) || isUnreachable(err) {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

// permissionsOf returns what the user may do, as Django's get_all_permissions
// does.
func (d *database) permissionsOf(ctx context.Context, r *record) (auth.Set, error) {
	if d.statements.all == "" {
		return auth.NewSet(r.permissions...), nil
	}
	q, args := d.statements.permissions.text, d.statements.permissions.bind(r.id)
	if r.superuser {
		q, args = d.statements.all, nil
	}
	t, err := d.ask(ctx, q, maxUserPermissions, args...)
	if err != nil {
		return auth.Set{}, named("permissions", err)
	}
	if len(t.rows) > maxUserPermissions {
		return auth.Set{}, named("permissions", fmt.Errorf("a user has more than %d", maxUserPermissions))
	}
	words := make([]string, 0, len(t.rows))
	for _, row := range t.rows {
		app, appErr := textOf(row[0])
		name, nameErr := textOf(row[1])
		word := app + "." + name
		if appErr != nil || nameErr != nil || text.CheckWords("permissions", []string{word}) != nil {
			continue // it would look like two where permissions are listed
		}
		words = append(words, word)
	}
	slices.Sort(words)
	return auth.NewSet(words...), nil
}

// sample learns what hashes cost, once, before anybody can compare.
func (d *database) sample(ctx context.Context) error {
	if d.statements.hashes == "" || d.sampled.Load() {
		return nil
	}
	t, err := d.ask(ctx, d.statements.hashes, djangoSample)
	if err != nil {
		return named("verify_query", err)
	}
	for _, row := range t.rows {
		name, nameErr := textOf(row[0])
		encoded, hashErr := textOf(row[1])
		if nameErr != nil || hashErr != nil {
			continue
		}
		if hash, err := passhash.ParseDjango(encoded); err == nil {
			d.decoys.learn(name, hash)
		}
	}
	d.sampled.Store(true)
	return nil
}

// ask runs a query, and reads at most one row more than most. A connection that
// broke since it was last used is tried once more on a new one.
func (d *database) ask(ctx context.Context, statement string, most int, args ...any) (*table, error) {
	t, err := d.askOnce(ctx, statement, most, args...)
	if err != nil && ctx.Err() == nil && isBroken(err) {
		t, err = d.askOnce(ctx, statement, most, args...)
	}
	if err != nil {
		return nil, d.explain(ctx, err)
	}
	return t, nil
}

func (d *database) askOnce(ctx context.Context, statement string, most int, args ...any) (t *table, err error) {
	rows, err := d.db.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	t = new(table)
	for _, c := range types {
		t.columns = append(t.columns, strings.ToLower(c.Name()))
		t.types = append(t.types, c.DatabaseTypeName())
	}
	for len(t.rows) <= most && rows.Next() {
		row := make([]any, len(types))
		targets := make([]any, len(types))
		for i := range row {
			targets[i] = &row[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		t.rows = append(t.rows, row)
	}
	return t, rows.Err()
}

// Interface guards
var _ caddy.Destructor = (*database)(nil)
