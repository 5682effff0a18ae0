// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// heap returns how much memory is in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // finalizers and pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Tokens that nobody signed are forgotten: whoever invents them cannot fill the
// memory. Not parallel: the heap is everybody's.
func TestAFloodOfDistinctBadTokensLeavesNothingBehind(t *testing.T) {
	h := handlerOf(t, "jwt {\nsecret \""+benchSecret+"\"\n}")
	srv, w := &caddyhttp.Server{}, httptest.NewRecorder()
	send := func(i int) {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
			"sub": fmt.Sprint("user-", i), "exp": 9999999999, "jti": fmt.Sprint(i),
		}).SignedString([]byte("another secret, which is long enough as well"))
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, srv)
		if err := h.ServeHTTP(w, r, passing); err == nil {
			t.Fatal("a token of another key passes")
		}
	}
	for i := range 1000 {
		send(i)
	}
	before := heap()
	for i := range 50_000 {
		send(1000 + i)
	}
	if after := heap(); after > before+2<<20 {
		t.Errorf("%d bytes before 50,000 bad tokens, %d after", before, after)
	}
}
