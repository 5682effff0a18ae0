// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestMedianQuartilesAndPercentiles(t *testing.T) {
	t.Parallel()
	if got := median([]float64{3, 1, 2}); got != 2 {
		t.Errorf("median %v", got)
	}
	if got := median([]float64{4, 1, 2, 3}); got != 2.5 {
		t.Errorf("median %v", got)
	}
	if low, high := quartiles([]float64{5, 1, 4, 2, 3}); low != 2 || high != 4 {
		t.Errorf("quartiles %v and %v", low, high)
	}
	if low, high := quartiles([]float64{7}); low != 7 || high != 7 {
		t.Errorf("quartiles %v and %v", low, high)
	}
	if !math.IsNaN(median(nil)) {
		t.Error("nothing has a median")
	}
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for percent, want := range map[float64]time.Duration{0: 1, 50: 50, 99: 99, 99.5: 100, 100: 100} {
		if got := percentile(hundred, percent); got != want {
			t.Errorf("%v %%: %v, want %v", percent, got, want)
		}
	}
}

func TestBenchmarksOfAMillionAreRead(t *testing.T) {
	t.Parallel()
	got := parseMillions("./x", `BenchmarkMillion/bolt-2  1000  300.5 ns/op  80.50 MiB  700 load-ms  0 B/op  0 allocs/op
BenchmarkMillion/bolt-2  	2026 INFO something
  1000  100.5 ns/op  81.50 MiB  900 load-ms  0 B/op  1 allocs/op
BenchmarkMillion/bolt-2  1000  200.5 ns/op  82.50 MiB  800 load-ms  1900 fill-ms  0 B/op  0 allocs/op
BenchmarkMillion/memory-2  1000  90 ns/op  80 MiB  0 B/op  0 allocs/op
BenchmarkOther-2  1000  90 ns/op
`)
	want := []million{{"./x", "bolt", 800, 1900, 81.5, 200.5, 0}, {"./x", "memory", 0, 0, 80, 90, 0}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestGoBenchmarksAreRead(t *testing.T) {
	t.Parallel()
	got := parseBenchmarks("./x", `goos: linux
BenchmarkSeen/1.2KB-2         	 1000	       300.5 ns/op	       0 B/op	       0 allocs/op
BenchmarkSeen/1.2KB-2         	 1000	       100.0 ns/op	       0 B/op	       0 allocs/op
BenchmarkSeen/1.2KB-2         	 1000	       200 ns/op	       0 B/op	       0 allocs/op
BenchmarkDecode               	 10	     5000 ns/op	 300.10 MB/s	     976 B/op	       4 allocs/op
--- SKIP: BenchmarkOther
PASS
`)
	want := []stage{
		{Package: "./x", Name: "Seen/1.2KB", Nanos: 200, Low: 100, High: 300.5},
		{Package: "./x", Name: "Decode", Nanos: 5000, Low: 5000, High: 5000, Bytes: 976, Allocs: 4},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}
