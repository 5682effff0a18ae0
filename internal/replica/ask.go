// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

const (
	// askTimeout bounds how long a check waits for the server.
	askTimeout = 50 * time.Millisecond

	// maxAsking bounds the checks that ask the server at the same time.
	maxAsking = 256
)

// Asker is a session that can be asked about single IDs beside Load. A copy that
// is large takes seconds to fill, and tokens need not wait for that.
type Asker interface {
	// Ask returns all that the server holds about an ID of each of the kinds,
	// whatever its issuers.
	Ask(ctx context.Context, ids map[revoked.Kind]string) ([]Record, error)
}

var errNotAsked = errors.New("the server is not asked about single tokens")

// ask finds out from the server whether a token is revoked that is not in the
// copy, while the copy is being filled.
func (n *Node) ask(ctx context.Context, token *auth.TokenRef) (bool, error) {
	session := n.loading.Load()
	if session == nil {
		return false, errNotAsked
	}
	if n.asking.Add(1) > maxAsking {
		n.asking.Add(-1)
		return false, errBusy
	}
	defer n.asking.Add(-1)
	ids := make(map[revoked.Kind]string)
	for kind, id := range map[revoked.Kind]string{revoked.Token: token.ID, revoked.Session: token.SessionID, revoked.User: token.User.ID} {
		if id != "" {
			ids[kind] = id
		}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	records, err := (*session).Ask(ctx, ids)
	if err != nil {
		return false, fmt.Errorf("asking the server: %w", err)
	}
	for _, r := range records {
		if r.Tombstone == "" {
			n.set.Apply(r.Entry) // it would come with the rest
		}
	}
	return n.set.Revoked(token, n.now) || n.Foreign.Revoked(token, n.now), nil
}
