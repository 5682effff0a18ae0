// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestClockOfAProcessCountsItsCPUTime(t *testing.T) {
	t.Parallel()
	read := func() time.Duration {
		spent, err := processTime(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		return spent
	}
	rusage := func() time.Duration {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	clock, usage := read(), rusage()
	for rusage()-usage < 100*time.Millisecond {
	}
	grown := read() - clock
	if least, most := 80*time.Millisecond, rusage()-usage+100*time.Millisecond; grown < least || grown > most {
		t.Errorf("the clock grew by %v, want %v to %v", grown, least, most)
	}
}
