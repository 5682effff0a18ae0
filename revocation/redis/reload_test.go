// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/internal/replica"
)

func TestReloadKeepsTheConnectionAndAnotherAddressClosesIt(t *testing.T) {
	server, other := own(t), own(t)
	pool := caddy.NewUsagePool()
	load := func(r *Redis) *Redis {
		t.Helper()
		r.pool = pool
		if err := r.Provision(caddy.Context{Context: t.Context()}); err != nil {
			t.Fatal(err)
		}
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the node is connected", r.Node().Fresh)
		return r
	}
	unload := func(r *Redis) {
		t.Helper()
		if err := r.Cleanup(); err != nil {
			t.Error(err)
		}
	}
	received := func() string {
		for line := range strings.Lines(server.CLI(t, "INFO", "stats")) {
			if n, ok := strings.CutPrefix(line, "total_connections_received:"); ok {
				return n
			}
		}
		return ""
	}
	clients := func() int { return strings.Count(server.CLI(t, "CLIENT", "LIST"), "name=caddy-auth") }

	first := load(&Redis{Addresses: []string{server.Address()}})
	revoke(t, first, token("a"))
	second := load(&Redis{Addresses: []string{"redis://" + server.Address()}, OnError: "allow"}) // says the same
	if first.Node() != second.Node() || clients() != 1 {
		t.Errorf("a reload that changes nothing connects anew: %d connections, %s in all", clients(), received())
	}
	unload(first)
	unload(first) // again is nothing
	rejected := &Redis{Addresses: []string{other.Address()}, pool: pool}
	if err := rejected.Provision(caddy.Context{Context: t.Context()}); err != nil {
		t.Fatal(err)
	}
	unload(rejected) // never started
	if n := strings.Count(other.CLI(t, "CLIENT", "LIST"), "name=caddy-auth"); n != 0 {
		t.Error("a configuration that was rejected connected")
	}
	if !is(t, second, token("a")) || is(t, second, token("b")) {
		t.Error("a reload changed what is revoked")
	}
	third := load(&Redis{Addresses: []string{other.Address()}})
	unload(second)
	eventually(t, "the connection to the old address is closed", func() bool { return clients() == 0 })
	unload(third)
}

// observed returns a store whose log can be read.
func observed(t *testing.T, r *Redis) (*Redis, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	r.pool = caddy.NewUsagePool()
	if err := r.Provision(caddy.Context{Context: t.Context()}); err != nil {
		t.Fatal(err)
	}
	r.Node().Logger = zap.New(core)
	t.Cleanup(func() { _ = r.Cleanup() })
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r, logs
}

func TestAllowLetsPassAndSaysSoOnceInAnOutage(t *testing.T) {
	t.Parallel()
	server := own(t)
	r, logs := observed(t, &Redis{Addresses: []string{server.Address()}, OnError: "allow", MaxStale: caddy.Duration(time.Second)})
	count := func(text string) int { return logs.FilterMessageSnippet(text).Len() }
	eventually(t, "the node is connected", r.Node().Fresh)
	revoke(t, r, token("revoked"))
	for outage := 1; outage <= 2; outage++ {
		server.Freeze(t)
		eventually(t, "the outage begins", func() bool { return count("does not answer; what it would say") == outage })
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 100 {
					if is(t, r, token("never seen")) {
						t.Error("refused in an outage, with on_error allow")
					}
					if !is(t, r, token("revoked")) {
						t.Error("a revoked token passes in an outage, with on_error allow")
					}
				}
			})
		}
		wg.Wait()
		if n := count("tokens pass without being checked"); n != outage {
			t.Errorf("%d lines about it in %d outages", n, outage)
		}
		server.Thaw(t)
		eventually(t, "the outage ends", func() bool { return count("answers again") == outage })
	}
	if n := logs.Len(); n != 6 {
		t.Errorf("%d lines about 2 outages, want 6: %v", n, logs.All())
	}
}

func TestMetricsTellOfOutages(t *testing.T) {
	server := own(t)
	r := &Redis{Addresses: []string{server.Address()}, OnError: "allow", MaxStale: caddy.Duration(time.Second)}
	if err := r.Provision(caddy.Context{Context: t.Context()}); err != nil { // in the pool of the process
		t.Fatal(err)
	}
	defer func() { _ = r.Cleanup() }()
	registry := prometheus.NewPedanticRegistry()
	for range 2 { // once for each configuration, and not twice
		if err := replica.Register(registry); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	value := func(name string) float64 {
		t.Helper()
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "caddy_auth_revocation_"+name {
				m := f.GetMetric()[0]
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
		t.Fatalf("there is no %s", name)
		return 0
	}
	expect := func(want map[string]float64) {
		t.Helper()
		for name, v := range want {
			eventually(t, name+" is right", func() bool { return value(name) == v })
		}
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	eventually(t, "the node is connected", r.Node().Fresh)
	revoke(t, r, token("a"))
	expect(map[string]float64{"up": 1, "entries": 1, "unwritten": 0, "outages_total": 0, "allowed_total": 0})
	server.Stop()
	eventually(t, "the outage is noticed", func() bool { return down(r) })
	is(t, r, token("b"))
	fails(t, r, token("c"))
	expect(map[string]float64{"up": 0, "entries": 2, "unwritten": 1, "outages_total": 1, "allowed_total": 1})
}
