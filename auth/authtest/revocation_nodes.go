// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

func revocationConcurrent(tb testing.TB, c RevocationStoreCase) {
	rs := c.start(tb)
	id := strconv.Itoa
	const rounds = 12
	together(rounds, func(call int) {
		token := rs.token(id(call), "", id(call))
		var err error
		switch call % 3 {
		case 0:
			err = rs.store.Revoke(rs.Context(), token, rs.until)
		case 1:
			err = rs.store.RevokeUser(rs.Context(), token.User, rs.now, rs.until)
		case 2: // all at one user: the latest must win
			err = rs.store.RevokeUser(rs.Context(), rs.user("all"), rs.now.Add(time.Duration(call)*time.Second), rs.until)
		}
		if err != nil {
			rs.Errorf("revoking among others: %v", err)
		}
		if call%3 != 2 {
			rs.want(true, "what was revoked just now", token)
		}
		rs.want(false, "what nobody revoked", rs.token("never"+id(call), "", "never"+id(call)))
	})
	for call := range 8 * rounds {
		rs.want(call%3 != 2, "token "+id(call), rs.token(id(call), "", id(call)))
	}
	all := rs.token("late", "", "all")
	all.IssuedAt = rs.now.Add((8*rounds - 1) * time.Second)
	rs.want(true, "a token issued at the latest of many cut-offs", all)
}

func revocationCancelled(tb testing.TB, c RevocationStoreCase) {
	rs := c.start(tb)
	done := cancelled(context.Background())
	a := rs.token("a", "", "u")
	rs.revoke(a)
	var revoked bool
	var err error
	within(tb, "Revoked", func() { revoked, err = rs.store.Revoked(done, a) })
	if !revoked && err == nil {
		tb.Errorf("Revoked: a cancelled context made a revoked token valid")
	}
	b := rs.token("b", "", "w")
	within(tb, "Revoke", func() { err = rs.store.Revoke(done, b, rs.until) })
	if err == nil {
		rs.want(true, "what was revoked with a cancelled context, without an error", b)
	}
	b = rs.token("c", "", "w")
	within(tb, "RevokeUser", func() { err = rs.store.RevokeUser(done, b.User, rs.now, rs.until) })
	if err == nil {
		rs.want(true, "the user revoked with a cancelled context, without an error", b)
	}
}

func revocationReopened(tb testing.TB, c RevocationStoreCase) {
	if c.Reopen == nil {
		return
	}
	rs := c.start(tb)
	a, b, v := rs.token("a", "s", "u"), rs.token("b", "s", "u"), rs.token("c", "", "v")
	rs.revoke(a)
	rs.revokeUser(rs.user("v"), rs.now)
	rs.store = c.Reopen(tb, rs.store)
	// a store that does not know yet must say so: never valid
	for what, token := range map[string]auth.TokenRef{"the token": a, "the session": b, "the user": v} {
		if got, err := rs.store.Revoked(rs.Context(), token); !got && err == nil {
			tb.Errorf("%s: valid after a restart", what)
		}
		rs.eventually(true, what, token)
	}
	rs.eventually(false, "what nobody revoked", rs.token("d", "t", "w"))
}

func revocationPeer(tb testing.TB, c RevocationStoreCase) {
	if c.Peer == nil {
		return
	}
	rs := c.start(tb)
	peer := *rs
	peer.store = c.Peer(tb, rs.store)
	peer.eventually(false, "what nobody revoked", rs.token("a", "s", "u"))
	rs.revoke(rs.token("a", "s", "u"))
	rs.revokeUser(rs.user("v"), rs.now)
	peer.eventually(true, "the token", rs.token("a", "", "u"))
	peer.eventually(true, "the session", rs.token("b", "s", "u"))
	peer.eventually(true, "the user", rs.token("c", "", "v"))
	peer.revoke(rs.token("d", "", "w"))
	rs.eventually(true, "what the other node revoked", rs.token("d", "", "w"))
}

func revocationDown(tb testing.TB, c RevocationStoreCase) {
	if c.Down == nil {
		return
	}
	rs := driving(tb, c.Down(tb))
	token := rs.token("a", "s", "u")
	var revoked bool
	var err error
	within(tb, "Revoked", func() { revoked, err = rs.store.Revoked(rs.Context(), token) })
	if err == nil {
		tb.Errorf("Revoked: an outage is answered with %t", revoked)
	}
	for _, decided := range []error{auth.ErrNoCredentials, auth.ErrInvalidCredentials, auth.ErrUnauthenticated, auth.ErrForbidden} {
		if errors.Is(err, decided) {
			tb.Errorf("Revoked: what could not be decided is %v", decided)
		}
	}
	within(tb, "Revoke", func() { err = rs.store.Revoke(rs.Context(), token, rs.until) })
	if err == nil {
		tb.Errorf("Revoke: a log-out that was not written is no error")
	}
	within(tb, "RevokeUser", func() { err = rs.store.RevokeUser(rs.Context(), token.User, rs.now, rs.until) })
	if err == nil {
		tb.Errorf("RevokeUser: a log-out that was not written is no error")
	}
}
