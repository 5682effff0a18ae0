// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// through is the DSN of a database behind PgBouncer, which before 1.21 keeps no
// prepared statements.
func through(bouncer *testservers.Server, database string) string {
	return bouncer.DSN(database) + "&default_query_exec_mode=exec"
}

func TestStoreBehindPgBouncerKeepsTheContract(t *testing.T) {
	t.Parallel()
	server := testservers.PostgreSQL(t)
	bouncer := testservers.OwnPgBouncer(t, server)
	dsn := through(bouncer, server.NewDatabase(t))
	near := func(tb testing.TB) *SQL { return sqlNode(tb, &SQL{DSN: dsn}) }
	authtest.TestRevocationStore(t, authtest.RevocationStoreCase{
		New:  func(tb testing.TB) auth.RevocationStore { return near(tb) },
		Peer: func(tb testing.TB, _ auth.RevocationStore) auth.RevocationStore { return near(tb) },
	})
	authtest.TestRefreshStore(t, authtest.RefreshStoreCase{
		New:  func(tb testing.TB) auth.RefreshStore { return near(tb) },
		Peer: func(tb testing.TB, _ auth.RefreshStore) auth.RefreshStore { return near(tb) },
	})
}

// knows reports whether a node refuses a token, also while it cannot decide.
func knows(s *SQL, token auth.TokenRef) bool {
	is, err := s.Revoked(context.Background(), token)
	return is && err == nil
}

// copyOf gives another server the table of revocations as it is.
func copyOf(t *testing.T, from, to *testservers.Server) {
	t.Helper()
	source, target := open(t, from.DSN("postgres")), open(t, to.DSN("postgres"))
	execute(t, target, postgresStatements().create[0])
	rows, err := source.QueryContext(t.Context(), "SELECT digest, kind, issuer, id, cutoff, until, tombstone, version FROM caddy_auth_revocations")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var digest, issuer, id []byte
		var kind, tombstone string
		var cutoff, until, version int64
		if err := rows.Scan(&digest, &kind, &issuer, &id, &cutoff, &until, &tombstone, &version); err != nil {
			t.Fatal(err)
		}
		execute(t, target, "INSERT INTO caddy_auth_revocations VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", digest, kind, issuer, id, cutoff, until, tombstone, version)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// Attack: the attacker's token is logged out around a failover to a copy that
// lags, behind a pooler: the connections of the nodes stay. The copy counts on
// from where it was and has passed what the node has read before it looks.
func TestFailoverBehindPgBouncerLosesNoRevocation(t *testing.T) {
	t.Parallel()
	old, next := testservers.OwnPostgreSQL(t), testservers.OwnPostgreSQL(t)
	bouncer := testservers.OwnPgBouncer(t, old)
	far := sqlNode(t, &SQL{DSN: through(bouncer, "postgres")})
	inTime(t, far, token("kept"))
	copyOf(t, old, next)
	const lost, late = 5, 8
	for i := range lost {
		inTime(t, far, token("lost-"+strconv.Itoa(i)))
	}
	inTime(t, sqlNode(t, &SQL{DSN: old.DSN("postgres")}), token("read"))
	eventually(t, "the node has read up to here", func() bool { return knows(far, token("read")) })
	near := sqlNode(t, &SQL{DSN: next.DSN("postgres")})
	for i := range late {
		inTime(t, near, token("late-"+strconv.Itoa(i)))
	}
	begun := time.Now()
	bouncer.Lead(t, next)
	old.Stop()
	for i := range late {
		eventually(t, "the node knows all that the other server holds", func() bool { return knows(far, token("late-"+strconv.Itoa(i))) })
	}
	for i := range lost {
		eventually(t, "the other server is told what it lacks", func() bool { return knows(near, token("lost-"+strconv.Itoa(i))) })
	}
	t.Logf("it took %s", time.Since(begun))
	for _, s := range []*SQL{far, near} {
		if !isRevoked(t, s, token("kept")) || isRevoked(t, s, token("never seen")) {
			t.Error("control: not exactly what was revoked is refused")
		}
	}
	inTime(t, far, token("after"))
	eventually(t, "log-outs go on", func() bool { return knows(near, token("after")) })
}
