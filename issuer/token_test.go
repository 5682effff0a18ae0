// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

func TestLogInAnswersWithAToken(t *testing.T) {
	t.Parallel()
	h := newServer().token(t, "auth_token")
	for name, r := range map[string]*http.Request{
		"JSON":           post(t, "application/json", `{"username":"ann","password":"pw"}`),
		"JSON, charset":  post(t, "Application/JSON; charset=utf-8", `{"username":"ann","password":"pw"}`),
		"JSON, grant":    post(t, "application/json", `{"grant_type":"password","username":"ann","password":"pw","next":{"x":[1]}}`),
		"form":           post(t, "application/x-www-form-urlencoded", "username=ann&password=pw"),
		"form, OAuth":    post(t, "application/x-www-form-urlencoded", "grant_type=password&username=ann&password=p%77&scope=x"),
		"form, no value": post(t, "application/x-www-form-urlencoded", "grant_type=&username=ann&password=pw&client_id="),
	} {
		w := serve(h, r)
		var body map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: status %d, body %q", name, w.Code, w.Body)
		}
		token := body["access_token"]
		if want := map[string]any{"access_token": token, "token_type": "bearer", "expires_in": 3600.0}; !reflect.DeepEqual(body, want) {
			t.Errorf("%s: body %v", name, body)
		}
		for key, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache"} {
			if got := w.Header().Get(key); got != want {
				t.Errorf("%s: %s: %q", name, key, got)
			}
		}
		claims := claimsOf(t, w)
		id, _ := claims["jti"].(string)
		want := map[string]any{
			"sub": "7", "username": "ann", "is_staff": true, "is_superuser": false,
			"iat": float64(noon.Unix()), "exp": float64(noon.Unix() + 3600), "jti": id,
			"iss": issuer, "aud": audience,
		}
		if !reflect.DeepEqual(map[string]any(claims), want) {
			t.Errorf("%s: claims %v", name, claims)
		}
		if len(id) != 22 {
			t.Errorf("%s: jti of %d characters", name, len(id))
		}
	}
}

func TestTokenHoldsWhatIsConfigured(t *testing.T) {
	t.Setenv("ISSUER_TEST", "LEAK")
	s := newServer()
	s.signer.aud = "" // nothing to say
	h := s.token(t, `auth_token {
		for main
		expires_in 90s
		include permissions email level teams nowhere sub_title
		claim tenant {http.request.header.X-Tenant}
		claim plan gold
		claim env {env.ISSUER_TEST}
		claim who {http.auth.user.username}/{http.auth.user.id}/{http.auth.user.is_staff}/{http.auth.user.permissions}
		claim odd {http.auth.user.odd}
		claim gone {http.auth.user.gone}
		claim unknown {http.request.header.X-None}
	}`)
	r := logIn(t, "ann", "pw")
	// Attack: the value of a header that looks like a placeholder, or like JSON.
	r.Header.Set("X-Tenant", `{env.ISSUER_TEST}","is_superuser":true,"x":"{http.auth.user.odd}`)
	s.signer.aud = audience
	claims := claimsOf(t, serve(h, r))
	for _, name := range []string{"sub", "username", "is_staff", "jti", "iss", "aud", "iat"} {
		delete(claims, name)
	}
	want := map[string]any{
		"is_superuser": false,
		"exp":          float64(noon.Unix() + 90),
		"permissions":  []any{"a.view", "a.change"},
		"email":        "ann@example.com",
		"level":        3.0,
		"teams":        []any{"red", "blue"},
		"tenant":       `{env.ISSUER_TEST}","is_superuser":true,"x":"{http.auth.user.odd}`,
		"plan":         "gold",
		"env":          "LEAK", // the control: the configuration's own placeholder is replaced
		"who":          "ann/7/true/a.view a.change",
		"odd":          "{env.ISSUER_TEST}",
	}
	if !reflect.DeepEqual(map[string]any(claims), want) {
		t.Errorf("claims %v\nwant   %v", claims, want)
	}
}

// The user who signs in is not the one who is signed in: inside a route behind
// an auth, {http.auth.user.*} of the request is somebody else.
func TestUserPlaceholdersAreOfWhoSignsIn(t *testing.T) {
	t.Parallel()
	h := newServer().token(t, "auth_token {\nclaim who {http.auth.user.id}\nclaim mail {http.auth.user.mail}\n}")
	r := logIn(t, "ann", "pw")
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	repl.Set("http.auth.user.id", "somebody else")
	repl.Set("http.auth.user.mail", "else@example.com")
	claims := claimsOf(t, serve(h, r))
	if claims["who"] != "7" || claims["mail"] != nil {
		t.Errorf("claims %v", claims)
	}
}

func TestEmptyPermissionsAreAListToo(t *testing.T) {
	t.Parallel()
	s := newServer()
	s.people.user.Permissions = auth.Set{}
	claims := claimsOf(t, serve(s.token(t, "auth_token {\ninclude permissions\n}"), logIn(t, "ann", "pw")))
	if list, ok := claims["permissions"].([]any); !ok || len(list) != 0 {
		t.Errorf("permissions %v", claims["permissions"])
	}
}

func TestEveryTokenHasAnIDOfItsOwn(t *testing.T) {
	t.Parallel()
	h := newServer().token(t, "auth_token")
	seen := map[any]bool{}
	for range 20 {
		id := claimsOf(t, serve(h, logIn(t, "ann", "pw")))["jti"]
		if seen[id] {
			t.Fatalf("twice: %v", id)
		}
		seen[id] = true
	}
}

// Attack: claims as members of the request.
func TestClientCannotInjectClaims(t *testing.T) {
	t.Parallel()
	h := newServer().token(t, "auth_token {\ninclude email\n}")
	bodies := map[string]string{
		"application/json": `{"username":"ann","password":"pw","is_superuser":true,"sub":"1","exp":9999999999,
			"jti":"x","email":"evil@example.com","claims":{"is_superuser":true},"permissions":["all"],"iss":"x","aud":"x"}`,
		"application/x-www-form-urlencoded": "username=ann&password=pw&is_superuser=true&sub=1&exp=9999999999&jti=x&email=evil&permissions=all",
	}
	for contentType, body := range bodies {
		r := post(t, contentType, body)
		r.URL.RawQuery = "sub=1&is_superuser=true"
		claims := claimsOf(t, serve(h, r))
		if claims["sub"] != "7" || claims["is_superuser"] != false || claims["email"] != "ann@example.com" ||
			claims["permissions"] != nil || claims["exp"] != float64(noon.Unix()+3600) || claims["jti"] == "x" {
			t.Errorf("%s: claims %v", contentType, claims)
		}
	}
}

// Attack: unknown names are told apart from known ones.
func TestUnknownUserAndWrongPasswordAreAnsweredAlike(t *testing.T) {
	t.Parallel()
	h := newServer().token(t, "auth_token")
	a, b := serve(h, logIn(t, "ann", "wrong")), serve(h, logIn(t, "nobody", "wrong"))
	if a.Code != b.Code || a.Body.String() != b.Body.String() || !reflect.DeepEqual(a.Header(), b.Header()) {
		t.Errorf("%d %q %v\n%d %q %v", a.Code, a.Body, a.Header(), b.Code, b.Body, b.Header())
	}
}

func TestWhatCannotBeDecidedIs503(t *testing.T) {
	t.Parallel()
	down := errors.New("connection refused")
	for name, breakIt := range map[string]func(*server){
		"users are down":       func(s *server) { s.people.err = down },
		"users are late":       func(s *server) { s.people.err = context.DeadlineExceeded },
		"signing fails":        func(s *server) { s.signer.fails = down },
		"revocation is down":   func(s *server) { s.revocations.revoked = func(auth.TokenRef) (bool, error) { return false, down } },
		"no user, no error":    func(s *server) { s.people.user = nil },
		"the user has no ID":   func(s *server) { s.people.user.ID = "" },
		"the ID is a key's":    func(s *server) { s.people.user.ID = "apikey:ann" },
		"a field is no JSON":   func(s *server) { s.people.user.Fields["email"] = func() {} },
		"unavailable, by name": func(s *server) { s.people.err = auth.Unavailable(auth.ReasonStoreUnavailable, down) },
	} {
		s := newServer()
		h := s.token(t, "auth_token {\ninclude email\n}")
		breakIt(s)
		w := serve(h, logIn(t, "ann", "pw"))
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || errorOf(t, w) != "temporarily_unavailable" {
			t.Errorf("%s: status %d, body %q", name, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "refused") || strings.Contains(w.Body.String(), "access_token") {
			t.Errorf("%s: body %q", name, w.Body)
		}
	}
}

func TestOutageIsLoggedOnceAndSoIsItsEnd(t *testing.T) {
	t.Parallel()
	s := newServer()
	h := s.token(t, "auth_token")
	core, logs := observer.New(zap.InfoLevel)
	h.logger = zap.New(core)
	for range 3 {
		serve(h, logIn(t, "ann", "pw"))
	}
	serve(h, logIn(t, "ann", "wrong"))
	if logs.Len() != 0 {
		t.Errorf("%d lines without an outage", logs.Len())
	}
	s.people.err = errors.New("down")
	for range 3 {
		serve(h, logIn(t, "ann", "pw"))
	}
	s.people.err = nil
	for range 3 {
		serve(h, logIn(t, "ann", "pw"))
	}
	if logs.Len() != 2 {
		t.Errorf("%d lines: %v", logs.Len(), logs.All())
	}
	for _, line := range logs.All() {
		if text := fmt.Sprint(line.ContextMap()); strings.Contains(text, "ann") || strings.Contains(text, "pw") {
			t.Errorf("line %q", text)
		}
	}
}

// Whoever logged out everywhere and signs in again within the same second must
// not get a token that is revoked already, nor one that is dated ahead.
func TestTokenAfterLogOutEverywhereIsIssuedAfterTheCutOff(t *testing.T) {
	t.Parallel()
	s := newServer()
	h := s.token(t, "auth_token")
	now := noon
	h.clock = clock.Func(func() time.Time { return now })
	h.wait = func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil }
	cutoff := noon.Add(-time.Millisecond)
	s.revocations.revoked = func(token auth.TokenRef) (bool, error) {
		if token.User != (auth.UserRef{Issuer: issuer, ID: "7"}) || token.ID == "" {
			t.Errorf("asked for %+v", token)
		}
		return !token.IssuedAt.After(cutoff), nil
	}
	claims := claimsOf(t, serve(h, logIn(t, "ann", "pw")))
	if iat := int64(claims["iat"].(float64)); iat != noon.Unix()+1 || iat > now.Unix() {
		t.Errorf("iat is %d, now %d, the cut-off %d", iat, now.Unix(), cutoff.Unix())
	}
	cutoff = now.Add(time.Hour) // set ahead: nobody can sign in
	w := serve(h, logIn(t, "ann", "pw"))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("status %d, body %q", w.Code, w.Body)
	}
}

func TestWaitingForTheNextSecondEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := pause(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := pause(t.Context(), time.Microsecond); err != nil {
		t.Error(err)
	}
}

func TestClaimOfTheRequestThatIsTooLongIsRefused(t *testing.T) {
	t.Parallel()
	h := newServer().token(t, "auth_token {\nclaim tenant {http.request.header.X-Tenant}\n}")
	for value, want := range map[string]int{
		strings.Repeat("x", maxClaim):   http.StatusOK,
		strings.Repeat("x", maxClaim+1): http.StatusBadRequest,
		"\xff":                          http.StatusBadRequest,
		"":                              http.StatusOK,
	} {
		r := logIn(t, "ann", "pw")
		r.Header.Set("X-Tenant", value)
		if w := serve(h, r); w.Code != want {
			t.Errorf("%d bytes: status %d, want %d", len(value), w.Code, want)
		}
	}
}

func TestTokenNeedsWhatItIsMadeOf(t *testing.T) {
	t.Parallel()
	day := &Refresh{Lifetime: caddy.Duration(24 * time.Hour)}
	for name, c := range map[string]struct {
		token   Token
		without func(*server)
		want    string
	}{
		"users":       {Token{}, func(s *server) { s.people = nil }, "user store"},
		"jwt":         {Token{For: "other"}, func(*server) {}, "no jwt of that name"},
		"signing key": {Token{}, func(s *server) { s.signer.cannotSign = errors.New("only public keys") }, "only public keys"},
		"no store":    {Token{Refresh: day}, func(s *server) { s.revocations = nil }, "refresh needs a revocation store: add"},
		"no sessions": {Token{Refresh: day}, func(s *server) { s.sessions = nil }, "refresh needs a revocation store that keeps sessions, and *issuer.revocations does not"},
	} {
		s := newServer()
		c.without(s)
		if err := s.provision(t, &c.token); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := newServer()
	s.revocations = nil // not needed
	h := s.token(t, "auth_token")
	if w := serve(h, logIn(t, "ann", "pw")); w.Code != http.StatusOK {
		t.Errorf("without revocation: status %d", w.Code)
	}
}
