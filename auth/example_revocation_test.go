// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// Blocklist is a revocation store in memory: the least that keeps the contract.
type Blocklist struct {
	now func() time.Time

	mu       sync.RWMutex
	tokens   map[entry]time.Time
	sessions map[entry]time.Time
	users    map[auth.UserRef]cutOff
}

// entry is a token or a session of an issuer: names of two issuers are apart.
type entry struct{ issuer, id string }

// cutOff ends the tokens that were issued until before.
type cutOff struct{ before, until time.Time }

func newBlocklist(now func() time.Time) *Blocklist {
	return &Blocklist{
		now: now, tokens: make(map[entry]time.Time), sessions: make(map[entry]time.Time),
		users: make(map[auth.UserRef]cutOff),
	}
}

func (b *Blocklist) Revoked(_ context.Context, token auth.TokenRef) (bool, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	now := b.now()
	cut := b.users[token.User]
	return now.Before(b.tokens[entry{token.User.Issuer, token.ID}]) ||
		now.Before(b.sessions[entry{token.User.Issuer, token.SessionID}]) ||
		now.Before(cut.until) && !token.IssuedAt.After(cut.before), nil
}

func (b *Blocklist) Revoke(_ context.Context, token auth.TokenRef, until time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	until = b.orDefault(until)
	if token.ID != "" {
		key := entry{token.User.Issuer, token.ID}
		b.tokens[key] = later(b.tokens[key], until)
	}
	if token.SessionID != "" {
		key := entry{token.User.Issuer, token.SessionID}
		b.sessions[key] = later(b.sessions[key], until)
	}
	return nil
}

func (b *Blocklist) RevokeUser(_ context.Context, user auth.UserRef, issuedBefore, until time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if user.ID == "" {
		return nil
	}
	old := b.users[user]
	b.users[user] = cutOff{later(old.before, issuedBefore), later(old.until, b.orDefault(until))}
	return nil
}

func (b *Blocklist) orDefault(until time.Time) time.Time {
	if until.IsZero() {
		return b.now().AddDate(0, 0, 400)
	}
	return until
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// A revocation store of your own imports package auth alone.
func Example_revocationStore() {
	store := newBlocklist(time.Now)
	ctx := context.Background()
	token := auth.TokenRef{ID: "token-1", User: auth.UserRef{Issuer: "https://id.example.com", ID: "alice"}}
	fmt.Println(store.Revoked(ctx, token))
	fmt.Println(store.Revoke(ctx, token, time.Time{}))
	fmt.Println(store.Revoked(ctx, token))

	// Output:
	// false <nil>
	// <nil>
	// true <nil>
}

// Interface guards
var _ auth.RevocationStore = (*Blocklist)(nil)
