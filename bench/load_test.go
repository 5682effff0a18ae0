// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// site answers with the status that stands in the field, and counts.
type site struct {
	mu    sync.Mutex
	seen  map[string]int
	major map[int]int
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen[r.Header.Get("Authorization")]++
	s.major[r.ProtoMajor]++
	s.mu.Unlock()
	if r.Header.Get("Authorization") == "Bearer bad" {
		w.WriteHeader(http.StatusUnauthorized)
	}
	_, _ = w.Write([]byte("hello"))
}

func newSite(t *testing.T) (*site, string) {
	t.Helper()
	s := &site{seen: map[string]int{}, major: map[int]int{}}
	server := httptest.NewUnstartedServer(s)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return s, strings.TrimPrefix(server.URL, "http://")
}

func TestEveryRequestIsSentAndAnswered(t *testing.T) {
	t.Parallel()
	for _, major := range []int{1, 2} {
		s, addr := newSite(t)
		c, err := dial(t.Context(), load{addr: addr, path: "/", field: "Authorization: Bearer ", values: []string{"a", "b"}, http2: major == 2})
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		got, err := c.send(101, 200)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.latencies) != 101 || s.major[major] != 101 {
			t.Errorf("HTTP/%d: %d latencies, requests %v", major, len(got.latencies), s.major)
		}
		if s.seen["Bearer a"] != 51 || s.seen["Bearer b"] != 50 {
			t.Errorf("values were not taken in turn: %v", s.seen)
		}
	}
}

// A server that answers something else is not measured, however fast it is.
func TestAnotherStatusIsAnError(t *testing.T) {
	t.Parallel()
	_, addr := newSite(t)
	for _, http2 := range []bool{false, true} {
		c, err := dial(t.Context(), load{addr: addr, path: "/", field: "Authorization: Bearer ", values: []string{"good", "bad"}, http2: http2})
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		if _, err := c.send(2*connections, 200); err == nil || !strings.Contains(err.Error(), "answered 401, not 200") {
			t.Errorf("HTTP/2 %v: %v", http2, err)
		}
	}
}

func TestServerThatRefusesNothingIsNotMeasured(t *testing.T) {
	t.Parallel()
	_, addr := newSite(t)
	s := &subject{server: &server{name: "site"}, load: load{addr: addr, path: "/", field: "Authorization: Bearer ", values: []string{"long enough"}}}
	if err := verify(t.Context(), s, false); err != nil {
		t.Error(err)
	}
	if err := verify(t.Context(), s, true); err == nil || !strings.Contains(err.Error(), "to be refused") {
		t.Errorf("it protects nothing: %v", err)
	}
}

func TestSpoiledCredentialIsAnother(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"AAAAAAAAAA", "abcdefgh", strings.Repeat("x", 1000)} {
		if got := spoiled(value); got == value || len(got) != len(value) {
			t.Errorf("%q became %q", value, got)
		}
	}
}
