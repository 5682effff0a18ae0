// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"testing"
	"time"
)

func revocationExpiry(tb testing.TB, c RevocationStoreCase) {
	if c.KeepsForever {
		return
	}
	rs, cl := c.startAt(tb)
	if rs == nil {
		rs = c.start(tb)
		rs.until = time.Now().Add(lifetime)
	}
	a, b := rs.token("a", "s", "u"), rs.token("b", "s", "u")
	byUser := rs.token("c", "", "v")
	rs.revoke(a)
	rs.revokeUser(rs.user("v"), rs.now)
	if cl == nil {
		rs.want(true, "the token before the entry expires", a)
		rs.eventually(false, "the token after the entry expired", a)
		rs.eventually(false, "the session after the entry expired", b)
		rs.eventually(false, "the user after the entry expired", byUser)
		return
	}
	cl.set(rs.until.Add(-time.Second))
	rs.want(true, "the token before the entry expires", a)
	rs.want(true, "the session before the entry expires", b)
	rs.want(true, "the user before the entry expires", byUser)
	cl.set(rs.until.Add(time.Second))
	rs.want(false, "the token after the entry expired", a)
	rs.want(false, "the session after the entry expired", b)
	rs.want(false, "the user after the entry expired", byUser)
	rs.until = rs.until.Add(time.Hour)
	rs.revoke(a)
	rs.want(true, "the token, revoked again after the entry expired", a)
}

// revocationShortened: a second log-out that knows less must not undo the
// first.
func revocationShortened(tb testing.TB, c RevocationStoreCase) {
	rs, cl := c.startAt(tb)
	if rs == nil || c.KeepsForever {
		return
	}
	long, short := rs.until, rs.now.Add(time.Minute)
	a := rs.token("a", "s", "u")
	v := rs.token("b", "", "v")
	rs.revoke(a)
	rs.revokeUser(rs.user("v"), rs.now)
	rs.until = short
	rs.revoke(a)
	rs.revokeUser(rs.user("v"), rs.now.Add(time.Second))
	cl.set(long.Add(-time.Second))
	rs.want(true, "the token", a)
	rs.want(true, "the session", rs.token("c", "s", "u"))
	rs.want(true, "the user", v)
}

func revocationDefault(tb testing.TB, c RevocationStoreCase) {
	rs, cl := c.startAt(tb)
	if rs == nil {
		rs = c.start(tb)
	}
	rs.until = time.Time{}
	a, v := rs.token("a", "", "u"), rs.token("b", "", "v")
	a.ExpiresAt = time.Time{}
	rs.revoke(a)
	rs.revokeUser(rs.user("v"), rs.now)
	if cl != nil {
		cl.set(rs.now.AddDate(0, 1, 0))
	}
	rs.want(true, "the token", a)
	rs.want(true, "the user", v)
}
