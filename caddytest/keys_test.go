// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// What the operator sees of keys that are fetched, of no keys, and of a
// configuration that was rejected.
func TestTheAdminAPIShowsKeysThatAreFetched(t *testing.T) {
	set, err := os.ReadFile("testdata/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(set)
	}))
	defer server.Close()
	remote := func(address string) string {
		return strings.Replace(simple, "secret {env.CADDYBOLT_SECRET}", "jwks_url "+address+"/keys?tenant=private\n\t\t\taudience my-app", 1)
	}
	p, url := gate(t, remote(server.URL))
	port := url[strings.LastIndexByte(url, ':')+1:]
	want(t, 401, "", url)
	shown := func() string {
		t.Helper()
		out, err := caddyCommand(t, "", "auth", "keys", "--address", p.Admin)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return out
	}
	var out string
	for range 100 {
		if out = shown(); strings.Contains(out, server.URL+"/keys  1 ") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if !strings.Contains(out, server.URL+"/keys  1 ") || strings.Contains(out, "private") {
		t.Errorf("%s", out)
	}
	if status := p.reload(strings.ReplaceAll(remote("http://192.0.2.1"), "PORT", port)); status < 400 {
		t.Errorf("a configuration without https: %d", status)
	}
	if again := shown(); !strings.Contains(again, server.URL+"/keys  1 ") {
		t.Errorf("after a rejected reload:\n%s", again)
	}
	resp, _ := do(t, http.MethodPost, "http://"+p.Admin+"/auth/status")
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", resp.StatusCode)
	}
	t.Setenv("CADDYBOLT_SECRET", hmacSecret)
	if status := p.reload(strings.ReplaceAll(simple, "PORT", port)); status != 200 {
		t.Fatalf("reload: %d\n%s", status, p.log)
	}
	if none := shown(); !strings.Contains(none, "no keys are fetched") {
		t.Errorf("%s", none)
	}
}
