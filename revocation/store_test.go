// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

func TestRevokedTokenIsRefusedAndNoOther(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s store, _ *hand) {
		if isRevoked(t, s, token("a")) {
			t.Error("a new store knows a token")
		}
		revoke(t, s, token("a"), noon.Add(time.Hour))
		if !isRevoked(t, s, token("a")) {
			t.Error("the token is not revoked")
		}
		for _, other := range []string{"", "b", "A", "a ", "aa"} {
			if isRevoked(t, s, token(other)) {
				t.Errorf("token %q is revoked, too", other)
			}
		}
	})
}

func TestEntryEndsWhenItsTimeHasCome(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s store, h *hand) {
		revoke(t, s, token("a"), noon.Add(time.Hour))
		h.move(time.Hour - 1)
		if !isRevoked(t, s, token("a")) {
			t.Error("forgotten too early")
		}
		h.move(1)
		if isRevoked(t, s, token("a")) {
			t.Error("not forgotten")
		}
	})
}

func TestEntryWithoutAnEndIsKeptForFourHundredDays(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s store, h *hand) {
		revoke(t, s, token("a"), time.Time{})
		revokeUser(t, s, auth.UserRef{Issuer: "x", ID: "9"}, noon, time.Time{})
		of9 := auth.TokenRef{ID: "z", User: auth.UserRef{Issuer: "x", ID: "9"}, IssuedAt: noon}
		h.move(400*24*time.Hour - 1)
		if !isRevoked(t, s, token("a")) || !isRevoked(t, s, of9) {
			t.Error("forgotten too early")
		}
		h.move(1)
		if isRevoked(t, s, token("a")) || isRevoked(t, s, of9) {
			t.Error("not forgotten")
		}
	})
}

// A second log-out with a token whose end is nearer must not shorten the first.
func TestShorterEndDoesNotReplaceALongerOne(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s store, h *hand) {
		revoke(t, s, token("a"), noon.Add(2*time.Hour))
		revoke(t, s, token("a"), noon.Add(time.Hour))
		h.move(90 * time.Minute)
		if !isRevoked(t, s, token("a")) {
			t.Error("the shorter end counts")
		}
	})
}

// Attack: a session brings forth token A, and by a refresh just before A expires
// token B. Who logs out with A must end B, for as long as B lives.
func TestLogOutEndsAllTokensOfTheSessionEvenIfTheyLiveLonger(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s store, h *hand) {
		h.now.Store(time.Now().UnixNano())
		a, b, other := token("a"), token("b"), token("c")
		a.SessionID, b.SessionID, other.SessionID = "s1", "s1", "s2"
		a.ExpiresAt = time.Now().Add(time.Minute)
		if err := auth.RevokeIn(t.Context(), s, a, 0); err != nil {
			t.Fatal(err)
		}
		h.move(time.Hour)
		if !isRevoked(t, s, b) {
			t.Error("another token of the session is valid again")
		}
		if isRevoked(t, s, other) {
			t.Error("another session ended, too")
		}
		if isRevoked(t, s, token("s1")) {
			t.Error("a session's ID ended a token of that name")
		}
	})
}

func TestSessionAloneIsRevoked(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s store, _ *hand) {
		revoke(t, s, auth.TokenRef{SessionID: "s1"}, noon.Add(time.Hour))
		a := token("a")
		a.SessionID = "s1"
		if !isRevoked(t, s, a) || isRevoked(t, s, token("a")) {
			t.Error("not exactly the session")
		}
	})
}

// Attack: a client of one issuer who can choose its "jti" logs out with that of
// somebody else's token.
func TestEntryNamesAnIssuerAndABareOneCountsForAll(t *testing.T) {
	t.Parallel()
	of := func(issuer, id string) auth.TokenRef {
		return auth.TokenRef{ID: id, User: auth.UserRef{Issuer: issuer, ID: "1"}}
	}
	eachStore(t, func(t *testing.T, s store, h *hand) {
		revoke(t, s, of("x", "a"), noon.Add(time.Hour))
		if !isRevoked(t, s, of("x", "a")) || isRevoked(t, s, of("y", "a")) {
			t.Error("not exactly the issuer's token")
		}
		if !isRevoked(t, s, of("", "a")) {
			t.Error("a token without an issuer passes: its entry may be this one")
		}
		revoke(t, s, of("y", "a"), noon.Add(2*time.Hour))
		if !isRevoked(t, s, of("x", "a")) || !isRevoked(t, s, of("y", "a")) || isRevoked(t, s, of("z", "a")) {
			t.Error("not exactly the two issuers' tokens")
		}
		h.move(90 * time.Minute)
		if isRevoked(t, s, of("x", "a")) || !isRevoked(t, s, of("y", "a")) {
			t.Error("the entries of two issuers do not end each at its time")
		}
		revoke(t, s, of("", "a"), noon.Add(3*time.Hour))
		if !isRevoked(t, s, of("x", "a")) || !isRevoked(t, s, of("z", "a")) {
			t.Error("a bare entry does not count for all")
		}
	})
}

func TestUserCutOffEndsTokensIssuedUntilThen(t *testing.T) {
	t.Parallel()
	user := auth.UserRef{Issuer: "x", ID: "1"}
	at := func(issued time.Time) auth.TokenRef { return auth.TokenRef{ID: "any", User: user, IssuedAt: issued} }
	eachStore(t, func(t *testing.T, s store, h *hand) {
		revokeUser(t, s, user, noon, time.Time{})
		if !isRevoked(t, s, at(noon)) || !isRevoked(t, s, at(noon.Add(-time.Hour))) {
			t.Error("a token from before is valid")
		}
		if !isRevoked(t, s, at(time.Time{})) {
			t.Error("a token that does not say when it was issued is valid")
		}
		if isRevoked(t, s, at(noon.Add(1))) {
			t.Error("a token from after is revoked")
		}
		for _, other := range []auth.UserRef{{Issuer: "y", ID: "1"}, {ID: "1"}, {Issuer: "x", ID: "2"}, {Issuer: "x"}} {
			if isRevoked(t, s, auth.TokenRef{ID: "any", User: other}) {
				t.Errorf("%+v is revoked, too", other)
			}
		}
		revokeUser(t, s, user, noon.Add(-time.Hour), noon.Add(time.Minute))
		if !isRevoked(t, s, at(noon)) {
			t.Error("an earlier cut-off replaced a later one")
		}
		h.move(time.Hour)
		if !isRevoked(t, s, at(noon)) {
			t.Error("an earlier cut-off shortened a later one")
		}
		revokeUser(t, s, user, noon.Add(time.Hour), time.Time{})
		if !isRevoked(t, s, at(noon.Add(time.Hour))) {
			t.Error("a later cut-off does not count")
		}
	})
}

func TestWhatCannotBeRevokedIsAnErrorAndChangesNothing(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", revoked.MaxName+1)
	eachStore(t, func(t *testing.T, s store, _ *hand) {
		for what, err := range map[string]error{
			"no ID":          s.Revoke(t.Context(), auth.TokenRef{User: auth.UserRef{ID: "1"}}, time.Time{}),
			"no user":        s.RevokeUser(t.Context(), auth.UserRef{Issuer: "x"}, noon, time.Time{}),
			"past":           s.Revoke(t.Context(), token("a"), noon),
			"past, user":     s.RevokeUser(t.Context(), auth.UserRef{ID: "1"}, noon, noon.Add(-1)),
			"long ID":        s.Revoke(t.Context(), token(long), time.Time{}),
			"long session":   s.Revoke(t.Context(), auth.TokenRef{ID: "a", SessionID: long}, time.Time{}),
			"long user":      s.RevokeUser(t.Context(), auth.UserRef{ID: long}, noon, time.Time{}),
			"forget nothing": s.Unrevoke(t.Context(), auth.TokenRef{}),
		} {
			if err == nil {
				t.Errorf("%s: no error", what)
			} else if strings.Contains(err.Error(), long) {
				t.Errorf("%s: the error shows the ID", what)
			}
		}
		list, err := s.List(t.Context())
		if err != nil || len(list) != 0 {
			t.Errorf("there are %d entries, error %v", len(list), err)
		}
	})
}

func TestTimesBeyondNanosecondsDoNotWrapAround(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s store, _ *hand) {
		revoke(t, s, token("a"), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
		revokeUser(t, s, auth.UserRef{ID: "u"}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{})
		if !isRevoked(t, s, token("a")) || !isRevoked(t, s, auth.TokenRef{User: auth.UserRef{ID: "u"}, IssuedAt: noon}) {
			t.Error("an end in the year 9999 is one in the past")
		}
		ancient := auth.TokenRef{User: auth.UserRef{ID: "u"}, IssuedAt: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)}
		if !isRevoked(t, s, ancient) {
			t.Error("a token from the year 1 is one from the future")
		}
	})
}

func TestListAndUnrevoke(t *testing.T) {
	t.Parallel()
	user := auth.UserRef{Issuer: "x", ID: "1"}
	eachStore(t, func(t *testing.T, s store, h *hand) {
		inX := auth.TokenRef{ID: "a", SessionID: "s", User: user}
		revoke(t, s, inX, noon.Add(time.Hour))
		revoke(t, s, auth.TokenRef{ID: "b"}, noon.Add(time.Minute))
		revokeUser(t, s, user, noon, noon.Add(2*time.Hour))
		h.move(time.Minute)
		want := []auth.Revocation{
			{ID: "a", User: auth.UserRef{Issuer: "x"}, Until: noon.Add(time.Hour)},
			{SessionID: "s", User: auth.UserRef{Issuer: "x"}, Until: noon.Add(time.Hour)},
			{User: user, IssuedBefore: noon, Until: noon.Add(2 * time.Hour)},
		}
		expect := func(want []auth.Revocation) {
			t.Helper()
			got, err := s.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want) {
				t.Fatalf("there are %d entries, want %d: %+v", len(got), len(want), got)
			}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("entry %d is %+v, want %+v", i, got[i], want[i])
				}
			}
		}
		expect(want)
		unrevoke := func(token auth.TokenRef) {
			t.Helper()
			if err := s.Unrevoke(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
		unrevoke(auth.TokenRef{ID: "a", User: auth.UserRef{Issuer: "y"}}) // another issuer's
		unrevoke(auth.TokenRef{ID: "never there"})
		expect(want)
		unrevoke(inX)
		expect(want[2:])
		if !isRevoked(t, s, auth.TokenRef{ID: "a", User: user, IssuedAt: noon}) {
			t.Error("the token is valid though its user is revoked")
		}
		unrevoke(auth.TokenRef{User: user})
		expect(nil)
		if isRevoked(t, s, auth.TokenRef{ID: "a", SessionID: "s", User: user, IssuedAt: noon}) {
			t.Error("what was forgotten is revoked")
		}
	})
}

func TestCancelledContextWritesNothing(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s store, _ *hand) {
		revoke(t, s, token("kept"), time.Time{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for what, err := range map[string]error{
			"Revoke":     s.Revoke(ctx, token("a"), time.Time{}),
			"RevokeUser": s.RevokeUser(ctx, auth.UserRef{ID: "1"}, noon, time.Time{}),
			"Unrevoke":   s.Unrevoke(ctx, token("kept")),
			"List":       func() error { _, err := s.List(ctx); return err }(),
		} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if isRevoked(t, s, token("a")) || !isRevoked(t, s, token("kept")) {
			t.Error("something changed")
		}
	})
}

func TestManyCallersAtOnce(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s store, h *hand) {
		var wg sync.WaitGroup
		for caller := range 8 {
			wg.Go(func() {
				for i := range 50 {
					id := jti(caller*1000 + i)
					if err := s.Revoke(t.Context(), token(id), noon.Add(time.Hour)); err != nil {
						t.Error(err)
					}
					if is, err := s.Revoked(t.Context(), token(id)); !is || err != nil {
						t.Errorf("confirmed and not revoked: %v", err)
					}
					if i%10 == 0 {
						_, _ = s.List(t.Context())
						h.move(time.Nanosecond)
					}
				}
			})
		}
		wg.Wait()
		list, err := s.List(t.Context())
		if err != nil || len(list) != 400 {
			t.Errorf("%d entries, error %v", len(list), err)
		}
	})
}

func TestLookUpAllocatesNothing(t *testing.T) {
	eachOf := map[string]auth.RevocationStore{
		"memory": newMemory(t, newHand().clock()),
		"bolt":   newBolt(t, boltPath(t), newHand().clock()),
	}
	for name, s := range eachOf {
		full := token("a")
		full.SessionID = "s"
		revoke(t, s, full, time.Time{})
		revokeUser(t, s, auth.UserRef{Issuer: "x", ID: "2"}, noon, time.Time{})
		unknown := token("b")
		unknown.SessionID = "t"
		for what, ref := range map[string]auth.TokenRef{"revoked": full, "valid": unknown} {
			n := testing.AllocsPerRun(100, func() { _, _ = s.Revoked(context.Background(), ref) })
			if n != 0 {
				t.Errorf("%s, %s: %v allocations", name, what, n)
			}
		}
	}
}

// What the admin API shows of millions comes in pages, in the order of the list.
func TestStoresShowPages(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s store, h *hand) {
		t.Helper()
		for i := range 25 {
			revoke(t, s, token(jti(i)), noon.Add(time.Hour))
		}
		revokeUser(t, s, auth.UserRef{Issuer: "x", ID: "1"}, noon, noon.Add(2*time.Hour))
		pager := s.(auth.RevocationPager)
		want, err := s.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		first, count, err := pager.Page(t.Context(), auth.Revocation{}, 10)
		if err != nil || count != 26 || !slices.Equal(first, want[:10]) {
			t.Errorf("%d of %d, error %v", len(first), count, err)
		}
		if rest, _, err := pager.Page(t.Context(), want[10], 100); err != nil || !slices.Equal(rest, want[10:]) {
			t.Errorf("%d, error %v", len(rest), err)
		}
		h.move(time.Hour)
		if left, count, err := pager.Page(t.Context(), auth.Revocation{}, 100); err != nil || count != 1 || len(left) != 1 || left[0].User.ID != "1" {
			t.Errorf("after most ended: %v of %d, error %v", left, count, err)
		}
	})
}
