// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"strconv"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// RevocationStoreCase is a revocation store.
type RevocationStoreCase struct {
	// New returns a provisioned, started store. Several may share one server:
	// the suite uses names that are new each time.
	New func(testing.TB) auth.RevocationStore

	// NewAt returns a store that reads the time from now. Without it, expiry is
	// checked in real time, which takes seconds.
	NewAt func(tb testing.TB, now func() time.Time) auth.RevocationStore

	// Reopen ends the store and returns one that reads what it wrote, as after
	// a restart. Optional: only the memory store has none.
	Reopen func(testing.TB, auth.RevocationStore) auth.RevocationStore

	// Peer returns a second node of the store, which learns what is revoked on
	// the first within a few seconds. Optional.
	Peer func(testing.TB, auth.RevocationStore) auth.RevocationStore

	// Down returns the store while what it depends on does not answer, after
	// it stopped trusting what it remembers. Optional.
	Down func(testing.TB) auth.RevocationStore

	// KeepsForever says that entries do not expire.
	KeepsForever bool
}

// TestRevocationStore checks a store against the contract of
// auth.RevocationStore.
func TestRevocationStore(t *testing.T, c RevocationStoreCase) {
	t.Helper()
	runChecks(t, c, revocationChecks)
}

var revocationChecks = []check[RevocationStoreCase]{
	{"the case is complete", revocationCaseComplete},
	{"nothing is revoked at first", revocationFresh},
	{"by ID", revocationByID},
	{"by session", revocationBySession},
	{"by user until a cut-off", revocationByUser},
	{"a later cut-off wins", revocationCutOffs},
	{"issuers are apart", revocationIssuers},
	{"IDs, sessions and users are apart", revocationNames},
	{"names with separators are apart", revocationSeparators},
	{"an empty reference revokes nothing else", revocationEmpty},
	{"entries expire", revocationExpiry},
	{"an entry is never shortened", revocationShortened},
	{"an entry without a time stays", revocationDefault},
	{"many requests at once", revocationConcurrent},
	{"a cancelled context", revocationCancelled},
	{"it lists and forgets", revocationListed},
	{"after a restart", revocationReopened},
	{"on another node", revocationPeer},
	{"what could not be decided is not valid", revocationDown},
}

func revocationCaseComplete(tb testing.TB, c RevocationStoreCase) {
	if c.New == nil {
		tb.Fatalf("New is required")
	}
	if c.New(tb) == nil {
		tb.Fatalf("New returned nil")
	}
}

func revocationFresh(tb testing.TB, c RevocationStoreCase) {
	rs := c.start(tb)
	rs.want(false, "a token", rs.token("a", "", "u"))
	rs.want(false, "a token with a session", rs.token("a", "s", "u"))
	old := rs.token("a", "s", "u")
	old.IssuedAt = time.Time{}
	rs.want(false, "a token without a time", old)
}

func revocationByID(tb testing.TB, c RevocationStoreCase) {
	rs := c.start(tb)
	a := rs.token("a", "", "u")
	rs.revoke(a)
	rs.want(true, "the token", a)
	rs.want(false, "another token of the user", rs.token("b", "", "u"))
	rs.want(false, "a token whose ID begins alike", rs.token("ab", "", "u"))
	rs.want(false, "a token in another case", rs.token("A", "", "u"))
	rs.revoke(a)
	rs.want(true, "the token, revoked twice", a)
	again := a
	again.IssuedAt, again.SessionID = rs.now.Add(time.Hour), rs.name+"-late"
	rs.want(true, "the ID in a token of another time and session", again)
}

func revocationBySession(tb testing.TB, c RevocationStoreCase) {
	rs := c.start(tb)
	rs.revoke(rs.token("a", "s", "u"))
	rs.want(true, "the token", rs.token("a", "s", "u"))
	rs.want(true, "another token of the session", rs.token("b", "s", "u"))
	later := rs.token("c", "s", "u")
	later.IssuedAt = rs.now.Add(time.Hour)
	rs.want(true, "a later token of the session", later)
	rs.want(false, "another session of the user", rs.token("d", "t", "u"))
	rs.want(false, "a token without a session", rs.token("e", "", "u"))

	alone := auth.TokenRef{SessionID: rs.name + "-alone", User: rs.user("u")}
	rs.revoke(alone)
	rs.want(true, "a token of a session that was revoked by itself", rs.token("f", "alone", "u"))
	rs.want(false, "a token without a session", rs.token("g", "", "u"))
}

func revocationByUser(tb testing.TB, c RevocationStoreCase) {
	rs := c.start(tb)
	rs.revokeUser(rs.user("u"), rs.now)
	at := func(t time.Time) auth.TokenRef {
		token := rs.token("a", "s", "u")
		token.IssuedAt = t
		return token
	}
	rs.want(true, "issued a second before", at(rs.now.Add(-time.Second)))
	rs.want(true, "issued years before", at(rs.now.AddDate(-10, 0, 0)))
	rs.want(true, "issued at the cut-off", at(rs.now))
	rs.want(true, "issued at the cut-off, in another zone", at(rs.now.In(time.FixedZone("", 3600))))
	rs.want(true, "without a time", at(time.Time{}))
	rs.want(true, "issued at the epoch", at(time.Unix(0, 0)))
	rs.want(false, "issued a second later", at(rs.now.Add(time.Second)))
	rs.want(false, "another user", rs.token("a", "s", "v"))
	rs.want(false, "a user whose ID begins alike", rs.token("a", "s", "uu"))

	// a cut-off between two seconds: tokens may carry fractions too
	half := rs.now.Add(500 * time.Millisecond)
	rs.revokeUser(rs.user("half"), half)
	token := rs.token("a", "", "half")
	token.IssuedAt = half.Add(-time.Millisecond)
	rs.want(true, "issued a millisecond before a cut-off between two seconds", token)
	token.IssuedAt = rs.now.Add(time.Second)
	rs.want(false, "issued at the second after a cut-off between two seconds", token)
}

func revocationCutOffs(tb testing.TB, c RevocationStoreCase) {
	rs := c.start(tb)
	token := rs.token("a", "", "u")
	later := token
	later.IssuedAt = rs.now.Add(time.Minute)
	rs.revokeUser(rs.user("u"), rs.now)
	rs.want(false, "issued after the first cut-off", later)
	rs.revokeUser(rs.user("u"), rs.now.Add(time.Minute))
	rs.want(true, "issued before the later cut-off", later)
	rs.revokeUser(rs.user("u"), rs.now.Add(-time.Hour))
	rs.want(true, "issued before the later cut-off, after an earlier one came last", later)
	rs.want(true, "issued before the first cut-off", token)
}

// revocationIssuers: another provider's token or user of the same name is
// another one.
func revocationIssuers(tb testing.TB, c RevocationStoreCase) {
	rs := c.start(tb)
	mine := rs.token("a", "s", "u")
	other := mine
	other.User.Issuer = "https://other." + rs.name + ".example"
	third := mine
	third.User.Issuer = ""
	rs.revoke(mine)
	rs.want(true, "the token", mine)
	rs.want(false, "the same ID and session of another issuer", other)
	rs.revoke(other)
	rs.want(true, "the other token once it is revoked", other)
	rs.want(true, "the first token after the other was revoked", mine)

	rs.revokeUser(mine.User, rs.now)
	for what, user := range map[string]auth.UserRef{"another issuer": other.User, "no issuer": third.User} {
		token := rs.token("b", "", "u")
		token.User = user
		rs.want(false, "the same user ID of "+what, token)
	}

	bare := rs.token("bare", "", "u")
	bare.User = auth.UserRef{}
	rs.revoke(bare)
	rs.want(true, "the ID revoked without an issuer", bare)
}

// revocationNames: what one client may choose must not reach another kind.
func revocationNames(tb testing.TB, c RevocationStoreCase) {
	rs := c.start(tb)
	x := rs.token("x", "", "u")
	rs.revoke(x)
	rs.want(false, "a session of the name of a revoked ID", rs.token("y", "x", "u"))
	rs.want(false, "a user of the name of a revoked ID", rs.token("y", "", "x"))

	rs = driving(tb, rs.store)
	rs.revoke(rs.token("y", "x", "u"))
	rs.want(false, "an ID of the name of a revoked session", rs.token("x", "", "u"))
	rs.want(false, "a user of the name of a revoked session", rs.token("z", "", "x"))

	rs = driving(tb, rs.store)
	rs.revokeUser(rs.user("x"), rs.now)
	rs.want(false, "an ID of the name of a revoked user", rs.token("x", "", "u"))
	rs.want(false, "a session of the name of a revoked user", rs.token("y", "x", "u"))
}

// revocationSeparators joins names in the ways in which stores build keys: a
// client that may choose its ID must not end another's token, nor hide its own.
func revocationSeparators(tb testing.TB, c RevocationStoreCase) {
	for _, sep := range []string{":", "|", "/", " ", "\n", "*", "?", "%", "_", "\\", "'", `"`, "é", "\x00", "::", "user:", "sid:", "s:", "u:", "j:"} {
		rs := c.start(tb)
		left := rs.token("a", "", "u")
		left.User = auth.UserRef{Issuer: rs.name, ID: "b" + sep + "c"}
		right := left
		right.User = auth.UserRef{Issuer: rs.name + sep + "b", ID: "c"}
		if err := rs.store.RevokeUser(rs.Context(), left.User, rs.now, rs.until); err == nil {
			rs.want(true, "user with "+strconv.Quote(sep), left)
		} else if sep != "\x00" {
			tb.Errorf("RevokeUser with %q: %v", sep, err)
		}
		rs.want(false, "user that is cut elsewhere at "+strconv.Quote(sep), right)

		id := rs.token("x"+sep+"y", "", "v")
		if err := rs.store.Revoke(rs.Context(), id, rs.until); err == nil {
			rs.want(true, "ID with "+strconv.Quote(sep), id)
		} else if sep != "\x00" {
			tb.Errorf("Revoke with %q: %v", sep, err)
		}
		rs.want(false, "ID before "+strconv.Quote(sep), rs.token("x", "", "v"))
		rs.want(false, "ID after "+strconv.Quote(sep), rs.token("y", "", "v"))
		rs.want(false, "ID that "+strconv.Quote(sep)+" might stand for", rs.token("x1y", "", "v"))
	}
}

func revocationEmpty(tb testing.TB, c RevocationStoreCase) {
	rs := c.start(tb)
	ctx := rs.Context()
	_ = rs.store.Revoke(ctx, auth.TokenRef{}, rs.until) // an error is as good
	_ = rs.store.Revoke(ctx, auth.TokenRef{User: rs.user("u")}, rs.until)
	_ = rs.store.RevokeUser(ctx, auth.UserRef{Issuer: rs.user("u").Issuer}, rs.now, rs.until)
	_ = rs.store.RevokeUser(ctx, auth.UserRef{}, rs.now, rs.until)
	rs.want(false, "a token", rs.token("a", "", "u"))
	rs.want(false, "a token with a session", rs.token("a", "s", "u"))
	bare := rs.token("a", "", "u")
	bare.User.Issuer = ""
	rs.want(false, "a token without an issuer", bare)
	nameless := rs.token("a", "", "u")
	nameless.ID = ""
	rs.want(false, "a credential that is no token", nameless)
}
