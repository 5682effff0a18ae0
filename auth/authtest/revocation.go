// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"sync/atomic"
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
	{"after a restart", revocationReopened},
	{"on another node", revocationPeer},
	{"what could not be decided is not valid", revocationDown},
}

// A revocations drives one store, with names that nobody used before.
type revocations struct {
	testing.TB
	store auth.RevocationStore
	name  string
	now   time.Time // whole seconds
	until time.Time
}

func (c RevocationStoreCase) start(tb testing.TB) *revocations {
	tb.Helper()
	return driving(tb, c.New(tb))
}

func driving(tb testing.TB, store auth.RevocationStore) *revocations {
	now := time.Now().Truncate(time.Second)
	return &revocations{
		TB: tb, store: store, name: "authtest-" + rand.Text(),
		now: now, until: now.Add(time.Hour),
	}
}

// token returns the token of a user at an issuer of the name, issued now.
func (rs *revocations) token(id, session, user string) auth.TokenRef {
	ref := auth.TokenRef{
		ID:        rs.name + "-" + id,
		User:      rs.user(user),
		IssuedAt:  rs.now,
		ExpiresAt: rs.until,
	}
	if session != "" {
		ref.SessionID = rs.name + "-" + session
	}
	return ref
}

func (rs *revocations) user(id string) auth.UserRef {
	return auth.UserRef{Issuer: "https://" + rs.name + ".example", ID: rs.name + "-" + id}
}

func (rs *revocations) revoke(token auth.TokenRef) {
	rs.Helper()
	if err := rs.store.Revoke(rs.Context(), token, rs.until); err != nil {
		rs.Fatalf("Revoke: %v", err)
	}
}

func (rs *revocations) revokeUser(user auth.UserRef, before time.Time) {
	rs.Helper()
	if err := rs.store.RevokeUser(rs.Context(), user, before, rs.until); err != nil {
		rs.Fatalf("RevokeUser: %v", err)
	}
}

// want fails the test unless the store answers so.
func (rs *revocations) want(revoked bool, what string, token auth.TokenRef) {
	rs.Helper()
	got, err := rs.store.Revoked(rs.Context(), token)
	if err != nil {
		rs.Errorf("%s: could not decide: %v", what, err)
	} else if got != revoked {
		rs.Errorf("%s: revoked is %t, want %t", what, got, revoked)
	}
}

// eventually waits until the store answers so.
func (rs *revocations) eventually(revoked bool, what string, token auth.TokenRef) {
	rs.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		got, err := rs.store.Revoked(rs.Context(), token)
		if err == nil && got == revoked {
			return
		}
		if time.Now().After(deadline) {
			rs.Errorf("%s: revoked is %t (%v) after %s, want %t", what, got, err, patience, revoked)
			return
		}
	}
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

// clock is a time of day that a check sets.
type clock struct{ nanos atomic.Int64 }

func (cl *clock) now() time.Time      { return time.Unix(0, cl.nanos.Load()) }
func (cl *clock) set(t time.Time)     { cl.nanos.Store(t.UnixNano()) }
func newClock(start time.Time) *clock { cl := new(clock); cl.set(start); return cl }

// startAt starts a store whose clock the check sets; nil without NewAt.
func (c RevocationStoreCase) startAt(tb testing.TB) (*revocations, *clock) {
	tb.Helper()
	if c.NewAt == nil {
		return nil, nil
	}
	cl := newClock(time.Now().Truncate(time.Second))
	rs := driving(tb, c.NewAt(tb, cl.now))
	rs.now = cl.now()
	rs.until = rs.now.Add(time.Hour)
	return rs, cl
}

func revocationExpiry(tb testing.TB, c RevocationStoreCase) {
	if c.KeepsForever {
		return
	}
	rs, cl := c.startAt(tb)
	if rs == nil {
		rs = c.start(tb)
		rs.until = time.Now().Add(1500 * time.Millisecond)
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
