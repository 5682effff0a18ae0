// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revoked

import (
	"context"
	"sync/atomic"
)

// State is what a store keeps for longer than a configuration lasts. When a
// configuration says something else of the store than the one before it, the
// states are two, and what the first refuses the second refuses as well.
type State interface {
	// Held returns what is refused, nil if the store has not been started.
	Held() *Set

	// TakeOver refuses what another state holds. It is called before the start.
	TakeOver(before State)

	// Adopt refuses what is revoked by those who still use the state before this
	// one, and keeps it.
	Adopt(ctx context.Context, list []Entry)

	// Following says which state follows.
	Following() *Succession
}

// Succession is the state that follows another, if one does. It does not hold the
// other one in memory.
type Succession struct {
	next atomic.Pointer[State]
}

// Tell tells it of what is revoked.
func (s *Succession) Tell(ctx context.Context, list []Entry) {
	if next := s.next.Load(); next != nil {
		(*next).Adopt(ctx, list)
	}
}

// Succeed lets a state follow another, unless they are the same. The function
// that it returns undoes that if the second ends before another follows it: its
// configuration did not start.
func Succeed(before, next State) (undo func()) {
	if before == next {
		return func() {}
	}
	next.Following().next.Store(nil)
	following, p := before.Following(), &next
	following.next.Store(p) // before the rest: nothing is revoked in between
	next.TakeOver(before)
	return func() {
		if next.Following().next.Load() == nil {
			following.next.CompareAndSwap(p, nil)
		}
	}
}
