// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Each test here is an attack that once worked, with a control that passes.

// Go reads "x:http://h/admin/x" as a URL without a path: rules and matchers see
// none, and a proxy sends on the whole.
func TestOpaqueRequestTargetsAreRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a rule that opens the rest":     "@open not path /admin/*\nauth {\nfake\nwhen @open {\nguard allow_any\n}\n}",
		"a rule that asks for more":      "auth {\nfake\nwhen /admin/* {\nguard superuser\n}\n}",
		"a matcher of the directive":     "auth /admin/* {\nfake\n}",
		"no rule at all":                 "auth {\nfake\n}",
		"where ambiguous paths may pass": "auth {\nfake\ninsecure_paths\npublic /public/*\n}",
	} {
		s := site(t, ":80 {\n"+text+"\nrespond in\n}")
		for _, u := range []*url.URL{
			{Scheme: "x", Opaque: "http://h/admin/x"}, {Scheme: "x", Opaque: "admin/x"}, {Scheme: "x", Opaque: "//h/admin/x"},
		} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.URL = u
			r.RequestURI = u.String()
			r.Header.Set("X-Fake", "alice")
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, r)
			if w.Code != http.StatusBadRequest {
				t.Errorf("%s: %s: %d", name, u, w.Code)
			}
		}
		s.expect(200, "in", "/x", "X-Fake: alice")
	}
}

// "GET http://h", "GET *" and "CONNECT h:80" have no path that begins with a
// slash, and so escape "/*".
func TestTargetsWithoutAPathDoNotEscapeRules(t *testing.T) {
	t.Parallel()
	s := site(t, ":80 {\nauth {\nfake\nguard allow_any\nwhen /* {\nguard superuser\n}\n}\nrespond in\n}")
	for _, path := range []string{"", "*"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL = &url.URL{Path: path}
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest {
			t.Errorf("%q: %d", path, w.Code)
		}
	}
	s.expect(200, "in", "/", "X-Fake: alice superuser")
}

// The matcher of the directive decides by path as rules do: "/x/..;/admin" is
// /admin for some applications, and not for Caddy.
func TestAmbiguousPathsDoNotEscapeTheMatcherOfTheDirective(t *testing.T) {
	t.Parallel()
	s := site(t, ":80 {\nauth /admin/* {\nfake\n}\nrespond in\n}")
	for _, target := range []string{"/x/..;/admin/y", "//admin/y", "/admin%2fy", "/x/%2e%2e/admin/y", "/admin;x/y"} {
		s.expect(400, "", target)
	}
	s.expect(401, "", "/admin/y")
	s.expect(200, "in", "/admin/y", "X-Fake: alice")
	s.expect(200, "in", "/x/y")
}

// Each decoding of "%252525...41" costs a look at the whole of it: without a
// bound, a request of 15 KB cost a second.
func TestPathsThatAreEncodedOverAndOverAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	path := "/%" + strings.Repeat("25", 200_000) + "41"
	u, err := url.ParseRequestURI(path)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if !isAmbiguous(u) {
		t.Error("not refused")
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	u.Path, u.RawPath = "/100%25", "" // encoded twice by somebody who means it
	if isAmbiguous(u) {
		t.Error("the control is refused")
	}
}

// Trailers come after the headers were looked at.
func TestIdentityHeadersCannotComeAsTrailers(t *testing.T) {
	t.Parallel()
	var received http.Header
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		received = r.Header.Clone()
		for name, values := range r.Trailer {
			received[name] = append(received[name], values...)
		}
	}))
	defer upstream.Close()
	s := site(t, ":80 {\nauth {\nfake\nforward X-User-ID id\n}\nreverse_proxy "+strings.TrimPrefix(upstream.URL, "http://")+"\n}")
	front := httptest.NewServer(s.handler)
	defer front.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL, io.NopCloser(strings.NewReader("body")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Fake", "alice")
	req.Trailer = http.Header{"X-User-Id": {"root"}, "X-User_id": {"root"}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := received.Values("X-User-Id"); len(got) != 1 || got[0] != "alice" || received["X-User_id"] != nil {
		t.Errorf("the application read %v", received)
	}
}

// A list that says who must be signed in, and lets in who is not, is a mistake
// and not a wish.
func TestOptionalDoesNotOpenOtherLists(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		":80 {\nauth {\nfake\nguard authenticated\nguard optional\n}\n}",
		"{\nauth {\nfake\npolicy admins {\nguard superuser\n}\n}\n}\n:80 {\nauth admins {\nguard optional\n}\n}",
		"{\nauth {\nfake\npolicy maybe {\nguard optional\n}\n}\n}\n:80 {\nauth maybe {\nguard superuser\n}\n}",
		"{\nauth {\nfake\npolicy maybe {\nguard optional\n}\n}\n}\n:80 {\nauth {\nwhen /x maybe {\nguard superuser\n}\n}\n}",
	} {
		if _, err := adapt(t, text); err == nil || !strings.Contains(err.Error(), "at Caddyfile:") {
			t.Errorf("%s: %v", text, err)
		}
	}
	site(t, ":80 {\nauth {\nfake\nguard optional\nguard superuser\n}\n}").expect(200, "", "/")
}

func TestTheSameListsAreRefusedInJSON(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string]string{
		`"guards":[{"guard":"authenticated"},{"guard":"optional"}]`: "remove one of them",
		`"policy":"admins","guards":[{"guard":"optional"}]`:         "write the whole list in one place",
		`"guards":[]`:    "must not be empty lists",
		`"rules":[null]`: "position 0: is null",
		`"rules":[{"match":[{"path":["/a"]}],"insecure_paths":true}]`: "insecure_paths stands outside of rules",
		`"forward":[{"name":"X-Fake","value":"id"}]`:                  "where a credential is read from",
		`"forward":[{"name":"Proxy-Authorization","value":"id"}]`:     "cannot carry an identity",
		`"login_url":"/a?b=c"`:                                        "not a plain path",
		`"login_url":"/log%20in"`:                                     "not a plain path",
	} {
		_, err := provision(t, []byte(`{"apps":{"auth":{"policies":{"admins":{"guards":[{"guard":"superuser"}]}}},"http":{"servers":{"s":{"listen":[":80"],"routes":[{"handle":[{"handler":"auth","authenticators":[{"authenticator":"fake"}],`+settings+`}]}]}}}}}`))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", settings, err, want)
		}
	}
}

// What replaced a stripped credential is meant for the application, not for the
// auth further in.
func TestAnInnerAuthSeesTheStrippedCredentialAndNotItsReplacement(t *testing.T) {
	t.Parallel()
	s := site(t, `
:80 {
	route {
		auth {
			fake Bearer X-Fake
			strip_credentials
		}
		request_header X-Fake backend
		auth {
			fake Bearer X-Fake
		}
		respond "{http.auth.user.id} {http.request.header.X-Fake}"
	}
}`)
	s.expect(200, "alice backend", "/", "X-Fake: alice")
	s.expect(401, "", "/")
}

// The parameter of another rule is a credential all the same.
func TestNextHoldsNoCredentialOfAnotherRule(t *testing.T) {
	t.Parallel()
	s := site(t, ":80 {\nauth {\nfake\nlogin_url /login\nwhen /api/* {\nfake Query query:api_key\n}\n}\nrespond in\n}")
	resp := s.expect(303, "", "/x?api_key=SECRET&a=b", "Sec-Fetch-Mode: navigate")
	if got := resp.Header.Get("Location"); got != "/login?next=%2Fx%3Fa%3Db" {
		t.Errorf("Location %q", got)
	}
}

func TestChallengesAreNotRepeated(t *testing.T) {
	t.Parallel()
	s := site(t, ":80 {\nauth {\nfake\n}\nrespond in\nhandle_errors {\nauth {\nfake\n}\nrespond dressed\n}\n}")
	resp := s.expect(401, "", "/")
	if got := resp.Header.Values("WWW-Authenticate"); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// Caddy takes "} word" for a part of the block that should have ended.
func TestWordsBehindABraceAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		":80 {\nauth {\nfake\n} jwt\n}",
		"{\nauth {\nfake\n} policy\n}\n:80 {\nauth\n}",
		":80 {\nauth {\nfake\nwhen /x {\nguard staff\n} realm\n}\n}",
	} {
		if _, err := adapt(t, text); err == nil {
			t.Errorf("accepted: %s", text)
		}
	}
}

// An inner auth that matches on the identity header of an outer one must see it,
// and the client's own must not be there.
func TestAnInnerMatcherSeesWhatAnOuterAuthForwarded(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a rule":      "when @alice {\nguard superuser\n}",
		"the handler": "",
	} {
		directive := "auth"
		if text == "" {
			directive, text = "auth @alice", "guard superuser"
		}
		s := site(t, "{\nauth {\nfake\nforward X-User-ID id\n}\n}\n:80 {\n@alice header X-User-ID alice\nroute {\nauth\n"+directive+" {\n"+text+"\n}\nrespond in\n}\n}")
		if resp := s.get("/", "X-Fake: alice"); resp.StatusCode != 403 {
			t.Errorf("%s: alice gets %d", name, resp.StatusCode)
		}
		if resp := s.get("/", "X-Fake: bob", "X-User-ID: alice"); resp.StatusCode != 200 {
			t.Errorf("%s: bob, who says that he is alice, gets %d", name, resp.StatusCode)
		}
		if resp := s.get("/", "X-Fake: alice superuser"); resp.StatusCode != 200 {
			t.Errorf("%s: the control gets %d", name, resp.StatusCode)
		}
	}
}

// Stripping credentials must not open what an inner matcher closes.
func TestAnInnerMatcherSeesWhatAnOuterAuthStripped(t *testing.T) {
	t.Parallel()
	s := site(t, ":80 {\n@key header X-Fake *\nroute {\nauth {\nfake\nstrip_credentials\n}\nauth @key {\nfake\nguard superuser\n}\nrespond in\n}\n}")
	s.expect(403, "", "/", "X-Fake: alice")
	s.expect(200, "in", "/", "X-Fake: alice superuser")
}

// Caddy's matchers find no parameter in a query that they cannot read, where an
// application may.
func TestAQueryThatCannotBeReadDoesNotEscapeMatchers(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"the handler":    "auth @del {\nfake\n}",
		"a rule":         "auth {\nfake\nguard optional\nwhen @del {\nguard superuser\n}\n}",
		"a guard in not": "auth {\nfake\nguard not {\nmatch query action=delete\n}\n}",
	} {
		for matcher, queries := range map[string][]string{
			"query action=delete": {"action=delete&x=%zz", "action=delete&x=;", "action=delete;"},
			"expression `{http.request.uri.query.action} == \"delete\"`": {"action=delete;", "action=delete&x=%zz"},
		} {
			s := site(t, ":80 {\n@del "+matcher+"\n"+text+"\nrespond in\n}")
			for _, query := range queries {
				if resp := s.get("/?"+query, "X-Fake: alice"); resp.StatusCode != 403 {
					t.Errorf("%s, %s, %s: %d", name, matcher, query, resp.StatusCode)
				}
			}
			s.expect(200, "in", "/?a=b", "X-Fake: alice")
		}
	}
}
