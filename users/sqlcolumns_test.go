// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"errors"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/sqldsn"
	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// Attack: a name that the database cannot even write down must not look like an
// outage, which anybody could then cause.
func TestNameThatTheColumnCannotHoldIsNobody(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := m.shared(t)
			name := server.NewDatabase(t)
			charset := " CHARACTER SET latin1"
			if m.d == postgresql {
				name += "_latin1"
				server.Execute(t, "CREATE DATABASE "+name+" ENCODING LATIN1 TEMPLATE template0")
				charset = ""
			}
			dsn := server.DSN(name)
			execute(t, dsn, "CREATE TABLE old (id int, username varchar(80)"+charset+", password varchar(200))",
				"INSERT INTO old VALUES (1, 'zoë', '"+hashHorse+"')")
			s := sqlStore(t, &SQL{
				DSN:         dsn,
				VerifyQuery: "SELECT id, username, password FROM old WHERE username = " + m.parameter(),
				LoadQuery:   "SELECT id, username FROM old WHERE username = " + m.parameter(),
			})
			logs := watch(s)
			for _, name := range []string{"😀", "Ω", "zoë😀", "日本", "zoё"} {
				if u, err := s.Verify(t.Context(), name, "correct horse"); u != nil || !errors.Is(err, auth.ErrInvalidCredentials) {
					t.Errorf("name %q: %v, %v", name, u, err)
				}
				if u, err := s.Load(t.Context(), auth.UserRef{Issuer: localBasic, ID: name}); u != nil || !errors.Is(err, auth.ErrUserNotFound) {
					t.Errorf("ID %q: %v, %v", name, u, err)
				}
			}
			if logs.Len() != 0 {
				t.Errorf("logged %v", logs.All())
			}
			if _, err := s.Verify(t.Context(), "zoë", "correct horse"); err != nil { // control
				t.Error(err)
			}
		})
	}
}

// Behind a pooler, statements cannot stay prepared.
func TestEveryModeOfAskingWorks(t *testing.T) {
	t.Parallel()
	d := sharedDjango(t, makers[0])
	alice := d.users["alice"]
	for _, mode := range sqldsn.QueryModes {
		s := sqlStore(t, &SQL{DSN: d.dsn + "&default_query_exec_mode=" + mode, Schema: "django"})
		u, err := s.Verify(t.Context(), "alice", alice.Password)
		if err != nil || u.ID != alice.ID || len(u.Permissions.Words()) != 3 || u.Fields["email"] != alice.Email {
			t.Errorf("%s: %+v, %v", mode, u, err)
		}
		if u, err := s.Load(t.Context(), auth.UserRef{Issuer: localBasic, ID: alice.ID}); err != nil || u.Username != "alice" {
			t.Errorf("%s: %v, %v", mode, u, err)
		}
		for _, id := range []string{"x", "1x", "99999999999999999999"} {
			if u, err := s.Load(t.Context(), auth.UserRef{Issuer: localBasic, ID: id}); u != nil || !errors.Is(err, auth.ErrUserNotFound) {
				t.Errorf("%s: ID %q: %v, %v", mode, id, u, err)
			}
		}
	}
}

// Columns of PostgreSQL that MySQL has not.
func TestColumnsOfPostgreSQLAreRead(t *testing.T) {
	t.Parallel()
	server := testservers.PostgreSQL(t)
	dsn := server.DSN(server.NewDatabase(t))
	execute(t, dsn, "CREATE TABLE modern (id uuid, username text, password text, permissions text[], profile jsonb, price numeric, born date, tags text[])",
		`INSERT INTO modern VALUES ('6f1c1c1e-52a2-4b8f-8d0e-1b1f0a2c3d4e', 'ann', '`+hashHorse+`', '{a.read,"b.write"}', '{"lang": "en"}', 12.50, '2000-02-03', '{x,y}')`)
	s := sqlStore(t, &SQL{DSN: dsn, VerifyQuery: "SELECT * FROM modern WHERE username = $1", LoadQuery: "SELECT * FROM modern WHERE id = $1"})
	u, err := s.Verify(t.Context(), "ann", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if u.ID != "6f1c1c1e-52a2-4b8f-8d0e-1b1f0a2c3d4e" || u.Permissions.String() != "a.read b.write" {
		t.Errorf("user is %+v", u)
	}
	for name, want := range map[string]any{"profile": `{"lang": "en"}`, "price": "12.50", "born": "2000-02-03T00:00:00Z", "tags": "{x,y}"} {
		if u.Fields[name] != want {
			t.Errorf("%s is %#v", name, u.Fields[name])
		}
	}
	if len(u.Fields) != 4 {
		t.Errorf("fields are %v", u.Fields)
	}
	for _, id := range []string{"6F1C1C1E-52A2-4B8F-8D0E-1B1F0A2C3D4E", "{6f1c1c1e-52a2-4b8f-8d0e-1b1f0a2c3d4e}", "6f1c1c1e", "7"} {
		if u, err := s.Load(t.Context(), auth.UserRef{Issuer: localBasic, ID: id}); u != nil || !errors.Is(err, auth.ErrUserNotFound) {
			t.Errorf("ID %q: %v, %v", id, u, err)
		}
	}
	if u, err := s.Load(t.Context(), auth.UserRef{Issuer: localBasic, ID: u.ID}); err != nil || u.Username != "ann" {
		t.Errorf("the ID itself: %v, %v", u, err)
	}
}
