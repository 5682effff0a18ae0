// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package replica

import (
	"context"
	"fmt"
	"sync"
)

// Current is the session that a node has at the moment, for those who ask the
// server beside the node. The zero value has none.
type Current[S comparable] struct {
	mu      sync.Mutex
	session S
	changed chan struct{} // closed when the session changes
}

// Set makes a session the one that everybody asks.
func (c *Current[S]) Set(session S) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = session
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// Drop ends the use of a session, unless there is another already.
func (c *Current[S]) Drop(old S) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == old {
		var none S
		c.session = none
	}
}

// Wait returns the session that is there, or the next.
func (c *Current[S]) Wait(ctx context.Context) (S, error) {
	var none S
	for {
		c.mu.Lock()
		session := c.session
		if session == none && c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		c.mu.Unlock()
		if session != none {
			return session, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return none, fmt.Errorf("no connection to the server: %w", ctx.Err())
		}
	}
}
