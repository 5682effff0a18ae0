// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// BenchmarkMillion measures each store with a million revoked tokens: a look-up,
// and how long a start takes and how much memory the copy.
func BenchmarkMillion(b *testing.B) {
	b.Run("memory", func(b *testing.B) {
		before := heap()
		m := newMemory(b, clock.Clock{})
		for i := range 1_000_000 {
			m.state.set.Apply(revoked.Entry{Kind: revoked.Token, ID: jti(i), Issuer: "https://id.example", Until: 1 << 62})
		}
		lookUp(b, m, heap()-before)
	})
	path := boltPath(b)
	file := sync.OnceFunc(func() { fillBolt(b, path, 1_000_000) })
	b.Run("bolt", func(b *testing.B) {
		file()
		before, begun := heap(), time.Now()
		s := newBolt(b, path, clock.Clock{})
		took := time.Since(begun)
		lookUp(b, s, heap()-before)
		b.ReportMetric(float64(took.Milliseconds()), "load-ms")
	})
	dsn := ""
	b.Run("PostgreSQL", func(b *testing.B) {
		if dsn == "" {
			server := testservers.PostgreSQL(b)
			dsn = server.DSN(server.NewDatabase(b))
			fillPostgreSQL(b, dsn)
		}
		before, begun := heap(), time.Now()
		s := sqlNode(b, &SQL{DSN: dsn})
		took := time.Since(begun)
		lookUp(b, s, heap()-before)
		b.ReportMetric(float64(took.Milliseconds()), "load-ms")
	})
}

// lookUp asks for tokens that are revoked and others that are not.
func lookUp(b *testing.B, s auth.RevocationStore, used uint64) {
	b.Helper()
	tokens := make([]auth.TokenRef, 1024)
	for i := range tokens {
		tokens[i] = token(jti(i*900 + i%2*10_000_000))
		if isRevoked(b, s, tokens[i]) != (i%2 == 0) {
			b.Fatalf("token %d is not what it should be", i)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, _ = s.Revoked(b.Context(), tokens[i%len(tokens)])
	}
	b.ReportMetric(float64(used)/(1<<20), "MiB")
	runtime.KeepAlive(s)
}

// fillBolt writes so many revoked tokens into a file.
func fillBolt(tb testing.TB, path string, n int) {
	tb.Helper()
	const some = 50_000
	f := newBoltFile(path, clock.Clock{})
	if err := f.open(revoked.New()); err != nil {
		tb.Fatal(err)
	}
	defer f.close()
	for first := 0; first < n; first += some {
		err := f.update(func(w *boltWriter) error {
			for i := range some {
				if err := w.put(revoked.Entry{Kind: revoked.Token, ID: jti(first + i), Issuer: "https://id.example", Until: 1 << 62}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// fillPostgreSQL makes the tables and a million rows in them.
func fillPostgreSQL(tb testing.TB, dsn string) {
	tb.Helper()
	cleanup(tb, sqlNode(tb, &SQL{DSN: dsn})) // makes the tables
	execute(tb, open(tb, dsn), "INSERT INTO caddy_auth_revocations SELECT sha256(i::text::bytea), 't', 'https://id.example', "+
		"convert_to('0b8d7a4e-6f0c-4c1e-9d53-' || (100000000000 + i), 'UTF8'), 0, "+strconv.FormatInt(time.Now().Add(time.Hour).UnixNano(), 10)+
		", '', 0 FROM generate_series(0, 999999) AS i")
}
