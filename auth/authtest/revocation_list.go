// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// revocationListed is for stores that are auth.RevocationLister: what they show
// is what they refuse, and what they forget is neither.
func revocationListed(tb testing.TB, c RevocationStoreCase) {
	rs := c.start(tb)
	lister, ok := rs.store.(auth.RevocationLister)
	if !ok {
		return
	}
	a, b, v := rs.token("a", "", "u"), rs.token("b", "s", "u"), rs.token("c", "", "v")
	rs.revoke(a)
	rs.revoke(b)
	rs.revokeUser(v.User, rs.now)
	issuer := a.User.Issuer
	want := []auth.Revocation{
		{ID: a.ID, User: auth.UserRef{Issuer: issuer}},
		{ID: b.ID, User: auth.UserRef{Issuer: issuer}},
		{SessionID: b.SessionID, User: auth.UserRef{Issuer: issuer}},
		{User: v.User, IssuedBefore: rs.now},
	}
	rs.wantListed("what is revoked", lister, want)
	if pager, ok := lister.(auth.RevocationPager); ok {
		rs.wantPages(pager, want)
	}
	for _, token := range []auth.TokenRef{a, {SessionID: b.SessionID, User: b.User}, {User: v.User}} {
		if err := lister.Unrevoke(rs.Context(), token); err != nil {
			tb.Fatalf("Unrevoke: %v", err)
		}
	}
	if err := lister.Unrevoke(rs.Context(), rs.token("never", "", "w")); err != nil {
		tb.Errorf("Unrevoke of what is not there: %v", err)
	}
	rs.want(false, "the token that was forgotten", a)
	rs.want(false, "the user that was forgotten", v)
	rs.want(false, "a token of the session that was forgotten", rs.token("d", "s", "u"))
	rs.want(true, "the token that was not forgotten", b)
	rs.wantListed("what is left", lister, want[1:2])
}

// wantListed fails the test unless the store lists these of its name.
func (rs *revocations) wantListed(what string, lister auth.RevocationLister, want []auth.Revocation) {
	rs.Helper()
	list, err := lister.List(rs.Context())
	if err != nil {
		rs.Fatalf("List: %v", err)
	}
	got := rs.mine(list)
	for _, w := range want {
		if !slices.ContainsFunc(got, func(r auth.Revocation) bool { return rs.same(r, w) }) {
			rs.Errorf("%s: the list lacks %+v", what, w)
		}
	}
	if len(got) != len(want) {
		rs.Errorf("%s: the list has %d entries, want %d", what, len(got), len(want))
	}
}

// wantPages fails the test unless small pages show the same, in order.
func (rs *revocations) wantPages(pager auth.RevocationPager, want []auth.Revocation) {
	rs.Helper()
	var got []auth.Revocation
	// Others may use the same server: the pages begin at the first of these.
	from := auth.Revocation{ID: rs.name}
	for range 10_000 {
		list, count, err := pager.Page(rs.Context(), from, 2)
		switch {
		case err != nil:
			rs.Fatalf("Page: %v", err)
		case len(list) > 2 || count < len(want):
			rs.Fatalf("Page of 2: %d entries, %d in all", len(list), count)
		}
		if len(list) < 2 {
			got = append(got, rs.mine(list)...)
			break
		}
		got, from = append(got, rs.mine(list[:1])...), list[1]
	}
	if !slices.EqualFunc(got, want, rs.same) {
		rs.Errorf("the pages show %+v, want %+v", got, want)
	}
	if list, count, err := pager.Page(rs.Context(), auth.Revocation{}, 0); len(list) != 0 || count < len(want) || err != nil {
		rs.Errorf("Page that only counts: %d entries, %d in all, error %v", len(list), count, err)
	}
}

// mine are those whose names the check made up.
func (rs *revocations) mine(list []auth.Revocation) []auth.Revocation {
	return slices.DeleteFunc(slices.Clone(list), func(r auth.Revocation) bool {
		return !strings.HasPrefix(r.ID+r.SessionID+r.User.ID, rs.name)
	})
}

// same compares an entry with what it should be. It ends when it was told to, or
// never if entries do not.
func (rs *revocations) same(got, want auth.Revocation) bool {
	until := got.Until
	got.Until = time.Time{}
	got.IssuedBefore, want.IssuedBefore = got.IssuedBefore.UTC(), want.IssuedBefore.UTC()
	return got == want && (until.IsZero() || until.Equal(rs.until))
}
