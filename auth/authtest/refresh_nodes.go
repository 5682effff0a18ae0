// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
)

// refreshRace: two tabs, or a thief and the owner, come with one refresh token
// at the same time.
func refreshRace(tb testing.TB, c RefreshStoreCase) {
	ss := c.start(tb)
	ss.race(ss.store)
}

// race lets calls with one current come to the stores at the same time, a few
// times over.
func (ss *sessions) race(stores ...auth.RefreshStore) {
	ss.Helper()
	s := ss.session("raced")
	ss.create(s)
	for round := range 5 {
		var mu sync.Mutex
		var winners []auth.Session
		together(3, func(call int) {
			next := ss.next(s)
			next.Current = sha256.Sum256([]byte(ss.name + strconv.Itoa(round) + " " + strconv.Itoa(call)))
			ok, err := stores[call%len(stores)].Rotate(ss.Context(), s.Current, next)
			if err != nil {
				ss.Errorf("Rotate among others: %v", err)
			}
			if ok {
				mu.Lock()
				winners = append(winners, next)
				mu.Unlock()
			}
		})
		if len(winners) != 1 {
			ss.Fatalf("%d of 24 rotations with one current won", len(winners))
		}
		s = winners[0]
		ss.want("the session is the winner's", s)
	}
}

func refreshCreateRace(tb testing.TB, c RefreshStoreCase) {
	ss := c.start(tb)
	var created atomic.Int64
	var winner atomic.Pointer[auth.Session]
	together(2, func(call int) {
		s := ss.session("same")
		s.User.ID = strconv.Itoa(call)
		if ss.store.CreateSession(ss.Context(), s) == nil {
			created.Add(1)
			winner.Store(&s)
		}
	})
	if n := created.Load(); n != 1 {
		tb.Fatalf("%d of 16 sessions of one ID were created", n)
	}
	ss.want("the session is the winner's", *winner.Load())
}

// refreshEndRace: who logs out while a tab refreshes is logged out.
func refreshEndRace(tb testing.TB, c RefreshStoreCase) {
	ss := c.start(tb)
	for round := range 5 {
		s := ss.session("ending" + strconv.Itoa(round))
		ss.create(s)
		together(1, func(call int) {
			if call == 4 {
				ss.end(s.ID)
				return
			}
			if _, err := ss.store.Rotate(ss.Context(), s.Current, ss.next(s)); err != nil {
				ss.Errorf("Rotate among others: %v", err)
			}
		})
		ss.wantNone("a session that ended while it was rotated", s.ID)
	}
}

func refreshConcurrent(tb testing.TB, c RefreshStoreCase) {
	ss := c.start(tb)
	const rounds = 12
	together(rounds, func(call int) {
		s := ss.session(strconv.Itoa(call))
		ss.create(s)
		ss.want("what was created just now", s)
		next := ss.next(s)
		ss.wantRotated(true, "a session among others", s.Current, next)
		if call%3 == 0 {
			ss.end(s.ID)
		}
	})
	for call := range 8 * rounds {
		s := ss.next(ss.session(strconv.Itoa(call)))
		if call%3 == 0 {
			ss.wantNone("what was ended", s.ID)
			continue
		}
		ss.want("what was rotated", s)
	}
}

// refreshCancelled: who hangs up must not be told that a token was used, which
// would end the session, nor that there is no session.
func refreshCancelled(tb testing.TB, c RefreshStoreCase) {
	ss := c.start(tb)
	done := cancelled(context.Background())
	s := ss.session("a")
	ss.create(s)
	var err error
	within(tb, "Session", func() { _, err = ss.store.Session(done, s.ID) })
	if isNone(err) {
		tb.Errorf("Session: a cancelled context made a session disappear")
	}
	next := ss.next(s)
	var rotated bool
	within(tb, "Rotate", func() { rotated, err = ss.store.Rotate(done, s.Current, next) })
	switch {
	case err != nil && rotated:
		tb.Errorf("Rotate: true beside an error")
	case err == nil && !rotated:
		tb.Errorf("Rotate: a cancelled context made the current one another")
	case err == nil:
		ss.want("what was rotated with a cancelled context, without an error", next)
	}
	b := ss.session("b")
	within(tb, "CreateSession", func() { err = ss.store.CreateSession(done, b) })
	if err == nil {
		ss.want("what was created with a cancelled context, without an error", b)
	}
	within(tb, "EndSession", func() { err = ss.store.EndSession(done, s.ID) })
	if err == nil {
		ss.wantNone("what was ended with a cancelled context, without an error", s.ID)
	}
}

func refreshReopened(tb testing.TB, c RefreshStoreCase) {
	if c.Reopen == nil {
		return
	}
	ss := c.start(tb)
	a, b, ended := ss.session("a"), ss.session("b"), ss.session("c")
	ss.create(a)
	ss.create(b)
	ss.create(ended)
	next := ss.next(b)
	ss.wantRotated(true, "a session", b.Current, next)
	ss.end(ended.ID)
	ss.store = c.Reopen(tb, ss.store)
	ss.want("what was created before a restart", a)
	ss.want("what was rotated before a restart", next)
	ss.wantNone("what was ended before a restart", ended.ID)
	ss.wantRotated(false, "what was used before a restart", b.Current, next)
	ss.wantRotated(true, "what was there before a restart", a.Current, ss.next(a))
}

func refreshPeer(tb testing.TB, c RefreshStoreCase) {
	if c.Peer == nil {
		return
	}
	ss := c.start(tb)
	peer := *ss
	peer.store = c.Peer(tb, ss.store)
	s := ss.session("a")
	ss.create(s)
	peer.want("what the other node created", s)
	next := peer.next(s)
	peer.wantRotated(true, "what the other node created", s.Current, next)
	ss.wantRotated(false, "what was used at the other node", s.Current, ss.next(next))
	ss.want("what the other node rotated", next)
	ss.end(s.ID)
	peer.wantNone("what the other node ended", s.ID)
	ss.race(ss.store, peer.store)
}

func refreshDown(tb testing.TB, c RefreshStoreCase) {
	if c.Down == nil {
		return
	}
	ss := refreshing(tb, c.Down(tb))
	s := ss.session("a")
	var err error
	check := func(what string) {
		tb.Helper()
		if err == nil {
			tb.Errorf("%s: an outage is no error", what)
		}
		for _, decided := range []error{auth.ErrSessionNotFound, auth.ErrNoCredentials, auth.ErrInvalidCredentials, auth.ErrUserNotFound, auth.ErrForbidden} {
			if errors.Is(err, decided) {
				tb.Errorf("%s: what could not be decided is %v", what, decided)
			}
		}
	}
	within(tb, "Session", func() { _, err = ss.store.Session(ss.Context(), s.ID) })
	check("Session")
	within(tb, "CreateSession", func() { err = ss.store.CreateSession(ss.Context(), s) })
	check("CreateSession")
	var rotated bool
	within(tb, "Rotate", func() { rotated, err = ss.store.Rotate(ss.Context(), s.Current, ss.next(s)) })
	check("Rotate")
	if rotated {
		tb.Errorf("Rotate: true in an outage")
	}
	within(tb, "EndSession", func() { err = ss.store.EndSession(ss.Context(), s.ID) })
	check("EndSession")
}
