// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"testing"

	"github.com/caddyserver/caddy/v2"
)

const (
	benchJWT      = "jwt {\nsecret \"" + benchSecret + "\"\n}"
	benchUncached = "jwt {\nsecret \"" + benchSecret + "\"\ncache off\n}"
	benchGuards   = "\nguard permission a.write\nguard any_permission a.none a.read"
	benchForward  = "\nforward {\nX-User-ID id\nX-Email claims.email\n}"
)

func BenchmarkForward(b *testing.B) {
	h := handlerOf(b, benchJWT+benchForward)
	benchmark(b, h, "Authorization", []string{"Bearer " + token(b, 0)})
}

func BenchmarkRevocation(b *testing.B) {
	h := handlerIn(b, "revocation memory", benchJWT)
	benchmark(b, h, "Authorization", []string{"Bearer " + token(b, 0)})
}

func BenchmarkGuards(b *testing.B) {
	h := handlerOf(b, benchJWT+benchGuards)
	benchmark(b, h, "Authorization", []string{"Bearer " + token(b, 0)})
}

// benchPlaceholders are asked for by log lines, headers and expressions.
var benchPlaceholders = []string{
	"http.auth.user.id", "http.auth.user.permissions", "http.auth.claims.email", "http.auth.claims.none", "http.request.method",
}

// signedIn returns the replacer of a request that passed.
func signedIn(tb testing.TB) *caddy.Replacer {
	tb.Helper()
	w, requests := prepared(tb, "Authorization", []string{"Bearer " + token(tb, 0)}, 1)
	if err := handlerOf(tb, benchJWT).ServeHTTP(w, requests[0], passing); err != nil {
		tb.Fatal(err)
	}
	return requests[0].Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
}

func BenchmarkPlaceholder(b *testing.B) {
	repl := signedIn(b)
	for _, name := range benchPlaceholders {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := repl.GetString(name); !ok {
					b.Fatal("unknown")
				}
			}
		})
	}
}

// What a configuration asks for beyond the token is paid where it asks, and no
// more than it needs: a header is its list and its text.
func TestAllocationsOfWhatIsAskedFor(t *testing.T) {
	if underRace {
		t.Skip("pools forget at random under the race detector")
	}
	bearer := "Bearer " + token(t, 0)
	for name, c := range map[string]struct {
		global, settings string
		most             float64
	}{
		"token never seen":      {"", benchUncached, 6},
		"revocation":            {"revocation memory", benchJWT, 2},
		"guards":                {"", benchJWT + benchGuards, 2},
		"two identity headers":  {"", benchJWT + benchForward, 6},
		"guards and forwarding": {"", benchJWT + benchGuards + benchForward, 6},
	} {
		h := handlerIn(t, c.global, c.settings)
		const runs = 100
		w, requests := prepared(t, "Authorization", []string{bearer}, runs+1)
		i := 0
		got := testing.AllocsPerRun(runs, func() {
			if err := h.ServeHTTP(w, requests[i], passing); err != nil {
				t.Fatal(err)
			}
			i++
		})
		if got > c.most {
			t.Errorf("%s: %v allocations, at most %v", name, got, c.most)
		}
	}
	repl := signedIn(t)
	for _, name := range benchPlaceholders {
		if n := testing.AllocsPerRun(100, func() { repl.Get(name) }); n > 3 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
