// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// returned is within what time a store is in use again: 5 s where nobody else
// uses the processor.
const returned = 10 * time.Second

// used waits until the node uses its database again, and fails the test if that
// takes too long.
func used(t *testing.T, s *SQL, what string, since time.Time) {
	t.Helper()
	eventually(t, what+": the node uses the database again", func() bool { return !unknown(t, s, token("never seen")) })
	took := time.Since(since)
	t.Logf("%s: used again after %s", what, took)
	if took > returned {
		t.Errorf("%s: used again after %s", what, took)
	}
}

// medianCheck is how long a check takes, whatever it says.
func medianCheck(s auth.RevocationStore, ref auth.TokenRef) time.Duration {
	took := make([]time.Duration, 1001)
	for i := range took {
		begun := time.Now()
		_, _ = s.Revoked(context.Background(), ref)
		took[i] = time.Since(begun)
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// Attack: the attacker makes the database slow, so that every request waits for
// it and nobody can log out.
func TestSlowDatabaseHoldsNoCheck(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := m.shared(t)
			dsn := server.DSN(server.NewDatabase(t))
			proxy := testservers.NewProxy(t, server.Port)
			s := sqlNode(t, &SQL{DSN: behind(dsn, server.Port, proxy)})
			inTime(t, s, token("before"))
			for _, delay := range []time.Duration{100 * time.Millisecond, 700 * time.Millisecond, 3 * time.Second} {
				proxy.Slow(delay)
				for end := time.Now().Add(time.Second); time.Now().Before(end); {
					for id, ref := range map[string]auth.TokenRef{"before": token("before"), "never seen": token("never seen")} {
						if took := medianCheck(s, ref); took > 50*time.Millisecond {
							t.Fatalf("delay %s, %s: a check takes %s", delay, id, took)
						}
					}
					if !isRevoked(t, s, token("before")) {
						t.Fatalf("delay %s: a revoked token is valid", delay)
					}
				}
				during, begun := token(fmt.Sprint("during ", delay)), time.Now()
				err := s.Revoke(t.Context(), during, time.Now().Add(time.Hour))
				took := time.Since(begun)
				t.Logf("delay %s: the log-out took %s, error %v", delay, took, err)
				if took > 10*time.Second { // 2 s where nobody else uses the processor
					t.Errorf("delay %s: the log-out took %s", delay, took)
				}
				if !isRevoked(t, s, during) {
					t.Errorf("delay %s: this node does not refuse what was logged out", delay)
				}
			}
			proxy.Slow(0)
			used(t, s, "slow", time.Now())
			near := sqlNode(t, &SQL{DSN: dsn})
			eventually(t, "what was logged out meanwhile is written", func() bool { return isRevoked(t, near, token("during 3s")) })
			if isRevoked(t, s, token("never seen")) {
				t.Error("control: what nobody revoked is refused")
			}
		})
	}
}

// With on_error allow, what is in the copy is refused all the same.
func TestOnErrorAllowLetsPassWhatTheCopyDoesNotHold(t *testing.T) {
	t.Parallel()
	server := testservers.PostgreSQL(t)
	dsn := server.DSN(server.NewDatabase(t))
	proxy := testservers.NewProxy(t, server.Port)
	allow := sqlNode(t, &SQL{DSN: behind(dsn, server.Port, proxy), OnError: "allow"})
	deny := sqlNode(t, &SQL{DSN: behind(dsn, server.Port, proxy)})
	inTime(t, allow, token("before"))
	eventually(t, "both know", func() bool { return isRevoked(t, deny, token("before")) })
	proxy.Cut()
	eventually(t, "the copies are not trusted any more", func() bool { return unknown(t, deny, token("never seen")) && !allow.Node().Fresh() })
	if err := allow.Revoke(t.Context(), token("during"), time.Now().Add(time.Hour)); err == nil {
		t.Error("a log-out that was not written is no error")
	}
	for range 100 {
		if isRevoked(t, allow, token("never seen")) {
			t.Fatal("what nobody revoked is refused under on_error allow")
		}
		if !isRevoked(t, allow, token("before")) || !isRevoked(t, allow, token("during")) {
			t.Fatal("a revoked token is valid under on_error allow")
		}
	}
	proxy.Restore()
	used(t, deny, "cut off", time.Now())
	eventually(t, "what could not be written is known to others", func() bool { return isRevoked(t, deny, token("during")) })
}

// Attack: the account of Caddy is locked out while a logged-out token is kept.
func TestRefusedPasswordMakesNoTokenValid(t *testing.T) {
	t.Parallel()
	server := testservers.OwnPostgreSQL(t)
	dsn := server.DSN(server.NewDatabase(t))
	proxy := testservers.NewProxy(t, server.Port)
	s := sqlNode(t, &SQL{DSN: behind(dsn, server.Port, proxy)})
	inTime(t, s, token("before"))
	admin := open(t, dsn)
	admin.SetMaxOpenConns(1)
	execute(t, admin, "ALTER USER "+server.User+" PASSWORD 'another'")
	proxy.Cut() // it has to log in again
	proxy.Restore()
	eventually(t, "the copy is not trusted any more", func() bool { return unknown(t, s, token("never seen")) })
	if err := s.Revoke(t.Context(), token("during"), time.Now().Add(time.Hour)); err == nil {
		t.Error("a log-out that was not written is no error")
	}
	if !isRevoked(t, s, token("before")) || !isRevoked(t, s, token("during")) {
		t.Error("a revoked token is valid")
	}
	execute(t, admin, "ALTER USER "+server.User+" PASSWORD '"+server.Password+"'")
	used(t, s, "the password is right again", time.Now())
	near := sqlNode(t, &SQL{DSN: dsn})
	eventually(t, "what was refused is written", func() bool { return isRevoked(t, near, token("during")) })
}

// Attack: a flood of log-outs while the database hangs takes all memory.
func TestNothingPilesUpWhileTheDatabaseHangs(t *testing.T) {
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			server := m.shared(t)
			dsn := server.DSN(server.NewDatabase(t))
			proxy := testservers.NewProxy(t, server.Port)
			s := sqlNode(t, &SQL{DSN: behind(dsn, server.Port, proxy)})
			inTime(t, s, token("revoked"))
			base := runtime.NumGoroutine()
			proxy.Freeze()
			var callers sync.WaitGroup
			for i := range 2000 {
				callers.Go(func() {
					if err := s.Revoke(t.Context(), token("flood"+strconv.Itoa(i)), time.Now().Add(time.Hour)); err == nil {
						t.Error("written to a database that hangs")
					}
				})
			}
			for range 10_000 {
				if !isRevoked(t, s, token("revoked")) {
					t.Fatal("a revoked token is valid")
				}
			}
			callers.Wait()
			eventually(t, "the outage is noticed", func() bool { return unknown(t, s, token("x")) })
			for range 1000 { // none waits
				if err := s.Revoke(t.Context(), token("later"), time.Now().Add(time.Hour)); err == nil {
					t.Fatal("written to a database that hangs")
				}
			}
			if n := runtime.NumGoroutine(); n > base+40 { // those of the proxy among them
				t.Errorf("%d goroutines, before the outage %d", n, base)
			}
			proxy.Restore()
			used(t, s, "frozen", time.Now())
			near := sqlNode(t, &SQL{DSN: dsn})
			for i := range 2000 {
				id := "flood" + strconv.Itoa(i)
				eventually(t, id+" is written in the end", func() bool { return isRevoked(t, near, token(id)) })
			}
		})
	}
}
