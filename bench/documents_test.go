// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const repository = ".."

// The documents are what "make bench" makes of the figures. Who changes what is
// written runs "go run ./bench -render".
func TestDocumentsAreWhatTheFiguresGive(t *testing.T) {
	t.Parallel()
	r, err := readResults(filepath.Join(repository, figuresFile))
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	readme, err := r.readme(read(readmeFile))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{documentFile: r.markdown(), chartFile: r.svg(), readmeFile: readme} {
		if read(name) != want {
			t.Errorf("%s is not what the figures give: go run ./bench -render", name)
		}
	}
}

// made are results in which every row was measured, a row of HAProxy the faster
// the smaller cheap is.
func made(cheap float64) *results {
	r := &results{
		Mode: "full", Date: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), Effort: efforts["full"],
		Flood: &flood{Requests: 10_000, Fetches: 1, Alone: 100, Valid: 200, Unknown: 250, Took: 1}, Propagation: &propagation{Trials: 5, P50: 1, P99: 2, Most: 3},
		ByDatabase: &propagation{Trials: 5, P50: 1, P99: 2, Most: 3}, ByPolling: &propagation{Trials: 5, P50: 300, P99: 500, Most: 510},
		Stages: []stage{
			{Package: ".", Name: "JWTSeenBefore", Nanos: 900, Allocs: 2},
			{Package: ".", Name: "JWTNeverSeen", Nanos: 3900, Allocs: 6},
		},
	}
	for _, store := range millionStores {
		r.Millions = append(r.Millions, million{Store: store, Load: 900, Memory: 90, Nanos: 200})
	}
	for _, alg := range algorithms {
		r.Stages = append(r.Stages, stage{Package: "./jwtauth", Name: "Signature/" + alg, Nanos: 1000, Low: 900})
	}
	for _, w := range rows() {
		d := &difference{Added: 1, Low: 0.9, High: 1.1, Base: figures{CPU: 20, Peak: 60 << 20}, Own: figures{CPU: 21, Peak: 61 << 20}}
		if strings.HasPrefix(w.ID, "haproxy") {
			d.Added, d.Own.CPU = cheap, 20+cheap
		}
		if w.ID == "full-cache" {
			d.Added = 0
		}
		r.put(measured{w, d})
	}
	return r
}

func TestEveryFigureThatIsSpokenOfIsOneOfARow(t *testing.T) {
	t.Parallel()
	r := made(10)
	seen := map[string]bool{}
	for _, w := range rows() {
		if seen[w.ID] {
			t.Errorf("two rows %q", w.ID)
		}
		seen[w.ID] = true
	}
	for _, b := range r.bounds() {
		if b.missing || !b.kept {
			t.Errorf("%+v", b)
		}
	}
	if n := len(r.peers()); n != 6 {
		t.Errorf("%d comparisons with peers", n)
	}
	bars := 0
	for _, g := range r.chartGroups() {
		bars += len(g.bars)
	}
	if bars != 15 {
		t.Errorf("%d bars", bars)
	}
	if n := strings.Count(r.sentences(), ". ") + 1; n != 3 {
		t.Errorf("%d sentences: %s", n, r.sentences())
	}
}

func TestWhatIsNotBetterIsSaid(t *testing.T) {
	t.Parallel()
	has := func(r *results, text string) bool { return strings.Contains(strings.Join(r.notBetter(), "\n"), text) }
	if has(made(10), "HAProxy's `jwt_verify` with HS256 adds") {
		t.Error("a dearer peer is said to be better")
	}
	if !has(made(0.5), "HAProxy's `jwt_verify` with HS256 adds 0.5 µs, a token seen before here adds 1.0 µs") {
		t.Error("a cheaper peer is not spoken of")
	}
	r := made(10)
	r.figures("seen-es256").Added = 9
	if !has(r, "A token seen before, any algorithm, any revocation store: meant to be at most 5.0 µs, measured 10.0 µs") {
		t.Errorf("a promise that is not kept is not spoken of: %q", r.notBetter())
	}
	if !strings.Contains(r.markdown(), "**not kept**") {
		t.Error("the table hides it")
	}
	r.figures("keys-10").High = 9
	if !has(r, "“API key, one of 10” by 8.1 µs") {
		t.Error("a row that scatters is not spoken of")
	}
}

// A peer that is not installed, or a row that failed, is not left out.
func TestWhatWasNotMeasuredIsSaid(t *testing.T) {
	t.Parallel()
	r := made(10)
	for _, w := range rows() {
		if strings.HasPrefix(w.ID, "haproxy") || w.ID == "revocation-redis" {
			r.put(measured{w, nil})
			r.outcome(w.ID, missingPeer("some|thing", "Debian\nmore"))
		}
	}
	r.outcome("go ./guards", missingPeer("go", "its site"))
	r.Flood, r.Propagation, r.ByDatabase, r.ByPolling, r.Millions = nil, nil, nil, nil, nil
	text := r.markdown()
	for _, want := range []string{
		"| HAProxy, `jwt_verify` with RS256 | not measured: some/thing is not installed (Debian |",
		"A token seen before, any algorithm, any revocation store: not measured in this run.",
		"| ./guards | not measured: go is not installed (its site) |",
		"- Propagation by Redis: not measured", "- Propagation by PostgreSQL: not measured", "| bolt | not measured |", "- Unknown kids: not measured",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if strings.Contains(r.svg(), "HAProxy jwt_verify") {
		t.Error("the chart shows what was not measured")
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, "%!") {
		t.Errorf("not well formed:\n%s", text)
	}
}

func TestFiguresAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	r := made(10)
	r.outcome("x", missingPeer("a", "b"))
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	again := new(results)
	if err := json.Unmarshal(data, again); err != nil {
		t.Fatal(err)
	}
	if again.markdown() != r.markdown() || again.svg() != r.svg() {
		t.Error("something was lost")
	}
}

// What was measured alone, later and elsewhere, must not pass for a part of the run.
func TestWhatWasMeasuredAgainSaysSo(t *testing.T) {
	t.Parallel()
	r := made(10)
	if strings.Contains(r.markdown(), "Measured again") {
		t.Error("control: something is said to be measured again")
	}
	r.Machine.CPU = "one"
	r.Since = []since{{ID: "million ./x", Date: time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC), CPU: "another", Load: 0.5}}
	text := r.markdown()
	if !strings.Contains(text, "`million ./x`, on 3 February 2026, on another; before it began, 0.5 processes") || !strings.Contains(text, "2 January 2026 in") || !strings.Contains(text, "on one,") {
		t.Error(text)
	}
}

// Figures of a quick run must not pass for others.
func TestAQuickRunSaysWhatItIsAndIsNotDocumentation(t *testing.T) {
	r := made(10)
	if strings.Contains(r.markdown(), "worth little") || strings.Contains(r.sentences(), "worth little") {
		t.Error("control: a full run is called worth little")
	}
	r.Mode = "quick"
	if !strings.Contains(r.markdown(), "**These are the figures of a quick run") || !strings.Contains(r.sentences(), "figures of a quick run") {
		t.Error("a quick run does not say that it is one")
	}
	t.Chdir(repository)
	if err := run(t.Context(), []string{"-mode", "quick", "-out", "."}); err == nil || !strings.Contains(err.Error(), "made of a full run") {
		t.Errorf("a quick run may write the documentation: %v", err)
	}
	folder := t.TempDir()
	if err := r.save(filepath.Join(folder, figuresFile)); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"-only", "^noise$", "-out", folder}); err == nil || !strings.Contains(err.Error(), "are those of a quick run") {
		t.Errorf("rows of a full run are mixed with those of a quick one: %v", err)
	}
}
