// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// troubleEvery is how often something is said of the database at most: one
	// that answers every other time is no reason for two lines a request.
	troubleEvery = 10 * time.Second

	// noteEvery is how often something is said of its users at most.
	noteEvery = time.Minute
)

// health is whether the database answers, and what was said of it already: one
// line for an outage, and one for its end.
type health struct {
	mu     sync.Mutex
	outage trouble
	faults map[string]*trouble // of queries, by their names
	noted  map[string]time.Time
}

// trouble is something that is wrong for a while.
type trouble struct {
	problem string
	said    bool
	last    time.Time // that something was said
}

// begins reports whether it is to be said that there is this problem.
func (t *trouble) begins(problem string, now time.Time) bool {
	if t.problem != problem {
		t.problem, t.said = problem, false
	}
	if t.said || (!t.last.IsZero() && now.Sub(t.last) < troubleEvery) {
		return false
	}
	t.said, t.last = true, now
	return true
}

// ends reports whether it is to be said that there is no problem any more.
func (t *trouble) ends() bool {
	said := t.said
	t.problem, t.said = "", false
	return said
}

// failed notes an error of a query that is not about a user.
func (h *health) failed(logger *zap.Logger, name string, err error, now time.Time) {
	h.mu.Lock()
	t, problem := &h.outage, "unreachable"
	if !isUnreachable(err) {
		if h.faults == nil {
			h.faults = make(map[string]*trouble)
		}
		if h.faults[name] == nil {
			h.faults[name] = new(trouble)
		}
		t, problem = h.faults[name], err.Error()
	}
	say := t.begins(problem, now)
	h.mu.Unlock()
	if say {
		logger.Warn("the database of users cannot be asked; who needs it is refused with 503", zap.Error(err))
	}
}

// works notes that a query was answered.
func (h *health) works(logger *zap.Logger, name string) {
	h.mu.Lock()
	say := h.outage.ends()
	if t := h.faults[name]; t != nil && t.ends() {
		say = true
	}
	h.mu.Unlock()
	if say {
		logger.Info("the database of users answers again")
	}
}

// mayNote reports whether no message of this kind was logged just now.
func (h *health) mayNote(kind string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if last, ok := h.noted[kind]; ok && now.Sub(last) < noteEvery {
		return false
	}
	if h.noted == nil {
		h.noted = make(map[string]time.Time)
	}
	h.noted[kind] = now
	return true
}
