// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// subject is a running server and what is asked of it.
type subject struct {
	*server
	load

	also []func() // what else ends with it
}

func (s *subject) stop() {
	if s == nil {
		return
	}
	if s.server != nil {
		s.server.stop()
	}
	for _, end := range s.also {
		end()
	}
}

// effort is how long a row is measured.
type effort struct {
	Pairs  int           `json:"pairs"`
	Slice  time.Duration `json:"slice"`   // about how much CPU time a slice takes
	WarmUp int           `json:"warm_up"` // requests

	Bench string `json:"bench"` // -benchtime of the Go benchmarks
	Count int    `json:"count"` // and how often

	Revocations int `json:"revocations"` // how many are timed
	Loads       int `json:"loads"`       // how often a million revoked tokens are loaded
}

var efforts = map[string]effort{
	"full":  {Pairs: 15, Slice: 700 * time.Millisecond, WarmUp: 20_000, Bench: "300ms", Count: 5, Revocations: 200, Loads: 3},
	"quick": {Pairs: 5, Slice: 200 * time.Millisecond, WarmUp: 4_000, Bench: "50ms", Count: 3, Revocations: 40, Loads: 1},
}

// figures are what was measured of one server.
type figures struct {
	CPU        float64 `json:"cpu"`        // µs per request, the median of the slices
	Throughput float64 `json:"throughput"` // requests per second
	P50        float64 `json:"p50"`        // µs
	P99        float64 `json:"p99"`
	Memory     int64   `json:"memory"` // bytes, at the end
	Peak       int64   `json:"peak"`
}

// difference is what a server takes more than its base case.
type difference struct {
	Requests int     `json:"requests"` // per slice
	Pairs    int     `json:"pairs"`
	Base     figures `json:"base"`
	Own      figures `json:"own"`

	// µs of CPU time per request, the median of all pairs and the quartiles.
	Added float64 `json:"added"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// series collects the slices of one server.
type series struct {
	subject *subject
	client  *client
	cpu     []float64
	rate    []float64
	p50     []float64
	p99     []float64
}

func open(ctx context.Context, s *subject) (*series, error) {
	c, err := dial(ctx, s.load)
	if err != nil {
		return nil, err
	}
	return &series{subject: s, client: c}, nil
}

// slice sends n requests and notes what they cost.
func (s *series) slice(n int) (perRequest float64, err error) {
	before, err := s.subject.cpu()
	if err != nil {
		return 0, err
	}
	got, err := s.client.send(n, 200)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", s.subject.name, err)
	}
	after, err := s.subject.cpu()
	if err != nil {
		return 0, err
	}
	perRequest = micros(after-before) / float64(n)
	s.cpu = append(s.cpu, perRequest)
	s.rate = append(s.rate, float64(n)/got.took.Seconds())
	s.p50 = append(s.p50, micros(percentile(got.latencies, 50)))
	s.p99 = append(s.p99, micros(percentile(got.latencies, 99)))
	return perRequest, nil
}

// warmUp sends requests that are not measured, so many and no fewer than there
// are values, up to a bound. It returns how many make a slice of that length.
func (s *series) warmUp(ctx context.Context, e effort) (int, error) {
	if err := s.client.prepare(ctx); err != nil {
		return 0, fmt.Errorf("%s: %w", s.subject.name, err)
	}
	n := max(e.WarmUp, min(len(s.client.values), maxWarmUp))
	for done := 0; done < n; {
		got, err := s.client.send(min(500, n-done), 200)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", s.subject.name, err)
		}
		done += got.requests
	}
	const some = 1000
	before, err := s.subject.cpu()
	if err != nil {
		return 0, err
	}
	if _, err := s.client.send(some, 200); err != nil {
		return 0, fmt.Errorf("%s: %w", s.subject.name, err)
	}
	after, err := s.subject.cpu()
	if err != nil {
		return 0, err
	}
	perSlice := int(some * e.Slice / max(after-before, time.Millisecond))
	return max(some, perSlice/some*some), nil
}

// maxWarmUp is enough for every cache to fill.
const maxWarmUp = 30_000

func (s *series) figures() (figures, error) {
	f := figures{CPU: median(s.cpu), Throughput: median(s.rate), P50: median(s.p50), P99: median(s.p99)}
	var err error
	f.Memory, f.Peak, err = s.subject.memory()
	return f, err
}

// maxSlice is enough to resolve a fraction of a microsecond.
const maxSlice = 50_000

// compare measures two servers in turn, slice by slice. Which of them is first
// changes from pair to pair, so that what drifts favours neither.
func compare(ctx context.Context, base, own *subject, e effort) (*difference, error) {
	var both [2]*series
	requests := maxSlice
	for i, s := range []*subject{base, own} {
		var err error
		if both[i], err = open(ctx, s); err != nil {
			return nil, err
		}
		defer both[i].client.close()
		n, err := both[i].warmUp(ctx, e)
		if err != nil {
			return nil, err
		}
		requests = min(requests, n)
	}
	added := make([]float64, 0, e.Pairs)
	for pair := range e.Pairs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var cost [2]float64
		order := []int{0, 1}
		if pair%2 == 1 {
			slices.Reverse(order)
		}
		for _, i := range order {
			var err error
			if cost[i], err = both[i].slice(requests); err != nil {
				return nil, err
			}
		}
		added = append(added, cost[1]-cost[0])
	}
	d := &difference{Requests: requests, Pairs: e.Pairs, Added: median(added)}
	d.Low, d.High = quartiles(added)
	var err error
	if d.Base, err = both[0].figures(); err != nil {
		return nil, err
	}
	d.Own, err = both[1].figures()
	return d, err
}

// verify makes sure that a server answers what is sent, and that one that is to
// refuse does: nothing presented, and a credential that is not good.
func verify(ctx context.Context, s *subject, refuses bool) error {
	c, err := dial(ctx, s.load)
	if err != nil {
		return err
	}
	defer c.close()
	for deadline := time.Now().Add(connectTime); ; time.Sleep(50 * time.Millisecond) {
		_, err := c.send(1, 200)
		if err == nil {
			break
		}
		if !isUnavailable(err) || time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if !refuses {
		return nil
	}
	for _, values := range [][]string{nil, {spoiled(s.values[0])}} {
		bad := s.load
		bad.values = values
		c, err := dial(ctx, bad)
		if err != nil {
			return err
		}
		_, err = c.send(1, 401)
		c.close()
		if err != nil {
			return fmt.Errorf("%s, to be refused: %w", s.name, err)
		}
	}
	return nil
}

// connectTime is how long a server may take to connect to a store; until then it
// answers 503.
const connectTime = 30 * time.Second

// spoiled changes a letter in the middle of the last part of a credential: of a
// token, the signature.
func spoiled(value string) string {
	b := []byte(value)
	at := len(b) - 8
	if b[at] == 'A' {
		b[at] = 'B'
	} else {
		b[at] = 'A'
	}
	return string(b)
}
