// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package replica

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// outage is whether the server is there. It says in the log when an outage
// begins and when it ends, and nothing in between.
type outage struct {
	mu     sync.Mutex
	timer  *time.Timer // of the beginning
	reason error       // why the last session ended

	moved  atomic.Int64 // when loading went on last, in nanoseconds since 1970
	down   atomic.Bool
	said   atomic.Bool // that tokens pass unchecked
	passed atomic.Uint64
	count  atomic.Uint64
}

func (o *outage) start(n *Node) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.timer = time.AfterFunc(n.MaxStale, func() { o.begin(n) })
}

func (o *outage) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.timer != nil {
		o.timer.Stop()
	}
}

func (o *outage) is() bool { return o.down.Load() }

// progress notes that the server is there, though not all is loaded yet.
func (o *outage) progress() { o.moved.Store(time.Now().UnixNano()) }

// begin is called when nothing was heard for too long.
func (o *outage) begin(n *Node) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n.Fresh() || n.context.Err() != nil || o.down.Load() {
		return
	}
	if rest := n.MaxStale - time.Since(time.Unix(0, o.moved.Load())); rest > 0 {
		o.timer.Reset(rest)
		return
	}
	o.down.Store(true)
	o.count.Add(1)
	fields := []zap.Field{zap.String("server", n.Server), zap.Duration("max_stale", n.MaxStale)}
	if o.reason != nil {
		fields = append(fields, zap.Error(o.reason))
	}
	n.Logger.Error("the server of the revocation store does not answer; what it would say about tokens is unknown", fields...)
}

// heard is called when the server was heard.
func (o *outage) heard(n *Node) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n.context.Err() != nil {
		return
	}
	o.timer.Reset(n.MaxStale)
	o.reason = nil
	o.said.Store(false)
	if o.down.CompareAndSwap(true, false) {
		n.Logger.Info("the server of the revocation store answers again", zap.String("server", n.Server))
	}
}

// failed notes why a session ended.
func (o *outage) failed(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.reason = err
	}
}

// pass counts a token that passes though nobody knows whether it is revoked,
// and says so once in an outage.
func (o *outage) pass(n *Node) {
	o.passed.Add(1)
	if !o.said.Load() && o.said.CompareAndSwap(false, true) {
		n.Logger.Warn("the server of the revocation store does not answer; tokens pass without being checked, as \"on_error allow\" says",
			zap.String("server", n.Server))
	}
}
