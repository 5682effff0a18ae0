// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

// session is what the auth handler keeps: who signed in, and where it looks.
type session struct {
	auth.Request
	id      *auth.Identity
	cookies []string
}

func (s *session) Identity() *auth.Identity    { return s.id }
func (s *session) CredentialCookies() []string { return s.cookies }
func (s *session) Leeway() time.Duration       { return 42 * time.Hour }

func ann() *auth.Identity {
	return &auth.Identity{
		ID: "7", Issuer: issuer, Backend: "jwt", TokenID: "j1",
		IssuedAt: noon.Add(-time.Minute), ExpiresAt: time.Now().Add(time.Hour),
	}
}

// signedIn returns a request of ann, with cookies in which auth looks.
func signedIn(tb testing.TB, id *auth.Identity, cookies ...string) *http.Request {
	tb.Helper()
	r := authtest.NewRequest(tb, http.MethodPost, "https://app.example/auth/logout")
	if id != nil {
		caddyhttp.SetVar(r.Context(), auth.RequestVar, &session{id: id, cookies: cookies})
	}
	return r
}

func TestLogOutRevokesTheTokenForAsLongAsItCouldBeAccepted(t *testing.T) {
	t.Parallel()
	s := newServer()
	id := ann()
	w := serve(s.logout(t, "auth_logout"), signedIn(t, id))
	if w.Code != http.StatusOK || w.Body.String() != `{"status":"logged out"}` {
		t.Fatalf("status %d, body %q", w.Code, w.Body)
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
	if want := []auth.TokenRef{id.Token()}; !reflect.DeepEqual(s.revocations.tokens, want) {
		t.Errorf("revoked %+v", s.revocations.tokens)
	}
	if until := s.revocations.untils[0]; !until.Equal(id.ExpiresAt.Add(42 * time.Hour)) {
		t.Errorf("until %s, the token ends at %s", until, id.ExpiresAt)
	}
	if len(s.revocations.users) != 0 || len(w.Result().Cookies()) != 0 {
		t.Error("more happened than was asked for")
	}
}

func TestLogOutLastsADayWhenNobodySaysHowLong(t *testing.T) {
	t.Parallel()
	s := newServer()
	r, id := signedIn(t, nil), ann()
	authtest.SignIn(r, id, s.services())
	if w := serve(s.logout(t, "auth_logout"), r); w.Code != http.StatusOK {
		t.Fatalf("status %d", w.Code)
	}
	if until := s.revocations.untils[0]; !until.Equal(id.ExpiresAt.Add(24 * time.Hour)) {
		t.Errorf("until %s", until)
	}
}

func TestLogOutEndsTheSession(t *testing.T) {
	t.Parallel()
	s := newServer()
	id := ann()
	id.SessionID = "s1"
	if w := serve(s.logout(t, "auth_logout"), signedIn(t, id)); w.Code != http.StatusOK {
		t.Fatalf("status %d", w.Code)
	}
	i := slices.IndexFunc(s.revocations.tokens, func(token auth.TokenRef) bool { return token.SessionID == "s1" })
	if len(s.revocations.tokens) != 2 || i < 0 || !s.revocations.untils[i].IsZero() {
		t.Errorf("revoked %+v until %v", s.revocations.tokens, s.revocations.untils)
	}
}

func TestLogOutEverywhereRevokesAllTokensOfTheUser(t *testing.T) {
	t.Parallel()
	s := newServer()
	h := s.logout(t, "auth_logout {\nall\n}")
	id := ann()
	if w := serve(h, signedIn(t, id)); w.Code != http.StatusOK {
		t.Fatalf("status %d", w.Code)
	}
	if len(s.revocations.tokens) != 1 {
		t.Errorf("the token itself was not revoked: %+v", s.revocations.tokens)
	}
	if want := []auth.UserRef{{Issuer: issuer, ID: "7"}}; !reflect.DeepEqual(s.revocations.users, want) || !s.revocations.cutoffs[0].Equal(noon) {
		t.Errorf("revoked %+v until %v", s.revocations.users, s.revocations.cutoffs)
	}
	// A token of another issuer, whose clock is ahead, ends too, and its like.
	id.IssuedAt = noon.Add(20 * time.Second)
	serve(h, signedIn(t, id))
	if !s.revocations.cutoffs[1].Equal(id.IssuedAt) {
		t.Errorf("cut-off %s", s.revocations.cutoffs[1])
	}
}

func TestLogOutOfNobodyAndOfWhatIsNoToken(t *testing.T) {
	t.Parallel()
	s := newServer()
	for _, text := range []string{"auth_logout", "auth_logout {\nall\n}"} {
		h := s.logout(t, text)
		w := serve(h, signedIn(t, nil))
		if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("nobody: status %d, header %v", w.Code, w.Header())
		}
		anonymous := signedIn(t, nil)
		authtest.SignIn(anonymous, nil, s.services())
		if w := serve(h, anonymous); w.Code != http.StatusUnauthorized {
			t.Errorf("anonymous: status %d", w.Code)
		}
		for _, id := range []*auth.Identity{
			{ID: "apikey:ci", Issuer: "local:api_key", Backend: "api_key"},
			{ID: "7", Issuer: "local:basic", Backend: "basic"},
		} {
			if w := serve(h, signedIn(t, id)); w.Code != http.StatusBadRequest {
				t.Errorf("%s: status %d", id.Backend, w.Code)
			}
		}
	}
	if len(s.revocations.tokens)+len(s.revocations.users) != 0 {
		t.Errorf("revoked %+v %+v", s.revocations.tokens, s.revocations.users)
	}
}

func TestLogOutIsPOSTAlone(t *testing.T) {
	t.Parallel()
	s := newServer()
	for _, method := range []string{"GET", "HEAD", "DELETE", "OPTIONS", "PUT"} {
		r := signedIn(t, ann())
		r.Method = method
		w := serve(s.logout(t, "auth_logout"), r)
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: status %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
	if len(s.revocations.tokens) != 0 {
		t.Error("something was revoked")
	}
}

func TestLogOutThatCouldNotBeWrittenIs503AndTheCookieIsCleared(t *testing.T) {
	t.Parallel()
	s := newServer()
	s.revocations.err = errors.New("disk full")
	r := signedIn(t, ann(), "session")
	r.Header.Set("Cookie", "session=x")
	w := serve(s.logout(t, "auth_logout"), r)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("status %d, header %v", w.Code, w.Header())
	}
	if c := w.Result().Cookies(); len(c) != 1 || c[0].Name != "session" || c[0].MaxAge >= 0 {
		t.Errorf("cookies %v", c)
	}
	if strings.Contains(w.Body.String(), "disk") {
		t.Errorf("body %q", w.Body)
	}
}

// A store that cannot write remembers what it was asked for. Whoever asks for a
// part of it alone leaves the rest valid when the store is well again.
func TestLogOutAsksForAllOfItThoughAPartFails(t *testing.T) {
	t.Parallel()
	s := newServer()
	s.token(t, "auth_token {\nrefresh 1h\ncookie session\n}")
	s.revocations.err = errors.New("read-only")
	s.sessions.err = errors.New("read-only")
	id := ann()
	id.SessionID = "s1"
	r := signedIn(t, id, "session")
	r.Header.Set("Cookie", "session=x; session_refresh=y")
	w := serve(s.logout(t, "auth_logout {\nall\n}"), r)
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", w.Code)
	}
	for _, want := range []auth.TokenRef{{ID: "j1", User: id.User()}, {SessionID: "s1", User: id.User()}} {
		if ended, _ := s.revocations.Revoked(t.Context(), auth.TokenRef{ID: want.ID, SessionID: want.SessionID, IssuedAt: noon}); !ended {
			t.Errorf("nobody asked for the end of %+v: %+v", want, s.revocations.tokens)
		}
	}
	if !slices.Equal(s.revocations.users, []auth.UserRef{id.User()}) {
		t.Errorf("users %v", s.revocations.users)
	}
	for _, name := range []string{"session", "session_refresh"} {
		if !slices.ContainsFunc(w.Result().Cookies(), func(c *http.Cookie) bool { return c.Name == name && c.MaxAge < 0 }) {
			t.Errorf("%s is not deleted: %v", name, w.Result().Cookies())
		}
	}
}

func TestLogOutWaitsTwoSecondsAtMost(t *testing.T) {
	t.Parallel()
	s := newServer()
	s.revocations.blocking = true
	start := time.Now()
	w := serve(s.logout(t, "auth_logout"), signedIn(t, ann()))
	if took := time.Since(start); w.Code != http.StatusServiceUnavailable || took > 2*revokeTimeout {
		t.Errorf("status %d after %s", w.Code, took)
	}
}

// Whoever clicks "log out" and closes the window is logged out.
func TestLogOutGoesOnWhenTheClientHangsUp(t *testing.T) {
	t.Parallel()
	s := newServer()
	r := signedIn(t, ann())
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	w := serve(s.logout(t, "auth_logout"), r.WithContext(ctx))
	if w.Code != http.StatusOK || len(s.revocations.tokens) != 1 {
		t.Errorf("status %d, revoked %+v", w.Code, s.revocations.tokens)
	}
}

func TestLogOutDeletesCookiesThatMayHaveCarriedTheToken(t *testing.T) {
	t.Parallel()
	h := newServer().logout(t, "auth_logout {\ncookie mine\ncookie absent\n}")
	r := signedIn(t, ann(), "session", "__Host-session")
	r.Header.Set("Cookie", `theme=dark; session=x; mine=y; __Host-session="z z"`)
	got := map[string]*http.Cookie{}
	for _, c := range serve(h, r).Result().Cookies() {
		got[c.Name] = c
	}
	if len(got) != 3 {
		t.Fatalf("cookies %v", got)
	}
	for _, name := range []string{"session", "mine", "__Host-session"} {
		c := got[name]
		if c == nil || c.Value != "" || c.MaxAge >= 0 || c.Path != "/" || !c.HttpOnly || c.Expires.After(noon) {
			t.Errorf("%s: %v", name, c)
		}
	}
	// A browser ignores a cookie with a prefix that is not secure; one without
	// TLS ignores what is.
	if !got["__Host-session"].Secure || got["session"].Secure != (r.TLS != nil) {
		t.Errorf("secure: %v", got)
	}
	plain := signedIn(t, ann(), "session")
	plain.TLS = nil
	plain.Header.Set("Cookie", "session=x")
	if c := serve(h, plain).Result().Cookies(); len(c) != 1 || c[0].Secure {
		t.Errorf("without TLS: %v", c)
	}
	plain.TLS = new(tls.ConnectionState)
	if c := serve(h, plain).Result().Cookies(); len(c) != 1 || !c[0].Secure {
		t.Errorf("with TLS: %v", c)
	}
}

// Attack: "strip_credentials" takes the cookie out of the request before the
// log-out sees it, and with it the reason to look where the request comes from.
func TestLogOutFromAnotherSiteIsRefusedWhenTheCookieWasStripped(t *testing.T) {
	t.Parallel()
	for site, want := range map[string]int{"cross-site": 403, "same-origin": 200} {
		s := newServer()
		r := signedIn(t, ann(), "session")
		r.Header.Set("Sec-Fetch-Site", site)
		if w := serve(s.logout(t, "auth_logout"), r); w.Code != want {
			t.Errorf("%s: status %d, want %d", site, w.Code, want)
		}
	}
}

// Attack: a page elsewhere has the visitor's browser post to the log-out.
func TestLogOutFromAnotherSiteIsRefusedWhenACookieMayCarryTheToken(t *testing.T) {
	t.Parallel()
	const trusted = "auth_logout {\ntrusted_origins https://www.example.com\n}"
	for name, c := range map[string]struct {
		text   string
		header http.Header
		want   int
	}{
		"cross-site":                  {"auth_logout", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		"same-site":                   {"auth_logout", http.Header{"Sec-Fetch-Site": {"same-site"}}, 403},
		"unknown word":                {"auth_logout", http.Header{"Sec-Fetch-Site": {"x"}}, 403},
		"same-origin":                 {"auth_logout", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {"https://app.example"}}, 200},
		"typed":                       {"auth_logout", http.Header{"Sec-Fetch-Site": {"none"}}, 200},
		"old browser, elsewhere":      {"auth_logout", http.Header{"Origin": {"https://evil.example"}}, 403},
		"old browser, null":           {"auth_logout", http.Header{"Origin": {"null"}}, 403},
		"old browser, begins alike":   {"auth_logout", http.Header{"Origin": {"https://app.example.evil.example"}}, 403},
		"old browser, other port":     {"auth_logout", http.Header{"Origin": {"https://app.example:8443"}}, 403},
		"old browser, here":           {"auth_logout", http.Header{"Origin": {"https://app.example"}}, 200},
		"no browser":                  {"auth_logout", http.Header{}, 200},
		"trusted":                     {trusted, http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://www.example.com"}}, 200},
		"trusted, but another":        {trusted, http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}, 403},
		"trusted, other scheme":       {trusted, http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"http://www.example.com"}}, 403},
		"header beside the cookie":    {"auth_logout", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Authorization": {"Bearer x"}}, 403},
		"cookie named by the option":  {"auth_logout {\ncookie mine\n}", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Cookie": {"mine=1"}}, 403},
		"another cookie":              {"auth_logout", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Cookie": {"theme=dark"}}, 200},
		"a value that is no cookie's": {"auth_logout", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Cookie": {`session="a,b c\`}}, 403},
	} {
		s := newServer()
		cookie := c.header.Get("Cookie")
		if cookie == "" {
			cookie = "session=x"
		}
		var carried []string
		if strings.HasPrefix(cookie, "session") {
			carried = []string{"session"}
		}
		r := signedIn(t, ann(), carried...)
		r.Header = c.header
		r.Header.Set("Cookie", cookie)
		w := serve(s.logout(t, c.text), r)
		if w.Code != c.want || (len(s.revocations.tokens) == 1) != (c.want == 200) {
			t.Errorf("%s: status %d, want %d; revoked %+v", name, w.Code, c.want, s.revocations.tokens)
		}
		if c.want == 403 && len(w.Result().Cookies()) != 0 {
			t.Errorf("%s: the cookie was deleted all the same", name)
		}
	}
}

// When nobody tells which cookies count, any may.
func TestLogOutFromAnotherSiteIsRefusedWhenAnyCookieMayCarryTheToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header http.Header
		want   int
	}{
		"cookie":            {http.Header{"Cookie": {"x=1"}}, 403},
		"cookie and header": {http.Header{"Cookie": {"x=1"}, "Authorization": {"Bearer x"}}, 200},
		"no cookie":         {http.Header{}, 200},
	} {
		s := newServer()
		r := signedIn(t, nil)
		authtest.SignIn(r, ann(), s.services())
		r.Header = c.header
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if w := serve(s.logout(t, "auth_logout"), r); w.Code != c.want {
			t.Errorf("%s: status %d, want %d", name, w.Code, c.want)
		}
	}
}

// Caddy logs an error of the server with the whole request, and any within error
// routes.
func TestRefusalsReachErrorRoutesWhereThatDoesNoHarm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		server   *caddyhttp.Server
		errors   bool // within error routes
		fails    bool
		returned bool
	}{
		"401":                             {server: new(caddyhttp.Server), returned: true},
		"401 within error routes":         {server: new(caddyhttp.Server), errors: true},
		"503":                             {server: new(caddyhttp.Server), fails: true},
		"503 without a server":            {fails: true},
		"503 with error routes":           {server: &caddyhttp.Server{Errors: &caddyhttp.HTTPErrorConfig{Routes: make(caddyhttp.RouteList, 1)}}, fails: true, returned: true},
		"503 within error routes":         {server: &caddyhttp.Server{Errors: &caddyhttp.HTTPErrorConfig{Routes: make(caddyhttp.RouteList, 1)}}, errors: true, fails: true},
		"503 with error routes, but none": {server: &caddyhttp.Server{Errors: new(caddyhttp.HTTPErrorConfig)}, fails: true},
	} {
		s := newServer()
		var id *auth.Identity
		if c.fails {
			id, s.revocations.err = ann(), errors.New("down")
		}
		r := signedIn(t, id)
		ctx := context.WithValue(r.Context(), caddyhttp.ServerCtxKey, c.server)
		if c.errors {
			ctx = context.WithValue(ctx, caddyhttp.ErrorCtxKey, errors.New("x"))
		}
		err := s.logout(t, "auth_logout").ServeHTTP(discard{}, r.WithContext(ctx), nil)
		if (err != nil) != c.returned {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// discard is a response that nobody reads.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

func TestLogOutNeedsAStore(t *testing.T) {
	t.Parallel()
	s := newServer()
	s.revocations = nil
	if err := s.provision(t, new(Logout)); err == nil || !strings.Contains(err.Error(), "revocation store") {
		t.Error(err)
	}
	for name, l := range map[string]*Logout{
		"cookie":       {Cookies: []string{"a b"}},
		"cookie twice": {Cookies: []string{"a", "a"}},
		"origin":       {TrustedOrigins: []string{"www.example.com"}},
	} {
		if err := newServer().provision(t, l); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestLogoutCaddyfile(t *testing.T) {
	t.Parallel()
	var l Logout
	err := parse("auth_logout {\nall\ncookie a\ncookie b\ntrusted_origins https://a.example https://b.example:8443\nredirect /bye\n}", &l)
	want := Logout{All: true, Cookies: []string{"a", "b"}, TrustedOrigins: []string{"https://a.example", "https://b.example:8443"}, Redirect: "/bye"}
	if err != nil || !reflect.DeepEqual(l, want) {
		t.Errorf("%+v, error %v", l, err)
	}
	if raw, err := json.Marshal(new(Logout)); err != nil || string(raw) != "{}" {
		t.Errorf("defaults are written: %s, %v", raw, err)
	}
	for text, want := range map[string]string{
		"auth_logout everywhere":                            `not "everywhere"`,
		"auth_logout {\n\tall yes\n}":                       "an argument too many",
		"auth_logout {\n\tall\n\tall\n}":                    "given already at line 2",
		"auth_logout {\n\tcookie\n}":                        "needs one name",
		"auth_logout {\n\tcookie a b\n}":                    "needs one name",
		"auth_logout {\n\tcookie a\n\tcookie a\n}":          `"a" is given twice, at Caddyfile:3`,
		"auth_logout {\n\tcookie \"a b\"\n}":                "is not the name of a cookie",
		"auth_logout {\n\ttrusted_origins\n}":               "needs at least one argument",
		"auth_logout {\n\ttrusted_origins a.example\n}":     `"a.example": an origin is written as`,
		"auth_logout {\n\ttrusted_origins https://a/b\n}":   "an origin is written as",
		"auth_logout {\n\tredirect //evil.example\n}":       `redirect "//evil.example" is not a path of this site`,
		"auth_logout {\n\tredirect /{http.request.host}\n}": `redirect "/{http.request.host}": it takes no placeholders`,
		"auth_logout {\n\tto /\n}":                          `unrecognized auth_logout option "to"; there are: all, cookie, trusted_origins, redirect, at Caddyfile:2`,
	} {
		if err := parse(text, new(Logout)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
