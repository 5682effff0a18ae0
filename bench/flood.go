// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// flood is what tokens with unknown kids do to those of others: the median
// latency of valid tokens, in µs, alone, beside eight clients that send valid
// tokens as fast as they can, and beside as many that send unknown kids.
type flood struct {
	Requests int     `json:"requests"`
	Fetches  int64   `json:"fetches"` // of the key server, after the first
	Alone    float64 `json:"alone"`
	Valid    float64 `json:"valid"`
	Unknown  float64 `json:"unknown"`
	Took     float64 `json:"took"` // seconds
}

// floodRequests are as many as the design speaks of.
const floodRequests = 10_000

// The flood begins when a fetch is allowed, so that at least one is under way
// while valid tokens come: min_refresh is as short as it can be, and the key
// server is slow.
const (
	minRefresh = time.Second
	keyServer  = 100 * time.Millisecond // what it takes to answer
)

// measureFlood sends tokens that name keys which nobody has, each another, and
// valid ones beside them.
func (l *lab) measureFlood(ctx context.Context) (*flood, error) {
	keySet, err := l.minter.keySet()
	if err != nil {
		return nil, err
	}
	var fetches atomic.Int64
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetches.Add(1)
		time.Sleep(keyServer)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(keySet)
	}))
	defer keys.Close()

	c := caddyConfig{site: fmt.Sprintf("auth {\njwt {\njwks_url %s\nmin_refresh %s\nalgorithms ES256\nissuer %s\naudience %s\n}\n}", keys.URL, minRefresh, tokenIssuer, tokenAudience)}
	server, err := l.startCaddy(ctx, c)
	if err != nil {
		return nil, err
	}
	defer server.stop()

	valid, err := l.minter.token("ES256", "valid", map[string]any{"kid": keyID})
	if err != nil {
		return nil, err
	}
	good := load{addr: server.addr, path: "/", field: "Authorization: Bearer ", values: []string{valid}}
	bad := good
	bad.values = make([]string, floodRequests)
	for i := range bad.values {
		if bad.values[i], err = l.minter.token("ES256", "flood", map[string]any{"kid": fmt.Sprintf("unknown-%d", i)}); err != nil {
			return nil, err
		}
	}

	if err := l.awaitKeys(ctx, good); err != nil {
		return nil, err
	}
	f := &flood{Requests: floodRequests}
	alone, err := steady(ctx, good, nil)
	if err != nil {
		return nil, err
	}
	f.Alone = micros(percentile(alone, 50))
	if f.Valid, err = beside(ctx, good, good, http.StatusOK); err != nil {
		return nil, err
	}
	select {
	case <-time.After(minRefresh):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	known, begin := fetches.Load(), time.Now()
	if f.Unknown, err = beside(ctx, good, bad, 0); err != nil {
		return nil, err
	}
	f.Took = time.Since(begin).Seconds()
	f.Fetches = fetches.Load() - known
	if f.Fetches == 0 {
		return nil, errors.New("tokens with unknown kids made no fetch, though one was allowed")
	}
	return f, nil
}

// beside returns the median latency of good requests while others are sent as
// fast as eight clients can, all of which must be answered with the status, or
// with status 0 be refused.
func beside(ctx context.Context, good, others load, status int) (float64, error) {
	c, err := dial(ctx, others)
	if err != nil {
		return 0, err
	}
	defer c.close()
	done := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var err error
		if status == 0 {
			err = c.sendRefused(floodRequests)
		} else {
			_, err = c.send(floodRequests, status)
		}
		done <- err
	}()
	latencies, err := steady(ctx, good, ended)
	if err != nil {
		return 0, err
	}
	return micros(percentile(latencies, 50)), <-done
}

// awaitKeys waits until a valid token is accepted: starting waits for no key
// server.
func (l *lab) awaitKeys(ctx context.Context, good load) error {
	c, err := dial(ctx, good)
	if err != nil {
		return err
	}
	defer c.close()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		status, err := c.conns[0].exchange(good.values[0])
		if err != nil || status == http.StatusOK {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("a valid token was %w", &otherStatus{status, http.StatusOK})
		}
	}
}

// steady sends valid tokens over one connection, one every millisecond, until
// ended or, without it, for a second. It returns the latencies, sorted.
func steady(ctx context.Context, l load, ended <-chan struct{}) ([]time.Duration, error) {
	c, err := dial(ctx, l)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if ended == nil {
		second, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		ended = second.Done()
	}
	var latencies []time.Duration
	for tick := time.NewTicker(time.Millisecond); ; {
		begin := time.Now()
		status, err := c.conns[0].exchange(l.values[0])
		if err != nil {
			return nil, err
		}
		if status != http.StatusOK {
			return nil, fmt.Errorf("a valid token was %w", &otherStatus{status, http.StatusOK})
		}
		latencies = append(latencies, time.Since(begin))
		select {
		case <-ended:
			tick.Stop()
			slices.Sort(latencies)
			return latencies, nil
		case <-tick.C:
		}
	}
}

// sendRefused sends n requests that must be refused, in whatever way.
func (c *client) sendRefused(n int) error {
	var wg sync.WaitGroup
	var errs [connections]error
	for i, conn := range c.conns {
		wg.Go(func() {
			for range n / connections {
				status, err := conn.exchange(c.value())
				if err == nil && status < http.StatusBadRequest {
					err = fmt.Errorf("a token with an unknown kid was answered %d", status)
				}
				if err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs[:]...)
}
