// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// listing is a memory that lists and forgets; each field breaks it when it is
// set.
type listing struct {
	*memory
	shown func([]auth.Revocation) []auth.Revocation
	page  func(list []auth.Revocation, count int) ([]auth.Revocation, int)
	order func([]auth.Revocation)
	undo  func(token auth.TokenRef, right func(auth.TokenRef)) error
}

func (l *listing) List(context.Context) ([]auth.Revocation, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []auth.Revocation
	for key, until := range l.tokens {
		list = append(list, auth.Revocation{ID: key.id, User: auth.UserRef{Issuer: key.issuer}, Until: until})
	}
	for key, until := range l.sessions {
		list = append(list, auth.Revocation{SessionID: key.id, User: auth.UserRef{Issuer: key.issuer}, Until: until})
	}
	for user, cut := range l.users {
		list = append(list, auth.Revocation{User: user, IssuedBefore: cut.before, Until: cut.until})
	}
	if l.shown != nil {
		list = l.shown(list)
	}
	return list, nil
}

func kindOf(r auth.Revocation) int {
	switch {
	case r.ID != "":
		return 1
	case r.SessionID != "":
		return 2
	case r.User.ID != "":
		return 3
	default:
		return 0
	}
}

func compareListed(a, b auth.Revocation) int {
	return cmp.Or(cmp.Compare(kindOf(a), kindOf(b)),
		cmp.Compare(a.ID+a.SessionID+a.User.ID, b.ID+b.SessionID+b.User.ID), cmp.Compare(a.User.Issuer, b.User.Issuer))
}

func (l *listing) Page(ctx context.Context, from auth.Revocation, limit int) ([]auth.Revocation, int, error) {
	list, err := l.List(ctx)
	if err != nil {
		return nil, 0, err
	}
	count := len(list)
	slices.SortFunc(list, compareListed)
	if l.order != nil {
		l.order(list)
	}
	list = slices.DeleteFunc(list, func(r auth.Revocation) bool { return compareListed(r, from) < 0 })
	list = list[:min(limit, len(list))]
	if l.page != nil {
		list, count = l.page(list, count)
	}
	return list, count, nil
}

func (l *listing) Unrevoke(_ context.Context, token auth.TokenRef) error {
	if l.undo != nil {
		return l.undo(token, l.rightUndo)
	}
	l.rightUndo(token)
	return nil
}

func (l *listing) rightUndo(token auth.TokenRef) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if token.ID == "" && token.SessionID == "" {
		delete(l.users, token.User)
		return
	}
	delete(l.tokens, tokenKey{token.User.Issuer, token.ID})
	delete(l.sessions, tokenKey{token.User.Issuer, token.SessionID})
}

func listingCase(alter func(*listing)) RevocationStoreCase {
	return RevocationStoreCase{New: func(testing.TB) auth.RevocationStore {
		l := &listing{memory: newMemory(nil)}
		if alter != nil {
			alter(l)
		}
		return l
	}}
}

func TestBrokenListsAreNoticed(t *testing.T) {
	t.Parallel()
	i := slices.IndexFunc(revocationChecks, func(ch check[RevocationStoreCase]) bool { return ch.name == "it lists and forgets" })
	shown := func(f func([]auth.Revocation) []auth.Revocation) RevocationStoreCase {
		return listingCase(func(l *listing) { l.shown = f })
	}
	without := func(kind int) RevocationStoreCase {
		return shown(func(list []auth.Revocation) []auth.Revocation {
			return slices.DeleteFunc(list, func(r auth.Revocation) bool { return kindOf(r) == kind })
		})
	}
	each := func(f func(*auth.Revocation)) RevocationStoreCase {
		return shown(func(list []auth.Revocation) []auth.Revocation {
			for i := range list {
				f(&list[i])
			}
			return list
		})
	}
	page := func(f func(list []auth.Revocation, count int) ([]auth.Revocation, int)) RevocationStoreCase {
		return listingCase(func(l *listing) { l.page = f })
	}
	undo := func(f func(token auth.TokenRef, right func(auth.TokenRef)) error) RevocationStoreCase {
		return listingCase(func(l *listing) { l.undo = f })
	}
	noticed(t, listingCase(nil), revocationChecks[i:i+1], []broken[RevocationStoreCase]{
		{"lists no tokens", without(1), "it lists and forgets"},
		{"lists no sessions", without(2), "it lists and forgets"},
		{"lists no users", without(3), "it lists and forgets"},
		{"lists twice", shown(func(list []auth.Revocation) []auth.Revocation { return append(list, list...) }), "it lists and forgets"},
		{"forgets the issuer", each(func(r *auth.Revocation) { r.User.Issuer = "" }), "it lists and forgets"},
		{"forgets the cut-off", each(func(r *auth.Revocation) { r.IssuedBefore = time.Time{} }), "it lists and forgets"},
		{"another end", each(func(r *auth.Revocation) { r.Until = r.Until.Add(time.Minute) }), "it lists and forgets"},

		{"pages without an order", listingCase(func(l *listing) { l.order = slices.Reverse[[]auth.Revocation] }), "it lists and forgets"},
		{"a page is too long", page(func(list []auth.Revocation, count int) ([]auth.Revocation, int) {
			return append(list, make([]auth.Revocation, 2)...), count
		}), "it lists and forgets"},
		{"counts the page", page(func(list []auth.Revocation, _ int) ([]auth.Revocation, int) { return list, len(list) }), "it lists and forgets"},
		{"pages show nothing", page(func(_ []auth.Revocation, count int) ([]auth.Revocation, int) { return nil, count }), "it lists and forgets"},

		{"forgets nothing", undo(func(auth.TokenRef, func(auth.TokenRef)) error { return nil }), "it lists and forgets"},
		{"forgets no users", undo(func(token auth.TokenRef, right func(auth.TokenRef)) error {
			if token.ID != "" || token.SessionID != "" {
				right(token)
			}
			return nil
		}), "it lists and forgets"},
		{"forgets no sessions", undo(func(token auth.TokenRef, right func(auth.TokenRef)) error {
			if token.SessionID == "" {
				right(token)
			}
			return nil
		}), "it lists and forgets"},
		{"forgets the user with the token", listingCase(func(l *listing) {
			l.undo = func(auth.TokenRef, func(auth.TokenRef)) error {
				l.mu.Lock()
				defer l.mu.Unlock()
				clear(l.tokens)
				clear(l.sessions)
				clear(l.users)
				return nil
			}
		}), "it lists and forgets"},
		{"must be there", undo(func(token auth.TokenRef, right func(auth.TokenRef)) error {
			right(token)
			if token.ExpiresAt.IsZero() || token.SessionID != "" {
				return nil
			}
			return errors.New("no such entry")
		}), "it lists and forgets"},
	})
}
