// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// Attack: the attacker holds a token that was logged out, and makes the
// database fail in any way there is.
func TestRevokedTokenStaysRefusedHoweverTheDatabaseFails(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := m.own(t)
			name := server.NewDatabase(t)
			proxy := testservers.NewProxy(t, server.Port)
			dsn := server.DSN(name)
			a := sqlNode(t, &SQL{DSN: behind(dsn, server.Port, proxy)})
			db := open(t, dsn)
			user := auth.UserRef{Issuer: "x", ID: "u"}
			for what, f := range map[string]struct{ fail, mend func() }{
				"frozen":  {proxy.Freeze, proxy.Restore},
				"cut off": {proxy.Cut, proxy.Restore},
				"crashed": {server.Stop, func() { server.Start(t) }},
				"emptied in a crash": {
					func() { proxy.Cut(); execute(t, db, "DELETE FROM caddy_auth_revocations") },
					func() { execute(t, db, "DROP TABLE caddy_auth_revocations"); proxy.Restore() },
				},
			} {
				before, during := token("before "+what), token("during "+what)
				before.SessionID = "session " + what
				if !inTime(t, a, before) {
					return
				}
				if err := a.RevokeUser(t.Context(), user, time.Now(), time.Now().Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
				f.fail()
				if !isRevoked(t, a, before) {
					t.Errorf("%s: a revoked token is valid at once", what)
				}
				eventually(t, "the copy is not trusted any more", func() bool { return unknown(t, a, token("never seen")) })
				if err := a.Revoke(t.Context(), during, time.Now().Add(time.Hour)); err == nil {
					t.Errorf("%s: a log-out that was not written is no error", what)
				}
				for _, id := range []auth.TokenRef{before, during, {ID: "z", SessionID: "session " + what}, {ID: "z", User: user}} {
					if !isRevoked(t, a, id) {
						t.Errorf("%s: a revoked token is valid in the outage", what)
					}
				}
				f.mend()
				used(t, a, what, time.Now())
				b := sqlNode(t, &SQL{DSN: dsn})
				for _, id := range []auth.TokenRef{before, during, {ID: "z", SessionID: "session " + what}, {ID: "z", User: user}} {
					eventually(t, what+": another node refuses what the first one knows", func() bool { return isRevoked(t, b, id) })
				}
				if isRevoked(t, b, token("never seen")) {
					t.Errorf("%s: control: what nobody revoked is refused", what)
				}
				cleanup(t, b)
			}
		})
	}
}

func TestNodeOfADatabaseLearnsWhatWasTakenBackMeanwhile(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := m.shared(t)
			dsn := server.DSN(server.NewDatabase(t))
			proxy := testservers.NewProxy(t, server.Port)
			far, near := sqlNode(t, &SQL{DSN: behind(dsn, server.Port, proxy)}), sqlNode(t, &SQL{DSN: dsn})
			for _, id := range []string{"back", "kept"} {
				inTime(t, near, token(id))
				eventually(t, "both know", func() bool { return isRevoked(t, far, token(id)) })
			}
			proxy.Cut()
			eventually(t, "the node is cut off", func() bool { return unknown(t, far, token("never seen")) })
			if err := near.Unrevoke(t.Context(), token("back")); err != nil {
				t.Fatal(err)
			}
			proxy.Restore()
			eventually(t, "it is taken back there, too", func() bool { return !unknown(t, far, token("x")) && !isRevoked(t, far, token("back")) })
			if isRevoked(t, near, token("back")) || !isRevoked(t, near, token("kept")) || !isRevoked(t, far, token("kept")) {
				t.Error("not exactly what was taken back is valid")
			}
			inTime(t, far, token("back")) // again
			eventually(t, "it is revoked again", func() bool { return isRevoked(t, near, token("back")) })
		})
	}
}

func TestDatabaseThatIsReadOnlyGetsWhatItRefusedLater(t *testing.T) {
	t.Parallel()
	server := testservers.OwnPostgreSQL(t)
	dsn := server.DSN(server.NewDatabase(t))
	a := sqlNode(t, &SQL{DSN: dsn})
	inTime(t, a, token("before"))
	admin := open(t, dsn)
	admin.SetMaxOpenConns(1)
	execute(t, admin, "SET default_transaction_read_only = off")
	readOnly := func(value string) {
		t.Helper()
		execute(t, admin, "ALTER SYSTEM SET default_transaction_read_only = "+value)
		execute(t, admin, "SELECT pg_reload_conf()")
	}
	readOnly("on")
	last := ""
	eventually(t, "log-outs fail", func() bool {
		last += "x"
		return a.Revoke(t.Context(), token(last), time.Now().Add(time.Hour)) != nil
	})
	if !isRevoked(t, a, token(last)) || !isRevoked(t, a, token("before")) || isRevoked(t, a, token("never seen")) {
		t.Error("not exactly what was revoked is refused while the database is read-only")
	}
	readOnly("off")
	b := sqlNode(t, &SQL{DSN: dsn})
	eventually(t, "what was refused is written", func() bool { return isRevoked(t, b, token(last)) })
	inTime(t, a, token("after"))
}

// A reload that leaves a database which hangs must not hang itself.
func TestReloadIsNotHeldUpByADatabaseThatHangs(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := m.shared(t)
			dsn := server.DSN(server.NewDatabase(t))
			proxy := testservers.NewProxy(t, server.Port)
			s := sqlNode(t, &SQL{DSN: behind(dsn, server.Port, proxy)})
			inTime(t, s, token("a"))
			proxy.Freeze()
			_ = s.Revoke(t.Context(), token("b"), time.Now().Add(time.Hour)) // something is under way
			begun := time.Now()
			cleanup(t, s)
			took := time.Since(begun)
			t.Logf("it took %s", took)
			if took > patience/2 {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestReloadKeepsTheConnectionsToTheDatabase(t *testing.T) {
	server := testservers.PostgreSQL(t)
	dsn := server.DSN(server.NewDatabase(t))
	other := server.DSN(server.NewDatabase(t))
	db := open(t, server.DSN("postgres"))
	connections := func() (n int) {
		t.Helper()
		err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = $1", dsn[strings.LastIndex(dsn, "/")+1:strings.Index(dsn, "?")]).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	pool := caddy.NewUsagePool()
	load := func(s *SQL) *SQL {
		t.Helper()
		s.pool = pool
		if err := s.Provision(caddy.Context{Context: t.Context()}); err != nil {
			t.Fatal(err)
		}
		if err := s.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the node is connected", s.Node().Fresh)
		return s
	}
	first := load(&SQL{DSN: dsn})
	inTime(t, first, token("a"))
	second := load(&SQL{DSN: dsn, OnError: "allow"})
	cleanup(t, first)
	if first.Node() != second.Node() || !isRevoked(t, second, token("a")) || connections() == 0 {
		t.Error("a reload that changes nothing connects anew")
	}
	third := load(&SQL{DSN: other})
	cleanup(t, second)
	eventually(t, "the old connections are closed", func() bool { return connections() == 0 })
	cleanup(t, third)
}
