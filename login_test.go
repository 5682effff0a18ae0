// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"testing"
)

const loginSite = `
:80 {
	auth {
		fake
		fake Query query:token
		login_url /login
		when /admin/* {
			guard superuser
			login_url /admin-login
		}
	}
	respond "in"
}`

func TestPeopleAreSentToTheLoginPage(t *testing.T) {
	t.Parallel()
	s := site(t, loginSite)
	browser := []string{"Sec-Fetch-Mode: navigate", "Accept: text/html"}
	for target, location := range map[string]string{
		"/page?x=1&y=2":     "/login?next=%2Fpage%3Fx%3D1%26y%3D2",
		"/":                 "/login?next=%2F",
		"/admin/x":          "/admin-login?next=%2Fadmin%2Fx",
		"/a?token=!bad&b=c": "/login?next=%2Fa%3Fb%3Dc",
		"/caf%C3%A9":        "/login?next=%2Fcaf%25C3%25A9",
		"/my%20file":        "/login?next=%2Fmy%2520file",
		"/x/.y/..z/":        "/login?next=%2Fx%2F.y%2F..z%2F",
		"/x?to=//y/../z":    "/login?next=%2Fx%3Fto%3D%2F%2Fy%2F..%2Fz",
	} {
		resp := s.expect(303, "", target, browser...)
		if got := resp.Header.Get("Location"); got != location {
			t.Errorf("%s: Location %q, want %q", target, got, location)
		}
	}
}

func TestScriptsGet401AndNotTheLoginPage(t *testing.T) {
	t.Parallel()
	s := site(t, loginSite)
	for name, lines := range map[string][]string{
		"curl":           {"Accept: */*"},
		"fetch":          {"Sec-Fetch-Mode: cors", "Accept: text/html"},
		"XMLHttpRequest": {"X-Requested-With: XMLHttpRequest", "Accept: text/html"},
		"form":           {"POST", "Sec-Fetch-Mode: navigate", "Accept: text/html"},
		"websocket":      {"Upgrade: websocket", "Accept: text/html"},
		"json":           {"Accept: application/json"},
	} {
		resp := s.expect(401, "", "/page", lines...)
		if resp.Header.Get("WWW-Authenticate") == "" || resp.Header.Get("Location") != "" {
			t.Errorf("%s: %v", name, resp.Header)
		}
	}
	s.expect(303, "", "/page", "Accept: text/html,*/*;q=0.1")
	s.expect(403, "", "/admin/x", "X-Fake: alice", "Sec-Fetch-Mode: navigate")
	s.expect(503, "", "/page", "X-Fake: ?", "Sec-Fetch-Mode: navigate")
}

func TestTheLoginPageIsOpenAndNothingBesideIt(t *testing.T) {
	t.Parallel()
	s := site(t, loginSite)
	s.expect(200, "in", "/login")
	s.expect(200, "in", "/login?next=/x")
	s.expect(200, "in", "/admin-login")
	s.expect(401, "", "/login/x")
	s.expect(401, "", "/LOGIN")
	s.expect(400, "", "/login;x")
}

// //evil.example and /\\evil.example leave the site.
func TestNextStaysOnTheSite(t *testing.T) {
	t.Parallel()
	s := site(t, ":80 {\nauth {\nfake\nlogin_url /login\n}\nrespond in\n}")
	for _, target := range []string{
		"//evil.example/x", "/\\evil.example", "/%5cevil.example", "/%2fevil.example", "/%09/evil.example",
		"/x//evil.example", "/x/..//evil.example", "/./x", "/x/.", "/x/%2e%2e/y", "/x%2f%2fevil.example", "/..",
	} {
		resp := s.get(target, "Sec-Fetch-Mode: navigate")
		if got := resp.Header.Get("Location"); got != "/login?next=%2F" {
			t.Errorf("%s: Location %q", target, got)
		}
	}
}

// Where something rewrites the log-in page to one that is not open, sending
// people to it again and again helps nobody.
func TestARefusedLoginPageDoesNotRedirectToItself(t *testing.T) {
	t.Parallel()
	s := site(t, ":80 {\nrewrite /login /login.html\nauth {\nfake\nlogin_url /login\n}\nrespond in\n}")
	s.expect(401, "", "/login", "Sec-Fetch-Mode: navigate")
	s.expect(303, "", "/x", "Sec-Fetch-Mode: navigate")
}
