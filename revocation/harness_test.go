// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// noon is when tests begin.
var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// hand is a clock that tests move.
type hand struct{ now atomic.Int64 }

func newHand() *hand {
	h := new(hand)
	h.now.Store(noon.UnixNano())
	return h
}

func (h *hand) clock() clock.Clock {
	return clock.Func(func() time.Time { return time.Unix(0, h.now.Load()) })
}

func (h *hand) move(d time.Duration) { h.now.Add(int64(d)) }

// store is what the tests need of both stores.
type store interface {
	auth.RevocationLister
	caddy.Provisioner
	caddy.CleanerUpper
}

// newMemory returns a store of its own.
func newMemory(tb testing.TB, c clock.Clock) *Memory {
	tb.Helper()
	m := &Memory{clock: c, pool: caddy.NewUsagePool()}
	provision(tb, m)
	return m
}

// newBolt returns a store over the file that has been started.
func newBolt(tb testing.TB, path string, c clock.Clock) *Bolt {
	tb.Helper()
	b := &Bolt{Path: path, clock: c, pool: caddy.NewUsagePool()}
	provision(tb, b)
	if err := b.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return b
}

func boltPath(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "revocations.db")
}

// provision provisions a store that is cleaned up with the test, unless the
// test does so.
func provision(tb testing.TB, s store) {
	tb.Helper()
	if err := s.Provision(caddy.Context{Context: tb.Context()}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { cleanup(tb, s) })
}

func cleanup(tb testing.TB, s store) {
	tb.Helper()
	if err := s.Cleanup(); err != nil {
		tb.Error(err)
	}
}

// eachStore runs a test with every store.
func eachStore(t *testing.T, test func(*testing.T, store, *hand)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		h := newHand()
		test(t, newMemory(t, h.clock()), h)
	})
	t.Run("bolt", func(t *testing.T) {
		t.Parallel()
		h := newHand()
		test(t, newBolt(t, boltPath(t), h.clock()), h)
	})
}

func isRevoked(tb testing.TB, s auth.RevocationStore, token auth.TokenRef) bool {
	tb.Helper()
	is, err := s.Revoked(context.Background(), token)
	if err != nil {
		tb.Fatal(err)
	}
	return is
}

func revoke(tb testing.TB, s auth.RevocationStore, token auth.TokenRef, until time.Time) {
	tb.Helper()
	if err := s.Revoke(tb.Context(), token, until); err != nil {
		tb.Fatal(err)
	}
}

func revokeUser(tb testing.TB, s auth.RevocationStore, user auth.UserRef, issuedBefore, until time.Time) {
	tb.Helper()
	if err := s.RevokeUser(tb.Context(), user, issuedBefore, until); err != nil {
		tb.Fatal(err)
	}
}

// token returns a token of user 1 of one issuer.
func token(id string) auth.TokenRef {
	return auth.TokenRef{
		ID:        id,
		User:      auth.UserRef{Issuer: "https://id.example", ID: "1"},
		IssuedAt:  noon.Add(-time.Minute),
		ExpiresAt: noon.Add(time.Hour),
	}
}

func jti(i int) string { return "0b8d7a4e-6f0c-4c1e-9d53-" + strconv.Itoa(100_000_000_000+i) }

func parse(text string, into caddyfile.Unmarshaler) error {
	tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
	if err != nil {
		return err
	}
	return into.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
}

// skipUnderRace skips tests in which bbolt reads beyond a damaged page: an
// error that is recovered from, but what the race detector brings along ends
// the process there.
func skipUnderRace(tb testing.TB) {
	tb.Helper()
	if underRace {
		tb.Skip("pointer checks of the race detector")
	}
}
