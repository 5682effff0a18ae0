// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package replica

import (
	"context"
	"hash/maphash"
	"time"

	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

// Loading takes in what a session loads.
type Loading struct {
	node       *Node
	known      bool // the copy holds something already
	there      map[uint64]held
	seed       maphash.Seed
	tombstones map[key]Record
	count      int
}

// held is what the server holds of an entry. It is found by a hash: a second
// copy would take its room.
type held struct{ until, cutoff int64 }

// Expect says about how many tokens will be added, so that room is made for
// them at once.
func (l *Loading) Expect(tokens int) {
	if !l.known {
		l.node.set.Reserve(revoked.Token, tokens)
	}
}

// Add adds what the server holds about one ID of one issuer.
func (l *Loading) Add(r Record) {
	if l.count%256 == 0 {
		l.node.outage.progress()
	}
	l.count++
	if r.Tombstone != "" {
		l.tombstones[keyOf(r.Entry)] = r
		return
	}
	if len(l.tombstones) > 0 { // a session may come upon a key twice
		delete(l.tombstones, keyOf(r.Entry))
	}
	l.node.set.Apply(r.Entry)
	if l.node.watching.Load() {
		l.node.mu.Lock()
		l.node.saw(keyOf(r.Entry), true)
		l.node.mu.Unlock()
	}
	if l.known {
		l.there[l.hash(r.Entry)] = held{until: r.Until, cutoff: r.Cutoff}
	}
}

func (l *Loading) hash(e revoked.Entry) uint64 { return maphash.Comparable(l.seed, keyOf(e)) }

// load fills the copy, and returns what the node knows and the server lacks.
func (n *Node) load(ctx context.Context, session Session) ([]Change, error) {
	l := &Loading{
		node:       n,
		known:      n.size() > 0,
		there:      make(map[uint64]held),
		seed:       maphash.MakeSeed(),
		tombstones: make(map[key]Record),
	}
	if err := session.Load(ctx, l); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for k, r := range l.tombstones {
		if n.tombs[k].id != r.Tombstone {
			n.observe(r)
			continue
		}
		// A tombstone that this node has seen is older than what it knows: the
		// entry was revoked again after it.
		for _, e := range n.set.Entries(r.Kind, r.ID) {
			if keyOf(e) == k {
				n.lose(e)
			}
		}
	}
	if !l.known {
		return nil, nil
	}
	var lacks []Change
	now := n.now()
	for i := range revoked.Shards {
		n.set.EachOf(i, func(e revoked.Entry) {
			// Ends differ by what one clock is ahead of the other.
			h := l.there[l.hash(e)]
			if e.Until <= now || h.until >= e.Until-int64(time.Minute) && h.cutoff >= e.Cutoff {
				return
			}
			lacks = append(lacks, Change{Entry: e, Op: Publish, Tombstone: n.tombs[keyOf(e)].id})
		})
	}
	return lacks, nil
}
