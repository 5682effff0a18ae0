// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/replica"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// connected is a session that nobody follows.
func connected(t *testing.T, s *SQL) *sqlSession {
	t.Helper()
	session, err := s.source.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return session.(*sqlSession)
}

// polls reads what changed up to now.
func polls(t *testing.T, s *sqlSession, n *replica.Node) {
	t.Helper()
	if _, err := s.poll(t.Context(), n); err != nil {
		t.Fatal(err)
	}
}

func connection(t *testing.T, dsn string) *sql.Conn {
	t.Helper()
	conn, err := open(t, dsn).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func revoking(id string) []replica.Change {
	until := revoked.Nanoseconds(time.Now().Add(time.Hour))
	return []replica.Change{{Entry: revoked.Entry{Kind: revoked.Token, Issuer: "https://id.example", ID: id, Until: until}}}
}

// over is the session as it goes on over another connection.
func over(s *sqlSession, conn *sql.Conn) *sqlSession {
	moved := *s
	moved.follower = conn
	return &moved
}

// The name must be the same whoever asks, and however, or nodes would connect
// anew again and again; and another after a start, which may have lost something.
func TestServerHasOneNameUntilItStartsAgain(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := m.own(t)
			names := []string{server.NewDatabase(t)}
			if m.name == "MariaDB" { // what names the table is in the character set of its database
				for _, set := range []string{"ucs2", "latin1"} {
					name := server.NewDatabase(t)
					server.Execute(t, "ALTER DATABASE "+name+" CHARACTER SET "+set)
					names = append(names, name)
				}
			}
			for _, name := range names {
				dsn := server.DSN(name)
				s := provisionSQL(t, &SQL{DSN: dsn})
				session := connected(t, s)
				execute(t, session.db, "CREATE TABLE theirs (jti varchar(99))")
				f := newForeignTable(dialectFor(m.name), "theirs", "jti")
				for range 5 {
					other := over(session, connection(t, dsn))
					for range 20 {
						if m.name == "MariaDB" { // others make UUIDs
							execute(t, session.db, "CREATE OR REPLACE TABLE others AS SELECT UUID() FROM seq_1_to_100")
						}
						polls(t, other, s.Node())
						f.next = time.Time{}
						if err := f.poll(t.Context(), other, s.Node()); err != nil {
							t.Fatal(err)
						}
					}
					if again := connected(t, s).server; again != session.server {
						t.Fatalf("its name is %q, and then %q", session.server, again)
					}
				}
			}
			s := provisionSQL(t, &SQL{DSN: server.DSN(names[0])})
			before := connected(t, s).server
			for range 3 { // a MariaDB gets one of 16,384
				server.Stop()
				server.Start(t)
				if connected(t, s).server != before {
					return
				}
			}
			t.Errorf("after a start its name is %q again", before)
		})
	}
}

// Attack: the attacker's token stands in the database, and whoever the pooler
// leads to a copy that lags must not believe what is missing there.
func TestSessionBelievesOneServerAlone(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server, lagging := m.shared(t), m.own(t)
			dsn, otherDSN := server.DSN(server.NewDatabase(t)), lagging.DSN(lagging.NewDatabase(t))
			for _, d := range []string{dsn, otherDSN} {
				execute(t, open(t, d), "CREATE TABLE theirs (jti varchar(99))")
			}
			execute(t, open(t, dsn), "INSERT INTO theirs (jti) VALUES ('revoked')")
			execute(t, open(t, otherDSN), "INSERT INTO theirs (jti) VALUES ('elsewhere')")
			other := provisionSQL(t, &SQL{DSN: otherDSN})
			connected(t, other) // makes the tables
			s := provisionSQL(t, &SQL{DSN: dsn, Table: "theirs"})
			session, n := connected(t, s), s.Node()
			f := session.foreign
			apart := over(session, connection(t, otherDSN))
			foreign := func(q *sqlSession) error {
				f.next = time.Time{}
				return f.poll(t.Context(), q, n)
			}
			refused := func(id string) bool { return n.Foreign.Revoked(&auth.TokenRef{ID: id}, anyTime) }

			if err := foreign(session); err != nil || !refused("revoked") {
				t.Fatalf("control: the table is not read: %v", err)
			}
			if _, err := apart.poll(t.Context(), n); !errors.Is(err, errMoved) {
				t.Errorf("reading from another server: %v", err)
			}
			if err := foreign(apart); !errors.Is(err, errMoved) || !refused("revoked") {
				t.Errorf("what is not in the table of another server is forgotten: %v", err)
			}
			if err := foreign(session); err != nil || !refused("revoked") || refused("elsewhere") {
				t.Errorf("what stood in the table of another server alone is kept: %v", err)
			}

			writer := *session
			writer.db = open(t, otherDSN)
			errs := writer.Write(t.Context(), append(revoking("a"), revoking("b")...))
			if len(errs) != 2 || !errors.Is(errs[0], errMoved) || !errors.Is(errs[1], errMoved) {
				t.Errorf("writing to another server: %v", errs)
			}
			if isRevoked(t, sqlNode(t, &SQL{DSN: otherDSN}), token("a")) {
				t.Error("what nobody will read is written")
			}
			select {
			case err := <-session.lost:
				if !errors.Is(err, errMoved) {
					t.Errorf("the session ends: %v", err)
				}
			default:
				t.Error("the session goes on")
			}
		})
	}
}

// splitting is a source behind a pooler that reads from a copy and writes to
// the primary.
type splitting struct {
	*sqlSource
	copied *sql.DB
	joined atomic.Bool // it reads from the primary, too
}

func (p *splitting) Connect(ctx context.Context) (replica.Session, error) {
	session, err := p.sqlSource.Connect(ctx)
	if err != nil || p.joined.Load() {
		return session, err
	}
	q := session.(*sqlSession)
	_ = q.follower.Close()
	q.follower, err = p.copied.Conn(ctx)
	return q, err
}

// watch lets the log of a node be read. It has not been started.
func watch(s *SQL) *observer.ObservedLogs {
	core, logs := observer.New(zap.InfoLevel)
	s.Node().Logger = zap.New(core)
	return logs
}

// says reports whether a line of the log holds the text.
func says(logs *observer.ObservedLogs, text string) bool {
	for _, line := range logs.All() {
		if reason, ok := line.ContextMap()["error"].(string); ok && strings.Contains(reason, text) {
			return true
		}
	}
	return false
}

// Attack: the attacker's token is logged out at the primary, and checked against
// a copy that gets to know of it later, or never.
func TestPoolerThatReadsFromACopyIsAnOutage(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			primary, lagging := m.shared(t), m.own(t)
			dsn, copyDSN := primary.DSN(primary.NewDatabase(t)), lagging.DSN(lagging.NewDatabase(t))
			connected(t, provisionSQL(t, &SQL{DSN: copyDSN})) // makes the tables
			inTime(t, sqlNode(t, &SQL{DSN: dsn}), token("logged out"))
			s := provisionSQL(t, &SQL{DSN: dsn})
			logs := watch(s)
			p := &splitting{sqlSource: s.source, copied: open(t, copyDSN)}
			s.Node().Source = p
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the log says what is wrong", func() bool { return says(logs, "has to lead to one, the primary") })
			for _, id := range []string{"logged out", "never seen"} {
				if !unknown(t, s, token(id)) {
					t.Errorf("%q is decided by what the copy holds", id)
				}
			}
			p.joined.Store(true)
			eventually(t, "from the primary it is decided", func() bool { return knows(s, token("logged out")) && !unknown(t, s, token("never seen")) })
		})
	}
}

// Attack: the attacker's token is logged out while a node reads from a standby
// or a replica: it answers each time, and may lag for hours.
func TestServerThatOthersWriteToIsAnOutage(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := m.own(t)
			dsn := server.DSN(server.NewDatabase(t))
			s := provisionSQL(t, &SQL{DSN: dsn})
			logs := watch(s)
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the node is connected", s.Node().Fresh)
			inTime(t, s, token("before"))
			promote := "SELECT pg_promote()"
			if m.name == "PostgreSQL" {
				server.StandBy(t)
			} else {
				server.Execute(t, "SET GLOBAL read_only = 1")
				promote = "SET GLOBAL read_only = 0"
			}
			late := beginSQL(t, &SQL{DSN: dsn})
			eventually(t, "what it does not hold is unknown", func() bool { return unknown(t, s, token("never seen")) && says(logs, "standby") })
			if !isRevoked(t, s, token("before")) {
				t.Error("a revoked token is valid")
			}
			if err := s.Revoke(t.Context(), token("during"), time.Now().Add(time.Hour)); err == nil {
				t.Error("a log-out that a replica may lose is no error")
			}
			if !unknown(t, late, token("never seen")) {
				t.Error("a node that starts decides by what a replica holds")
			}
			server.Execute(t, promote)
			used(t, s, "promoted", time.Now())
			for _, id := range []string{"before", "during"} {
				eventually(t, "the others know of "+id, func() bool { return knows(late, token(id)) })
			}
		})
	}
}

// Attack: the table is emptied, and what it counts has passed what a node has
// read before it looks.
func TestTableThatIsMadeAnewIsNotTheSame(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := m.shared(t)
			s := provisionSQL(t, &SQL{DSN: server.DSN(server.NewDatabase(t))})
			session := connected(t, s)
			if errs := session.Write(t.Context(), revoking("before")); errs != nil {
				t.Fatal(errs)
			}
			polls(t, session, s.Node())
			if session.last != 1 || !knows(s, token("before")) {
				t.Fatalf("control: read up to %d", session.last)
			}
			execute(t, session.db, "DELETE FROM caddy_auth_revocations")
			again := connected(t, s)
			for _, id := range []string{"missed", "seen"} {
				if errs := again.Write(t.Context(), revoking(id)); errs != nil {
					t.Fatal(errs)
				}
			}
			if _, err := session.poll(t.Context(), s.Node()); !errors.Is(err, errMoved) {
				t.Errorf("reading goes on: %v", err)
			}
		})
	}
}

// A MySQL may be set up so that a connection reads for ever what was there when
// it first asked, what is not there yet, or a part of it.
func TestSettingsOfTheServerHideNothing(t *testing.T) {
	t.Parallel()
	server := testservers.OwnMariaDB(t)
	for _, setting := range []string{"autocommit = 0", "sql_select_limit = 1", "TRANSACTION ISOLATION LEVEL READ UNCOMMITTED"} {
		server.Execute(t, "SET GLOBAL "+setting)
	}
	dsn := server.DSN(server.NewDatabase(t))
	a, b := sqlNode(t, &SQL{DSN: dsn}), sqlNode(t, &SQL{DSN: dsn})
	for _, id := range []string{"one", "two", "three"} {
		inTime(t, a, token(id))
	}
	c := sqlNode(t, &SQL{DSN: dsn})
	for _, id := range []string{"one", "two", "three"} {
		if !isRevoked(t, c, token(id)) {
			t.Errorf("a node that starts does not know of %q", id)
		}
		eventually(t, "a node that follows knows of "+id, func() bool { return knows(b, token(id)) })
	}

	// The counter moves, and is read, before there is what it counts.
	s := provisionSQL(t, &SQL{DSN: dsn})
	session := connected(t, s)
	tx, err := session.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), session.count, counterDigest[:]); err != nil {
		t.Fatal(err)
	}
	version, _, err := session.version(t.Context(), tx)
	if err != nil {
		t.Fatal(err)
	}
	polls(t, session, s.Node())
	if err := session.change(t.Context(), tx, revoking("uncommitted")[0], version); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	polls(t, session, s.Node())
	if !knows(s, token("uncommitted")) {
		t.Error("a change is overlooked")
	}
}
