// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// stage is one Go benchmark.
type stage struct {
	Package string  `json:"package"`
	Name    string  `json:"name"`
	Nanos   float64 `json:"ns"` // the median of the runs
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
	Bytes   float64 `json:"bytes"`
	Allocs  float64 `json:"allocs"`
}

// benchmarks are what is run of each package: a part of a request each, and
// what other libraries take for the same.
var benchmarks = []struct{ pkg, pattern string }{
	{".", "^Benchmark(JWTSeenBefore|JWTNeverSeen|APIKey|Revocation|Guards|Placeholder|Forward)"},
	{"./auth", "^BenchmarkClaimsLookup"},
	{"./jwtauth", "^Benchmark(Seen|Unseen|Distinct|Signature|Stage|Peers|Refused)"},
	{"./apikey", "^BenchmarkAuthenticate"},
	{"./guards", "^Benchmark"},
	{"./revocation", "^BenchmarkRevoked"},
	{"./revocation/redis", "^BenchmarkRevoked"},
}

// runBenchmarks runs the Go benchmarks of a package on the CPU of servers.
func (l *lab) runBenchmarks(ctx context.Context, pkg, pattern string, e effort) ([]stage, error) {
	text, err := l.goBench(ctx, pkg, pattern, e.Bench, e.Count, serverCPU)
	if err != nil {
		return nil, err
	}
	return parseBenchmarks(pkg, text), nil
}

// goBench runs Go benchmarks on some CPUs and returns what they print.
func (l *lab) goBench(ctx context.Context, pkg, pattern, duration string, count int, cpus ...int) (string, error) {
	cmd := exec.CommandContext(ctx, goCommand(), "test", "-run", "^$", "-bench", pattern, "-benchmem",
		"-benchtime", duration, "-count", strconv.Itoa(count), "-timeout", "20m", pkg)
	cmd.Dir = l.repository
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+l.folder, "XDG_DATA_HOME="+l.folder)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := startOn(cmd, cpus...); err != nil {
		return "", err
	}
	if err := cmd.Wait(); err != nil {
		return "", fmt.Errorf("go test -bench in %s: %w\n%s", pkg, err, out.String())
	}
	return out.String(), nil
}

var (
	benchLine = regexp.MustCompile(`^Benchmark(\S+)\s+\d+\s+([\d.]+) ns/op(?:\s+[\d.]+ MB/s)?(?:\s+([\d.]+) B/op\s+([\d.]+) allocs/op)?`)
	benchCPUs = regexp.MustCompile(`-\d+$`)
)

// parseBenchmarks reads what "go test -bench" prints and takes the median of
// each.
func parseBenchmarks(pkg, text string) []stage {
	var list []stage
	at := map[string]int{}
	nanos := map[string][]float64{}
	for scanner := bufio.NewScanner(strings.NewReader(text)); scanner.Scan(); {
		m := benchLine.FindStringSubmatch(scanner.Text())
		if m == nil {
			continue
		}
		name := benchCPUs.ReplaceAllString(m[1], "")
		i, ok := at[name]
		if !ok {
			i = len(list)
			at[name] = i
			list = append(list, stage{Package: pkg, Name: name})
		}
		ns, _ := strconv.ParseFloat(m[2], 64) // the pattern lets numbers through
		nanos[name] = append(nanos[name], ns)
		list[i].Bytes, _ = strconv.ParseFloat(m[3], 64)
		list[i].Allocs, _ = strconv.ParseFloat(m[4], 64)
	}
	for i := range list {
		runs := nanos[list[i].Name]
		list[i].Nanos = median(runs)
		list[i].Low, list[i].High = runs[0], runs[len(runs)-1]
	}
	return list
}
