// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

func TestJWTKeepsTheContract(t *testing.T) {
	t.Parallel()
	good := hs256(t, validPayload)
	forged := joined(t, `{"alg":"HS256"}`, validPayload, hs(algHS256, "another secret of thirty-two bytes"))
	places := map[string]struct {
		sources []auth.Source
		put     func(r *http.Request, token string)
	}{
		"bearer": {nil, func(r *http.Request, token string) { r.Header.Set("Authorization", "Bearer "+token) }},
		"header": {[]auth.Source{{Header: "X-Token"}}, func(r *http.Request, token string) { r.Header.Set("X-Token", token) }},
		"cookie": {[]auth.Source{{Cookie: "session"}}, func(r *http.Request, token string) { r.Header.Set("Cookie", "a=b; session="+token) }},
		"query":  {[]auth.Source{{Query: "access_token"}}, func(r *http.Request, token string) { r.URL.RawQuery = "a=b&access_token=" + token }},
	}
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			put := func(token string) func(*http.Request) {
				return func(r *http.Request) { place.put(r, token) }
			}
			authtest.TestAuthenticator(t, authtest.AuthenticatorCase{
				New: func(tb testing.TB) auth.Authenticator {
					return mustLoad(tb, &JWT{Secret: secretRef, Places: place.sources})
				},
				Good: put(good),
				Bad: map[string]func(*http.Request){
					"forged":  put(forged),
					"expired": put(hs256(t, `{"sub":"alice","exp":1}`)),
					"a word":  put("sk-prod-123abc"),
					"dots":    put(strings.Repeat(".", 5000)),
					"large":   put(strings.Repeat("x", 100_000)),
				},
				Secrets:     []string{testSecret},
				WantBackend: "jwt",
			})
		})
	}
}

// Attack: two credentials in one request, of which we read one and the app
// behind us the other.
func TestRepeatedCredentialIsRefused(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Secret: secretRef})
	r := bearer(hs256(t, validPayload))
	r.Header.Add("Authorization", "Bearer "+hs256(t, `{"sub":"mallory","exp":1700003600}`))
	if id, err := j.Authenticate(r); id != nil || auth.ReasonOf(err) != auth.ReasonMalformedToken {
		t.Errorf("%v, %v", id, err)
	}
}
