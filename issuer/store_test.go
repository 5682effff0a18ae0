// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
	"github.com/caddybolt/caddy-bolt/internal/attempts"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/revocation"
)

// What the tests say of sessions is true of a store that people use.
func TestSessionsOfARealStore(t *testing.T) {
	t.Parallel()
	ctx, _ := authtest.NewContext(t, nil)
	store := new(revocation.Memory)
	if err := store.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Cleanup() })
	s := newServer()
	services := s.services().(*services)
	services.RevocationStore = store
	h := &Token{Refresh: &Refresh{Lifetime: caddy.Duration(time.Hour)}}
	ctx, _ = authtest.NewContext(t, services)
	t.Cleanup(func() { _ = h.Cleanup() })
	if err := h.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.Validate(); err != nil {
		t.Fatal(err)
	}
	e := &endpoint{server: s, Token: h, tb: t, now: time.Now()}
	h.attempts, h.clock = attempts.New(), clock.Func(func() time.Time { return e.now })

	first := e.logsIn()
	answers := make([]granted, 20)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = e.refreshes(first.RefreshToken) })
	}
	wg.Wait()
	for _, a := range answers {
		if a.RefreshToken != answers[0].RefreshToken || a.AccessToken != answers[0].AccessToken {
			t.Errorf("%+v and %+v", a, answers[0])
		}
	}
	token, _ := parseRefreshToken(first.RefreshToken)
	access := auth.TokenRef{ID: "any", SessionID: token.sessionID(), User: auth.UserRef{Issuer: issuer, ID: "7"}, IssuedAt: e.now}
	if revoked, err := store.Revoked(t.Context(), access); revoked || err != nil {
		t.Fatalf("control: %t, %v", revoked, err)
	}
	e.now = e.now.Add(refreshGrace)
	e.refused(first.RefreshToken)
	e.refused(answers[0].RefreshToken)
	if revoked, err := store.Revoked(t.Context(), access); !revoked || err != nil {
		t.Errorf("the access tokens: %t, %v", revoked, err)
	}
	_, err := store.Session(t.Context(), token.sessionID())
	if err == nil {
		t.Error("the session is still there")
	}

	// All tokens of the user, for all sessions.
	g := e.logsIn()
	if err := store.RevokeUser(t.Context(), access.User, e.now, time.Time{}); err != nil {
		t.Fatal(err)
	}
	e.refused(g.RefreshToken)
}
