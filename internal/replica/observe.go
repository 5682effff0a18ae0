// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package replica

import (
	"crypto/rand"
	"hash/maphash"
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
			if p.gone {
				n.lose(p.entry)
			}
		}
	}
	n.mu.Unlock()
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
		delete(n.lost, k)
		return
	}
	n.tombs[k] = tomb{id: r.Tombstone, until: r.Until}
	if n.pending[k] == nil {
		n.set.Remove(r.Entry, math.MaxInt64)
		delete(n.lost, k)
	}
}

// load fills the copy, and returns what the node knows and the server lacks.
func (n *Node) load(load func(add func(Record)) error) ([]Change, error) {
	known := n.size() > 0
	seed := maphash.MakeSeed()
	type held struct{ until, cutoff int64 }
	there := make(map[uint64]held) // by a hash: a second copy would take its room
	hash := func(e revoked.Entry) uint64 {
		return maphash.Comparable(seed, keyOf(e))
	}
	var tombstones []Record
	err := load(func(r Record) {
		if r.Tombstone != "" {
			tombstones = append(tombstones, r)
			return
		}
		n.set.Apply(r.Entry)
		if known {
			there[hash(r.Entry)] = held{until: r.Until, cutoff: r.Cutoff}
		}
	})
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range tombstones {
		// A tombstone that this node has seen is older than what it knows: the
		// entry was revoked again after it.
		if k := keyOf(r.Entry); n.tombs[k].id != r.Tombstone {
			n.observe(r)
		}
	}
	var lacks []Change
	if !known {
		return nil, nil
	}
	now := n.now()
	for i := range revoked.Shards {
		n.set.EachOf(i, func(e revoked.Entry) {
			// Ends differ by what one clock is ahead of the other.
			h := there[hash(e)]
			if e.Until <= now || h.until >= e.Until-int64(time.Minute) && h.cutoff >= e.Cutoff {
				return
			}
			lacks = append(lacks, Change{Entry: e, Op: Publish, Tombstone: n.tombs[keyOf(e)].id})
		})
	}
	return lacks, nil
}

func (n *Node) size() int {
	return n.set.Len(revoked.Token) + n.set.Len(revoked.Session) + n.set.Len(revoked.User)
}
