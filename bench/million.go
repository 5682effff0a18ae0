// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// million is a revocation store with a million revoked tokens, from a Go
// benchmark: the medians of the runs.
type million struct {
	Package string  `json:"package"`
	Store   string  `json:"store"`
	Load    float64 `json:"load"`           // ms until it decides after a start; 0 if it loads nothing
	Fill    float64 `json:"fill,omitempty"` // ms until its copy is filled, where that is later
	Memory  float64 `json:"memory"`         // MiB
	Nanos   float64 `json:"ns"`             // of a look-up
	Allocs  float64 `json:"allocs"`
}

// millionPackages have a BenchmarkMillion.
var millionPackages = []string{"./revocation", "./revocation/redis"}

// loadMillion runs the benchmarks of a package. They have both CPUs: a server
// that is loaded from stands beside.
func (l *lab) loadMillion(ctx context.Context, pkg string, e effort) ([]million, error) {
	text, err := l.goBench(ctx, pkg, "^BenchmarkMillion$", e.Bench, e.Loads, serverCPU, loadCPU)
	if err != nil {
		return nil, err
	}
	return parseMillions(pkg, text), nil
}

// parseMillions reads pairs of a value and its unit. What a benchmark logs may
// stand between its name and its figures.
func parseMillions(pkg, text string) []million {
	var order []string
	runs := map[string]map[string][]float64{}
	name := ""
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) > 0 && strings.HasPrefix(words[0], "BenchmarkMillion/") {
			name = benchCPUs.ReplaceAllString(strings.TrimPrefix(words[0], "BenchmarkMillion/"), "")
			words = words[1:]
		}
		if name == "" || len(words) < 3 || !slices.Contains(words, "ns/op") {
			continue
		}
		if runs[name] == nil {
			order, runs[name] = append(order, name), map[string][]float64{}
		}
		for pair := range slices.Chunk(words[1:], 2) {
			if v, err := strconv.ParseFloat(pair[0], 64); err == nil && len(pair) == 2 {
				runs[name][pair[1]] = append(runs[name][pair[1]], v)
			}
		}
	}
	var list []million
	for _, name := range order {
		of := func(unit string) float64 {
			if len(runs[name][unit]) == 0 {
				return 0
			}
			return median(runs[name][unit])
		}
		list = append(list, million{pkg, name, of("load-ms"), of("fill-ms"), of("MiB"), of("ns/op"), of("allocs/op")})
	}
	return list
}

// putMillions notes the stores of a package.
func (r *results) putMillions(pkg string, list []million) {
	r.Millions = slices.DeleteFunc(r.Millions, func(old million) bool { return old.Package == pkg })
	r.Millions = append(r.Millions, list...)
}

// millionStores are those that a complete run measures.
var millionStores = []string{"memory", "bolt", "PostgreSQL", "Redis"}

// worstMillion is the largest value of all stores; false if one was not
// measured.
func (r *results) worstMillion(value func(million) float64) (worst float64, ok bool) {
	for _, store := range millionStores {
		i := slices.IndexFunc(r.Millions, func(m million) bool { return m.Store == store })
		if i < 0 {
			return 0, false
		}
		worst = max(worst, value(r.Millions[i]))
	}
	return worst, true
}
