// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"testing"
	"time"
)

func TestFixedClockStandsStill(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)
	c := Fixed(at)
	for range 2 {
		if got := c.Now(); !got.Equal(at) {
			t.Errorf("%v, want %v", got, at)
		}
	}
	if got := Fixed(time.Time{}).Now(); !got.IsZero() {
		t.Errorf("fixed at no time, it tells %v", got)
	}
}

func TestClockAsksItsFunctionEachTime(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := start
	c := Func(func() time.Time { return now })
	copied := c
	for i := range 3 {
		now = start.Add(time.Duration(i) * time.Hour)
		if !c.Now().Equal(now) || !copied.Now().Equal(now) {
			t.Errorf("%v and %v, want %v", c.Now(), copied.Now(), now)
		}
	}
}

func TestZeroClockIsTheSystems(t *testing.T) {
	t.Parallel()
	var c Clock
	before := time.Now()
	got := c.Now()
	if after := time.Now(); got.Before(before) || got.After(after) {
		t.Errorf("%v is not between %v and %v", got, before, after)
	}
	if first, second := c.Now(), c.Now(); second.Before(first) {
		t.Errorf("%v comes after %v", second, first)
	}
}
