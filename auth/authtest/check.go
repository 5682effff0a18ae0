// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"context"
	"sync"
	"testing"
	"time"
)

// patience is how long a call may take whose context is done, and how long a
// suite waits for something that happens by itself; lifetime is that of an entry
// whose expiry is waited for. The suites' own tests have less.
var (
	patience = 5 * time.Second
	lifetime = 1500 * time.Millisecond
)

// check is one rule of the contract. It fails its tb when C breaks the rule.
type check[C any] struct {
	name string
	run  func(testing.TB, C)
}

// runChecks runs each check as a test of its own.
func runChecks[C any](t *testing.T, c C, checks []check[C]) {
	t.Helper()
	for _, ch := range checks {
		t.Run(ch.name, func(t *testing.T) { ch.run(t, c) })
	}
}

// within fails tb when f takes longer than patience. A call that never returns
// must end the test, not the patience of whoever runs it.
func within(tb testing.TB, what string, f func()) {
	tb.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		tb.Fatalf("%s: did not return within %s", what, patience)
	}
}

// cancelled returns a context that is done already.
func cancelled(parent context.Context) context.Context {
	ctx, cancel := context.WithCancel(parent)
	cancel()
	return ctx
}

// together calls f from several goroutines at once, rounds times each, with
// the number of the call.
func together(rounds int, f func(call int)) {
	const callers = 8
	var wg sync.WaitGroup
	start := make(chan struct{})
	for c := range callers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			<-start
			for i := range rounds {
				f(c*rounds + i)
			}
		}()
	}
	close(start)
	wg.Wait()
}
