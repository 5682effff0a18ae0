// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package clock is the time of day, which tests set.
package clock

import "time"

// Clock tells the time. The zero value is the system's clock.
type Clock struct {
	now func() time.Time
}

// Func returns a clock that asks now, for tests.
func Func(now func() time.Time) Clock { return Clock{now: now} }

// Fixed returns a clock that stands still at t, for tests.
func Fixed(t time.Time) Clock { return Clock{now: func() time.Time { return t }} }

// Now returns the time.
func (c Clock) Now() time.Time {
	if c.now == nil {
		return time.Now()
	}
	return c.now()
}
