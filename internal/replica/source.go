// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package replica

import (
	"context"

	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

// Source is a server that nodes share.
type Source interface {
	// Connect opens a session. What others change from then on must be
	// reported by the session, so that nothing is missed between loading and
	// following. It honours its context, which ends within seconds, for
	// connecting alone.
	Connect(ctx context.Context) (Session, error)
}

// Session is a server for as long as the connection lasts. Load, then Follow,
// are called once each; Write is called by one goroutine at a time, beside them.
type Session interface {
	// Load adds everything that the server holds and that has not ended.
	Load(ctx context.Context, to *Loading) error

	// Follow reports to the node what others change, and that the server is
	// there, until the context ends or the session can no longer say so. Each
	// step that waits for the server is bounded in time. An error says why it
	// ended.
	Follow(ctx context.Context, n *Node) error

	// Write makes changes last and returns an error for each that it could not
	// make, or nil. It ends with its context.
	Write(ctx context.Context, changes []Change) []error

	// Close lets the server go.
	Close()
}

// Record is what the server holds about an ID of one issuer: that it is revoked
// or, with a tombstone, that this was taken back.
type Record struct {
	revoked.Entry

	// Tombstone is an ID that no other tombstone has. It is empty for an entry
	// that is in force.
	Tombstone string
}

// Change is something to write.
type Change struct {
	revoked.Entry
	Op Op

	// Tombstone is, for Forget, the tombstone to write, and for Publish the one
	// that may be replaced.
	Tombstone string

	seq uint64 // when it was asked for
}

// Op is what to do with an entry.
type Op byte

const (
	// Revoke adds or extends an entry, and removes its tombstone.
	Revoke Op = iota

	// Publish adds or extends an entry unless the server holds a tombstone
	// other than the one that the change names.
	Publish

	// Forget replaces an entry by a tombstone that is kept for as long.
	Forget
)

// key names an entry.
type key struct {
	kind   revoked.Kind
	issuer string
	id     string
}

func keyOf(e revoked.Entry) key { return key{kind: e.Kind, issuer: e.Issuer, id: e.ID} }
