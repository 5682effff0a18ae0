// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revoked

import (
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func jti(i int) string { return "0b8d7a4e-6f0c-4c1e-9d53-" + strconv.Itoa(100_000_000_000+i) }

// An entry that is extended between being found expired and being removed must
// stay.
func TestSweepLeavesWhatWasExtendedMeanwhile(t *testing.T) {
	t.Parallel()
	s := New()
	now := noon.UnixNano()
	e := Entry{Kind: Token, ID: "a", Until: now}
	s.Apply(e)
	err := s.Sweep(now, func(ended []Entry) error {
		longer := e
		longer.Until = now + 1
		s.Apply(longer)
		s.Drop(ended, now)
		return nil
	})
	if err != nil || s.Len(Token) != 1 {
		t.Errorf("%d entries, error %v", s.Len(Token), err)
	}
}

func TestMemoryIsGivenBack(t *testing.T) {
	if testing.Short() {
		t.Skip("fills 20 MB")
	}
	s := New()
	before := heap()
	for i := range 200_000 {
		s.Apply(Entry{Kind: Token, ID: jti(i), Issuer: "https://id.example", Until: 1})
	}
	full := heap() - before
	s.Expire(2)
	if left := heap() - before; left > full/10 {
		t.Errorf("%d KiB of %d KiB are still in use after everything expired", left>>10, full>>10)
	}
	runtime.KeepAlive(s)
}

func TestAMillionRevokedTokensTakeAtMost150MiB(t *testing.T) {
	if testing.Short() {
		t.Skip("fills 120 MB")
	}
	s := New()
	before := heap()
	for i := range 1_000_000 {
		s.Apply(Entry{Kind: Token, ID: jti(i), Issuer: "https://id.example", Until: noon.UnixNano()})
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

func TestEntriesOfAnIDAreThoseOfAllIssuersAndOfNoOtherID(t *testing.T) {
	t.Parallel()
	s := New()
	for _, k := range []Kind{Token, Session, User} {
		for _, issuer := range []string{"", "x", "y"} {
			for _, id := range []string{"a", "b"} {
				s.Apply(Entry{Kind: k, ID: id, Issuer: issuer, Until: 5})
			}
		}
		list := s.Entries(k, "a")
		issuers := make([]string, 0, len(list))
		for _, e := range list {
			if e.Kind != k || e.ID != "a" || e.Until != 5 {
				t.Errorf("%+v", e)
			}
			issuers = append(issuers, e.Issuer)
		}
		slices.Sort(issuers)
		if !slices.Equal(issuers, []string{"", "x", "y"}) {
			t.Errorf("%c: %q", k, issuers)
		}
		if n := len(s.Entries(k, "c")); n != 0 {
			t.Errorf("%c: %d entries of an ID that is not there", k, n)
		}
	}
}
