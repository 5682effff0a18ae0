// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"time"
)

// RefreshStore is a store, mostly a RevocationStore, that keeps sessions: what a
// log-in began and refresh tokens prolong. It is asked when tokens are issued,
// never on the path of other requests, and by every node that shares it.
//
// Methods are called for many requests at once and honour their context. Any
// error but ErrSessionNotFound means that the store could not decide.
type RefreshStore interface {
	// CreateSession adds a session. A session of that ID must not be there.
	CreateSession(ctx context.Context, s Session) error

	// Session returns the session of that ID, or ErrSessionNotFound for one
	// that is not there or has ended.
	Session(ctx context.Context, id string) (Session, error)

	// Rotate replaces the session of next's ID by next, if and only if the
	// Current of what is there equals current, in one step for all nodes: of
	// many calls with one current, one returns true. It returns false when
	// another one was there, or none.
	Rotate(ctx context.Context, current [32]byte, next Session) (bool, error)

	// EndSession forgets the session. To end what is not there is no error.
	EndSession(ctx context.Context, id string) error
}

// Session is what a RefreshStore keeps of a session. It holds digests alone: who
// reads the store learns no token. A store keeps it whole and interprets nothing
// but ID, Current and Until.
type Session struct {
	// ID is the "sid" of the tokens of the session. It is no secret.
	ID string `json:"id"`

	// User is who signed in, as the tokens of the session name them.
	User UserRef `json:"user"`

	// For says which jwt the tokens are made for: a refresh token is good for
	// no other.
	For string `json:"for,omitempty"`

	// Family is the SHA-256 of the part that all refresh tokens of the session
	// have in common. Who presents that part held one of them.
	Family [32]byte `json:"family"`

	// Current is the SHA-256 of the refresh token that is good, Previous that
	// of the one before, from which it was made with Nonce at Rotated.
	Current  [32]byte  `json:"current"`
	Previous [32]byte  `json:"previous"`
	Nonce    [32]byte  `json:"nonce"`
	Rotated  time.Time `json:"rotated"`

	// Started is when somebody signed in with a password.
	Started time.Time `json:"started"`

	// Until is when the session ends unless it is used before, Limit when it
	// ends in any case. A store forgets it at Until.
	Until time.Time `json:"until"`
	Limit time.Time `json:"limit"`
}
