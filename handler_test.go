// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// guardless is a site whose auth says nothing but who may be asked.
const guardless = `
:80 {
	auth {
		fake
	}
	respond "hello {http.auth.user.id}"
}`

func TestWithoutGuardsSomebodyMustBeSignedIn(t *testing.T) {
	t.Parallel()
	s := site(t, guardless)
	s.expect(200, "hello alice", "/", "X-Fake: alice")
	resp := s.expect(401, "", "/")
	if got := resp.Header.Get("WWW-Authenticate"); got != `Bearer realm="restricted"` {
		t.Errorf("challenge %q", got)
	}
}

func TestEveryOutcomeHasItsStatusAndChallenge(t *testing.T) {
	t.Parallel()
	s := site(t, `
:80 {
	auth {
		fake Bearer X-One
		fake ApiKey X-Two
		fake Basic X-Three
		realm "a \"b\""
	}
	respond "hello {http.auth.user.id}"
}`)
	bare := []string{`Bearer realm="a \"b\""`, `ApiKey realm="a \"b\""`, `Basic realm="a \"b\"", charset="UTF-8"`}
	for name, c := range map[string]struct {
		lines      []string
		status     int
		body       string
		challenges []string
	}{
		"nothing presented":                   {nil, 401, "", bare},
		"first accepts":                       {[]string{"X-One: a"}, 200, "hello a", nil},
		"last accepts":                        {[]string{"X-Three: c"}, 200, "hello c", nil},
		"the first that accepts wins":         {[]string{"X-One: a", "X-Three: c"}, 200, "hello a", nil},
		"bad, then good":                      {[]string{"X-One: !bad_signature", "X-Two: b"}, 200, "hello b", nil},
		"could not decide, then good":         {[]string{"X-One: ?", "X-Two: b"}, 200, "hello b", nil},
		"bad":                                 {[]string{"X-One: !token_expired"}, 401, "", []string{`Bearer realm="a \"b\"", error="invalid_token"`, bare[1], bare[2]}},
		"the most telling reason":             {[]string{"X-One: !malformed_token", "X-Two: !unknown_api_key"}, 401, "", []string{bare[0], `ApiKey realm="a \"b\"", error="invalid_token"`, bare[2]}},
		"could not decide":                    {[]string{"X-Two: ?"}, 503, "", nil},
		"could not decide is not bad":         {[]string{"X-One: !token_expired", "X-Two: ?"}, 503, "", nil},
		"an identity that says nothing":       {[]string{"X-One: ~"}, 503, "", nil},
		"a reason that a third party made up": {[]string{"X-One: !made_up"}, 401, "", []string{`Bearer realm="a \"b\"", error="invalid_token"`, bare[1], bare[2]}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &server{t: t, app: s.app, handler: s.handler}
			resp := s.expect(c.status, c.body, "/", c.lines...)
			if got := resp.Header.Values("WWW-Authenticate"); strings.Join(got, "\n") != strings.Join(c.challenges, "\n") {
				t.Errorf("challenges %q, want %q", got, c.challenges)
			}
			if got := resp.Header.Get("Retry-After") != ""; got != (c.status == 503) {
				t.Errorf("Retry-After: %v at %d", got, c.status)
			}
		})
	}
}

// An app that has not started may lack its stores: apps start in any order, and
// the server may be listening already.
func TestBeforeTheAppHasStartedRequestsWaitAndAreRefused(t *testing.T) {
	t.Parallel()
	s := site(t, guardless)
	s.app.started.Store(false)
	s.app.ready = make(chan struct{})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if s.app.awaitStart(gone) {
		t.Error("started for a client that went away")
	}
	s.expect(503, "", "/", "X-Fake: alice")
	close(s.app.ready)
	s.expect(200, "hello alice", "/", "X-Fake: alice")
}

func TestAllowAnyLetsEverybodyInAndKnowsWhoIsGood(t *testing.T) {
	t.Parallel()
	s := site(t, `
:80 {
	auth {
		fake
		public /public/*
	}
	respond "{http.auth.user.id}|{http.auth.error}"
}`)
	s.expect(200, "|", "/public/x")
	s.expect(200, "alice|", "/public/x", "X-Fake: alice")
	s.expect(200, "|token_expired", "/public/x", "X-Fake: !token_expired")
	s.expect(200, "|store_unavailable", "/public/x", "X-Fake: ?")
	s.expect(401, "", "/other")
}

func TestOptionalLetsTheMissingInAndNothingElse(t *testing.T) {
	t.Parallel()
	s := site(t, `
:80 {
	auth {
		fake
		guard optional
		guard permission read
	}
	respond "hello {http.auth.user.id}"
}`)
	s.expect(200, "hello ", "/")
	s.expect(200, "hello alice", "/", "X-Fake: alice may:read")
	s.expect(403, "", "/", "X-Fake: alice")
	s.expect(401, "", "/", "X-Fake: !token_expired")
	s.expect(401, "", "/", "X-Fake: !missing_credentials")
	s.expect(503, "", "/", "X-Fake: ?")
}

// Django-Bolt: [AllowAny, IsStaff] was public. Here any order means the same,
// and a list that does not say "authenticated" asks for it.
func TestGuardListsImplyAuthenticated(t *testing.T) {
	t.Parallel()
	for _, guards := range []string{
		"guard permission a", "guard not permission banned",
		"guard match {\nmethod GET\n}", "guard any {\nstaff\npermission a\n}",
	} {
		s := site(t, ":80 {\nauth {\nfake\n"+guards+"\n}\nrespond in\n}")
		s.expect(401, "", "/")
		s.expect(200, "in", "/", "X-Fake: alice staff may:a")
	}
}

func TestForbiddenNamesTheCandidateAndNotTheUser(t *testing.T) {
	t.Parallel()
	s := site(t, `
:80 {
	auth {
		fake
		guard staff
	}
	respond in
	handle_errors {
		respond "{err.status_code} {err.message} user={http.auth.user.id} candidate={http.auth.candidate.id} {http.auth.error}"
	}
}`)
	s.expect(200, "in", "/", "X-Fake: alice staff")
	resp := s.expect(403, "403 access is not allowed user= candidate=alice forbidden", "/", "X-Fake: alice")
	if got := resp.Header.Get("WWW-Authenticate"); got != `Bearer realm="restricted", error="insufficient_scope"` {
		t.Errorf("challenge %q", got)
	}
	s.expect(401, "401 the credential is not valid user= candidate=bob token_expired", "/", "X-Fake: !token_expired bob")
	s.expect(401, "401 authentication is required user= candidate= missing_credentials", "/")
}

func TestRulesApplyInTheOrderWritten(t *testing.T) {
	t.Parallel()
	s := site(t, `
{
	auth {
		fake
		policy staff {
			guard staff
		}
		policy other {
			fake Other X-Other
		}
	}
}
:80 {
	@post method POST
	auth {
		public /public/* /favicon.ico
		when /admin/deep/* {
			guard superuser
		}
		when /admin/* staff
		when /both/* staff {
			guard permission p
		}
		when /other/* other
		when @post {
			guard permission write
		}
		guard permission read
	}
	respond in
}`)
	for _, c := range []struct {
		status int
		target string
		lines  []string
	}{
		{200, "/public/x", nil},
		{200, "/favicon.ico", nil},
		{401, "/public", nil},
		{200, "/x", []string{"X-Fake: a may:read"}},
		{403, "/x", []string{"X-Fake: a"}},
		{403, "/admin/x", []string{"X-Fake: a may:read"}},
		{200, "/admin/x", []string{"X-Fake: a staff"}},
		{403, "/admin/deep/x", []string{"X-Fake: a staff"}},
		{200, "/admin/deep/x", []string{"X-Fake: a superuser"}},
		{200, "/ADMIN/deep/x", []string{"X-Fake: a superuser"}},
		{403, "/both/x", []string{"X-Fake: a staff"}},
		{403, "/both/x", []string{"X-Fake: a may:p"}},
		{200, "/both/x", []string{"X-Fake: a staff may:p"}},
		{401, "/other/x", []string{"X-Fake: a may:read"}},
		{200, "/other/x", []string{"X-Other: a may:read"}},
		{403, "/other/x", []string{"X-Other: a"}}, // the block's guards
		{200, "/x", []string{"POST", "X-Fake: a may:write"}},
		{403, "/x", []string{"POST", "X-Fake: a may:read"}},
	} {
		s.expect(c.status, "*", c.target, c.lines...)
	}
}

// A matcher that fails is neither a match nor none.
func TestAMatcherErrorInARuleRefuses(t *testing.T) {
	t.Parallel()
	s := site(t, `
:80 {
	@broken expression `+"`int({header.X-Number}) > 3`"+`
	auth {
		fake
		when @broken {
			guard superuser
		}
	}
	respond in
}`)
	s.expect(403, "", "/", "X-Fake: alice", "X-Number: many")
	s.expect(200, "in", "/", "X-Fake: alice", "X-Number: 1")
	s.expect(403, "", "/", "X-Fake: alice", "X-Number: 9")
}

// Caddy matches "/public/..;/admin" against /public/*; Tomcat reads /admin.
func TestAmbiguousPathsAreRefusedWhereRulesDecide(t *testing.T) {
	t.Parallel()
	s := site(t, `
:80 {
	auth {
		fake
		public /public/*
		when /admin/* {
			guard superuser
		}
	}
	respond in
}`)
	for _, target := range []string{
		"/public/..;/admin", "/public/.%2e%3b/admin", "//public/x", "/public%2fx", "/public%5cx",
		"/x/..;/admin", "/x/%2e%2e/admin/", "/public/./x", "/public/../admin/x", "/public/%2e%2e/admin",
		"/public/%252e%252e/admin", "/public/%25252e%25252e/admin", "/public/%00", "/public/a%0ab", "/public/%ff",
		"/public/%c0%ae%c0%ae/admin", "/public/%25c0%25ae/admin", "/public\\x", "/public/%3bx", "/public/%253bx",
		"/public/..", "/public/x%252fy", "/public/%2Fx", "/public/%7f",
		"/%2561dmin/x", "/admin%252fx", "/%61dmin%252Fx", "/%252561dmin/x", "/%25%36%31dmin/x", "/adm%2569n/x", "/%25C3%25A4",
		"/public/%2540x", "/public/%257ex", "/public/%252Dx",
	} {
		s.expect(400, "", target, "X-Fake: root superuser")
	}
	for _, target := range []string{
		"/public/x", "/public/a.b", "/public/..a", "/public/a..", "/public/.well-known/x", "/public/%20x",
		"/public/100%25", "/public/100%25x", "/public/50%25%20off", "/public/a%2520b", "/public/a%252520b", "/public/100%2525",
		"/public/%C3%A9", "/public/%61", "/public/%25zz", "/public/a%2Bb", "/public/", "/public/a:b@c",
	} {
		s.expect(200, "in", target)
	}
}

func TestInsecurePathsGetTheBlocksOwnSettings(t *testing.T) {
	t.Parallel()
	s := site(t, `
:80 {
	auth {
		fake
		guard staff
		insecure_paths
		public /public/*
	}
	respond in
}`)
	s.expect(401, "", "/public%2fx")
	s.expect(200, "in", "/public%2fx", "X-Fake: alice staff")
	s.expect(200, "in", "/public/x")
}

// Without rules there is nothing to confuse.
func TestPathsDoNotMatterWithoutRules(t *testing.T) {
	t.Parallel()
	s := site(t, guardless)
	s.expect(200, "hello alice", "/group%2Fproject;v=1", "X-Fake: alice")
}

func TestRefusalsAreNotCached(t *testing.T) {
	t.Parallel()
	s := site(t, guardless)
	for _, line := range []string{"X-Fake: !token_expired", "X-Fake: ?"} {
		if got := s.get("/", line).Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control %q", line, got)
		}
	}
	if got := s.get("/", "X-Fake: alice").Header.Get("Cache-Control"); got != "" {
		t.Errorf("an answer that passes: Cache-Control %q", got)
	}
}

func TestProblemJSON(t *testing.T) {
	t.Parallel()
	s := site(t, `
:80 {
	auth {
		fake
		errors problem_json
	}
	respond in
	handle_errors {
		respond "not this"
	}
}`)
	resp := s.expect(401, `{"type":"about:blank","title":"Unauthorized","status":401,"detail":"the credential is not valid"}`+"\n", "/", "X-Fake: !token_expired")
	if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	if got := resp.Header.Get("WWW-Authenticate"); got == "" {
		t.Error("no challenge")
	}
	s.expect(503, "*", "/", "X-Fake: ?")
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	s := site(t, `
:80 {
	auth {
		fake Bearer Authorization Bearer
		allow_preflight
	}
	respond "{http.request.header.Authorization}|{http.request.header.Cookie}|{http.request.header.X-HTTP-Method-Override}|{http.auth.user.id}"
}`)
	preflight := []string{http.MethodOptions, "Origin: https://a.example", "Access-Control-Request-Method: PUT"}
	with := func(lines ...string) []string { return append(append([]string(nil), preflight...), lines...) }
	s.expect(200, "|||", "/", with("Authorization: Bearer alice", "Cookie: a=b", "X-HTTP-Method-Override: DELETE")...)
	s.expect(401, "", "/", preflight[0], preflight[1])
	s.expect(401, "", "/", preflight[0], preflight[2])
	s.expect(401, "", "/", preflight[1], preflight[2])
	s.expect(401, "", "/", with("Upgrade: websocket")...)
}
