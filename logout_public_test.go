// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
)

// On a public path, a store that is down makes nobody of everybody. Who logs out
// then must not be told that they are logged out.
func TestLogOutOnAPublicPathTellsWhenNobodyCanSayWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	s := site(t, `
{
	auth {
		fake
		revocation fake
	}
}
:80 {
	auth_logout /logout {
		redirect /bye
	}
	auth {
		public /logout
	}
	respond "{http.auth.user.id}"
}`)
	browser := []string{"POST", "Sec-Fetch-Mode: navigate", "Accept: text/html"}
	resp := s.expect(503, "", "/logout", append(browser, "X-Fake: down token:t1")...)
	if resp.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	// The store remembers what it could not write: nobody has this token now.
	s.expect(503, "", "/logout", "POST", "X-Fake: down token:t9")
	s.expect(401, "", "/", "X-Fake: bob token:t9")
	s.expect(200, "bob", "/", "X-Fake: bob token:t8")
	s.expect(503, "", "/logout", "POST", "X-Fake: ?")                          // nobody knows who it is
	s.expect(303, "", "/logout", append(browser, "X-Fake: ended token:t2")...) // out already
	s.expect(303, "", "/logout", append(browser, "X-Fake: alice token:t3")...)
	s.expect(303, "", "/logout", browser...)
	s.expect(401, "", "/logout", "POST")
}

// Attack: whose token cannot be judged must not be anybody to what comes behind
// auth, for all that a log-out remembers of them.
func TestWhoseTokenCannotBeJudgedIsNobody(t *testing.T) {
	t.Parallel()
	s := site(t, `
{
	auth {
		fake
		revocation fake
	}
}
:80 {
	auth {
		public /open /go
	}
	@go path /go
	handle @go {
		go_handler
	}
	respond "<{http.auth.user.id}{http.auth.claims.a}{http.auth.backend}>"
}`)
	s.expect(200, "<>", "/open", "X-Fake: down token:t1 a=b")
	s.expect(200, "nobody", "/go", "X-Fake: down token:t1")
	s.expect(200, "go alice", "/go", "X-Fake: alice token:t1")
	s.expect(200, "<alicebfake>", "/open", "X-Fake: alice token:t1 a=b")
}

// A log-out deletes the cookie that the token came in and those that nobody
// accepts, and leaves alone one of somebody else whose token it did not end.
func TestLogOutDeletesTheCookieThatItEnded(t *testing.T) {
	t.Parallel()
	s := site(t, `
{
	auth {
		fake Bearer X-Fake
		fake Bearer cookie:session
		revocation fake
	}
}
:80 {
	auth_logout /logout
	auth {
		public /logout
	}
}`)
	m := newMember(&fake{Source: []auth.Source{{Header: "X-Fake"}, {Cookie: "session"}, {Cookie: "second_session"}}})
	for lines, want := range map[string][]string{
		"X-Fake: a\nCookie: session=b":                   nil,
		"Cookie: session=b; second_session=c":            {"session"},
		"Cookie: second_session=c":                       {"second_session"},
		"Cookie: session=b; session=c; second_session=d": {"session"},
		"Cookie: theme=dark":                             nil,
	} {
		r := &http.Request{Header: http.Header{}, URL: new(url.URL)}
		for line := range strings.SplitSeq(lines, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			r.Header.Set(name, value)
		}
		if got := m.carrierOf(r); !slices.Equal(got, want) {
			t.Errorf("%q: %v", lines, got)
		}
	}
	for name, c := range map[string]struct {
		lines  []string
		status int
		gone   bool
	}{
		"no token":             {[]string{"Cookie: session=alice"}, 400, false},
		"junk":                 {[]string{"Cookie: session=!bad_signature"}, 401, true},
		"beside another token": {[]string{"X-Fake: bob token:t1", "Cookie: session=!bad_signature"}, 200, false},
	} {
		resp := s.expect(c.status, "*", "/logout", append([]string{"POST"}, c.lines...)...)
		gone := slices.ContainsFunc(resp.Cookies(), func(c *http.Cookie) bool { return c.Name == "session" && c.MaxAge < 0 })
		if gone != c.gone {
			t.Errorf("%s: %v", name, resp.Cookies())
		}
	}
}
