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
	for list := range revoked.HeldBy(before, n.now()) {
		for _, e := range list {
			n.set.Apply(e)
		}
	}
	from, ok := before.(*Node)
	if !ok {
		return
	}
	if n.ForeignName != "" && n.ForeignName == from.ForeignName {
		for i := range revoked.Shards {
			from.Foreign.EachOf(i, n.Foreign.Apply)
		}
	}
	from.mu.Lock()
	tombs := maps.Clone(from.tombs)
	var unwritten []revoked.Entry
	for _, p := range from.pending {
		if !p.written {
			unwritten = append(unwritten, p.entry)
		}
	}
	from.mu.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.Copy(n.tombs, tombs)
	for _, e := range unwritten {
		n.owe(e, time.Time{})
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
