// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"sync"
	"time"
)

// RevocationLister is a RevocationStore that says what it remembers and can
// forget it.
//
// Methods are called for many requests at once and honour their context.
type RevocationLister interface {
	RevocationStore

	// List returns what has not expired. An error means that the store could
	// not be asked, never that there is nothing.
	List(ctx context.Context) ([]Revocation, error)

	// Unrevoke forgets the entry of the token's ID and that of its SessionID;
	// for a token that has neither, the cut-off of its User. To forget what is
	// not there is no error.
	Unrevoke(ctx context.Context, token TokenRef) error
}

// RevocationPager is a RevocationLister that shows a part of what it remembers:
// there may be millions.
//
// Methods are called for many requests at once and honour their context.
type RevocationPager interface {
	RevocationLister

	// Page returns at most limit entries, from the first that is not before
	// from, and how many there are in all. Tokens come first, then sessions,
	// then users, each in the order of their IDs and issuers. The zero value
	// is before everything; a limit of 0 only counts.
	Page(ctx context.Context, from Revocation, limit int) (list []Revocation, count int, err error)
}

// Revocation is an entry of a revocation store: of a token, of a session or of
// a user. Exactly one of ID, SessionID and User.ID is set.
type Revocation struct {
	// ID is the ID of the revoked token.
	ID string

	// SessionID is the ID of the revoked session.
	SessionID string

	// User is the revoked user. For a token or a session, its Issuer alone is
	// set, and empty if the entry counts for every issuer.
	User UserRef

	// IssuedBefore is the cut-off of a user: tokens issued then or earlier are
	// revoked.
	IssuedBefore time.Time

	// Until is when the entry ends.
	Until time.Time
}

// keepAfterExpiry is how long an entry is kept at least after its token has
// expired: a reload may raise the leeway, and the token must not come back.
const keepAfterExpiry = 24 * time.Hour

// RevokeIn ends the token in the store for as long as it could be accepted,
// which is leeway longer than it says, and for a day at least. Its session, if it
// has one, ends for the default lifetime of the store: other tokens of it may
// live longer than this.
//
// Each is asked for at once and whatever becomes of the other: a store that
// cannot write remembers by itself what it was asked for. The error is that of
// both.
//
// It is what a log-out does. Stores do not call it.
func RevokeIn(ctx context.Context, store RevocationStore, token TokenRef, leeway time.Duration) error {
	var ofToken, ofSession error
	var asked sync.WaitGroup
	if token.ID != "" || token.SessionID == "" {
		var until time.Time
		if !token.ExpiresAt.IsZero() {
			until = token.ExpiresAt.Add(max(leeway, keepAfterExpiry))
			if soon := time.Now().Add(time.Minute); until.Before(soon) {
				until = soon // it was accepted a moment ago, whatever the clocks say
			}
		}
		alone := token
		alone.SessionID = ""
		asked.Go(func() { ofToken = store.Revoke(ctx, alone, until) })
	}
	if token.SessionID != "" {
		ofSession = store.Revoke(ctx, TokenRef{SessionID: token.SessionID, User: token.User}, time.Time{})
	}
	asked.Wait()
	return errors.Join(ofToken, ofSession)
}
