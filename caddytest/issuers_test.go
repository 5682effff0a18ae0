// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// issuerServer is an issuer with a key that is named as everybody's.
type issuerServer struct {
	*httptest.Server
	key   ed25519.PrivateKey
	asked atomic.Int64
}

func newIssuerServer(t *testing.T) *issuerServer {
	t.Helper()
	s := &issuerServer{key: newKeys(t).ed}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, s.URL, s.URL+"/keys")
		case "/keys":
			x := base64.RawURLEncoding.EncodeToString(s.key.Public().(ed25519.PublicKey))
			fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":%q}]}`, x)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// signed returns a token that says it is of the issuer, signed with the key.
func (s *issuerServer) signed(t *testing.T, issuer, kid string) string {
	t.Helper()
	return bearer(mintHeader(t, jwt.SigningMethodEdDSA, s.key, jwt.MapClaims{"iss": issuer, "aud": "my-app"}, map[string]any{"kid": kid}))
}

// Attack: one of two issuers speaks for the other, has the other's server asked
// for keys with tokens of its own, or takes the other down with itself.
func TestIssuersSideBySideDoNotTouchEachOther(t *testing.T) {
	a, b := newIssuerServer(t), newIssuerServer(t)
	const issuerOfB = "https://b.example.com" // of jwks_url, which names no issuer
	const site = `
http://:PORT {
	auth {
		jwt {
			oidc ISSUER_A
			audience my-app
			min_refresh 1s
		}
		jwt {
			jwks_url ISSUER_B/keys
			issuer https://b.example.com
			audience my-app
		}
	}
	respond "in {http.auth.claims.iss}"
}`
	text := strings.NewReplacer("ISSUER_A", a.URL, "ISSUER_B", b.URL).Replace(site)
	p, url := gate(t, text)
	ofA, ofB := a.signed(t, a.URL, "1"), b.signed(t, issuerOfB, "1")
	inA, inB := "in "+a.URL, "in "+issuerOfB
	accepts := func(url, body, token string) {
		t.Helper()
		await(t, body, func() bool {
			_, got := do(t, http.MethodGet, url, token)
			return got == body
		})
	}
	accepts(url, inA, ofA)
	accepts(url, inB, ofB)

	refused := func(what, token string) {
		t.Helper()
		if resp, _ := do(t, http.MethodGet, url, token); resp.StatusCode != 401 {
			t.Errorf("%s: %d", what, resp.StatusCode)
		}
	}
	refused("b's key, a's name", b.signed(t, a.URL, "1"))
	refused("a's key, b's name", a.signed(t, issuerOfB, "1"))
	refused("a's key, the address of b's keys for a name", a.signed(t, b.URL, "1"))
	refused("nobody's name", a.signed(t, "https://c.example.com", "1"))

	// A key that is not there is asked for where the token says that it is from.
	askedA, askedB := a.asked.Load(), b.asked.Load()
	for i := 0; a.asked.Load() == askedA || i < 20; i++ {
		if i == 5000 {
			t.Fatal("control: tokens of a never had a's server asked")
		}
		if resp, _ := do(t, http.MethodGet, url, a.signed(t, a.URL, fmt.Sprint("new-", i))); resp.StatusCode != 401 && resp.StatusCode != 503 {
			t.Fatalf("an unknown key: %d", resp.StatusCode)
		}
		refused("an unknown key of nobody", a.signed(t, "https://c.example.com", fmt.Sprint("new-", i)))
		time.Sleep(10 * time.Millisecond) // min_refresh passes
	}
	if n := b.asked.Load() - askedB; n != 0 {
		t.Errorf("tokens of a had b's server asked %d times", n)
	}

	// The server of b goes: its tokens are judged by the last good keys.
	b.Close()
	for range 5 {
		want(t, 200, inA, url, ofA)
		want(t, 200, inB, url, ofB)
	}
	refused("b's key, a's name, in the outage", b.signed(t, a.URL, "1"))
	refused("a's key, b's name, in the outage", a.signed(t, issuerOfB, "1"))
	p.stop()

	// A Caddy that never had the keys of b knows nothing of its tokens, and all of
	// those of a.
	p, url = gate(t, text)
	accepts(url, inA, ofA)
	for range 3 {
		if resp, _ := do(t, http.MethodGet, url, ofB); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("b without keys: %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
		want(t, 200, inA, url, ofA)
		refused("b's key, a's name, without b's keys", b.signed(t, a.URL, "1"))
	}
	p.stop()
}
