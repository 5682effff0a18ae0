// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// patience is what anything may take on a busy machine.
const patience = 30 * time.Second

// eventually waits until the condition holds.
func eventually(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("it does not come about that %s", what)
		}
	}
}

// own returns a Redis for one test.
func own(tb testing.TB, options ...string) *testservers.Server {
	tb.Helper()
	return testservers.OwnRedis(tb, testservers.RedisOptions{Options: options})
}

// begin provisions and starts a node of its own, as another process would have.
func begin(tb testing.TB, r *Redis) *Redis {
	tb.Helper()
	r.pool = caddy.NewUsagePool()
	if err := r.Provision(caddy.Context{Context: tb.Context()}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Cleanup(); err != nil {
			tb.Error(err)
		}
	})
	if err := r.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return r
}

// connected is begin, and waits until the copy is filled.
func connected(tb testing.TB, r *Redis) *Redis {
	tb.Helper()
	begin(tb, r)
	eventually(tb, "the node is connected", r.Node().Fresh)
	return r
}

// node returns a node of the server.
func node(tb testing.TB, s *testservers.Server) *Redis {
	tb.Helper()
	return connected(tb, &Redis{Addresses: []string{s.Address()}})
}

func at(now func() time.Time) clock.Clock { return clock.Func(now) }

// token returns a token of user 1 of one issuer.
func token(id string) auth.TokenRef {
	return auth.TokenRef{
		ID:       id,
		User:     auth.UserRef{Issuer: "https://id.example", ID: "1"},
		IssuedAt: time.Now().Add(-time.Minute),
	}
}

func hour() time.Time { return time.Now().Add(time.Hour) }

func revoke(tb testing.TB, s auth.RevocationStore, token auth.TokenRef) {
	tb.Helper()
	if err := s.Revoke(tb.Context(), token, hour()); err != nil {
		tb.Fatal(err)
	}
}

// is returns whether a token is revoked, and fails where that is unknown.
func is(tb testing.TB, s auth.RevocationStore, token auth.TokenRef) bool {
	tb.Helper()
	revoked, err := s.Revoked(tb.Context(), token)
	if err != nil {
		tb.Fatal(err)
	}
	return revoked
}

// refused reports whether a token is refused for certain.
func refused(s auth.RevocationStore, token auth.TokenRef, tb testing.TB) bool {
	revoked, err := s.Revoked(tb.Context(), token)
	return revoked && err == nil
}

// down reports whether the node knows of an outage.
func down(r *Redis) bool {
	err := r.Node().Enter()
	if err == nil {
		r.Node().Leave()
	}
	return err != nil
}
