// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"net/http"
	"slices"
	"testing"
)

// Who logs out while nobody can say whether their token is revoked gets 503 from
// auth, and would stay signed in for as long as the cookie lives.
func TestLogOutBehindAnAuthThatCannotDecide(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		routes string
		target string
		lines  []string
		gone   bool
	}{
		"behind it":       {"auth\nauth_logout /logout", "/logout", nil, true},
		"any path":        {"auth\nauth_logout", "/x", nil, true},
		"in a handle":     {"auth\nhandle /logout {\nauth_logout\n}\nhandle {\nrespond ok\n}", "/logout", nil, true},
		"beside a handle": {"auth\nhandle /logout {\nauth_logout\n}\nhandle {\nrespond ok\n}", "/other", nil, false},
		"auth in handle":  {"handle /a* {\nauth\nhandle /a/out {\nauth_logout\n}\n}\nhandle {\nrespond ok\n}", "/a/out", nil, true},
		"around a route":  {"route {\nroute {\nauth\n}\nauth_logout /logout\nrespond ok\n}", "/logout", nil, true},
		"prefix stripped": {"auth\nhandle_path /api/* {\nauth_logout /logout\n}", "/api/logout", nil, true},
		"not that prefix": {"auth\nhandle_path /api/* {\nauth_logout /logout\n}", "/logout", nil, false},
		"headers between": {"route {\nauth\nheader X-Y z\nencode\nvars a b\nauth_logout\n}", "/logout", nil, true},
		"two auths":       {"route {\nauth\nauth {\nguard staff\n}\nauth_logout\n}", "/logout", nil, true},
		"in a rule":       {"auth {\nwhen /logout {\nguard staff\n}\n}\nauth_logout /logout", "/logout", nil, true},
		"answered before": {"route {\nauth\nrespond ok\nauth_logout\n}", "/logout", nil, false},
		"other group":     {"route {\nauth\nhandle /logout {\nrespond ok\n}\nhandle {\nauth_logout\n}\n}", "/logout", nil, false},
		"group taken":     {"route {\nhandle /log* {\nroute {\nauth\n}\n}\nhandle {\nauth_logout\n}\nrespond ok\n}", "/logout", nil, false},
		"GET":             {"auth\nauth_logout /logout", "/logout", []string{"GET"}, false},
		"another site":    {"auth\nauth_logout /logout", "/logout", []string{"Sec-Fetch-Site: cross-site"}, false},
		"no log-out":      {"auth\nrespond ok", "/logout", nil, false},
		"another token":   {"auth\nauth_logout /logout", "/logout", []string{"X-Fake: ?"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := site(t, "{\nauth {\nfake Bearer X-Fake\nfake Bearer cookie:session\nrevocation fake\n}\n}\n:80 {\n"+c.routes+"\n}")
			resp := s.get(c.target, append([]string{"POST", "Cookie: session=down token:t1"}, c.lines...)...)
			want := http.StatusServiceUnavailable
			if name == "another site" {
				want = http.StatusForbidden
			}
			if resp.StatusCode != want || want == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
				t.Errorf("status %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
			}
			gone := slices.ContainsFunc(resp.Cookies(), func(c *http.Cookie) bool { return c.Name == "session" && c.MaxAge < 0 })
			// The store of the test remembers what it could not write.
			revoked := s.get(c.target, "POST", "Cookie: session=bob token:t1").StatusCode == http.StatusUnauthorized
			if gone != c.gone || revoked != c.gone {
				t.Errorf("the cookie is deleted: %t; the token is remembered: %t", gone, revoked)
			}
		})
	}
}

// Attack: a request that nobody could judge reaches what auth protects, since it
// looks like one to log out.
func TestRequestsThatNobodyCouldJudgeReachNothing(t *testing.T) {
	t.Parallel()
	s := site(t, `
{
	auth {
		fake
		revocation fake
	}
}
:80 {
	auth
	@out path /logout
	handle @out {
		go_handler
	}
	handle {
		rewrite * /logout
		auth_logout /logout
		go_handler
	}
}`)
	s.expect(503, "", "/logout", "POST", "X-Fake: down token:t1")
	s.expect(503, "", "/", "POST", "X-Fake: down token:t2")
	s.expect(503, "", "/", "X-Fake: down token:t3")
	s.expect(401, "", "/", "POST", "X-Fake: alice token:t2")
	s.expect(200, "go alice out", "/logout", "POST", "X-Fake: alice token:t1")
}
