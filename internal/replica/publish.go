// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package replica

import (
	"context"
	"math"
	"time"

	"go.uber.org/zap"
)

// retryEvery is how often the node offers again what a server that is there did
// not take, or lost.
const retryEvery = time.Second

// serveWrites writes what callers wait for and, when nobody waits, what the
// server lacks, once that is known.
func (n *Node) serveWrites(ctx context.Context, session Session, lacks <-chan []Change) {
	rest := n.unwritten(0)
	retry := time.NewTicker(retryEvery)
	defer retry.Stop()
	always := make(chan struct{})
	close(always)
	for ctx.Err() == nil {
		select {
		case w := <-n.writes:
			n.answer(ctx, session, w)
			continue
		default:
		}
		var more chan struct{}
		if len(rest) > 0 {
			more = always
		}
		select {
		case w := <-n.writes:
			n.answer(ctx, session, w)
		case <-more:
			part := rest[:min(len(rest), maxBatch)]
			rest = rest[len(part):]
			n.commit(ctx, session, part)
		case list := <-lacks:
			rest = append(rest, list...)
		case <-retry.C:
			if len(rest) == 0 {
				rest = n.unwritten(Timeout)
			}
		case <-ctx.Done():
		}
	}
}

// answer writes a change together with those that others are trying to hand
// over: each batch costs one wait for the server.
func (n *Node) answer(ctx context.Context, session Session, first *write) {
	batch := []*write{first}
waiting:
	for len(batch) < maxBatch {
		select {
		case w := <-n.writes:
			batch = append(batch, w)
		default:
			break waiting
		}
	}
	changes := make([]Change, len(batch))
	for i, w := range batch {
		changes[i] = w.Change
	}
	errs := n.commit(ctx, session, changes)
	for i, w := range batch {
		w.answer <- errs[i]
	}
}

// commit writes changes, and returns an error for each.
func (n *Node) commit(ctx context.Context, session Session, changes []Change) []error {
	n.forget(changes)
	writing, cancel := context.WithTimeout(ctx, Timeout)
	errs := session.Write(writing, changes)
	cancel()
	if errs == nil {
		errs = make([]error, len(changes))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, c := range changes {
		k := keyOf(c.Entry)
		p := n.pending[k]
		if errs[i] != nil {
			if c.Op == Publish { // nobody else offers it again
				n.lost[k] = c
			}
			continue
		}
		if c.Op != Forget {
			delete(n.lost, k)
			// What is published gives way to a tombstone, which is no error.
			if c.Op == Revoke && p != nil && p.entry.Until <= c.Until && p.entry.Cutoff <= c.Cutoff {
				p.written, p.confirmed = true, n.cycle
			}
			continue
		}
		if p != nil && p.seq > c.seq {
			continue // revoked again meanwhile
		}
		delete(n.pending, k)
		delete(n.lost, k)
		n.tombs[k] = tomb{id: c.Tombstone, until: c.Until}
		if !n.forgetting[k] {
			n.set.Remove(c.Entry, math.MaxInt64)
		}
		n.Foreign.Remove(c.Entry, math.MaxInt64)
	}
	n.forgetting = nil
	n.watching.Store(false)
	if ctx.Err() == nil { // else it is the end of the session, which has its own line
		n.note(errs)
	}
	return errs
}

// forget notes what is about to be taken back. If the server is seen to hold an
// entry before it confirms that, somebody may have revoked it again, or it was
// read before: what it holds at last will be observed.
func (n *Node) forget(changes []Change) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range changes {
		if c.Op == Forget {
			if n.forgetting == nil {
				n.forgetting = make(map[key]bool)
			}
			n.forgetting[keyOf(c.Entry)] = false
		}
	}
	n.watching.Store(n.forgetting != nil)
}

// saw notes what the server was seen to hold: an entry, or a tombstone.
func (n *Node) saw(k key, live bool) {
	if _, ok := n.forgetting[k]; ok {
		n.forgetting[k] = live
	}
}

// note logs when the server begins to refuse writes, and when it is well again.
func (n *Node) note(errs []error) {
	var failed error
	for _, err := range errs {
		if err != nil {
			failed = err
			break
		}
	}
	switch {
	case failed != nil && !n.refusing:
		n.Logger.Error("revocations cannot be written; log-outs are answered with 503",
			zap.String("server", n.Server), zap.Error(failed))
	case failed == nil && n.refusing:
		n.Logger.Info("revocations can be written again", zap.String("server", n.Server))
	}
	n.refusing = failed != nil
}

// backlog returns how many entries the server does not hold.
func (n *Node) backlog() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := len(n.lost)
	for _, p := range n.pending {
		if !p.written {
			count++
		}
	}
	return count
}

// unwritten returns what the server does not hold as far as the node knows,
// and for which nobody waits: what was asked for at least that long ago.
func (n *Node) unwritten(ago time.Duration) []Change {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []Change
	for _, p := range n.pending {
		if !p.written && time.Since(p.asked) >= ago {
			list = append(list, Change{Entry: p.entry})
		}
	}
	for _, c := range n.lost {
		list = append(list, c)
	}
	return list
}
