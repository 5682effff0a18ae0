// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"runtime"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// BenchmarkMillion measures a look-up among a million revoked tokens, and how
// long it takes after a start until the node decides and until its copy is
// filled, and how much memory that takes.
func BenchmarkMillion(b *testing.B) {
	server := own(b)
	fill(b, server.Address(), 1_000_000)
	b.Run("Redis", func(b *testing.B) {
		before, begun := heap(), time.Now()
		r := begin(b, &Redis{Addresses: []string{server.Address()}})
		eventually(b, "the node decides", func() bool { return !unknown(b, r, token("never seen")) })
		decides := time.Since(begun)
		eventually(b, "its copy is filled", r.Node().Fresh)
		filled := time.Since(begun)
		used := heap() - before
		tokens := make([]auth.TokenRef, 1024)
		for i := range tokens {
			tokens[i] = token(jti(i*900 + i%2*10_000_000))
			if is(b, r, tokens[i]) != (i%2 == 0) {
				b.Fatalf("token %d is not what it should be", i)
			}
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			_, _ = r.Revoked(b.Context(), tokens[i%len(tokens)])
		}
		b.ReportMetric(float64(used)/(1<<20), "MiB")
		b.ReportMetric(float64(decides.Milliseconds()), "load-ms")
		b.ReportMetric(float64(filled.Milliseconds()), "fill-ms")
		runtime.KeepAlive(r)
	})
}
