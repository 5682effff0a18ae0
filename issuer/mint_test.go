// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

// minted returns the claims of the token that is made for a user.
func minted(tb testing.TB, t *Token, s *server, id string, lifetime time.Duration) (jwt.MapClaims, error) {
	tb.Helper()
	ctx, _ := authtest.NewContext(tb, s.services())
	text, err := t.Mint(ctx, id, lifetime)
	if err != nil {
		if text != "" {
			tb.Error("a token beside an error")
		}
		return nil, err
	}
	parsed, err := jwt.Parse(text, func(*jwt.Token) (any, error) { return []byte(secret), nil }, jwt.WithTimeFunc(func() time.Time { return noon }))
	if err != nil {
		tb.Fatal(err)
	}
	return parsed.Claims.(jwt.MapClaims), nil
}

func TestMintedTokensAreWhatTheEndpointIssues(t *testing.T) {
	t.Parallel()
	s := newServer()
	endpoint := s.token(t, "auth_token {\n\tinclude permissions email\n\tclaim host {http.request.host}\n\tclaim mail {http.auth.user.email}\n\texpires_in 5m\n}")
	claims, err := minted(t, endpoint, s, "7", 0)
	if err != nil {
		t.Fatal(err)
	}
	issued := claimsOf(t, serve(endpoint, logIn(t, "ann", "pw")))
	for name, want := range issued {
		switch got := claims[name]; {
		case name == "jti" && (got == want || got == nil):
			t.Error("the jti is not its own")
		case name == "jti", name == "host":
		case !sameClaim(got, want):
			t.Errorf("claim %q is %v, want %v", name, got, want)
		}
	}
	if _, ok := claims["host"]; ok {
		t.Errorf("there is no request, and yet %v", claims["host"])
	}
	if claims["mail"] != "ann@example.com" || len(claims) != len(issued)-1 {
		t.Errorf("%v\nwant %v", claims, issued)
	}
	longer, err := minted(t, endpoint, s, "7", time.Hour)
	if err != nil || longer["exp"].(float64)-longer["iat"].(float64) != 3600 {
		t.Errorf("%v, %v", longer, err)
	}
}

func sameClaim(a, b any) bool {
	list, ok := a.([]any)
	other, both := b.([]any)
	if !ok || !both {
		return !ok && !both && a == b
	}
	for i := range list {
		if len(other) != len(list) || list[i] != other[i] {
			return false
		}
	}
	return true
}

// What the log-in refuses, the command line does not make either.
func TestMintRefusesWhoMayNotSignIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		id       string
		lifetime time.Duration
		spoil    func(*server)
		says     string
	}{
		"unknown":       {"8", 0, func(*server) {}, `no user with the ID "8"`},
		"empty":         {"", 0, func(*server) {}, "no user with the ID"},
		"a user name":   {"ann", 0, func(*server) {}, `no user with the ID "ann"`},
		"inactive":      {"7", 0, func(s *server) { s.people.gone = true }, "who may sign in"},
		"store down":    {"7", 0, func(s *server) { s.people.err = errors.New("no answer") }, "loading the user: no answer"},
		"an API key's":  {"7", 0, func(s *server) { s.people.user.ID = "apikey:x" }, "kept for API keys"},
		"cannot sign":   {"7", 0, func(s *server) { s.signer.fails = errors.New("no key") }, "signing: no key"},
		"half a second": {"7", time.Second / 2, func(*server) {}, "whole seconds"},
		"for ever":      {"7", 4000 * 24 * time.Hour, func(*server) {}, "366 days"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer()
			endpoint := s.token(t, "auth_token")
			c.spoil(s)
			if _, err := minted(t, endpoint, s, c.id, c.lifetime); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

// startable is a user store that opens something.
type startable struct {
	*people
	started int
	err     error
}

func (s *startable) Start(context.Context) error {
	s.started++
	return s.err
}

func TestMintStartsTheUserStore(t *testing.T) {
	t.Parallel()
	s := newServer()
	endpoint := s.token(t, "auth_token")
	store := &startable{people: s.people}
	endpoint.users = store
	if _, err := minted(t, endpoint, s, "7", 0); err != nil || store.started != 1 {
		t.Errorf("started %d times, %v", store.started, err)
	}
	store.err = errors.New("no such file")
	if _, err := endpoint.Mint(caddy.Context{Context: t.Context()}, "7", 0); !errors.Is(err, store.err) {
		t.Errorf("%v", err)
	}
}
