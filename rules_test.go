// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// paths is a matcher set of paths.
func paths(patterns ...string) caddy.ModuleMap {
	raw, err := json.Marshal(patterns)
	if err != nil {
		panic(err)
	}
	return caddy.ModuleMap{"path": raw}
}

func with(set caddy.ModuleMap, name, raw string) caddy.ModuleMap {
	set[name] = json.RawMessage(raw)
	return set
}

func TestCoversIsRightAboutPaths(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		earlier, later []string
		want           bool
	}{
		{[]string{"/a"}, []string{"/a"}, true},
		{[]string{"/a"}, []string{"/A"}, true},
		{[]string{"/a"}, []string{"/b"}, false},
		{[]string{"/a"}, []string{"/a/*"}, false},
		{[]string{"/a/*"}, []string{"/a"}, false},
		{[]string{"/a/*"}, []string{"/a/b"}, true},
		{[]string{"/a/*"}, []string{"/a/b*"}, true},
		{[]string{"/a*"}, []string{"/a/b/*"}, true},
		{[]string{"/a/b/*"}, []string{"/a/*"}, false},
		{[]string{"/a/*"}, []string{"/a/*.html"}, true},
		{[]string{"*.html"}, []string{"/a/*.html"}, true},
		{[]string{"*.html"}, []string{"/a/x.html"}, true},
		{[]string{"*.html"}, []string{"/a/*"}, false},
		{[]string{"/a/*"}, []string{"/a/b", "/c"}, false},
		{[]string{"/a/*", "/c"}, []string{"/a/b", "/c"}, true},
		{[]string{"*"}, []string{"/a"}, true},
		{[]string{"/*"}, []string{"/a"}, true},
		{[]string{"/a/*"}, []string{"/{path}"}, false},
		{[]string{"/{x}*"}, []string{"/a"}, false},
		{[]string{"/a/*"}, []string{"/a%2fb"}, false},
		{[]string{"/a/*"}, []string{"/a//b"}, false},
		{[]string{"/a/*"}, []string{"/[ab]/c"}, false},
		{[]string{"/a/*/c"}, []string{"/a/b/c"}, false}, // missed, and that is all right
	} {
		got := covers(caddyhttp.RawMatcherSets{paths(c.earlier...)}, caddyhttp.RawMatcherSets{paths(c.later...)})
		if got != c.want {
			t.Errorf("%q covers %q: %v", c.earlier, c.later, got)
		}
	}
}

func TestCoversLooksAtEveryMatcher(t *testing.T) {
	t.Parallel()
	get, post := `["GET"]`, `["POST"]`
	for name, c := range map[string]struct {
		earlier, later caddyhttp.RawMatcherSets
		want           bool
	}{
		"everything first":         {nil, caddyhttp.RawMatcherSets{paths("/a")}, true},
		"everything last":          {caddyhttp.RawMatcherSets{paths("/a")}, nil, false},
		"narrower by method":       {caddyhttp.RawMatcherSets{paths("/a/*")}, caddyhttp.RawMatcherSets{with(paths("/a/b"), "method", get)}, true},
		"wider by method":          {caddyhttp.RawMatcherSets{with(paths("/a/*"), "method", get)}, caddyhttp.RawMatcherSets{paths("/a/b")}, false},
		"same method":              {caddyhttp.RawMatcherSets{with(paths("/a/*"), "method", get)}, caddyhttp.RawMatcherSets{with(paths("/a/b"), "method", get)}, true},
		"other method":             {caddyhttp.RawMatcherSets{with(paths("/a/*"), "method", get)}, caddyhttp.RawMatcherSets{with(paths("/a/b"), "method", post)}, false},
		"one of two sets left":     {caddyhttp.RawMatcherSets{paths("/a/*")}, caddyhttp.RawMatcherSets{paths("/a/b"), paths("/c")}, false},
		"both sets covered by two": {caddyhttp.RawMatcherSets{paths("/a/*"), paths("/c")}, caddyhttp.RawMatcherSets{paths("/a/b"), paths("/c")}, true},
	} {
		if got := covers(c.earlier, c.later); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Whatever covers says, Caddy's own matcher agrees.
func FuzzCovers(f *testing.F) {
	for _, seed := range [][3]string{{"/a/*", "/a/b", "/a/b"}, {"*.x", "/a/*.x", "/a/b.x"}, {"/a*", "/A/?", "/a/c"}, {"*b*", "/abc", "/abc"}} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, earlier, later, requested string) {
		if !strings.HasPrefix(requested, "/") || len(earlier)+len(later) > 100 {
			return
		}
		if _, err := path.Match(earlier+later, ""); err != nil {
			return
		}
		set := func(pattern string) caddyhttp.RawMatcherSets { return caddyhttp.RawMatcherSets{paths(pattern)} }
		raw, err := json.Marshal([]string{earlier})
		if err != nil {
			return
		}
		var decoded []string // invalid UTF-8 becomes something else in JSON
		if json.Unmarshal(raw, &decoded) != nil || decoded[0] != earlier {
			return
		}
		if !covers(set(earlier), set(later)) {
			return
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.URL = &url.URL{Path: requested}
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), &caddyhttp.Server{})
		match := func(pattern string) bool {
			m := caddyhttp.MatchPath{pattern}
			if err := m.Provision(caddy.Context{}); err != nil {
				return false
			}
			ok, err := m.MatchWithError(r)
			return ok && err == nil
		}
		if match(later) && !match(earlier) {
			t.Errorf("%q is said to cover %q, but %q matches the latter alone", earlier, later, requested)
		}
	})
}

// What isAmbiguous lets through, Caddy, a cleaning server and one that decodes
// twice read as one path.
func FuzzAmbiguousPaths(f *testing.F) {
	for _, seed := range []string{"/a/b", "/public/..;/admin", "/public/.%2e%3b/admin", "//x", "/a%2fb", "/a%252e%252e/b", "/%c0%ae/", "/a%5c..", "/100%25", "/é", "/%2561dmin"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(u.Path, "/") || isAmbiguous(u) {
			return
		}
		segments := func(p string) string { return strings.Trim(path.Clean(p), "/") }
		plain := segments(u.Path)
		if plain != strings.Trim(u.Path, "/") {
			t.Errorf("%q: cleaning %q makes %q of it", target, u.Path, plain)
		}
		letters := strings.NewReplacer("%", "", " ", "", "2", "", "5", "", "0", "") // of what may be encoded again
		for decoded := u.Path; ; {
			if letters.Replace(decoded) != letters.Replace(u.Path) {
				t.Errorf("%q: decoded again it is %q", target, decoded)
			}
			again, err := url.PathUnescape(decoded)
			if err != nil || again == decoded {
				break
			}
			decoded = again
			if strings.Count(decoded, "/") != strings.Count(u.Path, "/") || segments(decoded) != strings.Trim(decoded, "/") {
				t.Errorf("%q: decoded again it is %q", target, decoded)
			}
		}
		if strings.ContainsAny(u.Path+u.EscapedPath(), ";\\\x00\r\n") {
			t.Errorf("%q is let through", target)
		}
	})
}

func TestRulesInJSONAreJudgedToo(t *testing.T) {
	t.Parallel()
	site := func(rules string) string {
		return `{"apps":{"http":{"servers":{"s":{"listen":[":80"],"routes":[{"handle":[{"handler":"auth","authenticators":[{"authenticator":"fake"}],"rules":[` + rules + `]}]}]}}}}}`
	}
	for rules, want := range map[string]string{
		`{"match":[{"path":["/a/*"]}],"guards":[{"guard":"staff"}]},{"match":[{"path":["/a/b"]}],"guards":[{"guard":"superuser"}]}`: "rules: position 1: can never apply: the rule at position 0 matches first",
		`{"match":[{"vars":{"{http.auth.user.id}":["a"]}}],"guards":[{"guard":"staff"}]}`:                                           "cannot ask who is signed in",
		`{"match":[{"expression":"{\u0068ttp.auth.user.id} == 'a'"}],"guards":[{"guard":"staff"}]}`:                                 "cannot ask who is signed in",
		`{"match":[{"path":["/a"]}],"policy":"none"}`:                                                                               "unknown policy \"none\"",
		`{"match":[{"path":["/a"]}],"guards":[{"guard":"allow_any"},{"guard":"staff"}]}`:                                            "stands alone",
		`{"match":[{"path":["/a"]}],"errors":"xml"}`:                                                                                "errors is \"xml\"",
		`{"match":[{"path":["/a"]}],"guard":[]}`:                                                                                    "unknown field",
		`{"guards":[{"guard":"nobody"}]}`:                                                                                           "unknown module: http.auth.guards.nobody",
	} {
		_, err := provision(t, []byte(site(rules)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", rules, err, want)
		}
	}
	if _, err := provision(t, []byte(site(`{"match":[{"path":["/a"]}],"guards":[{"guard":"staff"}]}`))); err != nil {
		t.Errorf("the control: %v", err)
	}
}
