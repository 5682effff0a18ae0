// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package replica

import (
	"context"
	"maps"
	"time"

	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

// State returns what lasts longer than the configuration.
func (h *Handle) State() revoked.State { return h.node }

// Held implements revoked.State.
func (n *Node) Held() *revoked.Set { return n.set }

// TakeOver implements revoked.State. What the server lacks is found out when it
// is loaded, and what its predecessor could not write is written.
func (n *Node) TakeOver(before revoked.State) {
	n.set.Merge(before.Held(), n.now())
	from, ok := before.(*Node)
	if !ok {
		return
	}
	if n.ForeignName != "" && n.ForeignName == from.ForeignName {
		n.Foreign.Merge(from.Foreign, n.now())
	}
	from.mu.Lock()
	tombs := maps.Clone(from.tombs)
	from.mu.Unlock()
	unwritten := from.unwritten(0)
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.Copy(n.tombs, tombs)
	for _, c := range unwritten {
		if c.Op == Revoke { // what was lost is found out as well
			n.owe(c.Entry, time.Time{})
		}
	}
}

// Adopt implements revoked.State. Nobody waits for the server: it is told within
// a second or so.
func (n *Node) Adopt(ctx context.Context, list []revoked.Entry) {
	n.mu.Lock()
	for _, e := range list {
		n.owe(e, time.Time{})
	}
	n.mu.Unlock()
	n.succession.Tell(ctx, list)
}

// Following implements revoked.State.
func (n *Node) Following() *revoked.Succession { return n.succession }

// Interface guard
var _ revoked.State = (*Node)(nil)
