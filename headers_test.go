// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/extract"
)

// forwarding is a site that shows what an application behind it would read.
const forwarding = `
{
	auth {
		fake
		forward {
			X-User-ID id
			X-Tenant claims.tenant
			X-Staff is_staff
			X-Permissions permissions
			X-Mail user.email
		}
	}
}
:80 {
	auth {
		public /public/*
		when /other/* {
			forward X-Other id
		}
	}
	respond "{http.request.header.X-User-Id}|{http.request.header.X-Tenant}|{http.request.header.X-Staff}|{http.request.header.X-Permissions}|{http.request.header.X-Mail}|{http.request.header.X-Other}|{http.request.header.Connection}"
}`

func TestIdentityHeadersAreSetFromTheIdentity(t *testing.T) {
	t.Parallel()
	s := site(t, forwarding)
	s.expect(200, "alice|acme|true|read write|||", "/", "X-Fake: alice tenant=acme staff may:read may:write")
	s.expect(200, "alice||false||||", "/", "X-Fake: alice")
	s.expect(200, "|||||alice|", "/other/x", "X-Fake: alice tenant=acme")
}

// A client says who it is: with a claim absent, on a public route, in a rule
// that forwards something else. Nobody may believe it.
func TestSpoofedIdentityHeadersAreRemovedEverywhere(t *testing.T) {
	t.Parallel()
	s := site(t, forwarding)
	spoofed := []string{"X-User-ID: root", "X-Tenant: victim", "X-Staff: true", "X-Permissions: all", "X-Mail: root@x", "X-Other: root"}
	s.expect(200, "alice||false||||", "/", append(spoofed, "X-Fake: alice")...)
	s.expect(200, "||||||", "/public/x", spoofed...)
	s.expect(200, "|||||alice|", "/other/x", append(spoofed, "X-Fake: alice")...)
}

// Connection names headers that a proxy removes: it must not name ours.
func TestConnectionCannotRemoveIdentityHeaders(t *testing.T) {
	t.Parallel()
	s := site(t, forwarding)
	s.expect(200, "alice||false||||keep-alive", "/", "X-Fake: alice", "Connection: X-User-ID, keep-alive, x_tenant")
	s.expect(200, "alice||false||||", "/", "X-Fake: alice", "Connection: x-user-id")
}

func TestEverySpellingThatFoldsIsRemoved(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	for _, name := range []string{"X-User-Id", "X_User_Id", "x.user.id", "X-User_Id", "x_USER.ID", "X!User~Id"} {
		h[name] = []string{"root"}
	}
	h["X-User-Idx"], h["X-Use-R-Id"] = []string{"kept"}, []string{"kept"}
	removeSpoofed(&http.Request{Header: h}, []string{"X-User-ID"})
	if len(h) != 2 {
		t.Errorf("left: %v", h)
	}
}

// A value that cannot be sent as it is would be a 502 of the proxy, a second
// header, or somebody else's name once its blanks are gone.
func TestUnsafeHeaderValuesAreLeftOut(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"alice": true, "a b": true, "é": true, "": false, " root": false, "root ": false,
		"a\r\nX-Admin: 1": false, "a\x00": false, "a\tb": false, "a\x7f": false, "\n": false,
		"ä ö": true, "a\u00a0b": true, "東京": true, "a\u0085b": false, "a\u009f": false, "é\tb": false, "é\x7f": false,
		"a\xff": false, "\xc3": false, "a\u2028b": false, "a\u2029b": false, "\u00a0root": false, "root\u3000": false,
		"\ufeffroot": false, "root\u2003": false, " é": false, "é ": false,
	} {
		if got := isHeaderValue(text); got != ok {
			t.Errorf("%q: %v", text, got)
		}
	}
}

const stripping = `
:80 {
	@inner path /inner/*
	auth {
		fake Bearer Authorization Bearer
		fake Cookie cookie:session
		fake Query query:token
		strip_credentials
	}
	handle @inner {
		auth {
			fake Bearer Authorization Bearer
			fake Cookie cookie:session
			fake Query query:token
		}
		respond "inner {http.auth.user.id} [{http.request.header.Authorization}]"
	}
	respond "{http.auth.user.id} [{http.request.header.Authorization}] [{http.request.header.Cookie}] [{http.request.uri.query}]"
}`

func TestCredentialsAreStripped(t *testing.T) {
	t.Parallel()
	s := site(t, stripping)
	s.expect(200, "alice [] [] []", "/", "Authorization: Bearer alice")
	s.expect(200, "alice [] [a=b; c=d] []", "/", "Cookie: a=b; session=alice; c=d")
	s.expect(200, "alice [] [a=b] []", "/", "Cookie: a=b; session =alice")
	s.expect(200, "alice [] [] [a=b&c=d]", "/?a=b&token=alice&c=d")
	s.expect(200, "alice [] [] [a=b]", "/?a=b&%74oken=alice")
	s.expect(200, "alice [] [] []", "/?token=alice", "Authorization: Bearer !bad_signature", "Cookie: session=!x")
	s.expect(200, "alice [Digest x] [] []", "/?token=alice", "Authorization: Digest x")
}

// "Every auth must let pass" would be "never" if the outer one left nothing for
// the inner one to see.
func TestAnInnerAuthSeesWhatAnOuterOneStripped(t *testing.T) {
	t.Parallel()
	s := site(t, stripping)
	s.expect(200, "inner alice []", "/inner/x", "Authorization: Bearer alice")
	s.expect(200, "inner alice []", "/inner/x", "Cookie: a=b; session=alice")
	s.expect(200, "inner alice []", "/inner/x", "Cookie: a=b; session =alice")
	s.expect(200, "inner alice []", "/inner/x?token=alice&x=y")
	s.expect(401, "", "/inner/x")
}

// The identity headers follow the innermost identity, and an inner auth that
// forwards nothing of its own does not leave the outer one's in place.
func TestAnInnerIdentityReplacesForwardedHeaders(t *testing.T) {
	t.Parallel()
	s := site(t, `
:80 {
	auth {
		fake Bearer X-One
		forward X-User-ID id
	}
	handle {
		auth {
			fake Bearer X-Two
		}
		respond "{http.request.header.X-User-Id}"
	}
}`)
	s.expect(200, "inner", "/", "X-One: outer", "X-Two: inner")
	s.expect(401, "", "/", "X-One: outer")
}

// A claim that the inner identity lacks is not the outer one's.
func TestIdentityHeadersOfTwoIdentitiesAreNotMixed(t *testing.T) {
	t.Parallel()
	s := site(t, `
:80 {
	auth {
		fake Bearer X-One
		forward {
			X-User-ID id
			X-Tenant claims.tenant
		}
	}
	handle {
		auth {
			fake Bearer X-Two
		}
		respond "{http.request.header.X-User-Id}|{http.request.header.X-Tenant}"
	}
}`)
	s.expect(200, "bot|", "/", "X-One: alice tenant=acme", "X-Two: bot")
	s.expect(200, "bot|other", "/", "X-One: alice tenant=acme", "X-Two: bot tenant=other")
}

func TestForwardIsChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ headers, want string }{
		{"X_User id", "is not a name of letters"},
		{"Connection id", "cannot carry an identity"},
		{"X-User password", "forward value \"password\" is unknown"},
		{"X-User claims.", "is unknown"},
		{"X-User claims.a..b", "nor has two in a row"},
		{"X-User claims..a", "neither begins nor ends with a dot"},
		{"X-User claims.a.", "neither begins nor ends with a dot"},
		{"X-User", "needs a header and a value"},
		{"{\nX-User id\nx-user id\n}", "is given twice"},
		{"{\n}", "needs a header and a value"},
	} {
		_, err := adapt(t, ":80 {\nauth {\nfake\nforward "+c.headers+"\n}\n}")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.headers, err, c.want)
		}
	}
}

// Whoever reads a credential and whoever strips it see the same: nothing is left
// to be read, and what an auth further in gets is what was there.
func FuzzStrippedRequestHoldsNoCredential(f *testing.F) {
	f.Add("Bearer a.b.c", "session=x; other=y", "access_token=z&a=b")
	f.Add("bearer", " session =x", "access%5Ftoken=z")
	f.Add("Bearer\t", "session", "access_token")
	f.Add("Bearerx y", "\u00a0session=x;session=y", "access_token=%zz&access%5ftoken=")
	sources := []auth.Source{{Header: "Authorization", Scheme: "Bearer"}, {Cookie: "session"}, {Query: "access_token"}, {Header: "X-Key"}}
	f.Fuzz(func(t *testing.T, authorization, cookie, query string) {
		for _, source := range sources {
			e, err := extract.New([]auth.Source{source}, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header["Authorization"], r.Header["Cookie"], r.Header["X-Key"] = []string{authorization}, []string{cookie}, []string{authorization}
			r.URL.RawQuery = query
			value, _, before := e.Extract(r)
			var taken stripped
			strip(r, []auth.Source{source}, &taken)
			if left, _, err := e.Extract(r); !errors.Is(err, auth.ErrNoCredentials) {
				t.Errorf("%+v: %q, %v is left", source, left, err)
			}
			again, _, after := e.Extract(taken.restore(r))
			if again != value || (before == nil) != (after == nil) || errors.Is(before, auth.ErrNoCredentials) != errors.Is(after, auth.ErrNoCredentials) {
				t.Errorf("%+v: it was %q, %v, and is %q, %v", source, value, before, again, after)
			}
		}
	})
}

// Attack: a permission "a admin" of a list, forwarded as text, would be two for the
// application. The list has all of them.
func TestForwardedPermissionsAreThoseThatGuardsSee(t *testing.T) {
	t.Parallel()
	id := auth.Identity{ID: "alice", Permissions: auth.NewSet("read", "a admin", "b\tadmin")}
	st := &state{identity: &id}
	if text, err := st.forwardText("permissions"); err != nil || text != "read" {
		t.Errorf("forwarded %q, %v", text, err)
	}
	shown, _ := st.placeholder("http.auth.user.permissions")
	if list, ok := shown.(permissions); !ok || list.String() != "read" || len(list) != 3 {
		t.Errorf("the placeholder is %#v", shown)
	}
}
