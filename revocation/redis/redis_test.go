// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"errors"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

func TestRedisKeepsTheContract(t *testing.T) {
	server, stopped := own(t), own(t)
	stopped.Stop()
	authtest.TestRevocationStore(t, authtest.RevocationStoreCase{
		New: func(tb testing.TB) auth.RevocationStore { return node(tb, server) },
		NewAt: func(tb testing.TB, now func() time.Time) auth.RevocationStore {
			return connected(tb, &Redis{Addresses: []string{server.Address()}, clock: at(now)})
		},
		Reopen: func(tb testing.TB, old auth.RevocationStore) auth.RevocationStore {
			if err := old.(*Redis).Cleanup(); err != nil {
				tb.Fatal(err)
			}
			return begin(tb, &Redis{Addresses: []string{server.Address()}})
		},
		Peer: func(tb testing.TB, _ auth.RevocationStore) auth.RevocationStore { return node(tb, server) },
		Down: func(tb testing.TB) auth.RevocationStore {
			return begin(tb, &Redis{Addresses: []string{stopped.Address()}})
		},
	})
}

func TestRedisKeepsTheContractOfSessions(t *testing.T) {
	server, stopped := own(t), own(t)
	stopped.Stop()
	authtest.TestRefreshStore(t, authtest.RefreshStoreCase{
		New: func(tb testing.TB) auth.RefreshStore { return node(tb, server) },
		NewAt: func(tb testing.TB, now func() time.Time) auth.RefreshStore {
			return connected(tb, &Redis{Addresses: []string{server.Address()}, clock: at(now)})
		},
		Reopen: func(tb testing.TB, old auth.RefreshStore) auth.RefreshStore {
			if err := old.(*Redis).Cleanup(); err != nil {
				tb.Fatal(err)
			}
			return begin(tb, &Redis{Addresses: []string{server.Address()}})
		},
		Peer: func(tb testing.TB, _ auth.RefreshStore) auth.RefreshStore { return node(tb, server) },
		Down: func(tb testing.TB) auth.RefreshStore {
			return begin(tb, &Redis{Addresses: []string{stopped.Address()}})
		},
	})
}

// sessionRoundTrip uses every method of auth.RefreshStore.
func sessionRoundTrip(tb testing.TB, r auth.RefreshStore) {
	tb.Helper()
	s := auth.Session{ID: "s1", User: auth.UserRef{ID: "1"}, Current: [32]byte{1}, Until: hour()}
	if err := r.CreateSession(tb.Context(), s); err != nil {
		tb.Error(err)
	}
	next := s
	next.Current = [32]byte{2}
	if ok, err := r.Rotate(tb.Context(), s.Current, next); !ok || err != nil {
		tb.Errorf("Rotate: %t, %v", ok, err)
	}
	if got, err := r.Session(tb.Context(), "s1"); err != nil || got.Current != next.Current {
		tb.Errorf("Session: %v", err)
	}
	if err := r.EndSession(tb.Context(), "s1"); err != nil {
		tb.Error(err)
	}
	if _, err := r.Session(tb.Context(), "s1"); !errors.Is(err, auth.ErrSessionNotFound) {
		tb.Errorf("Session after its end: %v", err)
	}
}
