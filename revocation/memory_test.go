// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

func TestMemorySurvivesAReloadAndEndsWithTheLastConfiguration(t *testing.T) {
	t.Parallel()
	pool, h := caddy.NewUsagePool(), newHand()
	open := func() *Memory {
		m := &Memory{clock: h.clock(), pool: pool}
		if err := m.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		return m
	}
	first := open()
	revoke(t, first, token("a"), time.Time{})
	second := open() // a reload: the new one is there before the old one goes
	cleanup(t, first)
	if !isRevoked(t, second, token("a")) {
		t.Fatal("lost by a reload")
	}
	rejected := open() // and one that is rejected
	cleanup(t, rejected)
	if !isRevoked(t, second, token("a")) {
		t.Error("lost by a rejected reload")
	}
	if !isRevoked(t, first, token("a")) {
		t.Error("a request that outlives its configuration is let pass")
	}
	cleanup(t, second)
	last := open()
	defer cleanup(t, last)
	if isRevoked(t, last, token("a")) {
		t.Error("still there after the end: this is not the control that it should be")
	}
}

// Cleanup also runs after a Provision that failed or never ran: it must not
// take away what another configuration holds.
func TestMemoryCleanupReleasesWhatWasAcquiredAndNoMore(t *testing.T) {
	t.Parallel()
	pool := caddy.NewUsagePool()
	m := &Memory{pool: pool}
	provision(t, m)
	cleanup(t, &Memory{pool: pool})
	if n, _ := pool.References(memoryKey); n != 1 {
		t.Errorf("%d references", n)
	}
	cleanup(t, m)
	cleanup(t, m)
	if _, ok := pool.References(memoryKey); ok {
		t.Error("not released")
	}
}

func TestExpiredEntriesAreRemoved(t *testing.T) {
	t.Parallel()
	h := newHand()
	m := newMemory(t, h.clock())
	for i := range 3000 {
		revoke(t, m, token(jti(i)), noon.Add(time.Minute))
	}
	kept := token("kept")
	kept.SessionID = "s"
	revoke(t, m, kept, noon.Add(time.Hour))
	revokeUser(t, m, auth.UserRef{ID: "1"}, noon, noon.Add(time.Minute))
	revokeUser(t, m, auth.UserRef{ID: "2"}, noon, noon.Add(time.Hour))
	s := m.state.set
	s.Expire(m.now())
	if n := s.Len(revoked.Token); n != 3001 {
		t.Fatalf("%d tokens before anything ended", n)
	}
	h.move(time.Minute)
	s.Expire(m.now())
	if tokens, users := s.Len(revoked.Token), s.Len(revoked.User); tokens != 1 || users != 1 {
		t.Errorf("%d tokens and %d users are left, want 1 and 1", tokens, users)
	}
	if !isRevoked(t, m, kept) {
		t.Error("an entry went that has not ended")
	}
	h.move(DefaultLifetime)
	s.Expire(m.now())
	if n := s.Len(revoked.Token) + s.Len(revoked.Session) + s.Len(revoked.User); n != 0 {
		t.Errorf("%d entries are left at the end of all", n)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestMemoryCaddyfile(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"memory", "memory {\n}"} {
		if err := parse(text, new(Memory)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		"memory 5m":                  `memory takes no argument, not "5m"`,
		"memory {\n\tsize 5\n}":      `unrecognized memory option "size"`,
		"memory {\n\tpath /tmp/x\n}": `at Caddyfile:2`,
	} {
		if err := parse(text, new(Memory)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func BenchmarkRevoked(b *testing.B) {
	s := revoked.New()
	for i := range 1_000_000 {
		s.Apply(revoked.Entry{Kind: revoked.Token, ID: jti(i), Issuer: "https://id.example", Until: time.Now().Add(time.Hour).UnixNano()})
	}
	for i := range 1000 {
		s.Apply(revoked.Entry{Kind: revoked.Session, ID: jti(i), Until: time.Now().Add(time.Hour).UnixNano()})
		s.Apply(revoked.Entry{Kind: revoked.User, ID: jti(i), Until: time.Now().Add(time.Hour).UnixNano()})
	}
	m := &Memory{state: &memoryState{set: s}}
	tokens := make([]auth.TokenRef, 1024)
	for name, first := range map[string]int{"revoked": 0, "valid": 10_000_000} {
		for i := range tokens {
			tokens[i] = token(jti(first + i*900))
			tokens[i].SessionID = jti(20_000_000 + i)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				_, _ = m.Revoked(b.Context(), tokens[i%len(tokens)])
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					_, _ = m.Revoked(b.Context(), tokens[i%len(tokens)])
				}
			})
		})
	}
}
