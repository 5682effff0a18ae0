// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
	"github.com/caddybolt/caddy-bolt/internal/module"
)

func init() {
	for _, name := range []string{"jwt", "api_key"} { // for the guard backend
		caddy.RegisterModule(word("http.auth.authenticators." + name))
	}
}

// word is a module that is only a name.
type word string

func (w word) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: caddy.ModuleID(w), New: func() caddy.Module { return &w }}
}

// parse returns the JSON of what stands behind the word "guard".
func parse(text string) (json.RawMessage, error) {
	tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
	if err != nil {
		return nil, err
	}
	d := caddyfile.NewDispenser(tokens)
	if !d.Next() {
		return nil, errors.New("nothing to parse")
	}
	raw, err := module.Parse(d, guardSpace, "guard", "guard")
	if err == nil && d.Next() {
		return nil, fmt.Errorf("%q is left over", d.Val())
	}
	return raw, err
}

// list is what holds guards in a configuration.
type list struct {
	GuardsRaw []json.RawMessage `caddy:"namespace=http.auth.guards inline_key=guard"`
}

// load provisions the guard of a JSON text.
func load(tb testing.TB, raw string) (auth.Guard, error) {
	tb.Helper()
	ctx, _ := authtest.NewContext(tb, nil)
	mods, err := ctx.LoadModule(&list{GuardsRaw: []json.RawMessage{json.RawMessage(raw)}}, "GuardsRaw")
	if err != nil {
		return nil, err
	}
	return mods.([]any)[0].(auth.Guard), nil
}

// mustLoad provisions the guard of a Caddyfile text, or of a JSON text.
func mustLoad(tb testing.TB, text string) auth.Guard {
	tb.Helper()
	if text[0] != '{' {
		raw, err := parse(text)
		if err != nil {
			tb.Fatalf("%s: %v", text, err)
		}
		text = string(raw)
	}
	g, err := load(tb, text)
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return g
}

// from returns the function New of a case.
func from(text string) func(testing.TB) auth.Guard {
	return func(tb testing.TB) auth.Guard { return mustLoad(tb, text) }
}

// signedIn returns somebody with claims.
func signedIn(claims string) *auth.Identity {
	return &auth.Identity{
		ID: "7", Issuer: "https://id.example.com", Backend: "jwt", TokenID: "t1",
		Claims: auth.TrustedClaims([]byte(claims)),
	}
}

// permitted returns somebody with permissions.
func permitted(permissions ...string) *auth.Identity {
	id := signedIn(`{"sub":"7"}`)
	id.Permissions = auth.NewSet(permissions...)
	return id
}

// ids names identities.
type ids = map[string]*auth.Identity

// ask asks the guard about somebody whose request was prepared.
func ask(tb testing.TB, g auth.Guard, id *auth.Identity) error {
	tb.Helper()
	r := authtest.NewRequest(tb, http.MethodGet, "https://app.example.com/reports?year=2026")
	authtest.SignIn(r, id, nil)
	return g.Check(r, id)
}

// adapts checks the JSON that texts of the Caddyfile become, and that it loads.
func adapts(t *testing.T, texts map[string]string) {
	t.Helper()
	for text, want := range texts {
		raw, err := parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if string(raw) != want {
			t.Errorf("%s:\n  got  %s\n  want %s", text, raw, want)
		}
		if _, err := load(t, string(raw)); err != nil {
			t.Errorf("%s: does not load: %v", text, err)
		}
	}
}

// refused checks the errors of texts of the Caddyfile and of JSON.
func refused(t *testing.T, texts map[string]string) {
	t.Helper()
	for text, want := range texts {
		var err error
		if text[0] == '{' {
			_, err = load(t, text)
		} else {
			_, err = parse(text)
		}
		if err == nil {
			t.Errorf("%s: accepted", text)
		} else if !contains(err.Error(), want) {
			t.Errorf("%s:\n  error %v\n  want  %s", text, err, want)
		}
	}
}
