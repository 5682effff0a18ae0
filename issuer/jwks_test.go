// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

const publicKey = `{"keys":[{"kty":"EC","crv":"P-256","kid":"1","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`

func (s *server) jwks(tb testing.TB, keys string) *JWKS {
	tb.Helper()
	s.signer.keys = func() ([]byte, error) { return []byte(keys), nil }
	j := new(JWKS)
	if err := s.provision(tb, j); err != nil {
		tb.Fatal(err)
	}
	j.logger = zap.NewNop()
	return j
}

func get(tb testing.TB, method string) *http.Request {
	tb.Helper()
	return authtest.NewRequest(tb, method, "https://app.example/.well-known/jwks.json")
}

func TestJWKSPublishesTheKeys(t *testing.T) {
	t.Parallel()
	s := newServer()
	j := s.jwks(t, publicKey)
	w := serve(j, get(t, "GET"))
	etag := w.Header().Get("ETag")
	if w.Code != http.StatusOK || w.Body.String() != publicKey || etag == "" {
		t.Fatalf("status %d, header %v, body %q", w.Code, w.Header(), w.Body)
	}
	for key, want := range map[string]string{
		"Content-Type": "application/jwk-set+json", "Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff",
	} {
		if got := w.Header().Get(key); got != want {
			t.Errorf("%s: %q", key, got)
		}
	}
	if w := serve(j, get(t, "HEAD")); w.Code != http.StatusOK || w.Body.Len() != 0 || w.Header().Get("ETag") != etag {
		t.Errorf("HEAD: status %d, body %q", w.Code, w.Body)
	}
	again := get(t, "GET")
	again.Header.Set("If-None-Match", etag)
	if w := serve(j, again); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("again: status %d", w.Code)
	}
	part := get(t, "GET")
	part.Header.Set("Range", "bytes=0-3")
	if w := serve(j, part); w.Code != http.StatusOK || w.Body.String() != publicKey || w.Header().Get("Accept-Ranges") != "none" || w.Header().Get("Content-Range") != "" {
		t.Errorf("a part: status %d, header %v, body %q", w.Code, w.Header(), w.Body)
	}
	if part.Header.Get("Range") == "" {
		t.Error("the request was changed")
	}
	// The keys were rotated.
	rotated := strings.Replace(publicKey, `"kid":"1"`, `"kid":"2"`, 1)
	s.signer.keys = func() ([]byte, error) { return []byte(rotated), nil }
	if w := serve(j, again); w.Code != http.StatusOK || w.Body.String() != rotated || w.Header().Get("ETag") == etag {
		t.Errorf("rotated: status %d, body %q", w.Code, w.Body)
	}
}

func TestJWKSOfASecretIsEmpty(t *testing.T) {
	t.Parallel()
	if w := serve(newServer().jwks(t, `{"keys":[]}`), get(t, "GET")); w.Code != http.StatusOK || w.Body.String() != `{"keys":[]}` {
		t.Errorf("status %d, body %q", w.Code, w.Body)
	}
}

// A signer that mixes up its keys must not give a private one away.
func TestJWKSNeverPublishesAPrivateKey(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]string{
		"EC":          strings.Replace(publicKey, `"kid"`, `"d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI","kid"`, 1),
		"RSA":         `{"keys":[{"kty":"RSA","n":"x","e":"AQAB"},{"kty":"RSA","n":"x","e":"AQAB","p":"x"}]}`,
		"secret":      `{"keys":[{"kty":"oct"}]}`,
		"secret, k":   `{"keys":[{"kty":"EC","k":"x"}]}`,
		"not a set":   `{"kty":"EC","d":"x"}`,
		"a list":      `[]`,
		"nothing":     ``,
		"null":        `null`,
		"keys null":   `{"keys":null}`,
		"two sets":    publicKey + publicKey,
		"not objects": `{"keys":["x"]}`,
	} {
		w := serve(newServer().jwks(t, keys), get(t, "GET"))
		if w.Code != http.StatusServiceUnavailable || w.Body.Len() != 0 || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: status %d, body %q", name, w.Code, w.Body)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control %q", name, w.Header().Get("Cache-Control"))
		}
	}
}

func TestJWKSWithoutAKey(t *testing.T) {
	t.Parallel()
	s := newServer()
	j := s.jwks(t, publicKey)
	s.signer.keys = func() ([]byte, error) { return nil, errors.New("not made yet") }
	if w := serve(j, get(t, "GET")); w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", w.Code)
	}
	for _, method := range []string{"POST", "OPTIONS", "DELETE"} {
		if w := serve(j, get(t, method)); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: status %d", method, w.Code)
		}
	}
	s.signer.cannotSign = errors.New("no key")
	if err := s.provision(t, new(JWKS)); err == nil {
		t.Error("a jwt without a key is accepted")
	}
	if err := newServer().provision(t, &JWKS{For: "other"}); err == nil {
		t.Error("an unknown jwt is accepted")
	}
}

func TestJWKSCaddyfile(t *testing.T) {
	t.Parallel()
	var j JWKS
	if err := parse("auth_jwks {\nfor app\n}", &j); err != nil || j.For != "app" {
		t.Errorf("%+v, error %v", j, err)
	}
	if raw, err := json.Marshal(new(JWKS)); err != nil || string(raw) != "{}" {
		t.Errorf("defaults are written: %s, %v", raw, err)
	}
	for text, want := range map[string]string{
		"auth_jwks x":                      `not "x"`,
		"auth_jwks {\n\tfor\n}":            "needs an argument",
		"auth_jwks {\n\tfor a\n\tfor b\n}": "given already at line 2",
		"auth_jwks {\n\tmax_age 1h\n}":     `unrecognized auth_jwks option "max_age"; there are: for, at Caddyfile:2`,
	} {
		if err := parse(text, new(JWKS)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
