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
	if !revoked(t, second, token("a")) {
		t.Fatal("lost by a reload")
	}
	rejected := open() // and one that is rejected
	cleanup(t, rejected)
	if !revoked(t, second, token("a")) {
		t.Error("lost by a rejected reload")
	}
	if !revoked(t, first, token("a")) {
		t.Error("a request that outlives its configuration is let pass")
	}
	cleanup(t, second)
	last := open()
	defer cleanup(t, last)
	if revoked(t, last, token("a")) {
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
	s.expire(m.now())
	if n := s.tokens.first.size.Load(); n != 3001 {
		t.Fatalf("%d tokens before anything ended", n)
	}
	h.move(time.Minute)
	s.expire(m.now())
	if tokens, users := s.tokens.first.size.Load(), s.users.size.Load(); tokens != 1 || users != 1 {
		t.Errorf("%d tokens and %d users are left, want 1 and 1", tokens, users)
	}
	if !revoked(t, m, kept) {
		t.Error("an entry went that has not ended")
	}
	h.move(DefaultLifetime)
	s.expire(m.now())
	if n := s.tokens.first.size.Load() + s.sessions.first.size.Load() + s.users.size.Load(); n != 0 {
		t.Errorf("%d entries are left at the end of all", n)
	}
}

// An entry that is extended between being found expired and being removed must
// stay.
func TestSweepLeavesWhatWasExtendedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSet()
	now := noon.UnixNano()
	e := entry{kind: tokenKind, id: "a", until: now}
	s.apply(e)
	err := s.sweep(now, func(ended []entry) error {
		longer := e
		longer.until = now + 1
		s.apply(longer)
		s.drop(ended, now)
		return nil
	})
	if err != nil || s.tokens.first.size.Load() != 1 {
		t.Errorf("%d entries, error %v", s.tokens.first.size.Load(), err)
	}
}

func TestMemoryIsGivenBack(t *testing.T) {
	if testing.Short() {
		t.Skip("fills 20 MB")
	}
	s := newSet()
	before := heap()
	for i := range 200_000 {
		s.apply(entry{kind: tokenKind, id: jti(i), issuer: "https://id.example", until: 1})
	}
	full := heap() - before
	s.expire(2)
	if left := heap() - before; left > full/10 {
		t.Errorf("%d KiB of %d KiB are still in use after everything expired", left>>10, full>>10)
	}
	runtime.KeepAlive(s)
}

func TestAMillionRevokedTokensTakeAtMost150MiB(t *testing.T) {
	if testing.Short() {
		t.Skip("fills 120 MB")
	}
	s := newSet()
	before := heap()
	for i := range 1_000_000 {
		s.apply(entry{kind: tokenKind, id: jti(i), issuer: "https://id.example", until: noon.UnixNano()})
	}
	took := heap() - before
	t.Logf("%d MiB", took>>20)
	if took > 150<<20 {
		t.Errorf("%d MiB", took>>20)
	}
	runtime.KeepAlive(s)
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
	s := newSet()
	for i := range 1_000_000 {
		s.apply(entry{kind: tokenKind, id: jti(i), issuer: "https://id.example", until: time.Now().Add(time.Hour).UnixNano()})
	}
	for i := range 1000 {
		s.apply(entry{kind: sessionKind, id: jti(i), until: time.Now().Add(time.Hour).UnixNano()})
		s.apply(entry{kind: userKind, id: jti(i), until: time.Now().Add(time.Hour).UnixNano()})
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
