// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

const (
	passing = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.1}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"pass","Package":"p","Elapsed":0.2}
`
	skipping = `{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:1: no python\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
`
	skippingFuzz = `{"Action":"skip","Package":"p","Test":"FuzzC/seed#0"}
`
	failing = `{"Action":"output","Package":"q","Test":"TestD","Output":"    d_test.go:1: wrong\n"}
{"Action":"fail","Package":"q","Test":"TestD"}
{"Action":"fail","Package":"q"}
`
	broken = `{"ImportPath":"q","Action":"build-output","Output":"q.go:1: syntax error\n"}
{"ImportPath":"q","Action":"build-fail"}
{"Action":"output","Package":"q","Output":"FAIL\tq [build failed]\n"}
{"Action":"fail","Package":"q","FailedBuild":"q"}
`
	panicking = `{"Action":"run","Package":"q","Test":"TestE"}
{"Action":"output","Package":"q","Test":"TestE","Output":"panic: oh\n"}
{"Action":"fail","Package":"q","Elapsed":0.1}
`
)

// racing is a race in a test that passes; another test is told of it.
const racing = `{"Action":"output","Package":"p","Test":"TestG","Output":"chatter\n"}
{"Action":"output","Package":"p","Test":"TestG","Output":"==================\n"}
{"Action":"output","Package":"p","Test":"TestG","Output":"WARNING: DATA RACE\n"}
{"Action":"output","Package":"p","Test":"TestG","Output":"Write at 0x1\n"}
{"Action":"output","Package":"p","Test":"TestG","Output":"==================\n"}
{"Action":"output","Package":"p","Test":"TestG","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"TestG"}
{"Action":"fail","Package":"p"}
`

func TestReport(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in string
		strict   bool
		ok       bool
		says     []string
	}{
		{"all pass", passing, true, true, []string{"ok    p  0.2s", "1 passed, 0 failed, 0 skipped"}},
		{"a skip", passing + skipping, false, true, []string{"skipped: p TestB\n    b_test.go:1: no python", "1 passed, 0 failed, 1 skipped"}},
		{"a skip where tools are required", passing + skipping, true, false, []string{"1 skipped", "a test was skipped"}},
		{"an input that a fuzz target leaves out", passing + skippingFuzz, true, true, []string{"0 skipped"}},
		{"a failure", passing + failing, false, false, []string{"d_test.go:1: wrong", "FAIL  q", "1 passed, 1 failed"}},
		{"a build that fails", passing + broken, false, false, []string{"syntax error", "[build failed]", "1 passed, 1 failed"}},
		{"a panic", passing + panicking, false, false, []string{"panic: oh", "FAIL  q", "1 passed, 1 failed"}},
		{"a word of the go command", passing + "go: cannot find main module\n", false, true, []string{"go: cannot find"}},
		{"nothing", "", false, false, []string{"0 passed, 0 failed", "no test ran"}},
		{"nothing but skips", skipping, false, false, []string{"no test ran"}},
		{"a race in a test that passes", racing, false, false, []string{"WARNING: DATA RACE\nWrite at 0x1\n==================\n", "1 passed, 1 failed"}},
		{"no line feed at the end", strings.TrimSuffix(passing, "\n"), true, true, []string{"1 passed"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			r := newReport(&out)
			if err := r.read(strings.NewReader(tc.in)); err != nil {
				t.Fatal(err)
			}
			if ok := r.finish(tc.strict); ok != tc.ok {
				t.Errorf("well: %t, want %t", ok, tc.ok)
			}
			for _, want := range tc.says {
				if !strings.Contains(out.String(), want) {
					t.Errorf("does not say %q:\n%s", want, out.String())
				}
			}
			if strings.Contains(out.String(), "chatter") {
				t.Errorf("repeats what a passing test printed:\n%s", out.String())
			}
		})
	}
}

func TestWhatTheRaceDetectorIsInTheWayOfRunsLater(t *testing.T) {
	t.Parallel()
	in := passing + skipping + `{"Action":"output","Package":"p","Test":"TestF/sub","Output":"allocations are not exact under the race detector\n"}
{"Action":"skip","Package":"p","Test":"TestF/sub"}
`
	var out strings.Builder
	r := newReport(&out)
	r.later = map[string]bool{}
	if err := r.read(strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	r.finish(false)
	if len(r.later) != 1 || !r.later["p TestF\n"] || len(r.skipped) != 1 {
		t.Errorf("later %v, skipped %v", r.later, r.skipped)
	}
	if !strings.Contains(out.String(), "1 passed, 0 failed, 1 skipped") {
		t.Error(out.String())
	}
}
