// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// returned is within what time a store is in use again: 5 s where nobody else
// uses the processor.
const returned = 10 * time.Second

// used waits until the node uses its server again, and fails the test if that
// takes too long.
func used(t *testing.T, r *Redis, since time.Time) {
	t.Helper()
	eventually(t, "the node uses the server again", func() bool { return !unknown(t, r, token("never seen")) })
	took := time.Since(since)
	t.Logf("used again after %s", took)
	if took > returned {
		t.Errorf("used again after %s", took)
	}
}

// medianCheck is how long a check takes, whatever it says.
func medianCheck(s auth.RevocationStore, ref auth.TokenRef) time.Duration {
	took := make([]time.Duration, 1001)
	for i := range took {
		begun := time.Now()
		_, _ = s.Revoked(context.Background(), ref)
		took[i] = time.Since(begun)
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// Attack: the attacker makes the server slow, so that every request waits for it
// and nobody can log out.
func TestSlowServerHoldsNoCheck(t *testing.T) {
	t.Parallel()
	server := own(t)
	proxy := testservers.NewProxy(t, server.Port)
	r := connected(t, &Redis{Addresses: []string{"127.0.0.1:" + proxy.Port}})
	revoke(t, r, token("before"))
	for _, delay := range []time.Duration{100 * time.Millisecond, 700 * time.Millisecond, 3 * time.Second} {
		proxy.Slow(delay)
		for end := time.Now().Add(time.Second); time.Now().Before(end); {
			for id, ref := range map[string]auth.TokenRef{"before": token("before"), "never seen": token("never seen")} {
				if took := medianCheck(r, ref); took > 50*time.Millisecond {
					t.Fatalf("delay %s, %s: a check takes %s", delay, id, took)
				}
			}
			if !is(t, r, token("before")) {
				t.Fatalf("delay %s: a revoked token is valid", delay)
			}
		}
		during, begun := token(fmt.Sprint("during ", delay)), time.Now()
		err := r.Revoke(t.Context(), during, hour())
		took := time.Since(begun)
		t.Logf("delay %s: the log-out took %s, error %v", delay, took, err)
		if took > 10*time.Second { // 2 s where nobody else uses the processor
			t.Errorf("delay %s: the log-out took %s", delay, took)
		}
		if !is(t, r, during) {
			t.Errorf("delay %s: this node does not refuse what was logged out", delay)
		}
	}
	proxy.Slow(0)
	used(t, r, time.Now())
	near := node(t, server)
	eventually(t, "what was logged out meanwhile is written", func() bool { return refused(near, token("during 3s"), t) })
	if is(t, r, token("never seen")) {
		t.Error("control: what nobody revoked is refused")
	}
}
