// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// loggingOut is a log-out beside an endpoint with cookies, and a session of ann.
type loggingOut struct {
	*endpoint
	logout  *Logout
	refresh *http.Cookie
	sid     string
}

func newLoggingOut(tb testing.TB, options string) *loggingOut {
	tb.Helper()
	e := withCookieOf(tb)
	_, refresh := cookiesOf(tb, serve(e, browserAt(tb, page, rightForm)))
	token, _ := parseRefreshToken(refresh.Value)
	return &loggingOut{e, e.server.logout(tb, "auth_logout {\n"+options+"\n}"), refresh, token.sessionID()}
}

// ended reports whether the session is over, for access tokens too.
func (l *loggingOut) ended() bool {
	l.tb.Helper()
	revoked, _ := l.revocations.Revoked(l.tb.Context(), auth.TokenRef{ID: "any", SessionID: l.sid, IssuedAt: noon.Add(time.Hour)})
	if revoked != (l.server.sessions.count() == 0) {
		l.tb.Error("half of the session is there")
	}
	return revoked
}

func TestLogOutEndsRefreshTokens(t *testing.T) {
	t.Parallel()
	l := newLoggingOut(t, "")
	id := ann()
	id.SessionID = l.sid
	if w := serve(l.logout, signedIn(t, id)); w.Code != http.StatusOK || !l.ended() {
		t.Errorf("status %d", w.Code)
	}
	l.refused(l.refresh.Value)
}

// Attack: another issuer, whose tokens are accepted too, names the session of
// somebody else as its own.
func TestLogOutOfAnotherIssuersTokenEndsNoSessionHere(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*auth.Identity){
		"issuer": func(id *auth.Identity) { id.Issuer = "https://other.example" },
		"user":   func(id *auth.Identity) { id.ID = "8" },
	} {
		l := newLoggingOut(t, "")
		id := ann()
		id.SessionID = l.sid
		change(id)
		if w := serve(l.logout, signedIn(t, id)); w.Code != http.StatusOK || l.server.sessions.count() != 1 {
			t.Errorf("%s: status %d", name, w.Code)
		}
	}
}

// Whose access token has run out is not signed in, and logs out all the same.
func TestLogOutWithTheRefreshCookieAlone(t *testing.T) {
	t.Parallel()
	l := newLoggingOut(t, "")
	r := withCookies(signedIn(t, nil), l.refresh)
	w := serve(l.logout, r)
	if w.Code != http.StatusOK || w.Body.String() != `{"status":"logged out"}` || !l.ended() {
		t.Errorf("status %d, body %q", w.Code, w.Body)
	}
	if _, gone := cookiesOf(t, w); gone == nil || gone.MaxAge != -1 || gone.Path != "/auth" {
		t.Errorf("cookies %v", w.Result().Cookies())
	}
	if len(l.revocations.users) != 0 {
		t.Error("all tokens of the user were revoked")
	}
	// A second time, nobody is signed in.
	if w := serve(l.logout, withCookies(signedIn(t, nil), l.refresh)); w.Code != http.StatusUnauthorized {
		t.Errorf("status %d", w.Code)
	}

	l = newLoggingOut(t, "all")
	if w := serve(l.logout, withCookies(signedIn(t, nil), l.refresh)); w.Code != http.StatusOK || !l.ended() ||
		len(l.revocations.users) != 1 || l.revocations.users[0] != (auth.UserRef{Issuer: issuer, ID: "7"}) {
		t.Errorf("status %d, %v", w.Code, l.revocations.users)
	}
}

// A token and another session's cookie: both end.
func TestLogOutEndsWhatIsPresented(t *testing.T) {
	t.Parallel()
	l := newLoggingOut(t, "")
	if w := serve(l.logout, withCookies(signedIn(t, ann()), l.refresh)); w.Code != http.StatusOK || !l.ended() || !slices.ContainsFunc(l.revocations.tokens, func(token auth.TokenRef) bool { return token.ID == "j1" }) {
		t.Errorf("status %d, %v", w.Code, l.revocations.tokens)
	}
}

// Attack: who knows the ID of a session, or a page elsewhere, ends it.
func TestSessionIsEndedByItsOwnerAlone(t *testing.T) {
	t.Parallel()
	l := newLoggingOut(t, "")
	token, _ := parseRefreshToken(l.refresh.Value)
	token.family[0] ^= 1
	forged := &http.Cookie{Name: "session_refresh", Value: token.text()}
	for name, cookie := range map[string]*http.Cookie{
		"forged": forged, "malformed": {Name: "session_refresh", Value: "x"}, "empty": {Name: "session_refresh"},
		"another cookie": {Name: "session", Value: l.refresh.Value},
	} {
		if w := serve(l.logout, withCookies(signedIn(t, nil), cookie)); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: status %d", name, w.Code)
		}
	}
	for _, id := range []*auth.Identity{nil, ann()} {
		r := withCookies(signedIn(t, id), l.refresh)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if w := serve(l.logout, r); w.Code != http.StatusForbidden || len(w.Result().Cookies()) != 0 {
			t.Errorf("status %d", w.Code)
		}
	}
	if l.ended() {
		t.Error("it is over")
	}
	l.now = l.now.Add(time.Hour)
	used := l.refreshesCookie(l.refresh)
	if w := serve(l.logout, withCookies(signedIn(t, nil), used)); w.Code != http.StatusOK || !l.ended() { // the control
		t.Errorf("status %d", w.Code)
	}
}

// refreshesCookie returns the next cookie.
func (l *loggingOut) refreshesCookie(c *http.Cookie) *http.Cookie {
	l.tb.Helper()
	_, next := cookiesOf(l.tb, behind(l.endpoint, loads(l.tb, page, c)))
	return next
}

// Attack: another host of the domain sets a cookie of the same name, so that the
// session of the victim outlives the log-out, who is told that it is over.
func TestLogOutTriesEveryRefreshCookieOfAName(t *testing.T) {
	t.Parallel()
	forged := func(i byte) *http.Cookie {
		token := newRefreshToken()
		token.session[0] = i // before and after the good one in any order
		return &http.Cookie{Name: "session_refresh", Value: token.text()}
	}
	for name, c := range map[string]struct {
		beside []*http.Cookie
		want   int
	}{
		"alone":           {nil, 200},
		"junk":            {[]*http.Cookie{{Name: "session_refresh", Value: "x"}, {Name: "session_refresh", Value: ""}}, 200},
		"others":          {[]*http.Cookie{forged(0), forged(255)}, 200},
		"more than tried": {[]*http.Cookie{forged(0), forged(1), forged(2), forged(3)}, 503},
	} {
		l := newLoggingOut(t, "")
		w := serve(l.logout, withCookies(signedIn(t, nil), append(c.beside, l.refresh)...))
		if w.Code != c.want {
			t.Errorf("%s: status %d", name, w.Code)
		}
		if c.want == 200 && !l.ended() {
			t.Errorf("%s: the session goes on", name)
		}
		if _, gone := cookiesOf(t, w); gone == nil || gone.MaxAge >= 0 {
			t.Errorf("%s: cookies %v", name, w.Result().Cookies())
		}
	}

	// Two sessions of two log-ins: both end.
	l := newLoggingOut(t, "")
	_, second := cookiesOf(t, serve(l.endpoint, browserAt(t, page, rightForm)))
	if w := serve(l.logout, withCookies(signedIn(t, nil), l.refresh, second)); w.Code != 200 || l.server.sessions.count() != 0 {
		t.Errorf("status %d, %d sessions", w.Code, l.server.sessions.count())
	}
}

func TestLogOutThatCannotEndTheSessionIs503(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*loggingOut, error){
		"sessions":    func(l *loggingOut, err error) { l.server.sessions.err = err },
		"revocations": func(l *loggingOut, err error) { l.revocations.err = err },
	} {
		for _, signed := range []bool{true, false} {
			l := newLoggingOut(t, "")
			id := ann()
			id.SessionID = l.sid
			r := withCookies(signedIn(t, nil), l.refresh)
			if signed {
				r = signedIn(t, id)
			}
			change(l, errors.New("down"))
			if w := serve(l.logout, r); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
				t.Errorf("%s: status %d", name, w.Code)
			}
			change(l, nil)
			// What could be ended was: a second log-out is for the rest.
			if w := serve(l.logout, withCookies(signedIn(t, id), l.refresh)); w.Code != http.StatusOK || !l.ended() {
				t.Errorf("%s: status %d", name, w.Code)
			}
		}
	}
}

func TestLogOutSendsABrowserOn(t *testing.T) {
	t.Parallel()
	l := newLoggingOut(t, "redirect /bye?x=1")
	const address = "https://app.example/auth/logout"
	wentTo(t, serve(l.logout, withCookies(browserAt(t, address, ""), l.refresh)), "/bye?x=1")
	if !l.ended() {
		t.Error("it goes on")
	}
	wentTo(t, serve(l.logout, withCookies(browserAt(t, address, ""), l.refresh)), "/bye?x=1") // out already
	wentTo(t, serve(l.logout, browserAt(t, address, "")), "/bye?x=1")
	r := browserAt(t, address, "")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	if w := serve(l.logout, r); w.Code != http.StatusUnauthorized {
		t.Errorf("a script: status %d", w.Code)
	}
}
