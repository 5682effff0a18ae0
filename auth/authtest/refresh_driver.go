// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// A sessions drives one store, with names that nobody used before.
type sessions struct {
	testing.TB
	store auth.RefreshStore
	name  string
	now   time.Time // whole seconds
	until time.Time
}

func (c RefreshStoreCase) start(tb testing.TB) *sessions {
	tb.Helper()
	return refreshing(tb, c.New(tb))
}

func refreshing(tb testing.TB, store auth.RefreshStore) *sessions {
	now := time.Now().Truncate(time.Second)
	return &sessions{TB: tb, store: store, name: "authtest-" + rand.Text(), now: now, until: now.Add(time.Hour)}
}

// startAt starts a store whose clock the check sets; nil without NewAt.
func (c RefreshStoreCase) startAt(tb testing.TB) (*sessions, *clock) {
	tb.Helper()
	if c.NewAt == nil {
		return nil, nil
	}
	cl := newClock(time.Now().Truncate(time.Second))
	ss := refreshing(tb, c.NewAt(tb, cl.now))
	ss.now = cl.now()
	ss.until = ss.now.Add(time.Hour)
	return ss, cl
}

// session returns a session in which everything is set.
func (ss *sessions) session(id string) auth.Session {
	digest := func(what string) [32]byte { return sha256.Sum256([]byte(ss.name + id + what)) }
	return auth.Session{
		ID:       ss.name + "-" + id,
		User:     auth.UserRef{Issuer: "https://" + ss.name + ".example", ID: ss.name + "-user"},
		For:      ss.name + "-for",
		Family:   digest("family"),
		Current:  digest("current"),
		Previous: digest("previous"),
		Nonce:    digest("nonce"),
		Rotated:  ss.now.Add(-time.Minute + 123456789*time.Nanosecond),
		Started:  ss.now.Add(-time.Hour + 1*time.Nanosecond),
		Until:    ss.until,
		Limit:    ss.now.AddDate(1, 0, 0),
	}
}

// next returns what a rotation makes of a session.
func (ss *sessions) next(s auth.Session) auth.Session {
	s.Previous = s.Current
	s.Current = sha256.Sum256(s.Current[:])
	s.Nonce = sha256.Sum256(s.Nonce[:])
	s.Rotated = ss.now.Add(time.Nanosecond)
	s.Until = ss.until
	return s
}

func (ss *sessions) create(s auth.Session) {
	ss.Helper()
	if err := ss.store.CreateSession(ss.Context(), s); err != nil {
		ss.Fatalf("CreateSession: %v", err)
	}
}

func (ss *sessions) end(id string) {
	ss.Helper()
	if err := ss.store.EndSession(ss.Context(), id); err != nil {
		ss.Errorf("EndSession: %v", err)
	}
}

// want fails the test unless the session is there as it is.
func (ss *sessions) want(what string, s auth.Session) {
	ss.Helper()
	got, err := ss.store.Session(ss.Context(), s.ID)
	if err != nil {
		ss.Errorf("%s: %v", what, err)
	} else if !sameSession(got, s) {
		ss.Errorf("%s is %+v, want %+v", what, got, s)
	}
}

// wantNone fails the test unless there is no such session.
func (ss *sessions) wantNone(what, id string) {
	ss.Helper()
	got, err := ss.store.Session(ss.Context(), id)
	if !isNone(err) {
		ss.Errorf("%s: error %v, want ErrSessionNotFound", what, err)
	}
	if got != (auth.Session{}) {
		ss.Errorf("%s: a session beside an error", what)
	}
}

// eventuallyNone waits until there is no such session.
func (ss *sessions) eventuallyNone(what, id string) {
	ss.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		_, err := ss.store.Session(ss.Context(), id)
		if isNone(err) {
			return
		}
		if time.Now().After(deadline) {
			ss.Errorf("%s: error %v after %s, want ErrSessionNotFound", what, err, patience)
			return
		}
	}
}

// wantRotated fails the test unless Rotate says so.
func (ss *sessions) wantRotated(rotated bool, what string, current [32]byte, next auth.Session) {
	ss.Helper()
	got, err := ss.store.Rotate(ss.Context(), current, next)
	if err != nil {
		ss.Errorf("Rotate: %s: %v", what, err)
	} else if got != rotated {
		ss.Errorf("Rotate: %s: %t, want %t", what, got, rotated)
	}
}

// wantOver fails the test if a session that has ended is rotated into another
// that has.
func (ss *sessions) wantOver(what string, s auth.Session) {
	ss.Helper()
	if ok, err := ss.store.Rotate(ss.Context(), s.Current, ss.next(s)); ok && err == nil { // an error is as good
		ss.Errorf("Rotate: %s: true", what)
	}
}

// sameSession compares moments, whatever their zones.
func sameSession(a, b auth.Session) bool {
	for _, t := range []*time.Time{
		&a.Rotated, &a.Started, &a.Until, &a.Limit,
		&b.Rotated, &b.Started, &b.Until, &b.Limit,
	} {
		*t = t.UTC().Round(0) // without the monotonic clock
	}
	return a == b
}
