// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
)

// Attack, of an application that one does not trust: a browser brings the cookie of
// the rule for /admin to every path, and a client its key. Whoever is let in by
// another authenticator, or by none, must not hand them to the application.
func TestCredentialsOfEveryRuleAndLevelAreStripped(t *testing.T) {
	t.Parallel()
	s := site(t, `
{
	auth {
		fake Bearer X-Global
		policy admins {
			fake Bearer cookie:admin
		}
		policy base {
			fake Bearer X-Base
		}
	}
}
:80 {
	@kept path /kept/*
	auth base {
		fake Bearer Authorization Bearer
		strip_credentials
		public /public/*
		when /admin/* admins
		when /api/* {
			fake Query query:api_key
		}
		when @kept {
			strip_credentials off
		}
	}
	handle /inner/* {
		auth {
			fake Bearer cookie:admin
			fake Query query:api_key
		}
		respond "inner {http.auth.user.id} [{http.request.header.Cookie}]"
	}
	respond "{http.auth.user.id} [{http.request.header.Authorization}{http.request.header.X-Global}{http.request.header.X-Base}] [{http.request.header.Cookie}] [{http.request.uri.query}]"
}`)
	all := []string{"Authorization: Bearer alice", "X-Global: bob", "X-Base: carol", "Cookie: a=b; admin=dave"}
	for path, who := range map[string]string{"/": "alice", "/admin/": "dave", "/api/": "erin", "/public/": "alice"} {
		s.expect(200, who+" [] [a=b] [c=d]", path+"?api_key=erin&c=d", all...)
	}
	s.expect(200, "alice [Bearer alicebobcarol] [a=b; admin=dave] [api_key=erin]", "/kept/?api_key=erin", all...)
	s.expect(200, "alice [] [a=b] [c=d]", "/?c=d", "Authorization: Bearer alice", "Cookie: a=b") // the control
	s.expect(401, "", "/", "X-Global: bob", "X-Base: carol", "Cookie: admin=dave")

	s.expect(200, "inner dave [a=b]", "/inner/", all...)
	s.expect(200, "inner erin []", "/inner/?api_key=erin", all[:3]...)
	s.expect(401, "", "/inner/", all[:3]...)
}

// A preflight request is nobody's: what another rule reads is taken out as well.
func TestPreflightHoldsNoCredentialOfAnotherRule(t *testing.T) {
	t.Parallel()
	s := site(t, `
:80 {
	auth {
		fake
		allow_preflight
		when /api/* {
			fake Bearer X-Key
		}
	}
	respond "[{http.request.header.X-Key}] [{http.request.header.X-Other}]"
}`)
	s.expect(200, "[] [o]", "/", "OPTIONS", "Origin: https://a.example", "Access-Control-Request-Method: GET", "X-Key: k", "X-Other: o")
}

// Attack: a tab behind the scheme. It is no credential here, and is one for an
// application that splits at any blank.
func TestSchemeBeforeATabIsStrippedAndNotRead(t *testing.T) {
	t.Parallel()
	s := site(t, `
:80 {
	auth {
		fake Bearer Authorization Bearer
		fake Bearer X-Fake
		strip_credentials
	}
	respond "[{http.request.header.Authorization}]"
}`)
	for _, value := range []string{"Bearer\tx", "bearer \tx", "Bearer,x", "Bearer=x", "Bearer\u00a0x", "Bearer"} {
		s.expect(200, "[]", "/", "X-Fake: alice", "Authorization: "+value)
		s.expect(401, "", "/", "Authorization: "+strings.TrimPrefix(value, "bearer "))
	}
	for _, value := range []string{"Bearerx y", "Digest Bearer", "DPoP x"} { // the control
		s.expect(200, "["+value+"]", "/", "X-Fake: alice", "Authorization: "+value)
	}
}

// The cookies that auth_logout clears are known to it although they are stripped,
// those of another rule too.
func TestLogOutClearsCookiesThatWereStripped(t *testing.T) {
	t.Parallel()
	s := site(t, `
{
	auth {
		fake Bearer cookie:session
		revocation fake
	}
}
:80 {
	auth {
		strip_credentials
		when /admin/* {
			fake Bearer cookie:admin
		}
	}
	route {
		auth_logout /logout {
			cookie admin
			cookie other
		}
	}
}`)
	cleared := func(lines ...string) string {
		resp := s.expect(200, "*", "/logout", append(lines, "POST", "Sec-Fetch-Site: same-origin")...)
		var names []string
		for _, c := range resp.Cookies() {
			if c.MaxAge < 0 {
				names = append(names, c.Name)
			}
		}
		return strings.Join(names, " ")
	}
	for cookies, want := range map[string]string{
		`session="alice token:t1"`:                  "session",
		`session="alice token:t2"; admin=x`:         "admin session",
		`session="alice token:t3"; admin=x;other=y`: "admin other session",
	} {
		if got := cleared("Cookie: " + cookies); got != want {
			t.Errorf("%s: cleared %q, want %q", cookies, got, want)
		}
	}
}

// What is not there costs nothing: most requests bring one credential of many that
// may be read.
func TestStrippingWhereNothingIsAllocatesNothing(t *testing.T) {
	sources := []auth.Source{{Header: "Authorization", Scheme: "Bearer"}, {Header: "X-Api-Key"}, {Cookie: "session"}, {Cookie: "admin"}, {Query: "token"}}
	r := httptest.NewRequest(http.MethodGet, "/?a=b&c=d", nil)
	r.Header.Set("Authorization", "Basic YTpi")
	r.Header.Set("Cookie", "a=b; c=d")
	var taken stripped
	if n := testing.AllocsPerRun(100, func() { strip(r, sources, &taken) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if r.Header.Get("Cookie") != "a=b; c=d" || r.Header.Get("Authorization") != "Basic YTpi" || r.URL.RawQuery != "a=b&c=d" {
		t.Errorf("taken: %+v", taken)
	}
}
