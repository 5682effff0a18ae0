// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"net"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

// commands returns how often the server ran each command.
func commands(text string) map[string]int {
	counts := make(map[string]int)
	for _, m := range regexp.MustCompile(`cmdstat_([^:]+):calls=(\d+)`).FindAllStringSubmatch(text, -1) {
		counts[m[1]], _ = strconv.Atoi(m[2])
	}
	return counts
}

func TestLookUpAsksTheServerNothing(t *testing.T) {
	server := own(t)
	r := node(t, server)
	full := token("revoked")
	full.SessionID = "s"
	revoke(t, r, full)
	eventually(t, "the notice of it has been read", func() bool { return commands(server.CLI(t, "INFO", "commandstats"))["mget"] >= 1 })
	server.CLI(t, "CONFIG", "RESETSTAT")
	for i := range 100_000 {
		if is(t, r, token("never-seen-"+strconv.Itoa(i))) {
			t.Fatal("revoked")
		}
		if !is(t, r, full) {
			t.Fatal("valid")
		}
	}
	counts := commands(server.CLI(t, "INFO", "commandstats"))
	for command := range counts {
		if !slices.Contains([]string{"ping", "config|resetstat", "info"}, command) {
			t.Errorf("200,000 look-ups ran %q", command)
		}
	}
	if counts["ping"] > 200 {
		t.Errorf("%d heartbeats", counts["ping"])
	}
	valid := token("valid")
	for what, ref := range map[string]auth.TokenRef{"revoked": full, "valid": valid} {
		if n := testing.AllocsPerRun(100, func() { _, _ = r.Revoked(t.Context(), ref) }); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

func TestRevocationReachesOtherNodesAtOnce(t *testing.T) {
	server := own(t)
	a, b := node(t, server), node(t, server)
	const rounds = 200
	took := make([]time.Duration, rounds)
	for i := range took {
		id := strconv.Itoa(i)
		begun := time.Now()
		revoke(t, a, token(id))
		for !is(t, b, token(id)) {
			if time.Since(begun) > patience {
				t.Fatal("it never comes")
			}
			runtime.Gosched()
		}
		took[i] = time.Since(begun)
	}
	slices.Sort(took)
	p99 := took[rounds*99/100]
	t.Logf("median %s, 99th percentile %s", took[rounds/2], p99)
	if p99 > 2*time.Second { // 100 ms where nobody else uses the processor
		t.Errorf("the 99th percentile is %s", p99)
	}
}

func TestAMillionRevokedTokensAreLoaded(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("a million tokens, under the race detector")
	}
	server := own(t)
	fill(t, server.Address(), 1_000_000)
	before := heap()
	begun := time.Now()
	r := node(t, server)
	took := time.Since(begun)
	used := heap() - before
	t.Logf("loaded in %s, %d MiB", took, used>>20)
	if took > 20*time.Second { // 2 s where nobody else uses the processor
		t.Errorf("loading took %s", took)
	}
	if used > 150<<20 {
		t.Errorf("%d MiB", used>>20)
	}
	for _, i := range []int{0, 999, 500_000, 999_999} {
		if !is(t, r, token(jti(i))) {
			t.Errorf("token %d is valid", i)
		}
	}
	if is(t, r, token(jti(1_000_000))) {
		t.Error("control: a token that is not there is revoked")
	}
	begun = time.Now()
	for range 1000 {
		is(t, r, token(jti(500_000)))
	}
	t.Logf("a look-up takes %s", time.Since(begun)/1000)
	runtime.KeepAlive(r)
}

func jti(i int) string { return "0b8d7a4e-6f0c-4c1e-9d53-" + strconv.Itoa(100_000_000_000+i) }

// fill sets keys as this module does.
func fill(tb testing.TB, address string, n int) {
	tb.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	done := make(chan error, 1)
	go func() {
		buf, got := make([]byte, 64<<10), 0
		for got < n*len("+OK\r\n") {
			m, err := conn.Read(buf)
			if err != nil {
				done <- err
				return
			}
			got += m
		}
		done <- nil
	}()
	value := magic + " " + strconv.FormatInt(time.Now().Add(24*time.Hour).UnixMilli(), 10) + ":" + sortable(0) + "::https%3A%2F%2Fid.example" + ending
	var b strings.Builder
	for i := range n {
		key := DefaultKeyPrefix + jti(i)
		b.WriteString("*5\r\n$3\r\nSET\r\n$" + strconv.Itoa(len(key)) + "\r\n" + key + "\r\n$" + strconv.Itoa(len(value)) + "\r\n" + value +
			"\r\n$2\r\nPX\r\n$8\r\n86400000\r\n")
		if b.Len() > 1<<20 || i == n-1 {
			if _, err := conn.Write([]byte(b.String())); err != nil {
				tb.Fatal(err)
			}
			b.Reset()
		}
	}
	if err := <-done; err != nil {
		tb.Fatal(err)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkRevoked(b *testing.B) {
	server := own(b)
	r := &Redis{Addresses: []string{server.Address()}, pool: caddy.NewUsagePool()}
	connected(b, r)
	for i := range 1000 {
		revoke(b, r, token(jti(i)))
	}
	for name, first := range map[string]int{"revoked": 0, "valid": 10_000_000} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			ref := token(jti(first))
			for b.Loop() {
				_, _ = r.Revoked(b.Context(), ref)
			}
		})
	}
}
