// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// following is a store as one configuration has it before it starts.
type following interface {
	auth.RevocationStore
	State() revoked.State
}

// Attack: the attacker's token is logged out by a request that began before a
// reload, in the store of the configuration before.
func TestRequestsOfTheConfigurationBeforeRevokeInBothStores(t *testing.T) {
	t.Parallel()
	server := testservers.PostgreSQL(t)
	stores := map[string]func(t *testing.T) following{
		"memory": func(t *testing.T) following { return newMemory(t, clock.Clock{}) },
		"bolt": func(t *testing.T) following {
			b := &Bolt{Path: boltPath(t), pool: caddy.NewUsagePool()}
			provision(t, b)
			return b
		},
		"sql": func(t *testing.T) following {
			return provisionSQL(t, &SQL{DSN: server.DSN(server.NewDatabase(t))})
		},
	}
	begin := func(t *testing.T, s following) {
		t.Helper()
		if s, ok := s.(interface{ Start(context.Context) error }); ok {
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "it decides", func() bool { _, err := s.Revoked(t.Context(), token("x")); return err == nil })
	}
	for oldName, newOld := range stores {
		for name, newStore := range stores {
			t.Run(oldName+" "+name, func(t *testing.T) {
				t.Parallel()
				old, next, last := newOld(t), newStore(t), newStore(t)
				begin(t, old)
				inTime(t, old, token("before"))
				user := auth.UserRef{Issuer: "https://id.example", ID: "alice"}
				if err := old.RevokeUser(t.Context(), user, time.Now(), time.Now().Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
				undo := revoked.Succeed(old.State(), next.State())
				begin(t, next)
				of := auth.TokenRef{ID: "any", User: user, IssuedAt: time.Now().Add(-time.Minute)}
				if !isRevoked(t, next, token("before")) || !isRevoked(t, next, of) || isRevoked(t, next, token("late")) {
					t.Error("it does not refuse exactly what the one before did")
				}
				inTime(t, old, token("late"))
				if !isRevoked(t, next, token("late")) {
					t.Error("what those who still use the one before revoked is valid")
				}
				undoLast := revoked.Succeed(next.State(), last.State())
				begin(t, last)
				undo() // the end of the one in between: nothing is undone
				inTime(t, old, token("very late"))
				if !isRevoked(t, last, token("very late")) {
					t.Error("what is revoked two configurations later is valid")
				}
				if s, ok := last.(*SQL); ok {
					other := sqlNode(t, &SQL{DSN: s.DSN})
					for _, id := range []string{"before", "late", "very late"} {
						eventually(t, "the database is told", func() bool { return knows(other, token(id)) })
					}
				}
				undoLast()
				undo()
				inTime(t, old, token("alone"))
				if isRevoked(t, next, token("alone")) || isRevoked(t, last, token("alone")) {
					t.Error("a store whose configuration did not start is still told")
				}
			})
		}
	}
}

// Attack: the attacker's token stands in the table of an application, and an
// option is changed while the database is away.
func TestTableOfAnApplicationIsKnownToTheStoreThatFollows(t *testing.T) {
	t.Parallel()
	server := testservers.OwnPostgreSQL(t)
	dsn := server.DSN(server.NewDatabase(t))
	db := open(t, dsn)
	execute(t, db, "CREATE TABLE theirs (jti text)")
	execute(t, db, "CREATE TABLE others (jti text)")
	execute(t, db, "INSERT INTO theirs VALUES ('one'), ('two')")
	old := sqlNode(t, &SQL{DSN: dsn, Table: "theirs"})
	next := provisionSQL(t, &SQL{DSN: dsn, Table: "theirs", OnError: "allow", MaxStale: caddy.Duration(time.Second)})
	other := provisionSQL(t, &SQL{DSN: dsn, Table: "others"})
	server.Stop()
	for _, s := range []*SQL{next, other} {
		revoked.Succeed(old.State(), s.State())
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the outage is declared", func() bool { is, err := next.Revoked(t.Context(), token("x")); return !is && err == nil })
	for _, id := range []string{"one", "two"} {
		if !isRevoked(t, next, token(id)) {
			t.Errorf("%q passes in the outage", id)
		}
	}
	server.Start(t)
	execute(t, open(t, dsn), "DELETE FROM theirs WHERE jti = 'one'")
	eventually(t, "what the application deleted is forgotten", func() bool { return !isRevoked(t, next, token("one")) })
	eventually(t, "the other decides", other.Node().Fresh)
	if !isRevoked(t, next, token("two")) || isRevoked(t, other, token("two")) {
		t.Error("not exactly what stands in the table is refused")
	}
}
