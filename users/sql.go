// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"
	"errors"
	"strings"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/passhash"
	"github.com/caddybolt/caddy-bolt/internal/sqldsn"
	"github.com/caddybolt/caddy-bolt/internal/text"
)

// maxAsked is the length in bytes above which no name and no ID is looked for.
const maxAsked = 1 << 10

// SQL asks a PostgreSQL, MySQL or MariaDB for users: the tables of a Django
// application, or whatever queries of your own return. It reads and never
// writes.
//
// The schema "django" reads auth_user, its groups and the permissions of both.
// A user's permissions are those of Django's get_all_permissions(), as
// "app_label.codename": of a superuser, all that there are. The fields are
// "email", "first_name", "last_name", "last_login" and "date_joined". A model
// of users of your own is read with queries.
//
// Queries have one parameter, $1 (MySQL: ?), which is bound and never part of
// the text: the name for verify_query, the ID for load_query. They return at
// most one user, in the columns
//
//   - id: a whole number or a text. Required.
//   - username: the name that was asked for, to the letter. Required.
//   - password: the hash, as "caddy hash-password" or as Django writes it.
//     Required in verify_query. It is never a field.
//   - is_active: whether the user may sign in and is found. Without the column,
//     everybody.
//   - is_staff, is_superuser: the flags. Without the columns, nobody.
//   - permissions: an array, a JSON list, or words separated by spaces.
//
// and whatever else they return is {http.auth.user.<column>}.
//
// Names and IDs are compared to the letter once more, whatever the collation of
// the database says. A wrong password, a name that is not there, a user who is
// inactive, one whose password is unusable and one whose hash is of no known
// kind or costs too much are one answer, after the same time. Hashes are
// computed and remembered as by the store static; the database is asked each
// time, so that whoever is set inactive there is refused at once.
//
// No connection is opened before Caddy has started. A database that does not
// answer in time is 503 until it does; one line in the log says so, and one when
// it is over.
//
// The users are those of HTTP Basic log-ins on this server, and of the issuers
// that are named: the user 1 of another issuer is not the user 1 here.
type SQL struct {
	// The database: postgres://user:password@host/database, or mysql:// for
	// MySQL and MariaDB. Placeholders are replaced; one in the place of user or
	// password may stand for any text. Without sslmode, a connection that leaves
	// the machine is verified by TLS (verify-full). Required.
	DSN string `json:"dsn,omitempty"`

	// Whose tables they are: "django". Without it, both queries are required.
	Schema string `json:"schema,omitempty"`

	// What is asked when somebody signs in; its parameter is the name.
	VerifyQuery string `json:"verify_query,omitempty"`

	// What is asked for a user who is signed in; its parameter is the ID.
	LoadQuery string `json:"load_query,omitempty"`

	// How long a visitor waits for the database. Default: 3s, at most 1m.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// How many connections there are at most. Default: 10.
	MaxConnections int `json:"max_connections,omitempty"`

	// Issuers whose subjects are the IDs of these users, beside HTTP Basic
	// log-ins here. Default: those whose tokens auth_token issues here.
	Issuers []string `json:"issuers,omitempty"`

	// Whether the subjects of tokens that have no issuer ("iss") are the IDs of
	// these users as well, such as those of create_jwt_for_user of Django-Bolt.
	// Whoever can sign such a token that a jwt here accepts can name any user.
	// Default: only where auth_token issues such tokens here, and one jwt alone
	// accepts them.
	NoIssuer bool `json:"no_issuer,omitempty"`

	served   served
	database *database
	key      string
	acquired bool
	clock    clock.Clock
	logger   *zap.Logger
}

// databases holds the pools of the process, by all that they were built from.
var databases = caddy.NewUsagePool()

// CaddyModule returns the Caddy module information.
func (*SQL) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.users.sql",
		New: func() caddy.Module { return new(SQL) },
	}
}

// Provision prepares the pool, or finds the one that an earlier configuration
// has. It opens no connection.
func (s *SQL) Provision(ctx caddy.Context) error {
	s.logger = ctx.Logger()
	if s.DSN == "" {
		return errors.New("dsn is required")
	}
	if err := s.checkChoice(); err != nil {
		return err
	}
	dsn, err := sqldsn.Expand(s.DSN)
	if err != nil {
		return err
	}
	if sqldsn.ShowsPassword(s.DSN) {
		s.logger.Warn("option dsn holds the password itself, which Caddy's admin API, autosave file and debug log show: use {env.NAME} or {file./path} in its place")
	}
	target, err := sqldsn.New(dsn, s.timeout())
	if err != nil {
		return err
	}
	statements, err := s.statements(target.Dialect)
	if err != nil {
		return err
	}
	if s.served, err = newServed(ctx, s.Issuers, s.NoIssuer); err != nil {
		return err
	}
	s.key = s.poolKey(dsn, target.Files)
	pooled, _, err := databases.LoadOrNew(s.key, func() (caddy.Destructor, error) {
		return newDatabase(target, statements, s.timeout(), s.connections()), nil
	})
	if err != nil {
		return err
	}
	s.database, s.acquired = pooled.(*database), true
	return nil
}

// Start asks the database once, in the background: what is wrong with it is in
// the log before a visitor comes.
func (s *SQL) Start(ctx context.Context) error {
	go s.tryOut(ctx)
	return nil
}

func (s *SQL) tryOut(ctx context.Context) {
	const nobody = "0" // a text that is a number as well
	for _, q := range []struct {
		name string
		ask  func(context.Context) error
	}{
		{"verify_query", func(ctx context.Context) error { _, err := s.database.byName(ctx, nobody); return err }},
		{"load_query", func(ctx context.Context) error { _, err := s.database.byID(ctx, nobody); return err }},
		{"permissions", func(ctx context.Context) error {
			_, err := s.database.permissionsOf(ctx, &record{id: nobody})
			return err
		}},
	} {
		if err := s.ask(ctx, q.name, q.ask); err != nil && !errors.Is(err, errNoUser) {
			return // it was logged
		}
	}
}

// Cleanup gives the pool away. It is closed with the last configuration that
// uses it.
func (s *SQL) Cleanup() error {
	if !s.acquired {
		return nil
	}
	s.acquired = false
	_, err := databases.Delete(s.key)
	return err
}

// ask asks the database within the time that a visitor waits, and notes whether
// it answered. It returns nil, errNoUser, or an error that means "could not
// decide".
func (s *SQL) ask(ctx context.Context, name string, question func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return auth.Unavailable(auth.ReasonStoreUnavailable, err)
	}
	limited, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()
	err := question(limited)
	switch {
	case err == nil || errors.Is(err, errNoUser):
		s.database.health.works(s.logger, name)
		return err
	case errors.Is(err, errManyUsers):
		s.database.health.works(s.logger, name)
		if s.database.health.mayNote("many", s.clock.Now()) {
			s.logger.Warn("the database has several users of one name or ID; they alone are refused with 503", zap.Error(err))
		}
	case ctx.Err() == nil: // else it is the visitor who did not wait
		s.database.health.failed(s.logger, name, err, s.clock.Now())
	}
	return auth.Unavailable(auth.ReasonStoreUnavailable, err)
}

// Verify implements auth.UserStore.
func (s *SQL) Verify(ctx context.Context, username, password string) (*auth.User, error) {
	if !askable(username) {
		return nil, refuse(ctx, username, s.database.decoys.pick(username), password)
	}
	var r *record
	err := s.ask(ctx, "verify_query", func(ctx context.Context) (err error) {
		if err = s.database.sample(ctx); err == nil {
			r, err = s.database.byName(ctx, username)
		}
		return err
	})
	if errors.Is(err, errNoUser) {
		return nil, refuse(ctx, username, s.database.decoys.pick(username), password)
	}
	if err != nil {
		return nil, err
	}
	hash, ok := s.hashOf(r)
	if !ok {
		return nil, refuse(ctx, username, s.database.decoys.pick(username), password)
	}
	s.database.decoys.learn(username, hash)
	if !r.active || checkID(r.id) != nil {
		return nil, refuse(ctx, username, hash, password)
	}
	same, err := passhash.Shared.Verify(ctx, username, hash, password)
	if err != nil {
		return nil, auth.Unavailable(auth.ReasonStoreUnavailable, err)
	}
	if !same {
		return nil, errRefused
	}
	return s.user(ctx, auth.UserRef{Issuer: localBasic, ID: r.id}, r)
}

// askable reports whether a name or an ID can be one that a database holds.
func askable(value string) bool {
	return value != "" && len(value) <= maxAsked && text.IsPlain(value)
}

// hashOf parses the user's hash. One that is of no use is said in the log, not
// to the visitor.
func (s *SQL) hashOf(r *record) (passhash.Hash, bool) {
	parse := passhash.ParseAny
	if s.Schema == schemaDjango {
		parse = passhash.ParseDjango
	}
	hash, err := parse(r.hash)
	if err == nil {
		return hash, true
	}
	if !errors.Is(err, passhash.ErrUnusable) && s.database.health.mayNote("hash", s.clock.Now()) {
		s.logger.Warn("a user cannot sign in: the hash of the password is of no use", zap.String("id", r.id), zap.Error(err))
	}
	return passhash.Hash{}, false
}

// user makes a user of a row.
func (s *SQL) user(ctx context.Context, ref auth.UserRef, r *record) (*auth.User, error) {
	var permissions auth.Set
	err := s.ask(ctx, "permissions", func(ctx context.Context) (err error) {
		permissions, err = s.database.permissionsOf(ctx, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	if r.leftOut != "" && s.database.health.mayNote("field", s.clock.Now()) {
		s.logger.Warn("a column of a user is no field", zap.String("id", r.id), zap.String("column", r.leftOut))
	}
	return &auth.User{
		UserRef:     ref,
		Username:    r.username,
		Staff:       r.staff,
		Superuser:   r.superuser,
		Permissions: permissions,
		Fields:      r.fields,
	}, nil
}

// Serves reports whether the issuer's subjects are the IDs of these users.
func (s *SQL) Serves(issuer string) bool { return s.served.serves(issuer) }

// Load implements auth.UserStore.
func (s *SQL) Load(ctx context.Context, ref auth.UserRef) (*auth.User, error) {
	if !s.served.serves(ref.Issuer) || !askable(ref.ID) || strings.HasPrefix(ref.ID, auth.APIKeyPrefix) {
		return nil, auth.ErrUserNotFound
	}
	var r *record
	err := s.ask(ctx, "load_query", func(ctx context.Context) (err error) {
		r, err = s.database.byID(ctx, ref.ID)
		return err
	})
	if errors.Is(err, errNoUser) || (err == nil && !r.active) {
		return nil, auth.ErrUserNotFound
	}
	if err != nil {
		return nil, err
	}
	return s.user(ctx, ref, r)
}

// Interface guards
var (
	_ caddy.Provisioner     = (*SQL)(nil)
	_ caddy.CleanerUpper    = (*SQL)(nil)
	_ caddyfile.Unmarshaler = (*SQL)(nil)
	_ auth.UserStore        = (*SQL)(nil)
)
