// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

// Blocks of several sites and policies that name one key server have one fetcher,
// however much they ask of tokens; other ways to fetch are another fetcher.
func TestBlocksOfOneKeyServerShareAFetcher(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t, setOfRSA("a", testKeys().rsa))
	leeway := caddy.Duration(time.Minute)
	first := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys", Audiences: []string{"api"}})
	first.wantIn(t, remoteToken(t, algRS256, testKeys().rsa, "a", `{"sub":"alice","aud":"api","exp":1700090000}`))
	for name, j := range map[string]*JWT{
		"another audience":   {Audiences: []string{"app"}},
		"an issuer":          {Issuers: []string{"https://id.example.com"}},
		"algorithms":         {Algorithms: []string{"RS256", "RS512"}},
		"other places":       {Places: []auth.Source{{Cookie: "session"}}},
		"a name":             {Label: "other"},
		"leeway and no room": {Leeway: &leeway, Cache: new(int)},
		"a default, said":    {Stale: caddy.Duration(defaultStale)},
	} {
		j.JWKSURL = s.URL + "/keys"
		if other := remoteBlock(t, j); other.remote.remote != first.remote.remote {
			t.Errorf("%s: a fetcher of its own", name)
		}
	}
	if s.fetches.Load() != 1 {
		t.Errorf("%d fetches", s.fetches.Load())
	}
	for name, j := range map[string]*JWT{
		"stale":   {Stale: caddy.Duration(48 * time.Hour)},
		"timeout": {Timeout: caddy.Duration(time.Second)},
		"refresh": {Refresh: []caddy.Duration{caddy.Duration(time.Minute), caddy.Duration(time.Hour)}},
	} {
		j.JWKSURL = s.URL + "/keys"
		if other := remoteBlock(t, j); other.remote.remote == first.remote.remote {
			t.Errorf("%s: does not count", name)
		}
	}
}

// Attack: a provider goes on publishing a key that can be factored.
func TestWeakRemoteKeyVerifiesNothing(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	s := newKeyServer(t, strings.TrimSuffix(setOfRSA("weak", weak), "]}")+","+strings.TrimPrefix(setOfRSA("a", testKeys().rsa), `{"keys":[`))
	f := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys"})
	f.wantIn(t, remoteToken(t, algRS256, testKeys().rsa, "a", longPayload))
	token := remoteToken(t, algRS256, weak, "weak", longPayload)
	f.wantOut(t, token, auth.ReasonKeysUnavailable) // as any "kid" that is not there, until the next fetch
	f.forward(defaultMinRefresh)
	f.wantOut(t, token, auth.ReasonUnknownKey)
	f.wantOut(t, joined(t, `{"alg":"RS256"}`, longPayload, with(algRS256, weak)), auth.ReasonBadSignature)

	control := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys", InsecureWeakKey: true})
	control.wantIn(t, token)
}
