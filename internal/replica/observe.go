// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package replica

import (
	"crypto/rand"
	"math"
	"time"

	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

// newTombstone returns an ID that no other tombstone has.
func newTombstone() string { return rand.Text() }

// Begin begins a cycle of a session: from here to Heard, what the session
// observes was asked from the server after this moment.
func (n *Node) Begin() {
	n.mu.Lock()
	n.cycle++
	n.mu.Unlock()
}

// Heard ends a cycle. All that the server held at the moment given has been
// observed: the server was asked then or later.
func (n *Node) Heard(at time.Time) {
	n.mu.Lock()
	for k, p := range n.pending {
		// What was observed in the cycle of the confirmation may be older.
		if p.written && p.confirmed < n.cycle {
			delete(n.pending, k)
			switch {
			case p.tombstone != "": // what was written has been seen, and this after it
				n.set.Remove(p.entry, math.MaxInt64)
				delete(n.lost, k)
			case p.gone:
				n.lose(p.entry)
			}
		}
	}
	n.mu.Unlock()
	n.loaded.Store(true)
	n.loading.Store(nil)
	n.good.Store(int64(at.Sub(n.base) + n.MaxStale))
	n.wall.Store(at.Add(n.MaxStale).UnixNano())
	n.outage.heard(n)
}

// Observe reports what the server holds about one ID of one issuer.
func (n *Node) Observe(r Record) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.observe(r)
}

// ObserveID reports all that the server holds about an ID, whatever its
// issuers. What the node knows and the server does not is lost there, and is
// published again: a server out of memory may evict, and people clear databases.
func (n *Node) ObserveID(kind revoked.Kind, id string, records []Record) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range records {
		n.observe(r)
	}
	// An entry that ends anyway is removed by the server, whose clock may be a
	// little ahead.
	soon := n.now() + int64(2*time.Second)
known:
	for _, e := range n.set.Entries(kind, id) {
		for _, r := range records {
			if r.Issuer == e.Issuer {
				continue known
			}
		}
		if p := n.pending[keyOf(e)]; p != nil {
			p.gone = true
		} else if e.Until > soon {
			n.lose(e)
		}
	}
}

// lose notes that the server has to be told of an entry.
func (n *Node) lose(e revoked.Entry) {
	n.lost[keyOf(e)] = Change{Entry: e, Op: Publish, Tombstone: n.tombs[keyOf(e)].id}
}

func (n *Node) observe(r Record) {
	k := keyOf(r.Entry)
	if r.Tombstone == "" {
		n.set.Apply(r.Entry)
		n.saw(k, true)
		delete(n.lost, k)
		if p := n.pending[k]; p != nil {
			p.tombstone = ""
		}
		return
	}
	n.tombs[k] = tomb{id: r.Tombstone, until: r.Until}
	n.saw(k, false)
	switch p := n.pending[k]; {
	case p != nil:
		p.tombstone = r.Tombstone
	case n.lost[k].Tombstone == r.Tombstone:
		// The server went back to it, and is about to be told what came after.
	default:
		n.set.Remove(r.Entry, math.MaxInt64)
		delete(n.lost, k)
	}
}

func (n *Node) size() int {
	return n.set.Len(revoked.Token) + n.set.Len(revoked.Session) + n.set.Len(revoked.User)
}
