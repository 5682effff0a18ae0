// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Attack: tokens with a "kid" each, while the key server is slow or sends more
// than anybody wants. Tokens of a known key are accepted all the while, in the
// memory of a few of them, and the server hears of it once.
func TestUnknownKidsAtASlowServerCostLittle(t *testing.T) { //nolint:paralleltest // the heap is everybody's
	keys := testKeys()
	good := setOfRSA("a", keys.rsa)
	known := remoteToken(t, algRS256, keys.rsa, "a", longPayload)
	signature := known[strings.LastIndexByte(known, '.'):]
	forged := func(i int) string {
		return encode([]byte(`{"alg":"RS256","kid":"k`+strconv.Itoa(i)+`"}`)) + "." + encode([]byte(longPayload)) + signature
	}
	answers := map[string]http.HandlerFunc{"200 ms": func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(200 * time.Millisecond)
		_, _ = io.WriteString(w, good)
	}}
	for _, name := range []string{"64 MB", "gzip bomb", "drips"} {
		answers[name] = faults(t)[name]
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			s := newKeyServer(t, good)
			f := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys", Cache: new(int)})
			f.fetched(t)
			f.wantIn(t, known)
			s.set(answer)
			f.forward(defaultMinRefresh)
			runtime.GC()
			before, fetched := heapInUse(), s.fetches.Load()
			var most atomic.Uint64
			var group sync.WaitGroup
			for worker := range 100 {
				group.Go(func() {
					for i := range 100 {
						if reason := auth.ReasonOf(f.ask(forged(worker*100 + i))); reason != auth.ReasonKeysUnavailable && reason != auth.ReasonUnknownKey {
							t.Errorf("refused with %q", reason)
						}
					}
				})
			}
			var done atomic.Bool
			go func() { group.Wait(); done.Store(true) }()
			for !done.Load() {
				f.wantIn(t, known)
				most.Store(max(most.Load(), heapInUse()))
			}
			if most.Load() > before+50<<20 {
				t.Errorf("%d MiB above idle", (most.Load()-before)>>20)
			}
			if n := s.fetches.Load() - fetched; n > 1 {
				t.Errorf("%d fetches", n)
			}
		})
	}
}
