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

	"go.uber.org/zap"

	"github.com/caddybolt/caddy-bolt/auth"
)

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Attack: tokens with a "kid" each, while the key server is slow, sends more than
// anybody wants, or fails in any other way. Tokens of a known key are accepted
// all the while, in the memory of a few of them, the server hears of it once, and
// the log no more than that.
func TestUnknownKidsAtASlowServerCostLittle(t *testing.T) { //nolint:paralleltest // the heap is everybody's
	keys := testKeys()
	good := setOfRSA("a", keys.rsa)
	known := remoteToken(t, algRS256, keys.rsa, "a", longPayload)
	signature := known[strings.LastIndexByte(known, '.'):]
	forged := func(i int) string {
		return encode([]byte(`{"alg":"RS256","kid":"k`+strconv.Itoa(i)+`"}`)) + "." + encode([]byte(longPayload)) + signature
	}
	const slow = "200 ms"
	answers := faults(t)
	answers[slow] = func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(200 * time.Millisecond)
		_, _ = io.WriteString(w, good)
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			each := 20 // tokens of a worker
			switch name {
			case slow, "64 MB", "gzip bomb", "drips":
				each = 100
			}
			s := newKeyServer(t, good)
			f := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys", Cache: new(int)})
			f.fetched(t)
			f.wantIn(t, known)
			s.set(answer)
			if name == "hangs" || name == "drips" {
				f.giveUpAfter(t, 2*maxWait) // soon, and not before those who wait
			}
			f.forward(defaultMinRefresh)
			runtime.GC()
			r := f.remote.remote
			before, fetched := heapInUse(), r.fetches.Load()
			var most atomic.Uint64
			var group sync.WaitGroup
			for worker := range 100 {
				group.Go(func() {
					for i := range each {
						if reason := auth.ReasonOf(f.ask(forged(worker*each + i))); reason != auth.ReasonKeysUnavailable && reason != auth.ReasonUnknownKey {
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
			f.idle(t)
			if most.Load() > before+50<<20 {
				t.Errorf("%d MiB above idle", (most.Load()-before)>>20)
			}
			if n := r.fetches.Load() - fetched; n != 1 {
				t.Errorf("%d fetches", n)
			}
			if n := s.fetches.Load(); n > 2+maxRedirects {
				t.Errorf("the server was asked %d times", n)
			}
			entries := f.logs.All()
			if name == slow && len(entries) != 0 || name != slow && (len(entries) != 1 || entries[0].Level != zap.WarnLevel) {
				t.Errorf("log %v", entries)
			}
			f.wantIn(t, known)
		})
	}
}
