// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package replica

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// How long the node waits after a connection failed. With the bound on
// connecting it uses a server that came back within five seconds.
const (
	shortestPause = 50 * time.Millisecond
	longestPause  = time.Second
)

// keep connects, and connects again: it is the one goroutine that asks for a
// server that is down.
func (n *Node) keep() {
	pause := shortestPause
	for {
		served, err := n.serve(n.context)
		if n.context.Err() != nil {
			return
		}
		n.outage.failed(err)
		if served {
			pause = shortestPause
		}
		timer := time.NewTimer(pause + rand.N(pause)/2) //nolint:gosec // nodes must not come all at once; nothing to guess
		select {
		case <-timer.C:
		case <-n.stop:
			timer.Stop()
			return
		}
		pause = min(2*pause, longestPause)
	}
}

// serve lives through one session. It reports whether the copy was filled.
func (n *Node) serve(ctx context.Context) (served bool, err error) {
	connecting, done := context.WithTimeout(ctx, Timeout)
	session, err := n.Source.Connect(connecting)
	done()
	if err != nil {
		return false, err
	}
	defer session.Close()
	if asker, ok := session.(Asker); ok {
		n.loading.Store(&asker)
		defer n.loading.Store(nil)
	}
	ctx, cancel := context.WithCancel(ctx)
	var writer sync.WaitGroup
	defer writer.Wait()
	defer cancel()
	lacks := make(chan []Change, 1) // nobody who logs out waits until a large copy is filled
	writer.Go(func() { n.serveWrites(ctx, session, lacks) })
	list, err := n.load(ctx, session)
	if err != nil {
		return false, err
	}
	lacks <- list
	return true, session.Follow(ctx, n)
}
