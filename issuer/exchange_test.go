// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"net/http"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

// accepted returns a request that an auth has accepted for the identity.
func accepted(tb testing.TB, id *auth.Identity) *http.Request {
	tb.Helper()
	r := authtest.NewRequest(tb, http.MethodPost, "https://app.example/auth/exchange")
	authtest.SignIn(r, id, nil)
	return r
}

func claimsFrom(tb testing.TB, object map[string]any) auth.Claims {
	tb.Helper()
	claims, err := auth.NewClaims(object)
	if err != nil {
		tb.Fatal(err)
	}
	return claims
}

// Attack: another provider, or whoever names API keys, has somebody whose ID is
// that of a local user, or of another provider's.
func TestExchangedTokensAreNobodyElses(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, newServer(), "exchange")
	seen := map[any]string{"7": "the local user"}
	for want, id := range map[string]*auth.Identity{
		"exchanged:https://idp.example|7":               {ID: "7", Issuer: "https://idp.example", TokenID: "j"},
		"exchanged:https://idp.example|ann":             {ID: "ann", Issuer: "https://idp.example", TokenID: "j"},
		"exchanged:https://idp.example%7Ca|b":           {ID: "b", Issuer: "https://idp.example|a", TokenID: "j"},
		"exchanged:https://idp.example|a|b":             {ID: "a|b", Issuer: "https://idp.example", TokenID: "j"},
		"exchanged:https://idp.example%257Ca|b":         {ID: "b", Issuer: "https://idp.example%7Ca", TokenID: "j"},
		"exchanged:local:api_key|apikey:ci":             {ID: "apikey:ci", Issuer: "local:api_key"},
		"exchanged:local:basic|7":                       {ID: "7", Issuer: "local:basic"},
		"exchanged:|7":                                  {ID: "7", TokenID: "j"},
		"exchanged:https://idp.example|exchanged:x|ann": {ID: "exchanged:x|ann", Issuer: "https://idp.example", TokenID: "j"},
	} {
		claims := claimsOf(t, serve(e, accepted(t, id)))
		if claims["sub"] != want || claims["username"] != want || claims["iss"] != issuer || claims["aud"] != audience ||
			claims["is_staff"] != false || claims["is_superuser"] != false || claims["sid"] != nil {
			t.Errorf("%s: claims %v", want, claims)
		}
		if other, ok := seen[claims["sub"]]; ok {
			t.Errorf("%s is %s", want, other)
		}
		seen[claims["sub"]] = want
	}
}

// Attack: a local user whose ID is that of an exchanged token.
func TestLocalUserIsNoExchangedOne(t *testing.T) {
	t.Parallel()
	s := newServer()
	user := *s.people.user
	user.ID = "exchanged:https://idp.example|7"
	s.people.user = &user
	if w := serve(s.token(t, "auth_token"), logIn(t, "ann", "pw")); w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", w.Code)
	}
}

// Attack: another provider's claims make its user staff here.
func TestExchangedTokensHoldWhatIsIncludedAlone(t *testing.T) {
	t.Parallel()
	id := &auth.Identity{
		ID: "7", Issuer: "https://idp.example", TokenID: "j", Staff: true, Superuser: true, Permissions: auth.NewSet("a", "b"),
		Claims: claimsFrom(t, map[string]any{
			"email": "eve@idp.example", "groups": []string{"x"}, "is_staff": true, "username": "ann", "permissions": []string{"all"},
			"tenant": "{env.PATH}",
		}),
	}
	claims := claimsOf(t, serve(newEndpoint(t, newServer(), "exchange"), accepted(t, id)))
	if claims["is_staff"] != false || claims["is_superuser"] != false || claims["permissions"] != nil || claims["email"] != nil || claims["groups"] != nil {
		t.Errorf("claims %v", claims)
	}
	e := newEndpoint(t, newServer(), "exchange\ninclude permissions email groups nothing\nclaim of {http.auth.user.email}\nclaim who {http.auth.user.id}")
	claims = claimsOf(t, serve(e, accepted(t, id)))
	if list, ok := claims["permissions"].([]any); !ok || len(list) != 2 || claims["is_staff"] != true || claims["is_superuser"] != true ||
		claims["email"] != "eve@idp.example" || claims["username"] == "ann" || claims["nothing"] != nil ||
		claims["of"] != "eve@idp.example" || claims["who"] != "exchanged:https://idp.example|7" {
		t.Errorf("claims %v", claims)
	}
}

// Attack: a token is exchanged for one of itself again and again, and lives on
// past its end and its revocation.
func TestOwnTokensAreNotExchanged(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, newServer(), "exchange")
	w := serve(e, accepted(t, ann()))
	if w.Code != http.StatusBadRequest || errorOf(t, w) != "invalid_grant" {
		t.Errorf("status %d", w.Code)
	}
	other := ann()
	other.Issuer = "https://idp.example"
	claimsOf(t, serve(e, accepted(t, other))) // the control
}

func TestExchangedTokenEndsWithWhatItWasExchangedFor(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, newServer(), "exchange")
	for left, want := range map[time.Duration]float64{
		time.Minute: 60, 2 * time.Hour: 3600, 90500 * time.Millisecond: 90,
	} {
		id := &auth.Identity{ID: "7", Issuer: "https://idp.example", TokenID: "j", ExpiresAt: noon.Truncate(time.Second).Add(left)}
		w := serve(e, accepted(t, id))
		if claims := claimsOf(t, w); claims["exp"].(float64)-float64(noon.Unix()) != want || e.tokens(w).ExpiresIn != int64(want) {
			t.Errorf("%s: %v", left, claims)
		}
	}
	id := &auth.Identity{ID: "7", Issuer: "https://idp.example", TokenID: "j", ExpiresAt: noon.Add(-5 * time.Second)}
	if w := serve(e, accepted(t, id)); w.Code != http.StatusBadRequest || errorOf(t, w) != "invalid_grant" {
		t.Errorf("within the leeway: status %d", w.Code)
	}
}

func TestExchangeTakesNoPasswordAndNoOtherSite(t *testing.T) {
	t.Parallel()
	s := newServer()
	e := newEndpoint(t, s, "exchange")
	for name, r := range map[string]*http.Request{
		"nobody":    logIn(t, "ann", "pw"),
		"anonymous": accepted(t, nil),
	} {
		if w := serve(e, r); w.Code != http.StatusUnauthorized || errorOf(t, w) != "invalid_request" || s.people.asked != 0 || w.Header().Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: status %d", name, w.Code)
		}
	}
	id := &auth.Identity{ID: "7", Issuer: "local:basic"}
	r := accepted(t, id)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if w := serve(e, r); w.Code != http.StatusForbidden {
		t.Errorf("another site: status %d", w.Code)
	}
	r = accepted(t, id)
	r.Method = http.MethodGet
	if w := serve(e, r); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %d", w.Code)
	}
	claimsOf(t, serve(e, accepted(t, id)))
	// It needs no user store.
	s.people = nil
	claimsOf(t, serve(newEndpoint(t, s, "exchange"), accepted(t, id)))
}

func TestExchangeDeliversCookiesToo(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, newServer(), "exchange\ncookie session")
	w := serve(e, accepted(t, &auth.Identity{ID: "7", Issuer: "local:basic"}))
	access, refresh := cookiesOf(t, w)
	if w.Code != http.StatusOK || access == nil || refresh != nil {
		t.Errorf("status %d, %v", w.Code, w.Result().Cookies())
	}
	r := browserAt(t, page, "")
	authtest.SignIn(r, &auth.Identity{ID: "7", Issuer: "local:basic"}, nil)
	wentTo(t, serve(e, r), "/reports?page=2")
}
