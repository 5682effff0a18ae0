// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

// Blocks of several sites and policies that name one key server have one fetcher,
// whatever they ask of tokens and however often they want to fetch.
func TestBlocksOfOneKeyServerShareAFetcher(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t, setOfRSA("a", testKeys().rsa))
	leeway := caddy.Duration(time.Minute)
	first := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys", Audiences: []string{"api"}})
	first.fetched(t)
	first.wantIn(t, remoteToken(t, algRS256, testKeys().rsa, "a", `{"sub":"alice","aud":"api","exp":1700090000}`))
	for name, j := range map[string]*JWT{
		"another audience":   {Audiences: []string{"app"}},
		"an issuer":          {Issuers: []string{"https://id.example.com"}},
		"algorithms":         {Algorithms: []string{"RS256", "RS512"}},
		"other places":       {Places: []auth.Source{{Cookie: "session"}}},
		"a name":             {Label: "other"},
		"leeway and no room": {Leeway: &leeway, Cache: new(int)},
		"stale":              {Stale: caddy.Duration(48 * time.Hour)},
		"timeout":            {Timeout: caddy.Duration(time.Second)},
		"min_refresh":        {MinRefresh: caddy.Duration(time.Minute)},
	} {
		j.JWKSURL = s.URL + "/keys"
		if other := remoteBlock(t, j); other.remote.remote != first.remote.remote {
			t.Errorf("%s: a fetcher of its own", name)
		}
	}
	if s.fetches.Load() != 1 {
		t.Errorf("%d fetches", s.fetches.Load())
	}
	// Whom to trust is no matter of taste.
	for name, j := range map[string]*JWT{
		"insecure_http": {JWKSURL: s.URL + "/keys", InsecureHTTP: true},
		"discovery":     {OIDC: s.URL + "/keys"},
	} {
		if other := remoteBlock(t, j); other.remote.remote == first.remote.remote {
			t.Errorf("%s: does not count", name)
		}
	}
}

// A fetcher that is shared asks as often as the one wants it who wants it more
// often, and forgets when the last one does; nobody takes keys that are too old
// for them.
func TestSharedKeysAreTooOldForOneBeforeTheOther(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t, setOfRSA("a", testKeys().rsa))
	token := remoteToken(t, algRS256, testKeys().rsa, "a", longPayload)
	patient := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys", Stale: caddy.Duration(48 * time.Hour)})
	patient.fetched(t)
	s.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	strict := &far{JWT: mustLoad(t, &JWT{
		JWKSURL: s.URL + "/keys", InsecureAnyAudience: true,
		Refresh: []caddy.Duration{caddy.Duration(time.Minute), caddy.Duration(2 * time.Hour)}, Stale: caddy.Duration(3 * time.Hour),
	}), hand: patient.hand}
	strict.clock = patient.clock
	strict.wantIn(t, token)
	patient.wantIn(t, token)

	patient.due(t, 3*time.Hour-time.Second)
	strict.wantIn(t, token)
	patient.due(t, time.Minute)
	strict.wantOut(t, token, auth.ReasonKeysUnavailable) // the cache does not outlive them
	patient.wantIn(t, token)
	if keys := strict.KeyStatus()[0].Keys; keys != 0 {
		t.Errorf("%d keys, of which none is taken", keys)
	}
	// One that comes now is told at once.
	late := &far{JWT: mustLoad(t, &JWT{JWKSURL: s.URL + "/keys", InsecureAnyAudience: true, Stale: caddy.Duration(2 * time.Hour)}), hand: patient.hand}
	late.clock = patient.clock
	late.wantOut(t, token, auth.ReasonKeysUnavailable)
	patient.due(t, 45*time.Hour)
	patient.wantOut(t, token, auth.ReasonKeysUnavailable)

	// The same set again is good for all of them.
	s.serve(setOfRSA("a", testKeys().rsa))
	patient.due(t, time.Minute)
	for _, f := range []*far{patient, strict, late} {
		f.wantIn(t, token)
	}
}

func TestTimesOfBlocksServeAllOfThem(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t, setOfRSA("a", testKeys().rsa))
	block := func(ctx caddy.Context, least, most, stale, timeout time.Duration) *remote {
		j := &JWT{
			JWKSURL: s.URL + "/keys", InsecureAnyAudience: true, MinRefresh: caddy.Duration(least),
			Refresh: []caddy.Duration{caddy.Duration(least), caddy.Duration(most)}, Stale: caddy.Duration(stale), Timeout: caddy.Duration(timeout),
		}
		t.Cleanup(func() { _ = j.Cleanup() })
		if err := j.Provision(ctx); err != nil {
			t.Fatal(err)
		}
		return j.remote.remote
	}
	times := func(r *remote) remoteTimes {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.remoteTimes
	}
	seldom := remoteTimes{time.Hour, 5 * time.Hour, time.Hour, 6 * time.Hour, time.Second}
	r := block(newContext(t, ""), time.Hour, 5*time.Hour, 6*time.Hour, time.Second)
	if got := times(r); got != seldom {
		t.Errorf("alone: %+v", got)
	}
	ctx, cancel := caddy.NewContext(newContext(t, ""))
	if other := block(ctx, time.Minute, 10*time.Hour, 20*time.Hour, 9*time.Second); other != r {
		t.Fatal("not shared")
	}
	if got, want := times(r), (remoteTimes{time.Minute, 5 * time.Hour, time.Minute, 20 * time.Hour, 9 * time.Second}); got != want {
		t.Errorf("together: %+v", got)
	}
	cancel()
	until(t, "the other to leave", func() bool { return times(r) == seldom })
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
