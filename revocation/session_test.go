// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

// session returns a session of user 1.
func session(id string, until time.Time) auth.Session {
	return auth.Session{
		ID: id, User: auth.UserRef{Issuer: "https://id.example", ID: "1"},
		Family: sha256.Sum256([]byte(id)), Current: sha256.Sum256([]byte("current " + id)),
		Started: noon, Until: until, Limit: noon.AddDate(0, 1, 0),
	}
}

func create(tb testing.TB, s auth.RefreshStore, sessions ...auth.Session) {
	tb.Helper()
	for _, session := range sessions {
		if err := s.CreateSession(tb.Context(), session); err != nil {
			tb.Fatal(err)
		}
	}
}

// isThere reports whether the session is there; it is not or has ended, or
// the test fails.
func isThere(tb testing.TB, s auth.RefreshStore, id string) bool {
	tb.Helper()
	_, err := s.Session(context.Background(), id)
	if err != nil && !errors.Is(err, auth.ErrSessionNotFound) {
		tb.Fatal(err)
	}
	return err == nil
}

func TestMemoryKeepsSessionsAsTheContractSays(t *testing.T) {
	t.Parallel()
	authtest.TestRefreshStore(t, authtest.RefreshStoreCase{
		New:   func(tb testing.TB) auth.RefreshStore { return newMemory(tb, clock.Clock{}) },
		NewAt: func(tb testing.TB, now func() time.Time) auth.RefreshStore { return newMemory(tb, clock.Func(now)) },
		Peer: func(tb testing.TB, first auth.RefreshStore) auth.RefreshStore { // another configuration
			m := &Memory{pool: first.(*Memory).pool}
			provision(tb, m)
			return m
		},
	})
}

func TestBoltKeepsSessionsAsTheContractSays(t *testing.T) {
	t.Parallel()
	authtest.TestRefreshStore(t, authtest.RefreshStoreCase{
		New: func(tb testing.TB) auth.RefreshStore { return newBolt(tb, boltPath(tb), clock.Clock{}) },
		NewAt: func(tb testing.TB, now func() time.Time) auth.RefreshStore {
			return newBolt(tb, boltPath(tb), clock.Func(now))
		},
		Reopen: func(tb testing.TB, s auth.RefreshStore) auth.RefreshStore {
			cleanup(tb, s.(*Bolt))
			return newBolt(tb, s.(*Bolt).Path, clock.Clock{})
		},
		Peer: func(tb testing.TB, first auth.RefreshStore) auth.RefreshStore {
			b := &Bolt{Path: first.(*Bolt).Path, pool: first.(*Bolt).pool}
			provision(tb, b)
			return b
		},
		Down: func(tb testing.TB) auth.RefreshStore {
			b := &Bolt{Path: boltPath(tb), pool: caddy.NewUsagePool()}
			provision(tb, b) // and never started
			return b
		},
	})
}

func TestSessionsThatCannotBeKeptAreRefused(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s store, _ *hand) {
		t.Helper()
		rs := s.(auth.RefreshStore)
		good := session("a", noon.Add(time.Hour))
		for what, spoil := range map[string]func(*auth.Session){
			"no ID":         func(s *auth.Session) { s.ID = "" },
			"long ID":       func(s *auth.Session) { s.ID = strings.Repeat("a", revoked.MaxName) },
			"long user":     func(s *auth.Session) { s.User.ID = strings.Repeat("a", revoked.MaxName) },
			"has ended":     func(s *auth.Session) { s.Until = noon },
			"no end at all": func(s *auth.Session) { s.Until = time.Time{} },
		} {
			bad := good
			spoil(&bad)
			if err := rs.CreateSession(t.Context(), bad); err == nil {
				t.Errorf("%s: created", what)
			}
		}
		create(t, rs, good)
		long := good
		long.User.ID = strings.Repeat("a", revoked.MaxName)
		if ok, err := rs.Rotate(t.Context(), good.Current, long); ok || err == nil {
			t.Errorf("long user: rotated %t, error %v", ok, err)
		}
		if !isThere(t, rs, "a") {
			t.Error("the good one is gone")
		}
	})
}

// Attack: somebody with a password logs in until the memory is full.
func TestSessionsInMemoryAreBounded(t *testing.T) {
	t.Parallel()
	h := newHand()
	m := newMemory(t, h.clock())
	m.state.sessions.max = 3
	for i := range 3 {
		create(t, m, session(strconv.Itoa(i), noon.Add(time.Hour)))
	}
	if err := m.CreateSession(t.Context(), session("4", noon.Add(time.Hour))); !errors.Is(err, errSessionsFull) {
		t.Errorf("the fourth of three: %v", err)
	}
	if ok, err := m.Rotate(t.Context(), session("1", noon).Current, session("1", noon.Add(2*time.Hour))); !ok || err != nil {
		t.Errorf("those that are there do not go on: %t, %v", ok, err)
	}
	h.move(time.Hour)
	m.state.sessions.expire(h.clock().Now())
	create(t, m, session("4", noon.Add(2*time.Hour)))
	if n := len(m.state.sessions.byID); n != 2 {
		t.Errorf("%d sessions after two ended, want 2", n)
	}
}

func TestSessionsInMemorySurviveAReload(t *testing.T) {
	t.Parallel()
	pool := caddy.NewUsagePool()
	old, next := &Memory{pool: pool}, &Memory{pool: pool}
	provision(t, old)
	create(t, old, session("a", time.Now().Add(time.Hour)))
	provision(t, next)
	cleanup(t, old)
	if !isThere(t, next, "a") {
		t.Error("lost by a reload")
	}
}

// A file that was made before there were sessions opens, and gets them.
func TestFileWithoutSessionsOpensAndTakesThem(t *testing.T) {
	t.Parallel()
	path, h := filled(t, 20), newHand()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.View(func(tx *bbolt.Tx) error {
		if tx.Bucket(sessionsBucket) != nil || tx.Bucket(aboutBucket).Get(sessionsCountKey) != nil {
			t.Error("it has sessions")
		}
		return nil
	}), db.Close()); err != nil {
		t.Fatal(err)
	}
	b := newBolt(t, path, h.clock())
	if isThere(t, b, "a") {
		t.Error("a session that nobody created")
	}
	create(t, b, session("a", noon.Add(time.Hour)))
	cleanup(t, b)
	again := newBolt(t, path, h.clock())
	if !isThere(t, again, "a") || !isRevoked(t, again, token(jti(7))) {
		t.Error("lost")
	}
}

// Attack: whoever damages the file brings back sessions that were ended, or
// refresh tokens that were used.
func TestFileWithDamagedSessionsIsRefusedAndNamed(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(*bbolt.Tx) error{
		"a session is missing": func(tx *bbolt.Tx) error { return tx.Bucket(sessionsBucket).Delete([]byte("b")) },
		"a session too many": func(tx *bbolt.Tx) error {
			return tx.Bucket(sessionsBucket).Put([]byte("d"), sealed([]byte("d"), encodeSession(session("d", noon))))
		},
		"a session of another": func(tx *bbolt.Tx) error {
			return tx.Bucket(sessionsBucket).Put([]byte("b"), tx.Bucket(sessionsBucket).Get([]byte("a")))
		},
		"a session changed": func(tx *bbolt.Tx) error {
			value := bytes.Clone(tx.Bucket(sessionsBucket).Get([]byte("b")))
			value[60] ^= 1
			return tx.Bucket(sessionsBucket).Put([]byte("b"), value)
		},
		"a session is empty":      func(tx *bbolt.Tx) error { return tx.Bucket(sessionsBucket).Put([]byte("b"), nil) },
		"all sessions are gone":   func(tx *bbolt.Tx) error { return tx.DeleteBucket(sessionsBucket) },
		"their number is gone":    func(tx *bbolt.Tx) error { return tx.Bucket(aboutBucket).Delete(sessionsCountKey) },
		"their number is another": func(tx *bbolt.Tx) error { return tx.Bucket(aboutBucket).Put(sessionsCountKey, []byte("3")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, h := boltPath(t), newHand()
			b := newBolt(t, path, h.clock())
			create(t, b, session("a", noon.Add(time.Hour)), session("b", noon.Add(time.Hour)), session("c", noon.Add(time.Hour)))
			cleanup(t, b)
			good, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.Update(damage), db.Close()); err != nil {
				t.Fatal(err)
			}
			bad := &Bolt{Path: path, pool: caddy.NewUsagePool(), clock: h.clock()}
			provision(t, bad)
			if err := bad.Start(t.Context()); !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v", err)
			}
			if _, err := bad.Session(t.Context(), "a"); err == nil || errors.Is(err, auth.ErrSessionNotFound) {
				t.Errorf("Session: %v", err)
			}
			// The control: the file as it was.
			if err := errors.Join(os.WriteFile(path+".2", good, 0o600), os.Rename(path+".2", path)); err != nil {
				t.Fatal(err)
			}
			if err := bad.Start(t.Context()); err != nil || !isThere(t, bad, "b") {
				t.Errorf("the restored file is refused: %v", err)
			}
		})
	}
}

// Attack: an older copy of the file is put in its place. What was revoked since
// stays revoked; refresh tokens that were used since are not good again, nor are
// sessions that were ended.
func TestSessionsOfAFileThatIsRemovedOrReplacedAreGone(t *testing.T) {
	t.Parallel()
	for name, accident := range map[string]func(path string, old []byte) error{
		"removed": func(path string, _ []byte) error { return os.Remove(path) },
		"replaced": func(path string, old []byte) error {
			return errors.Join(os.WriteFile(path+".2", old, 0o600), os.Rename(path+".2", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, h := filepath.Join(t.TempDir(), "r.db"), newHand()
			b := newBolt(t, path, h.clock())
			used, ended := session("used", noon.Add(time.Hour)), session("ended", noon.Add(time.Hour))
			create(t, b, used, ended)
			cleanup(t, b)
			old, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b = newBolt(t, path, h.clock())
			next := used
			next.Current[0]++
			if ok, err := b.Rotate(t.Context(), used.Current, next); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if err := b.EndSession(t.Context(), "ended"); err != nil {
				t.Fatal(err)
			}
			if err := accident(path, old); err != nil {
				t.Fatal(err)
			}
			for _, id := range []string{"used", "ended"} {
				if isThere(t, b, id) {
					t.Errorf("session %q is there", id)
				}
			}
			if ok, err := b.Rotate(t.Context(), used.Current, next); ok || err != nil {
				t.Errorf("a refresh token that was used is good again: %t, %v", ok, err)
			}
			create(t, b, session("new", noon.Add(time.Hour)))
			cleanup(t, b)
			again := newBolt(t, path, h.clock())
			if !isThere(t, again, "new") || isThere(t, again, "used") {
				t.Error("after a restart")
			}
		})
	}
}

func TestEndedSessionsAreRemovedFromTheFile(t *testing.T) {
	t.Parallel()
	h, path := newHand(), boltPath(t)
	f := newBoltFile(path, h.clock()) // without its goroutine, in place of it
	s := revoked.New()
	if err := f.open(s); err != nil {
		t.Fatal(err)
	}
	defer f.close()
	const n = sweptSessions + 1500
	err := f.transact(true, func(tx *bbolt.Tx) error {
		bs, err := sessionsOf(tx)
		if err != nil {
			return err
		}
		for i := range n {
			until := noon.Add(time.Minute)
			if i%10 == 0 {
				until = noon.Add(time.Hour)
			}
			if err := bs.put(session(jti(i), until)); err != nil {
				return err
			}
		}
		return bs.finish()
	})
	if err != nil {
		t.Fatal(err)
	}
	count := func() (n uint64) {
		err := f.transact(false, func(tx *bbolt.Tx) error {
			if err := checkSessions(tx); err != nil {
				return err
			}
			bs, err := sessionsOf(tx)
			n = bs.count
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	f.expire(s)
	if got := count(); got != n {
		t.Errorf("%d sessions before they ended, want %d", got, n)
	}
	h.move(time.Minute)
	f.expire(s) // the rest of the first round
	f.expire(s)
	f.expire(s)
	if got := count(); got != n/10 {
		t.Errorf("%d sessions after most ended, want %d", got, n/10)
	}
	h.move(time.Hour)
	f.expire(s)
	f.expire(s)
	if got := count(); got != 0 {
		t.Errorf("%d sessions after all ended", got)
	}
}

// A log-out that shares a transaction with a session that cannot be created is
// written all the same.
func TestOneChangeDoesNotFailTheOthers(t *testing.T) {
	t.Parallel()
	h, path := newHand(), boltPath(t)
	b := newBolt(t, path, h.clock())
	create(t, b, session("a", noon.Add(time.Hour)))
	cleanup(t, b)
	f := newBoltFile(path, h.clock())
	s := revoked.New()
	if err := f.open(s); err != nil {
		t.Fatal(err)
	}
	defer f.close()
	taken := errors.New("taken")
	batch := []change{
		{sessions: func(*boltSessions) error { return taken }},
		{entries: []revoked.Entry{{Kind: revoked.Token, ID: "x", Until: noon.Add(time.Hour).UnixNano()}}},
		{sessions: func(bs *boltSessions) error { return bs.put(session("b", noon.Add(time.Hour))) }},
	}
	if err := f.commit(s, batch); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(batch[0].outcome, taken) || batch[1].outcome != nil || batch[2].outcome != nil {
		t.Errorf("outcomes %v, %v, %v", batch[0].outcome, batch[1].outcome, batch[2].outcome)
	}
	f.close()
	again := newBolt(t, path, h.clock())
	if !isRevoked(t, again, auth.TokenRef{ID: "x"}) || !isThere(t, again, "b") || !isThere(t, again, "a") {
		t.Error("not written")
	}
}

func FuzzSession(f *testing.F) {
	f.Add("a", "https://id.example", "1", int64(1), int64(2), []byte{})
	f.Add("\x00", "", "é", int64(-1), int64(1)<<62, encodeSession(session("a", noon)))
	f.Fuzz(func(t *testing.T, id, issuer, user string, until, rotated int64, raw []byte) {
		if s, err := decodeSession(id, raw); err == nil {
			if again := encodeSession(s); !bytes.Equal(again, raw) && len(again) >= len(raw) {
				t.Errorf("%x became %x", raw, again) // shorter: a length that was padded
			}
		}
		s := session(id, time.Unix(0, until).UTC())
		s.User, s.For = auth.UserRef{Issuer: issuer, ID: user}, issuer+user
		s.Rotated = time.Unix(0, rotated).UTC()
		got, err := decodeSession(id, encodeSession(s))
		if (id != "") != (err == nil) {
			t.Fatal(err)
		}
		if err == nil && until != -1<<63 && rotated != -1<<63 && got != s {
			t.Errorf("%+v became %+v", s, got)
		}
	})
}
