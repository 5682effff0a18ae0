// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import "testing"

// In each of these four ways route groups let a request in. One more auth can
// only restrict, wherever it stands.

func TestAuthInANamedRouteIsAskedToo(t *testing.T) {
	t.Parallel()
	s := site(t, `
&(app) {
	auth {
		fake Bearer X-Inner
	}
	auth {
		fake Bearer X-Inner2
	}
	respond "secret"
}
:80 {
	auth {
		fake Bearer X-Outer
	}
	auth {
		fake Bearer X-Outer2
	}
	invoke app
}`)
	s.expect(200, "secret", "/", "X-Outer: a", "X-Outer2: a", "X-Inner: a", "X-Inner2: a")
	s.expect(401, "", "/", "X-Outer: a", "X-Outer2: a", "X-Inner: a")
	s.expect(401, "", "/", "X-Outer: a", "X-Outer2: a", "X-Inner2: a")
	s.expect(401, "", "/", "X-Outer: a", "X-Inner: a", "X-Inner2: a")
	s.expect(401, "", "/")
}

func TestAuthInAnErrorRouteIsAskedAgain(t *testing.T) {
	t.Parallel()
	s := site(t, `
&(app) {
	auth {
		fake
	}
	respond "secret"
}
:80 {
	route {
		invoke app
	}
	handle_errors {
		invoke app
	}
}`)
	s.expect(401, "", "/")
	s.expect(200, "secret", "/", "X-Fake: alice")
}

func TestAuthAfterARewriteSeesTheNewPath(t *testing.T) {
	t.Parallel()
	s := site(t, `
{
	auth {
		fake
		policy root {
			guard superuser
		}
	}
}
:80 {
	route {
		auth /in/*
		uri strip_prefix /in
		auth /admin/* root
		respond "{path}"
	}
}`)
	s.expect(403, "", "/in/admin/x", "X-Fake: alice")
	s.expect(200, "/admin/x", "/in/admin/x", "X-Fake: alice superuser")
	s.expect(200, "/x", "/in/x", "X-Fake: alice")
	s.expect(401, "", "/in/x")
}

func TestSiblingsWithMatchersOfAnyKindAllCount(t *testing.T) {
	t.Parallel()
	s := site(t, `
{
	auth {
		fake
		policy any {
			guard authenticated
		}
		policy root {
			guard superuser
		}
	}
}
:80 {
	@office header X-Office yes
	auth /api/* any
	auth @office any
	auth /api/admin/* root
	respond in
}`)
	s.expect(403, "", "/api/admin/x", "X-Fake: alice", "X-Office: yes")
	s.expect(403, "", "/api/admin/x", "X-Fake: alice")
	s.expect(401, "", "/api/admin/x")
	s.expect(200, "in", "/api/admin/x", "X-Fake: alice superuser")
	s.expect(200, "in", "/api/x", "X-Fake: alice")
	s.expect(200, "in", "/x")
	s.expect(401, "", "/x", "X-Office: yes")
}

func TestTheInnermostIdentityIsShown(t *testing.T) {
	t.Parallel()
	s := site(t, `
:80 {
	basic_auth {
		bob $2a$04$Zl1vn7HoLXpKWOZ9dmEIEOJ0xk5wuFw9pj4zSVJJW0BFH5Lj5yq2m
	}
	respond "{http.auth.user.id}"
}`)
	s.expect(401, "", "/")
	s = site(t, `
:80 {
	auth {
		fake Bearer X-One
	}
	handle /in/* {
		auth {
			fake Bearer X-Two
			public /in/open/*
		}
		respond "{http.auth.user.id} {http.auth.claims.a}"
	}
	respond "{http.auth.user.id} {http.auth.claims.a}"
}`)
	s.expect(200, "outer o", "/", "X-One: outer a=o", "X-Two: inner a=i")
	s.expect(200, "inner i", "/in/x", "X-One: outer a=o", "X-Two: inner a=i")
	s.expect(200, "outer o", "/in/open/x", "X-One: outer a=o")
	s.expect(401, "", "/in/x", "X-One: outer a=o")
}

// A 503 that is returned as an error without error routes makes Caddy log the
// whole request; within error routes any error does.
func TestRefusalsWithinErrorRoutesAreWritten(t *testing.T) {
	t.Parallel()
	s := site(t, `
:80 {
	error /broken 500
	auth {
		fake
	}
	respond in
	handle_errors 500 {
		auth {
			fake
		}
		respond "dressed"
	}
}`)
	resp := s.expect(401, "", "/broken")
	if resp.Header.Get("WWW-Authenticate") == "" {
		t.Error("no challenge")
	}
	s.expect(503, "", "/broken", "X-Fake: ?")
	s.expect(500, "dressed", "/broken", "X-Fake: alice")
}
