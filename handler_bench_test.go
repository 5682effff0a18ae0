// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const benchSecret = "a secret of more than 64 bytes, enough for every hash: 0123456789abcdef"

// handlerOf returns the one auth handler of a Caddyfile.
func handlerOf(t testing.TB, settings string) *Handler {
	t.Helper()
	return handlerIn(t, "", settings)
}

// handlerIn is handlerOf with a global block auth.
func handlerIn(t testing.TB, global, settings string) *Handler {
	t.Helper()
	s := site(t, "{\nauth {\n"+global+"\n}\n}\n:80 {\nauth {\n"+settings+"\n}\n}")
	h := s.handler.(*caddyhttp.Server).Routes[0].Handlers[0]
	if sub, ok := h.(*caddyhttp.Subroute); ok {
		h = sub.Routes[0].Handlers[0]
	}
	return h.(*Handler)
}

// token mints a token with the claims of a log-in.
func token(t testing.TB, n int) string {
	t.Helper()
	now := time.Now()
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": "alice", "username": "alice", "is_staff": false, "is_superuser": false, "jti": fmt.Sprintf("jti-%d", n),
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "email": "alice@example.com", "permissions": []string{"a.read", "a.write"},
	}).SignedString([]byte(benchSecret))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var passing = caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })

// prepared makes requests as Caddy's server hands them on, beforehand: what is
// measured is the handler alone, around an empty next. A request is used once, since it keeps its state.
func prepared(tb testing.TB, name string, values []string, n int) (w http.ResponseWriter, requests []*http.Request) {
	tb.Helper()
	w = httptest.NewRecorder()
	srv := &caddyhttp.Server{}
	requests = make([]*http.Request, n)
	for i := range requests {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set(name, values[i%len(values)])
		requests[i] = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, srv)
	}
	return w, requests
}

func benchmark(b *testing.B, h *Handler, name string, values []string) {
	b.Helper()
	const batch = 1000
	// The garbage of preparing requests is many times that of answering them: it
	// is collected while the clock stands still.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += batch {
		b.StopTimer()
		n := min(batch, b.N-i)
		rotated := make([]string, n)
		for j := range rotated {
			rotated[j] = values[(i+j)%len(values)]
		}
		w, requests := prepared(b, name, rotated, n)
		runtime.GC()
		b.StartTimer()
		for _, r := range requests {
			if err := h.ServeHTTP(w, r, passing); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkJWTSeenBefore(b *testing.B) {
	h := handlerOf(b, "jwt {\nsecret \""+benchSecret+"\"\n}")
	benchmark(b, h, "Authorization", []string{"Bearer " + token(b, 0)})
}

func BenchmarkJWTNeverSeen(b *testing.B) {
	h := handlerOf(b, "jwt {\nsecret \""+benchSecret+"\"\ncache off\n}")
	benchmark(b, h, "Authorization", []string{"Bearer " + token(b, 0)})
}

func BenchmarkAPIKey(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var block strings.Builder
			for i := range n {
				sum := sha256.Sum256(fmt.Appendf(nil, "key-%d-0123456789abcdef", i))
				fmt.Fprintf(&block, "key k%d sha256:%s\n", i, hex.EncodeToString(sum[:]))
			}
			h := handlerOf(b, "api_key {\n"+block.String()+"}")
			benchmark(b, h, "X-Api-Key", []string{"key-7-0123456789abcdef"})
		})
	}
}

// Allocations are exact where times are not: these may fall, and never grow.
func TestAllocationsOfARequestThatPasses(t *testing.T) {
	for name, c := range map[string]struct {
		settings, header, value string
		most                    float64
	}{
		"cached token": {"jwt {\nsecret \"" + benchSecret + "\"\n}", "Authorization", "Bearer " + token(t, 0), 2},
		"API key":      {"api_key {\nkey k key-7-0123456789abcdef\n}", "X-Api-Key", "key-7-0123456789abcdef", 2},
	} {
		h := handlerOf(t, c.settings)
		const runs = 100
		w, requests := prepared(t, c.header, []string{c.value}, runs+1)
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
}
