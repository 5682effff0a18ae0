// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"strings"
	"testing"
)

// A session needs a store that keeps it: said where the line is known.
func TestRefreshWithAStoreThatKeepsNoSessionsIsAnErrorWithItsLine(t *testing.T) {
	t.Parallel()
	const text = `
{
	auth {
		fake
		revocation STORE
	}
}
:80 {
	auth_token /auth/token {
		refresh 1d
	}
	auth
}`
	_, err := adapt(t, strings.Replace(text, "STORE", "fake", 1))
	if err == nil || !strings.Contains(err.Error(), "refresh needs a revocation store that keeps sessions, and fake does not, at Caddyfile:8") {
		t.Errorf("%v", err)
	}
	for _, store := range []string{"memory", "bolt", ""} {
		if _, err := adapt(t, strings.Replace(text, "STORE", store, 1)); err != nil {
			t.Errorf("%q: %v", store, err)
		}
	}
	if _, err := adapt(t, strings.Replace(text, "revocation STORE", "", 1)); err != nil {
		t.Errorf("revocation is turned on: %v", err)
	}
}

// Where Caddy sorts the endpoint before every auth, it would never issue
// anything.
func TestExchangeStandsBehindAnAuth(t *testing.T) {
	t.Parallel()
	const exchange = "auth_token /exchange {\n\texchange\n}\n"
	for name, c := range map[string]struct{ global, site, want string }{
		"beside auth":         {"", "auth\n" + exchange, "exchange issues a token for whom an auth has accepted"},
		"without auth":        {"", exchange, "put it into handle or route, at Caddyfile:"},
		"in handle":           {"", "auth\nhandle {\n" + exchange + "}", ""},
		"in route":            {"", "route {\nauth\n" + exchange + "}", ""},
		"in route, in handle": {"", "handle {\nroute {\nauth\n" + exchange + "}\n}", ""},
		"in another order":    {"order auth_token after auth", "auth\n" + exchange, ""},
		"beside another site": {"", "handle {\n" + exchange + "}\n}\n:81 {\nauth", ""},
	} {
		_, err := adapt(t, "{\nauth {\nfake\n}\n"+c.global+"\n}\n:80 {\n"+c.site+"\n}")
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := adapt(t, "{\nauth {\nfake\n}\n}\n&(x) {\n"+exchange+"}\n:80 {\nauth\ninvoke x\n}"); err != nil {
		t.Errorf("in a named route: %v", err)
	}
}

// In a block that Caddy sorts, the endpoint runs before the auth beside it: said
// when the configuration is loaded. In route they run as written.
func TestExchangeBeforeTheAuthOfItsBlockDoesNotLoad(t *testing.T) {
	t.Parallel()
	const exchange = "auth_token /exchange {\n\texchange\n}\n"
	for name, c := range map[string]struct {
		site string
		bad  bool
	}{
		"beside it, in handle":      {"handle {\nauth\n" + exchange + "}", true},
		"before it, in route":       {"route {\n" + exchange + "auth\n}", true},
		"further in":                {"handle {\nhandle /a/* {\nauth\n" + exchange + "}\n}", true},
		"before it, in route only":  {"route {\n" + exchange + "route {\nauth\n}\nauth\n}", true},
		"behind it, in route":       {"route {\nauth\n" + exchange + "}", false},
		"between two, in route":     {"route {\nauth /x\n" + exchange + "auth\n}", false},
		"in handle, behind the one": {"auth\nhandle {\nauth\n" + exchange + "}", false},
		"in route, behind handle":   {"route {\nauth\nhandle {\n" + exchange + "auth\n}\n}", false},
		"without any":               {"handle {\n" + exchange + "}", false},
	} {
		config, err := adapt(t, "{\nauth {\nfake\nsecret \"a secret of this test, of 32 bytes and more\"\njwt\n}\n}\nhttp://app.example:80 {\n"+c.site+"\n}")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err = provision(t, config)
		if (err != nil) != c.bad || err != nil && !strings.Contains(err.Error(), "write both into route, the auth first") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
