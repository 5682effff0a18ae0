// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	// what never returns, and what never comes, is waited for all this time
	patience, lifetime = 800*time.Millisecond, 200*time.Millisecond
	os.Exit(m.Run())
}

// recorder is a testing.TB that remembers whether it failed.
type recorder struct {
	testing.TB // answers what is not overridden
	mu         sync.Mutex
	ctx        context.Context
	cleanups   []func()
	messages   []string
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Cleanup(f func())         { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// failures runs the checks against c and returns what each of them that failed
// said, by the name of the check.
func failures[C any](t *testing.T, c C, checks []check[C]) map[string][]string {
	t.Helper()
	failed := make(map[string][]string)
	for _, ch := range checks {
		ctx, cancel := context.WithCancel(context.Background())
		rec := &recorder{TB: t, ctx: ctx}
		done := make(chan struct{})
		go func() {
			defer close(done)
			ch.run(rec, c)
		}()
		<-done
		cancel()
		for _, f := range slices.Backward(rec.cleanups) {
			f()
		}
		if len(rec.messages) > 0 {
			failed[ch.name] = rec.messages
		}
	}
	return failed
}

// broken is an implementation that breaks one rule, and the check that must
// notice.
type broken[C any] struct {
	name string
	c    C
	want string
}

// noticed runs every broken implementation. Each must fail the check that it
// names, and each check must be failed by some: a check that cannot fail checks
// nothing.
func noticed[C any](t *testing.T, good C, checks []check[C], all []broken[C]) {
	t.Helper()
	for name, messages := range failures(t, good, checks) {
		t.Errorf("control: the good implementation fails %q: %q", name, messages)
	}
	var unused []string
	for _, ch := range checks {
		unused = append(unused, ch.name)
	}
	for _, b := range all {
		i := slices.IndexFunc(checks, func(ch check[C]) bool { return ch.name == b.want })
		if i < 0 {
			t.Errorf("%s: there is no check %q", b.name, b.want)
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			if len(failures(t, b.c, checks[i:i+1])) == 0 {
				t.Errorf("passes the check %q", b.want)
			}
		})
		unused = slices.DeleteFunc(unused, func(name string) bool { return name == b.want })
	}
	for _, name := range unused {
		t.Errorf("no broken implementation fails the check %q", name)
	}
}
