// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Command testreport reads the output of "go test -json" and prints what a
// person wants of it: one line per package, all of what a failed test printed,
// which tests were skipped and why, and a last line that counts.
//
//	go test -json ./... | go run ./scripts/testreport
//
// It fails when a test failed, when a package did not build, when no test ran
// and, with CADDYBOLT_REQUIRE_TOOLS set, when a test was skipped.
//
// Some tests make no sense under the race detector, such as those that count
// allocations, and say so when they are skipped. With -later the names of these,
// each after its package, go into a file, for a run without the race detector.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// event is a line of "go test -json" (see "go doc test2json").
type event struct {
	Action     string
	Package    string
	ImportPath string // of build output
	Test       string
	Elapsed    float64
	Output     string
}

// report is what was seen so far.
type report struct {
	out    io.Writer
	output map[string][]string // of a test or package, until it ends

	passed, failed int
	broken         int // packages that failed outside a test
	skipped        []string
	later          map[string]bool // skipped because of the race detector
	failedIn       map[string]bool // packages
	racing         map[string]bool // packages in which a race is being reported
}

func main() {
	later := flag.String("later", "", "the file for tests that the race detector is in the way of")
	flag.Parse()
	r := newReport(os.Stdout)
	if *later != "" {
		r.later = map[string]bool{}
	}
	err := r.read(os.Stdin)
	if err == nil && *later != "" {
		err = os.WriteFile(*later, []byte(strings.Join(slices.Sorted(maps.Keys(r.later)), "")), 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
	if !r.finish(os.Getenv("CADDYBOLT_REQUIRE_TOOLS") != "") {
		os.Exit(1)
	}
}

func newReport(out io.Writer) *report {
	return &report{out: out, output: map[string][]string{}, failedIn: map[string]bool{}, racing: map[string]bool{}}
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil { // the go command itself speaks
				fmt.Fprint(r.out, line)
			} else {
				r.add(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) add(e event) {
	name := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		r.output[name] = append(r.output[name], e.Output)
		r.race(e)
		return
	case "build-output":
		fmt.Fprint(r.out, e.Output)
		return
	case "pass", "fail", "skip":
	default:
		return
	}
	if e.Test == "" {
		r.endPackage(e, name)
	} else {
		r.endTest(e, name)
	}
	delete(r.output, name)
}

// race prints what the race detector reports. It may stand among the output of
// any test, be it one that passes, or of none.
func (r *report) race(e event) {
	if strings.Contains(e.Output, "WARNING: DATA RACE") {
		r.racing[e.Package] = true
	}
	if r.racing[e.Package] {
		fmt.Fprint(r.out, e.Output)
	}
	if strings.HasPrefix(e.Output, "==================") {
		delete(r.racing, e.Package)
	}
}

func (r *report) endTest(e event, name string) {
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		r.failedIn[e.Package] = true
		fmt.Fprint(r.out, strings.Join(r.output[name], ""))
	case "skip":
		if strings.HasPrefix(e.Test, "Fuzz") {
			return // an input that the property says nothing about
		}
		if r.later != nil && strings.Contains(strings.Join(r.output[name], ""), "race detector") {
			test, _, _ := strings.Cut(e.Test, "/")
			r.later[e.Package+" "+test+"\n"] = true
			return
		}
		r.skipped = append(r.skipped, name+"\n"+strings.Join(r.output[name], ""))
	}
}

func (r *report) endPackage(e event, name string) {
	if e.Action == "pass" {
		fmt.Fprintf(r.out, "ok    %s  %.1fs\n", e.Package, e.Elapsed)
	}
	if e.Action != "fail" {
		return
	}
	for test, lines := range r.output { // what a panic or a time-out ended
		if strings.HasPrefix(test, e.Package+" ") && test != name {
			fmt.Fprint(r.out, strings.Join(lines, ""))
			delete(r.output, test)
		}
	}
	if !r.failedIn[e.Package] { // the build, TestMain, a panic
		r.broken++
		fmt.Fprint(r.out, strings.Join(r.output[name], ""))
	}
	fmt.Fprintf(r.out, "FAIL  %s\n", e.Package)
}

// finish prints the end and reports whether all is well.
func (r *report) finish(strict bool) bool {
	slices.Sort(r.skipped)
	for _, s := range r.skipped {
		fmt.Fprintf(r.out, "skipped: %s", s)
	}
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed+r.broken, len(r.skipped))
	switch {
	case r.failed+r.broken > 0:
		return false
	case r.passed == 0:
		fmt.Fprintln(r.out, "no test ran")
		return false
	case strict && len(r.skipped) > 0:
		fmt.Fprintln(r.out, "a test was skipped, and CADDYBOLT_REQUIRE_TOOLS is set")
		return false
	}
	return true
}
