// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"errors"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

func TestScopeAsksForEveryOne(t *testing.T) {
	t.Parallel()
	authtest.TestGuard(t, authtest.GuardCase{
		New: from("scope read write"),
		Pass: ids{
			"text": signedIn(`{"scope":"read write"}`), "order": signedIn(`{"scope":"x write read"}`),
			"spaces": signedIn(`{"scope":"  read   write "}`), "scp text": signedIn(`{"scp":"read write"}`),
			"scp list": signedIn(`{"scp":["write","read"]}`), "scope list": signedIn(`{"scope":["write","read"]}`),
			"list with others": signedIn(`{"scp":[1,null,"write",["x"],"read"]}`),
		},
		Refuse: ids{
			"missing": signedIn(`{}`), "one": signedIn(`{"scope":"read"}`), "other one": signedIn(`{"scp":["write"]}`),
			"longer": signedIn(`{"scope":"reader writer"}`), "case": signedIn(`{"scope":"READ WRITE"}`),
			"tab": signedIn(`{"scope":"read\twrite"}`), "comma": signedIn(`{"scope":"read,write"}`),
			"joined in a list": signedIn(`{"scp":["read write"]}`), "number": signedIn(`{"scope":7}`),
			"null before scp": signedIn(`{"scope":null,"scp":"read write"}`), "object": signedIn(`{"scope":{"read":1,"write":1}}`),
			"split over both": signedIn(`{"scope":"read","scp":"write"}`), "first that is present": signedIn(`{"scope":"","scp":"read write"}`),
			"permissions": permitted("read", "write"),
		},
	})
}

func TestMissingScopesAreToldToTheClient(t *testing.T) {
	t.Parallel()
	err := ask(t, mustLoad(t, "scope read write"), signedIn(`{"scope":"read secret-scope"}`))
	if !errors.Is(err, auth.ErrForbidden) || auth.ScopesOf(err) != "read write" {
		t.Errorf("error %v tells %q", err, auth.ScopesOf(err))
	}
	if contains(err.Error(), "secret-scope") {
		t.Errorf("error %v tells what the token has", err)
	}
}

// A scope with a quote would end the parameter of the challenge that it is told
// in.
func TestScopesInTheConfiguration(t *testing.T) {
	t.Parallel()
	adapts(t, map[string]string{
		"scope read":                    `{"guard":"scope","scopes":["read"]}`,
		"scope read https://a.com/x:y!": `{"guard":"scope","scopes":["read","https://a.com/x:y!"]}`,
	})
	refused(t, map[string]string{
		"scope":                              `guard "scope" needs a scope`,
		`scope ""`:                           "a scope is empty",
		`scope "read write"`:                 `"read write" is not a scope`,
		"scope `a\"b`":                       "is not a scope",
		"scope `a\\b`":                       "is not a scope",
		"scope é":                            "is not a scope",
		"scope {env.SCOPE}":                  "holds a placeholder",
		`{"guard":"scope"}`:                  "at least one scope is required",
		`{"guard":"scope","scopes":[]}`:      "at least one scope is required",
		`{"guard":"scope","scopes":["a\n"]}`: "is not a scope",
	})
}
