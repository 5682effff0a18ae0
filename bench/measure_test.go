// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// brief is a row that says nothing about speed, and everything about whether it
// can be measured.
var brief = effort{Pairs: 2, Slice: time.Millisecond, WarmUp: 50, Revocations: 3}

// Every row of ours starts, protects and is measured. How long it takes is
// nothing for a test; others' programs are not there everywhere. A row that
// would measure a Caddy that lets everybody in is an error.
func TestEveryRowOfCaddyIsMeasured(t *testing.T) {
	if _, err := processTime(os.Getpid()); err != nil {
		t.Skip(err)
	}
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLab(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	missing := func(store sharedStore) bool {
		_, end, err := store(l, t.Context())
		if errors.Is(err, errMissing) {
			return true
		}
		if err != nil {
			t.Fatal(err)
		}
		end()
		return false
	}
	without := map[string]bool{"revocation-redis": missing((*lab).onRedis), "revocation-sql": missing((*lab).onPostgreSQL)}
	for _, w := range rows() {
		if w.Group == groupPeers || without[w.ID] || strings.HasPrefix(w.ID, "tokens-100000") || w.ID == "full-cache" {
			continue
		}
		d, err := again(func() (*difference, error) { return l.measureRow(t.Context(), w, brief) })
		if err != nil {
			t.Errorf("%s: %v", w.ID, err)
			continue
		}
		if d.Pairs != brief.Pairs || d.Requests < 1000 || d.Base.CPU <= 0 || d.Own.CPU <= 0 || d.Own.P99 < d.Own.P50 || d.Own.Peak <= 0 {
			t.Errorf("%s: %+v", w.ID, d)
		}
	}
	open := caddy(bearer("HS256", 1), fixed(caddyConfig{}))
	if _, err := l.measureRow(t.Context(), row{refuses: true, base: open, own: open}, brief); err == nil || !strings.Contains(err.Error(), "answered 200, not 401") {
		t.Errorf("a server that protects nothing: %v", err)
	}
	for _, by := range new(results).propagations(brief) {
		p, err := again(func() (*propagation, error) { return l.measurePropagation(t.Context(), by.store, by.trials) })
		if errors.Is(err, errMissing) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.Trials != by.trials || p.P50 <= 0 || p.Most < p.P50 {
			t.Errorf("propagation by %s: %+v", by.name, p)
		}
	}
	f, err := l.measureFlood(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if allowed := int64(f.Took/minRefresh.Seconds()) + 2; f.Fetches < 1 || f.Fetches > allowed {
		t.Errorf("%d fetches in %.1f s", f.Fetches, f.Took)
	}
}

// again tries up to three times: on a machine that is busy with other tests, a
// node may not hear of its store in time, and answers 503 as it should.
func again[T any](f func() (T, error)) (result T, err error) {
	for range 3 {
		if result, err = f(); !isUnavailable(err) {
			break
		}
	}
	return result, err
}

func TestTokensHaveOneKilobyte(t *testing.T) {
	t.Parallel()
	m, err := newMinter(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := m.tokens("HS256", 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, token := range tokens {
		if len(token) < 1000 || len(token) > 1048 || token == tokens[(i+1)%3] {
			t.Errorf("token %d has %d characters", i, len(token))
		}
	}
}

func TestOptionsThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-mode", "."}, {"-only", "("}, {"more"}} {
		if _, err := parseOptions(args); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
	o, err := parseOptions([]string{"-mode", "quick"})
	if err != nil || !strings.Contains(o.out, ".cache") {
		t.Errorf("%+v, %v", o, err)
	}
}
