// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

// Attack: the clock of one node is ahead, and the attacker's token, which was
// logged out, ends soon: a node that starts must still know of it.
func TestRowsAreRemovedWhenTheyHaveEndedForEveryNode(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := m.shared(t)
			dsn := server.DSN(server.NewDatabase(t))
			db := open(t, dsn)
			a := sqlNode(t, &SQL{DSN: dsn})
			if err := a.Revoke(t.Context(), token("soon"), time.Now().Add(10*time.Minute)); err != nil {
				t.Fatal(err)
			}
			const ended = 3*removedAtOnce/2 + 1
			long := revoked.Nanoseconds(time.Now().Add(-24 * time.Hour))
			insert := "INSERT INTO caddy_auth_revocations (digest, kind, issuer, id, cutoff, until, tombstone, version) "
			if m.name == "PostgreSQL" {
				execute(t, db, insert+"SELECT sha256(i::text::bytea), 't', '', i::text::bytea, 0, $1::bigint, '', 0 FROM generate_series(1, 15001) i", long)
			} else {
				execute(t, db, insert+"SELECT UNHEX(SHA2(seq, 256)), 't', '', seq, 0, ?, '', 0 FROM seq_1_to_15001", long)
			}
			count := func() (n int) {
				t.Helper()
				if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM caddy_auth_revocations WHERE kind = 't'").Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n
			}
			if n := count(); n != ended+1 {
				t.Fatalf("%d rows", n)
			}
			ahead := &SQL{DSN: dsn, clock: clock.Func(func() time.Time { return time.Now().Add(30 * time.Minute) }), pool: caddy.NewUsagePool()}
			provision(t, ahead)
			ahead.source.tidy = time.Millisecond
			if err := ahead.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			eventually(t, "what ended long ago is removed", func() bool { return count() <= 1 })
			b := sqlNode(t, &SQL{DSN: dsn})
			if count() != 1 || !isRevoked(t, b, token("soon")) {
				t.Error("a revoked token is valid on a node that starts")
			}
		})
	}
}

// Many databases are set up so that transactions see nothing of each other.
func TestLogoutsAtOnceDoNotFailInADatabaseThatIsStrict(t *testing.T) {
	t.Parallel()
	server := makers[0].shared(t)
	name := server.NewDatabase(t)
	dsn := server.DSN(name)
	execute(t, open(t, dsn), "ALTER DATABASE \""+name+"\" SET default_transaction_isolation = 'serializable'")
	const nodes, each = 4, 50
	failed := make(chan error, nodes*each)
	for range nodes {
		s := sqlNode(t, &SQL{DSN: dsn})
		go func() {
			for i := range each {
				failed <- s.Revoke(t.Context(), auth.TokenRef{ID: jti(i)}, time.Now().Add(time.Hour))
			}
		}()
	}
	for range nodes * each {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}
