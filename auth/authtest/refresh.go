// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"errors"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// RefreshStoreCase is a store of sessions.
type RefreshStoreCase struct {
	// New returns a provisioned, started store. Several may share one server:
	// the suite uses names that are new each time.
	New func(testing.TB) auth.RefreshStore

	// NewAt returns a store that reads the time from now. Without it, the end
	// of sessions is checked in real time, which takes seconds.
	NewAt func(tb testing.TB, now func() time.Time) auth.RefreshStore

	// Reopen ends the store and returns one that reads what it wrote, as after
	// a restart. Optional: only the memory store has none.
	Reopen func(testing.TB, auth.RefreshStore) auth.RefreshStore

	// Peer returns a second node of the store. Optional.
	Peer func(testing.TB, auth.RefreshStore) auth.RefreshStore

	// Down returns the store while what it depends on does not answer.
	// Optional.
	Down func(testing.TB) auth.RefreshStore
}

// TestRefreshStore checks a store against the contract of auth.RefreshStore.
func TestRefreshStore(t *testing.T, c RefreshStoreCase) {
	t.Helper()
	runChecks(t, c, refreshChecks)
}

var refreshChecks = []check[RefreshStoreCase]{
	{"the case is complete", refreshCaseComplete},
	{"there is nothing at first", refreshFresh},
	{"a session is kept whole", refreshWhole},
	{"an ID is taken once", refreshTaken},
	{"only who knows the current one rotates", refreshCompares},
	{"sessions are apart", refreshApart},
	{"names with separators are apart", refreshSeparators},
	{"an empty ID is no session", refreshEmpty},
	{"an ended session is gone", refreshEnded},
	{"sessions end by themselves", refreshExpiry},
	{"of many rotations one wins", refreshRace},
	{"of many creations one wins", refreshCreateRace},
	{"an end wins over rotations", refreshEndRace},
	{"many sessions at once", refreshConcurrent},
	{"a cancelled context", refreshCancelled},
	{"after a restart", refreshReopened},
	{"on another node", refreshPeer},
	{"what could not be decided is neither there nor gone", refreshDown},
}

func refreshCaseComplete(tb testing.TB, c RefreshStoreCase) {
	if c.New == nil {
		tb.Fatalf("New is required")
	}
	if c.New(tb) == nil {
		tb.Fatalf("New returned nil")
	}
}

func refreshFresh(tb testing.TB, c RefreshStoreCase) {
	ss := c.start(tb)
	s := ss.session("a")
	ss.wantNone("a session that nobody created", s.ID)
	ss.wantRotated(false, "a session that nobody created", s.Current, s)
	ss.wantNone("a session that nobody created, after a rotation", s.ID)
	ss.wantRotated(false, "a session that nobody created, from nothing", [32]byte{}, s)
	if err := ss.store.EndSession(ss.Context(), s.ID); err != nil {
		tb.Errorf("ending what is not there: %v", err)
	}
}

func refreshWhole(tb testing.TB, c RefreshStoreCase) {
	ss := c.start(tb)
	s := ss.session("a")
	ss.create(s)
	ss.want("the session", s)
	ss.want("the session, asked twice", s)
	next := ss.next(s)
	ss.wantRotated(true, "the session", s.Current, next)
	ss.want("the session after a rotation", next)

	bare := auth.Session{ID: ss.name + "-bare", Until: ss.until}
	ss.create(bare)
	ss.want("a session of which only the ID and the end are set", bare)

	odd := ss.session("odd")
	odd.User = auth.UserRef{Issuer: "https://é.example/\x01'\"\\%", ID: "日本 'x' \"y\" \\ \n {env.HOME}"}
	odd.Family, odd.Current = [32]byte{0: 0xff, 31: 0xff}, [32]byte{15: 0x80}
	ss.create(odd)
	ss.want("a session with unusual text", odd)
}

// refreshTaken: whoever could overwrite a session would take it over.
func refreshTaken(tb testing.TB, c RefreshStoreCase) {
	ss := c.start(tb)
	s := ss.session("a")
	ss.create(s)
	other := ss.session("a")
	other.User.ID = ss.name + "-mallory"
	if err := ss.store.CreateSession(ss.Context(), other); err == nil {
		tb.Errorf("CreateSession: a session of this ID was there, and it is no error")
	}
	ss.want("the session after another one of its ID", s)
}

// refreshCompares: a refresh token that was used already, a forged one and none
// change nothing.
func refreshCompares(tb testing.TB, c RefreshStoreCase) {
	ss := c.start(tb)
	first := ss.session("a")
	ss.create(first)
	second := ss.next(first)
	near := first.Current
	near[31] ^= 1
	for what, current := range map[string][32]byte{
		"the zero value": {}, "the previous one": first.Previous, "the family": first.Family,
		"the next one": second.Current, "one that differs in its last bit": near,
	} {
		ss.wantRotated(false, what, current, second)
		ss.want("the session after a rotation with "+what, first)
	}
	ss.wantRotated(true, "the current one", first.Current, second)
	ss.want("the session", second)
	ss.wantRotated(false, "the one that was used", first.Current, ss.next(second))
	ss.want("the session after a used one", second)
	third := ss.next(second)
	ss.wantRotated(true, "the current one, again", second.Current, third)
	ss.wantRotated(true, "the same as next", third.Current, third)
	ss.want("the session", third)
}

func refreshApart(tb testing.TB, c RefreshStoreCase) {
	ss := c.start(tb)
	a, b, upper, longer := ss.session("a"), ss.session("b"), ss.session("A"), ss.session("ab")
	upper.Current, longer.Current = a.Current, a.Current
	ss.create(a)
	ss.wantNone("another session", b.ID)
	ss.wantNone("a session whose ID is in another case", upper.ID)
	ss.wantNone("a session whose ID begins alike", longer.ID)
	ss.wantNone("a session whose ID is a part", a.ID[:len(a.ID)-1])
	for _, s := range []auth.Session{b, upper, longer} {
		ss.create(s)
	}
	next := ss.next(a)
	ss.wantRotated(true, "the session", a.Current, next)
	ss.end(b.ID)
	ss.want("the session that was rotated", next)
	ss.wantNone("the session that was ended", b.ID)
	ss.want("the session in another case", upper)
	ss.want("the session whose ID begins alike", longer)
}

func refreshSeparators(tb testing.TB, c RefreshStoreCase) {
	for _, sep := range []string{":", "|", "/", " ", "\n", "*", "?", "%", "_", "\\", "'", `"`, "é", "{}", "u:", "s:"} {
		ss := c.start(tb)
		s := ss.session("x" + sep + "y")
		ss.create(s)
		ss.want("the session", s)
		ss.wantNone("an ID that the separator might stand for", ss.name+"-x1y")
		ss.wantNone("an ID before the separator", ss.name+"-x")
		ss.end(ss.name + "-x")
		ss.want("the session after another one ended", s)
		ss.end(s.ID)
		ss.wantNone("the ended session", s.ID)
	}
}

func refreshEmpty(tb testing.TB, c RefreshStoreCase) {
	ss := c.start(tb)
	s := ss.session("a")
	ss.create(s)
	nameless := ss.session("b")
	nameless.ID = ""
	_ = ss.store.CreateSession(ss.Context(), nameless) // an error is as good
	if got, err := ss.store.Session(ss.Context(), ""); err == nil {
		tb.Errorf("the empty ID is the session %q", got.ID)
	}
	if ok, err := ss.store.Rotate(ss.Context(), s.Current, nameless); ok && err == nil {
		tb.Errorf("the empty ID was rotated")
	}
	_ = ss.store.EndSession(ss.Context(), "")
	ss.want("a session after the empty one ended", s)
}

func refreshEnded(tb testing.TB, c RefreshStoreCase) {
	ss := c.start(tb)
	s := ss.session("a")
	ss.create(s)
	ss.end(s.ID)
	ss.wantNone("an ended session", s.ID)
	ss.wantRotated(false, "an ended session", s.Current, ss.next(s))
	ss.wantNone("an ended session after a rotation", s.ID)
	ss.end(s.ID)
	ss.wantNone("a session that ended twice", s.ID)
}

func refreshExpiry(tb testing.TB, c RefreshStoreCase) {
	ss, cl := c.startAt(tb)
	if ss == nil {
		ss = c.start(tb)
		ss.until = time.Now().Add(lifetime)
	}
	past := ss.session("past")
	past.Until = ss.now.Add(-time.Hour)
	_ = ss.store.CreateSession(ss.Context(), past) // an error is as good
	ss.wantNone("a session that had ended when it was created", past.ID)

	s := ss.session("a")
	s.Limit = ss.now.Add(-time.Hour) // which is none of the store's business
	ss.create(s)
	if cl == nil {
		ss.eventuallyNone("the session after its end", s.ID)
		ss.wantOver("the session after its end", s)
		return
	}
	long := ss.session("long")
	ss.create(long)
	longer := ss.next(long)
	longer.Until = long.Until.Add(time.Hour)
	ss.wantRotated(true, "a session that goes on", long.Current, longer)
	short := ss.session("short")
	ss.create(short)
	shorter := ss.next(short)
	shorter.Until = short.Until.Add(-time.Minute)
	ss.wantRotated(true, "a session that is to end sooner", short.Current, shorter)

	cl.set(ss.until.Add(-time.Second))
	ss.want("the session before its end", s)
	ss.wantNone("the session that ended sooner", short.ID)
	cl.set(ss.until.Add(time.Second))
	ss.wantNone("the session after its end", s.ID)
	ss.want("the session that goes on", longer)
	ss.wantOver("the session after its end", s)
	ss.until = ss.until.Add(2 * time.Hour)
	again := ss.next(s)
	ss.wantRotated(false, "the session after its end, prolonged", s.Current, again)
	ss.wantNone("the session after its end and a rotation", s.ID)
}

// ErrSessionNotFound and nothing else says that a session is not there.
func isNone(err error) bool { return errors.Is(err, auth.ErrSessionNotFound) }
