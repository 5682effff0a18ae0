// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"crypto/rand"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// A revocations drives one store, with names that nobody used before.
type revocations struct {
	testing.TB
	store auth.RevocationStore
	name  string
	now   time.Time // whole seconds
	until time.Time
}

func (c RevocationStoreCase) start(tb testing.TB) *revocations {
	tb.Helper()
	return driving(tb, c.New(tb))
}

func driving(tb testing.TB, store auth.RevocationStore) *revocations {
	now := time.Now().Truncate(time.Second)
	return &revocations{
		TB: tb, store: store, name: "authtest-" + rand.Text(),
		now: now, until: now.Add(time.Hour),
	}
}

// token returns the token of a user at an issuer of the name, issued now.
func (rs *revocations) token(id, session, user string) auth.TokenRef {
	ref := auth.TokenRef{
		ID:        rs.name + "-" + id,
		User:      rs.user(user),
		IssuedAt:  rs.now,
		ExpiresAt: rs.until,
	}
	if session != "" {
		ref.SessionID = rs.name + "-" + session
	}
	return ref
}

func (rs *revocations) user(id string) auth.UserRef {
	return auth.UserRef{Issuer: "https://" + rs.name + ".example", ID: rs.name + "-" + id}
}

func (rs *revocations) revoke(token auth.TokenRef) {
	rs.Helper()
	if err := rs.store.Revoke(rs.Context(), token, rs.until); err != nil {
		rs.Fatalf("Revoke: %v", err)
	}
}

func (rs *revocations) revokeUser(user auth.UserRef, before time.Time) {
	rs.Helper()
	if err := rs.store.RevokeUser(rs.Context(), user, before, rs.until); err != nil {
		rs.Fatalf("RevokeUser: %v", err)
	}
}

// want fails the test unless the store answers so.
func (rs *revocations) want(revoked bool, what string, token auth.TokenRef) {
	rs.Helper()
	got, err := rs.store.Revoked(rs.Context(), token)
	if err != nil {
		rs.Errorf("%s: could not decide: %v", what, err)
	} else if got != revoked {
		rs.Errorf("%s: revoked is %t, want %t", what, got, revoked)
	}
}

// eventually waits until the store answers so.
func (rs *revocations) eventually(revoked bool, what string, token auth.TokenRef) {
	rs.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		got, err := rs.store.Revoked(rs.Context(), token)
		if err == nil && got == revoked {
			return
		}
		if time.Now().After(deadline) {
			rs.Errorf("%s: revoked is %t (%v) after %s, want %t", what, got, err, patience, revoked)
			return
		}
	}
}

// clock is a time of day that a check sets.
type clock struct{ nanos atomic.Int64 }

func (cl *clock) now() time.Time      { return time.Unix(0, cl.nanos.Load()) }
func (cl *clock) set(t time.Time)     { cl.nanos.Store(t.UnixNano()) }
func newClock(start time.Time) *clock { cl := new(clock); cl.set(start); return cl }

// startAt starts a store whose clock the check sets; nil without NewAt.
func (c RevocationStoreCase) startAt(tb testing.TB) (*revocations, *clock) {
	tb.Helper()
	if c.NewAt == nil {
		return nil, nil
	}
	cl := newClock(time.Now().Truncate(time.Second))
	rs := driving(tb, c.NewAt(tb, cl.now))
	rs.now = cl.now()
	rs.until = rs.now.Add(time.Hour)
	return rs, cl
}
