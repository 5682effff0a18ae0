// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// endpoint is a token endpoint with refresh tokens whose clock is set.
type endpoint struct {
	*server
	*Token
	tb  testing.TB
	now time.Time
}

func refreshing(tb testing.TB, options ...string) *endpoint {
	tb.Helper()
	return newEndpoint(tb, newServer(), "refresh 30d {\nidle 7d\n}\n"+strings.Join(options, "\n"))
}

func newEndpoint(tb testing.TB, s *server, options string) *endpoint {
	tb.Helper()
	e := &endpoint{server: s, tb: tb, now: noon}
	e.Token = s.token(tb, "auth_token {\n"+options+"\n}")
	e.clock = clock.Func(func() time.Time { return e.now })
	return e
}

// logsIn returns what a log-in is answered with.
func (e *endpoint) logsIn() granted {
	e.tb.Helper()
	return e.tokens(serve(e, logIn(e.tb, "ann", "pw")))
}

func (e *endpoint) tokens(w *httptest.ResponseRecorder) (g granted) {
	e.tb.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &g); err != nil || w.Code != http.StatusOK {
		e.tb.Fatalf("status %d, body %q", w.Code, w.Body)
	}
	return g
}

// sends returns the answer to a refresh token.
func (e *endpoint) sends(token string) *httptest.ResponseRecorder {
	e.tb.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	return serve(e, post(e.tb, mediaForm, form.Encode()))
}

// refreshes returns what a good refresh token is answered with.
func (e *endpoint) refreshes(token string) granted {
	e.tb.Helper()
	return e.tokens(e.sends(token))
}

// refused checks that the answer is the one to every bad refresh token.
func (e *endpoint) refused(token string) {
	e.tb.Helper()
	w := e.sends(token)
	const want = `{"error":"invalid_grant","error_description":"the refresh token is not valid"}`
	if w.Code != http.StatusBadRequest || w.Body.String() != want || w.Header().Get("Cache-Control") != "no-store" {
		e.tb.Errorf("status %d, body %q", w.Code, w.Body)
	}
}

func TestRefreshTokensAreExchangedForNewTokens(t *testing.T) {
	t.Parallel()
	e := refreshing(t)
	w := serve(e, logIn(t, "ann", "pw"))
	first := e.tokens(w)
	if first.RefreshToken == "" || first.ExpiresIn != 3600 || first.TokenType != "bearer" {
		t.Fatalf("%+v", first)
	}
	began := claimsOf(t, w)
	e.now = noon.Add(2 * time.Hour)
	w = serve(e, post(t, "application/json", `{"grant_type":"refresh_token","refresh_token":"`+first.RefreshToken+`"}`))
	second := e.tokens(w)
	claims := claimsAt(t, w, e.now)
	if claims["sid"] != began["sid"] || claims["sid"] == "" || claims["jti"] == began["jti"] || claims["sub"] != "7" ||
		claims["iat"] != float64(e.now.Unix()) || claims["exp"] != float64(e.now.Unix()+3600) {
		t.Errorf("claims %v, after %v", claims, began)
	}
	if second.RefreshToken == first.RefreshToken || second.ExpiresIn != 3600 {
		t.Errorf("%+v", second)
	}
	e.now = e.now.Add(time.Hour)
	if third := e.refreshes(second.RefreshToken); third.RefreshToken == second.RefreshToken || third.AccessToken == second.AccessToken {
		t.Errorf("%+v", third)
	}
	if e.server.sessions.rotated != 2 || e.server.sessions.count() != 1 {
		t.Errorf("%d rotations, %d sessions", e.server.sessions.rotated, e.server.sessions.count())
	}
}

func TestUserIsLoadedAgainAtEachRefresh(t *testing.T) {
	t.Parallel()
	e := refreshing(t, "include permissions email")
	g := e.logsIn()
	user := *e.people.user
	user.Staff, user.Superuser, user.Permissions = false, true, auth.NewSet("b.view")
	user.Fields = auth.Object{"email": "new@example.com"}
	e.people.user = &user
	claims := claimsOf(t, e.sends(g.RefreshToken))
	if p, ok := claims["permissions"].([]any); !ok || len(p) != 1 || p[0] != "b.view" ||
		claims["is_staff"] != false || claims["is_superuser"] != true || claims["email"] != "new@example.com" {
		t.Errorf("claims %v", claims)
	}
}

// Two tabs of a browser send one refresh token each, and it is the same: neither
// of them is a thief.
func TestPredecessorGetsTheSameAnswerForTenSeconds(t *testing.T) {
	t.Parallel()
	e := refreshing(t)
	first := e.logsIn()
	e.now = e.now.Add(time.Hour)
	w := e.sends(first.RefreshToken)
	second, claims := e.tokens(w), claimsAt(t, w, e.now)
	for _, wait := range []time.Duration{0, time.Second, 8999 * time.Millisecond} {
		e.now = e.now.Add(wait)
		w := e.sends(first.RefreshToken)
		again, same := e.tokens(w), claimsAt(t, w, e.now)
		if again.RefreshToken != second.RefreshToken || same["jti"] != claims["jti"] || same["iat"] != claims["iat"] || same["exp"] != claims["exp"] {
			t.Errorf("after %s: %+v, %v", wait, again, same)
		}
		if wait > 0 && again.ExpiresIn >= 3600 {
			t.Errorf("after %s: expires in %d", wait, again.ExpiresIn)
		}
	}
	if e.server.sessions.rotated != 1 {
		t.Errorf("%d rotations", e.server.sessions.rotated)
	}
	e.refreshes(second.RefreshToken) // both go on
}

func TestRefreshTokensEndWithTheirLimits(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	e := refreshing(t)
	idle, used := e.logsIn(), e.logsIn()
	for i := 1; i < 5; i++ {
		e.now = noon.Add(time.Duration(i) * 6 * day)
		used = e.refreshes(used.RefreshToken)
		if i == 2 {
			e.refused(idle.RefreshToken) // 12 days
		}
	}
	s := e.server.sessions
	for _, session := range s.all {
		if !session.Limit.Equal(noon.Add(30*day)) || session.Until.After(session.Limit) {
			t.Errorf("until %s, limit %s", session.Until, session.Limit)
		}
	}
	e.now = noon.Add(30*day - time.Second)
	used = e.refreshes(used.RefreshToken)
	e.now = noon.Add(30 * day)
	e.refused(used.RefreshToken)

	// A shorter limit of a new configuration counts for sessions that are there.
	g := e.logsIn()
	e.Refresh = &Refresh{Lifetime: e.ExpiresIn}
	e.now = e.now.Add(time.Hour)
	e.refused(g.RefreshToken)
}

// Whoever may not sign in any more gets no new token, and does not get the
// session back, either: somebody may have stolen it.
func TestSessionsOfUsersWhoMayNotSignInEnd(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*endpoint, string){
		"gone": func(e *endpoint, _ string) { e.people.gone = true },
		"revoked": func(e *endpoint, _ string) {
			_ = e.revocations.RevokeUser(e.tb.Context(), auth.UserRef{Issuer: issuer, ID: "7"}, noon, time.Time{})
		},
		"session revoked": func(e *endpoint, sid string) {
			_ = e.revocations.Revoke(e.tb.Context(), auth.TokenRef{SessionID: sid}, time.Time{})
		},
	} {
		e := refreshing(t)
		g := e.logsIn()
		e.now = e.now.Add(time.Hour)
		token, _ := parseRefreshToken(g.RefreshToken)
		change(e, token.sessionID())
		e.refused(g.RefreshToken)
		e.people.gone, e.revocations.tokens, e.revocations.users = false, nil, nil
		e.refused(g.RefreshToken)
		if e.server.sessions.count() != 0 {
			t.Errorf("%s: the session is still there", name)
		}
	}
	// A session that began after the cut-off goes on: the control.
	e := refreshing(t)
	_ = e.revocations.RevokeUser(t.Context(), auth.UserRef{Issuer: issuer, ID: "7"}, noon.Add(-time.Second), time.Time{})
	e.refreshes(e.logsIn().RefreshToken)
}

// A session begins with the "iat" of its first token: a cut-off in the second of
// the log-in ends both or neither.
func TestSessionAndItsFirstTokenAreRevokedTogether(t *testing.T) {
	t.Parallel()
	e := refreshing(t)
	g := e.logsIn() // at 12:00:00.25
	_ = e.revocations.RevokeUser(t.Context(), auth.UserRef{Issuer: issuer, ID: "7"}, noon.Add(100*time.Millisecond), time.Time{})
	e.refused(g.RefreshToken)
}

// Whichever of many requests at once is first, all get the same tokens.
func TestManyRequestsWithOneRefreshTokenGetTheSame(t *testing.T) {
	t.Parallel()
	e := refreshing(t)
	g := e.logsIn()
	answers := make([]granted, 20)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = e.refreshes(g.RefreshToken) })
	}
	wg.Wait()
	for _, a := range answers {
		if a.RefreshToken != answers[0].RefreshToken || a.AccessToken != answers[0].AccessToken {
			t.Errorf("%+v and %+v", a, answers[0])
		}
	}
	if e.server.sessions.rotated != 1 {
		t.Errorf("%d rotations", e.server.sessions.rotated)
	}
}

func TestStoresThatAreDownAreAnsweredWith503AndNothingIsLost(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	e := refreshing(t)
	g := e.logsIn()
	for name, change := range map[string]func(error){
		"sessions": func(err error) { e.server.sessions.err = err },
		"users":    func(err error) { e.people.err = err },
		"key":      func(err error) { e.server.signer.fails = err },
		"revocations": func(err error) {
			if e.revocations.revoked = nil; err != nil {
				e.revocations.revoked = func(auth.TokenRef) (bool, error) { return false, err }
			}
		},
	} {
		change(down)
		w := e.sends(g.RefreshToken)
		if w.Code != http.StatusServiceUnavailable || errorOf(t, w) != "temporarily_unavailable" || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: status %d, %q", name, w.Code, w.Body)
		}
		change(nil)
	}
	if w := serve(e, logIn(t, "ann", "pw")); w.Code != http.StatusOK {
		t.Errorf("status %d", w.Code)
	}
	e.server.sessions.err = down
	if w := serve(e, logIn(t, "ann", "pw")); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a log-in without a session: status %d, %q", w.Code, w.Body)
	}
	e.server.sessions.err = nil
	e.refreshes(g.RefreshToken)

	// A reuse that cannot be acted on is told to come again, and is acted on then.
	e.now = e.now.Add(time.Minute)
	e.revocations.err = down
	if w := e.sends(g.RefreshToken); w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", w.Code)
	}
	e.revocations.err = nil
	e.refused(g.RefreshToken)
	if e.server.sessions.count() != 2 { // those of the log-ins
		t.Errorf("%d sessions", e.server.sessions.count())
	}
}

// A user whom the store would not find at the first refresh gets no session.
func TestLogInTellsWhenUsersCannotBeLoadedByTheIssuerOfTheTokens(t *testing.T) {
	t.Parallel()
	e := refreshing(t)
	e.people.gone = true
	core, logs := observer.New(zapcore.ErrorLevel)
	e.logger = zap.New(core)
	if w := serve(e, logIn(t, "ann", "pw")); w.Code != http.StatusServiceUnavailable || e.server.sessions.count() != 0 {
		t.Errorf("status %d, %q", w.Code, w.Body)
	}
	if logs.Len() != 1 || logs.All()[0].ContextMap()["error"] != "loading the user by the issuer of the tokens: user not found" {
		t.Errorf("logged %v", logs.All())
	}
}

func TestRefreshRequestsThatAreMalformedAreErrorsOfRFC6749(t *testing.T) {
	t.Parallel()
	e := refreshing(t)
	for body, want := range map[string]string{
		"grant_type=refresh_token":                                       "invalid_request",
		"grant_type=refresh_token&refresh_token=":                        "invalid_request",
		"grant_type=refresh_token&refresh_token=a&refresh_token=b":       "invalid_request",
		"grant_type=refresh_token&refresh_token=%ff":                     "invalid_request",
		"grant_type=refresh_token&refresh_token=a&username=a&password=b": "invalid_grant",
		"grant_type=Refresh_token&refresh_token=a":                       "unsupported_grant_type",
		"grant_type=authorization_code&code=a":                           "unsupported_grant_type",
	} {
		if w := serve(e, post(t, mediaForm, body)); w.Code != http.StatusBadRequest || errorOf(t, w) != want {
			t.Errorf("%s: status %d, %q", body, w.Code, w.Body)
		}
	}
	without := newServer().token(t, "auth_token")
	if w := serve(without, post(t, mediaForm, "grant_type=refresh_token&refresh_token=a")); errorOf(t, w) != "unsupported_grant_type" {
		t.Errorf("%q", w.Body)
	}
}

// IDs are given to commands: none is taken for an option.
func TestIDsBeginWithALetter(t *testing.T) {
	t.Parallel()
	for range 1000 {
		token := newRefreshToken()
		for _, id := range []string{identify(), token.sessionID(), token.tokenID(token.secret)} {
			if len(id) != 22 || !strings.ContainsAny(id[:1], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef") {
				t.Fatalf("%q", id)
			}
		}
	}
}
