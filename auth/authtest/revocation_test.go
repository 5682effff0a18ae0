// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// memory is a revocation store that keeps the contract; each field breaks it
// when it is set.
type memory struct {
	mu       sync.Mutex
	now      func() time.Time
	tokens   map[tokenKey]time.Time
	sessions map[tokenKey]time.Time
	users    map[auth.UserRef]cutOff

	revoked    func(ctx context.Context, token auth.TokenRef, right func(auth.TokenRef) bool) (bool, error)
	revoke     func(ctx context.Context, token auth.TokenRef, until time.Time, right func(auth.TokenRef, time.Time)) error
	revokeUser func(ctx context.Context, user auth.UserRef, before, until time.Time, right func(auth.UserRef, time.Time, time.Time)) error
	rewrite    func(auth.TokenRef) auth.TokenRef // before anything is looked at
	key        func(auth.TokenRef) tokenKey
	replace    bool // the last call wins
}

type tokenKey struct{ issuer, id string }

type cutOff struct{ before, until time.Time }

func newMemory(now func() time.Time) *memory {
	if now == nil {
		now = time.Now
	}
	return &memory{
		now: now, tokens: make(map[tokenKey]time.Time), sessions: make(map[tokenKey]time.Time),
		users: make(map[auth.UserRef]cutOff),
	}
}

func (m *memory) Revoked(ctx context.Context, token auth.TokenRef) (bool, error) {
	if m.rewrite != nil {
		token = m.rewrite(token)
	}
	if m.revoked != nil {
		return m.revoked(ctx, token, m.rightRevoked)
	}
	return m.rightRevoked(token), nil
}

func (m *memory) rightRevoked(token auth.TokenRef) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if token.ID != "" && now.Before(m.tokens[m.keyOf(token)]) {
		return true
	}
	if token.SessionID != "" && now.Before(m.sessions[tokenKey{token.User.Issuer, token.SessionID}]) {
		return true
	}
	cut, ok := m.users[token.User]
	return ok && now.Before(cut.until) && !token.IssuedAt.After(cut.before)
}

func (m *memory) keyOf(token auth.TokenRef) tokenKey {
	if m.key != nil {
		return m.key(token)
	}
	return tokenKey{token.User.Issuer, token.ID}
}

func (m *memory) Revoke(ctx context.Context, token auth.TokenRef, until time.Time) error {
	if m.rewrite != nil {
		token = m.rewrite(token)
	}
	if m.revoke != nil {
		return m.revoke(ctx, token, until, m.rightRevoke)
	}
	m.rightRevoke(token, until)
	return nil
}

func (m *memory) rightRevoke(token auth.TokenRef, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	until = m.orDefault(until)
	put := func(entries map[tokenKey]time.Time, key tokenKey) {
		if m.replace || entries[key].Before(until) {
			entries[key] = until
		}
	}
	if token.ID != "" {
		put(m.tokens, m.keyOf(token))
	}
	if token.SessionID != "" {
		put(m.sessions, tokenKey{token.User.Issuer, token.SessionID})
	}
}

func (m *memory) orDefault(until time.Time) time.Time {
	if until.IsZero() {
		return m.now().AddDate(0, 0, 400)
	}
	return until
}

func (m *memory) RevokeUser(ctx context.Context, user auth.UserRef, before, until time.Time) error {
	if m.revokeUser != nil {
		return m.revokeUser(ctx, user, before, until, m.rightRevokeUser)
	}
	m.rightRevokeUser(user, before, until)
	return nil
}

func (m *memory) rightRevokeUser(user auth.UserRef, before, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	until = m.orDefault(until)
	if user.ID == "" {
		return
	}
	cut := cutOff{before, until}
	if old, ok := m.users[user]; ok && !m.replace {
		if old.before.After(cut.before) {
			cut.before = old.before
		}
		if old.until.After(cut.until) {
			cut.until = old.until
		}
	}
	m.users[user] = cut
}

// memoryCase is the case of a memory store that alter breaks.
func memoryCase(alter func(*memory)) RevocationStoreCase {
	make := func(now func() time.Time) *memory {
		m := newMemory(now)
		if alter != nil {
			alter(m)
		}
		return m
	}
	return RevocationStoreCase{
		New:   func(testing.TB) auth.RevocationStore { return make(nil) },
		NewAt: func(_ testing.TB, now func() time.Time) auth.RevocationStore { return make(now) },
		Reopen: func(_ testing.TB, old auth.RevocationStore) auth.RevocationStore {
			m := make(nil)
			m.tokens, m.sessions, m.users = old.(*memory).tokens, old.(*memory).sessions, old.(*memory).users
			return m
		},
		Peer: func(_ testing.TB, first auth.RevocationStore) auth.RevocationStore { return first },
		Down: func(testing.TB) auth.RevocationStore { return downMemory(errors.New("no answer"), true) },
	}
}

// downMemory answers err to everything, or only to what asks.
func downMemory(err error, writes bool) *memory {
	m := newMemory(nil)
	m.revoked = func(context.Context, auth.TokenRef, func(auth.TokenRef) bool) (bool, error) { return false, err }
	if writes {
		m.revoke = func(context.Context, auth.TokenRef, time.Time, func(auth.TokenRef, time.Time)) error { return err }
		m.revokeUser = func(context.Context, auth.UserRef, time.Time, time.Time, func(auth.UserRef, time.Time, time.Time)) error {
			return err
		}
	}
	return m
}

func TestBrokenRevocationStoresAreNoticed(t *testing.T) {
	t.Parallel()
	none := memoryCase(nil)
	none.New = nil
	missing := memoryCase(nil)
	missing.New = func(testing.TB) auth.RevocationStore { return nil }
	reopen := func(f func(old *memory) *memory) RevocationStoreCase {
		c := memoryCase(nil)
		c.Reopen = func(_ testing.TB, old auth.RevocationStore) auth.RevocationStore { return f(old.(*memory)) }
		return c
	}
	peer := memoryCase(nil)
	peer.Peer = func(testing.TB, auth.RevocationStore) auth.RevocationStore { return newMemory(nil) }
	down := func(m *memory) RevocationStoreCase {
		c := memoryCase(nil)
		c.Down = func(testing.TB) auth.RevocationStore { return m }
		return c
	}
	realTime := memoryCase(func(m *memory) {
		m.revoke = func(_ context.Context, token auth.TokenRef, _ time.Time, right func(auth.TokenRef, time.Time)) error {
			right(token, time.Now().Add(time.Hour))
			return nil
		}
	})
	realTime.NewAt = nil
	// user changes what RevokeUser is called with.
	user := func(f func(u *auth.UserRef, before, until *time.Time)) RevocationStoreCase {
		return memoryCase(func(m *memory) {
			m.revokeUser = func(_ context.Context, u auth.UserRef, before, until time.Time, right func(auth.UserRef, time.Time, time.Time)) error {
				f(&u, &before, &until)
				right(u, before, until)
				return nil
			}
		})
	}
	token := func(f func(token *auth.TokenRef, until *time.Time)) RevocationStoreCase {
		return memoryCase(func(m *memory) {
			m.revoke = func(_ context.Context, token auth.TokenRef, until time.Time, right func(auth.TokenRef, time.Time)) error {
				f(&token, &until)
				right(token, until)
				return nil
			}
		})
	}
	asked := func(f func(token *auth.TokenRef)) RevocationStoreCase {
		return memoryCase(func(m *memory) {
			m.revoked = func(_ context.Context, token auth.TokenRef, right func(auth.TokenRef) bool) (bool, error) {
				f(&token)
				return right(token), nil
			}
		})
	}
	both := func(f func(token auth.TokenRef) auth.TokenRef) RevocationStoreCase {
		return memoryCase(func(m *memory) { m.rewrite = f })
	}
	joined := func(sep string) RevocationStoreCase {
		return memoryCase(func(m *memory) {
			join := func(u auth.UserRef) auth.UserRef { return auth.UserRef{ID: u.Issuer + sep + u.ID} }
			m.revoked = func(_ context.Context, token auth.TokenRef, right func(auth.TokenRef) bool) (bool, error) {
				token.User = join(token.User)
				return right(token), nil
			}
			m.revokeUser = func(_ context.Context, u auth.UserRef, before, until time.Time, right func(auth.UserRef, time.Time, time.Time)) error {
				right(join(u), before, until)
				return nil
			}
			m.revoke = func(_ context.Context, token auth.TokenRef, until time.Time, right func(auth.TokenRef, time.Time)) error {
				token.User = join(token.User)
				right(token, until)
				return nil
			}
		})
	}
	patterns := memoryCase(func(m *memory) {
		m.revoked = func(_ context.Context, token auth.TokenRef, right func(auth.TokenRef) bool) (bool, error) {
			m.mu.Lock()
			keys := maps.Clone(m.tokens)
			m.mu.Unlock()
			for key := range keys {
				if before, after, ok := strings.Cut(key.id, "*"); ok && strings.HasPrefix(token.ID, before) && strings.HasSuffix(token.ID, after) {
					return true, nil
				}
			}
			return right(token), nil
		}
	})

	noticed(t, memoryCase(nil), revocationChecks, []broken[RevocationStoreCase]{
		{"no New", none, "the case is complete"},
		{"New returns nil", missing, "the case is complete"},

		{"everything is revoked", memoryCase(func(m *memory) {
			m.revoked = func(context.Context, auth.TokenRef, func(auth.TokenRef) bool) (bool, error) { return true, nil }
		}), "nothing is revoked at first"},
		{"nothing can be decided", memoryCase(func(m *memory) {
			m.revoked = func(context.Context, auth.TokenRef, func(auth.TokenRef) bool) (bool, error) {
				return false, errors.New("no")
			}
		}), "nothing is revoked at first"},
		{"a token without a time is always revoked", memoryCase(func(m *memory) {
			m.revoked = func(_ context.Context, token auth.TokenRef, right func(auth.TokenRef) bool) (bool, error) {
				return token.IssuedAt.IsZero() || right(token), nil
			}
		}), "nothing is revoked at first"},

		{"does nothing", memoryCase(func(m *memory) {
			m.revoke = func(context.Context, auth.TokenRef, time.Time, func(auth.TokenRef, time.Time)) error { return nil }
		}), "by ID"},
		{"cannot revoke", memoryCase(func(m *memory) {
			m.revoke = func(context.Context, auth.TokenRef, time.Time, func(auth.TokenRef, time.Time)) error {
				return errors.New("no")
			}
		}), "by ID"},
		{"folds the case of IDs", both(func(token auth.TokenRef) auth.TokenRef { token.ID = strings.ToUpper(token.ID); return token }), "by ID"},
		{"revokes the user with the token", memoryCase(func(m *memory) {
			m.revoke = func(_ context.Context, token auth.TokenRef, until time.Time, right func(auth.TokenRef, time.Time)) error {
				right(token, until)
				m.rightRevokeUser(token.User, token.IssuedAt, until)
				return nil
			}
		}), "by ID"},

		{"forgets the session", token(func(token *auth.TokenRef, _ *time.Time) { token.SessionID = "" }), "by session"},
		{"does not ask for the session", asked(func(token *auth.TokenRef) { token.SessionID = "" }), "by session"},
		{"an empty session is one", both(func(token auth.TokenRef) auth.TokenRef {
			if token.SessionID == "" {
				token.SessionID = "none"
			}
			return token
		}), "by ID"},

		{"does not ask for the user", asked(func(token *auth.TokenRef) { token.User.ID = "" }), "by user until a cut-off"},
		{"only before the cut-off", user(func(_ *auth.UserRef, before, _ *time.Time) { *before = before.Add(-1) }), "by user until a cut-off"},
		{"a token without a time is new", asked(func(token *auth.TokenRef) {
			if token.IssuedAt.IsZero() {
				token.IssuedAt = time.Now().Add(time.Minute)
			}
		}), "by user until a cut-off"},
		{"every token of the user", user(func(_ *auth.UserRef, before, _ *time.Time) { *before = before.AddDate(1, 0, 0) }), "by user until a cut-off"},
		{"whole seconds only", user(func(_ *auth.UserRef, before, _ *time.Time) { *before = before.Truncate(time.Second) }), "by user until a cut-off"},
		{"compares by the first letter", asked(func(token *auth.TokenRef) { token.User.ID = strings.TrimSuffix(token.User.ID, "u") }), "by user until a cut-off"},

		{"the last cut-off wins", memoryCase(func(m *memory) { m.replace = true }), "a later cut-off wins"},
		{"the first cut-off wins", memoryCase(func(m *memory) {
			m.revokeUser = func(_ context.Context, u auth.UserRef, before, until time.Time, right func(auth.UserRef, time.Time, time.Time)) error {
				m.mu.Lock()
				_, ok := m.users[u]
				m.mu.Unlock()
				if !ok {
					right(u, before, until)
				}
				return nil
			}
		}), "a later cut-off wins"},

		{"the ID alone counts", memoryCase(func(m *memory) { m.key = func(token auth.TokenRef) tokenKey { return tokenKey{id: token.ID} } }), "issuers are apart"},
		{"the session alone counts", both(func(token auth.TokenRef) auth.TokenRef { token.User.Issuer = ""; return token }), "issuers are apart"},
		{"one issuer for each ID", memoryCase(func(m *memory) {
			m.revoke = func(_ context.Context, token auth.TokenRef, until time.Time, right func(auth.TokenRef, time.Time)) error {
				m.mu.Lock()
				clear(m.tokens)
				clear(m.sessions)
				m.mu.Unlock()
				right(token, until)
				return nil
			}
		}), "issuers are apart"},

		{"sessions stand among IDs", memoryCase(func(m *memory) { m.sessions = m.tokens }), "IDs, sessions and users are apart"},
		{"users stand among sessions", memoryCase(func(m *memory) {
			m.revokeUser = func(_ context.Context, u auth.UserRef, before, until time.Time, right func(auth.UserRef, time.Time, time.Time)) error {
				m.rightRevoke(auth.TokenRef{SessionID: u.ID, User: u}, until)
				right(u, before, until)
				return nil
			}
		}), "IDs, sessions and users are apart"},

		{"joins with a colon", joined(":"), "names with separators are apart"},
		{"joins with a bar", joined("|"), "names with separators are apart"},
		{"joins with a space", joined(" "), "names with separators are apart"},
		{"joins with a NUL", joined("\x00"), "names with separators are apart"},
		{"takes names for patterns", patterns, "names with separators are apart"},
		{"refuses a quote", memoryCase(func(m *memory) {
			m.revoke = func(_ context.Context, token auth.TokenRef, until time.Time, right func(auth.TokenRef, time.Time)) error {
				if strings.Contains(token.ID, "'") {
					return errors.New("syntax error")
				}
				right(token, until)
				return nil
			}
		}), "names with separators are apart"},

		{"an empty ID is one", both(func(token auth.TokenRef) auth.TokenRef {
			if token.ID == "" {
				token.ID = "none"
			}
			return token
		}), "an empty reference revokes nothing else"},
		{"an empty user is everybody", memoryCase(func(m *memory) {
			everybody := false
			m.revokeUser = func(_ context.Context, u auth.UserRef, _, _ time.Time, _ func(auth.UserRef, time.Time, time.Time)) error {
				everybody = everybody || u.ID == ""
				return nil
			}
			m.revoked = func(context.Context, auth.TokenRef, func(auth.TokenRef) bool) (bool, error) { return everybody, nil }
		}), "an empty reference revokes nothing else"},

		{"tokens do not expire", token(func(_ *auth.TokenRef, until *time.Time) { *until = until.AddDate(1, 0, 0) }), "entries expire"},
		{"users do not expire", user(func(_ *auth.UserRef, _, until *time.Time) { *until = until.AddDate(1, 0, 0) }), "entries expire"},
		{"tokens expire early", token(func(_ *auth.TokenRef, until *time.Time) { *until = until.Add(-time.Minute) }), "entries expire"},
		{"users expire early", user(func(_ *auth.UserRef, _, until *time.Time) { *until = until.Add(-time.Minute) }), "entries expire"},
		{"tokens do not expire in real time", realTime, "entries expire"},

		{"a shorter entry replaces a longer one", memoryCase(func(m *memory) { m.replace = true }), "an entry is never shortened"},
		{"no time is no entry", token(func(_ *auth.TokenRef, until *time.Time) {
			if until.IsZero() {
				*until = time.Unix(1, 0)
			}
		}), "an entry without a time stays"},
		{"no time is an hour", user(func(_ *auth.UserRef, _, until *time.Time) {
			if until.IsZero() {
				*until = time.Now().Add(time.Hour)
			}
		}), "an entry without a time stays"},

		{"the last of many cut-offs wins", memoryCase(func(m *memory) {
			var once sync.Once
			m.revokeUser = func(_ context.Context, u auth.UserRef, before, until time.Time, right func(auth.UserRef, time.Time, time.Time)) error {
				if strings.HasSuffix(u.ID, "-all") {
					once.Do(func() { right(u, before, until) })
					return nil
				}
				right(u, before, until)
				return nil
			}
		}), "many requests at once"},
		{"holds ten entries", memoryCase(func(m *memory) {
			m.revoke = func(_ context.Context, token auth.TokenRef, until time.Time, right func(auth.TokenRef, time.Time)) error {
				m.mu.Lock()
				full := len(m.tokens) >= 10
				m.mu.Unlock()
				if !full {
					right(token, until)
				}
				return nil
			}
		}), "many requests at once"},

		{"a cancelled context makes it valid", memoryCase(func(m *memory) {
			m.revoked = func(ctx context.Context, token auth.TokenRef, right func(auth.TokenRef) bool) (bool, error) {
				return ctx.Err() == nil && right(token), nil
			}
		}), "a cancelled context"},
		{"a cancelled context loses a log-out", memoryCase(func(m *memory) {
			m.revoke = func(ctx context.Context, token auth.TokenRef, until time.Time, right func(auth.TokenRef, time.Time)) error {
				if ctx.Err() == nil {
					right(token, until)
				}
				return nil
			}
		}), "a cancelled context"},
		{"a cancelled context loses a user", memoryCase(func(m *memory) {
			m.revokeUser = func(ctx context.Context, u auth.UserRef, before, until time.Time, right func(auth.UserRef, time.Time, time.Time)) error {
				if ctx.Err() == nil {
					right(u, before, until)
				}
				return nil
			}
		}), "a cancelled context"},
		{"waits for ever", memoryCase(func(m *memory) {
			m.revoked = func(ctx context.Context, token auth.TokenRef, right func(auth.TokenRef) bool) (bool, error) {
				if ctx.Err() != nil {
					select {}
				}
				return right(token), nil
			}
		}), "a cancelled context"},

		{"lists nothing", listingCase(func(l *listing) {
			l.shown = func([]auth.Revocation) []auth.Revocation { return nil }
		}), "it lists and forgets"},

		{"everything is lost at a restart", reopen(func(*memory) *memory { return newMemory(nil) }), "after a restart"},
		{"users are lost at a restart", reopen(func(old *memory) *memory { clear(old.users); return old }), "after a restart"},
		{"the other node hears nothing", peer, "on another node"},

		{"an outage makes valid", down(newMemory(nil)), "what could not be decided is not valid"},
		{"an outage is a refusal", down(downMemory(auth.Invalid(auth.ReasonTokenRevoked, ""), true)), "what could not be decided is not valid"},
		{"an outage loses log-outs", down(downMemory(errors.New("no answer"), false)), "what could not be decided is not valid"},
	})
}

// A store without a clock of its own is checked in real time.
func TestExpiryIsCheckedInRealTimeWithoutAClock(t *testing.T) {
	t.Parallel()
	c := memoryCase(nil)
	c.NewAt = nil
	for name, messages := range failures(t, c, revocationChecks) {
		t.Errorf("%s: %q", name, messages)
	}
}
