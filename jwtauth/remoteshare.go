// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"time"
)

// subscription is a block that follows the keys.
type subscription struct {
	remoteTimes
	changed func(*remoteSet)
	given   *remoteSet // what it was told last
}

// fresh returns the keys, unless they are too old. It is called with the lock.
func (r *remote) fresh(now time.Time, stale time.Duration) *remoteSet {
	// Round strips the monotonic clock, which stands still while a machine sleeps.
	if r.set == nil || now.Round(0).Sub(r.confirmed.Round(0)) >= stale {
		return nil
	}
	return r.set
}

// publish exchanges the set, and tells every block of what is new to it: a set,
// or that it is too old now. It is called with the lock.
func (r *remote) publish(set *remoteSet) {
	r.set = set
	now := r.now()
	for s := range r.subscribers {
		if set := r.fresh(now, s.stale); set != s.given {
			s.given = set
			s.changed(set)
		}
	}
}

// subscribe calls changed with the present keys and whenever they change for a
// block of those times, until the function that it returns is called.
func (r *remote) subscribe(times remoteTimes, changed func(*remoteSet)) (end func()) {
	s := &subscription{remoteTimes: times, changed: changed}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.subscribers[s] = struct{}{}
	r.retime()
	s.given = r.fresh(r.now(), times.stale)
	changed(s.given)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.subscribers, s)
		r.retime()
	}
}

// retime finds the times that serve every block. The last ones stay in force
// when nobody is left. It is called with the lock.
func (r *remote) retime() {
	first := true
	for s := range r.subscribers {
		if first {
			r.remoteTimes, first = s.remoteTimes, false
			continue
		}
		r.remoteTimes = r.with(s.remoteTimes)
	}
	latest := r.attempted.Add(r.refreshMost)
	if !r.next.After(latest) || r.attempted.IsZero() {
		return
	}
	r.next = latest // a block that came asks more often
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
