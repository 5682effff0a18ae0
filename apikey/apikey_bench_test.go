// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package apikey

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
)

// many returns an authenticator with n keys, and the text of the last.
func many(tb testing.TB, n int, places ...auth.Source) (*APIKey, string) {
	keys := make([]Key, n)
	var last string
	for i := range keys {
		last = fmt.Sprintf("sk-live-%032x", i)
		keys[i] = Key{Name: fmt.Sprintf("key-%d", i), Key: sha(last), Permissions: []string{"a.read"}}
	}
	return provisioned(tb, &APIKey{Places: places, Keys: keys}), last
}

var bearer = auth.Source{Header: "Authorization", Scheme: "Bearer"}

func TestAcceptingAllocatesNothing(t *testing.T) {
	a, key := many(t, 10)
	b, _ := many(t, 10, bearer)
	r := present(t, key)
	r.Header.Set("Authorization", "Bearer "+key)
	unknown := present(t, "sk-nobody")
	for name, tc := range map[string]struct {
		a    *APIKey
		r    *http.Request
		want bool
	}{
		"header":  {a, r, true},
		"bearer":  {b, r, true},
		"unknown": {a, unknown, false},
	} {
		if n := testing.AllocsPerRun(100, func() {
			if id, _ := tc.a.Authenticate(tc.r); (id != nil) != tc.want {
				t.Fatal("wrong answer")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		for name, places := range map[string][]auth.Source{"header": nil, "bearer": {bearer}} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				a, key := many(b, n, places...)
				r := present(b, key)
				r.Header.Set("Authorization", "Bearer "+key)
				b.ReportAllocs()
				for b.Loop() {
					if id, err := a.Authenticate(r); id == nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// Every request another key: what the memory of the machine costs.
func BenchmarkAuthenticateAllKeys(b *testing.B) {
	const n = 100_000
	a, _ := many(b, n)
	requests := make([]*http.Request, n)
	for i := range requests {
		requests[i] = &http.Request{Header: http.Header{"X-Api-Key": {fmt.Sprintf("sk-live-%032x", (i*7919)%n)}}}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if id, err := a.Authenticate(requests[i%n]); id == nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkAuthenticateUnknown(b *testing.B) {
	a, _ := many(b, 100_000)
	r := present(b, "sk-nobody-00000000000000000000000000")
	b.ReportAllocs()
	for b.Loop() {
		if id, _ := a.Authenticate(r); id != nil {
			b.Fatal("accepted")
		}
	}
}

func BenchmarkDecodeKeys(b *testing.B) {
	entries := make([]string, 10_000)
	for i := range entries {
		entries[i] = entry(fmt.Sprintf("key-%d", i), sha(fmt.Sprintf("sk-%d", i)))
	}
	content := []byte(list(entries...))
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeKeys(content, defaultMaxSize); err != nil {
			b.Fatal(err)
		}
	}
}
