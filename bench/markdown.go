// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// markdown makes the document.
func (r *results) markdown() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	p("# Performance\n")
	p("This page, its chart and the figures behind them ([performance.json](performance.json)) are written by `make bench`. Nobody edits them.\n")
	p("What was tried to get there, and what each step brought, is in [decisions/0007](decisions/0007-what-made-it-fast.md).\n")
	if r.Mode != "full" {
		p("> **These are the figures of a %s run: short, and perhaps on a machine that was busy. They show where it goes and are worth little. `make bench` makes those that count.**\n", r.Mode)
	}
	p("![How much CPU time authentication adds to a request](performance.svg)\n")
	r.method(p)

	p("## What is promised\n")
	p("CPU time per request over the same Caddy without `auth`. Receiving a token counts here: the Caddy that it is compared with is sent none, so what it takes to receive a token of 1 KB (%s) is added to the rows below, which leave it out, as README.md does.\n", r.receiving())
	p("| | at most | measured | |\n|---|---|---|---|")
	for _, bound := range r.bounds() {
		verdict := "kept"
		switch {
		case bound.missing:
			bound.measured, verdict = "not measured", "?"
		case !bound.kept:
			verdict = "**not kept**"
		}
		p("| %s | %s | %s | %s |", bound.what, bound.limit, bound.measured, verdict)
	}

	p("\n## What is not better\n")
	list := r.notBetter()
	if len(list) == 0 {
		p("Nothing that these figures show.")
	}
	for _, line := range list {
		p("- %s", line)
	}

	r.tables(p)
	r.afar(p)
	r.millions(p)
	r.stages(p)
	r.again(p)
	return b.String()
}

// receiving is what a token of 1 KB costs that nobody looks at.
func (r *results) receiving() string {
	if d := r.figures("receiving"); d != nil {
		return us(d.Added)
	}
	return "not measured"
}

// method says how it was measured, and on what.
func (r *results) method(p func(string, ...any)) {
	m := r.Machine
	pinned := "Servers and load generator share it."
	if m.Pinned {
		pinned = "Servers run on one core, the load generator, the proxied application, Redis and databases on another: Go, which counts its cores, counts one."
	}
	p("Measured on %s in %.0f minutes (a %s run), on %s, %s, %s of memory, %s. %s Before it began, %.1f processes wanted a core.\n",
		r.Date.Format("2 January 2006"), r.Took, r.Mode, m.CPU, plural(int64(m.Cores), "core", "cores"), mib(m.Memory), m.Kernel, pinned, r.Load)
	var versions []string
	for _, name := range slices.Sorted(maps.Keys(m.Versions)) {
		versions = append(versions, name+" "+m.Versions[name])
	}
	p("%s.\n", strings.Join(versions, ", "))
	for _, s := range r.Since {
		p("Measured again alone, and compared with nothing else here: `%s`, on %s, on %s; before it began, %.1f processes wanted a core.\n",
			s.ID, s.Date.Format("2 January 2006"), s.CPU, s.Load)
	}
	p("Each row is two servers that run at the same time, one with authentication and one without, and are sent the same requests in turn: %d pairs of slices of up to %s requests, first one and then the other ahead, over %d connections. "+
		"What they *add* is the difference of the CPU time of the two processes, user and system, per request: the median of the pairs and, in brackets, between what the middle half of them lies. "+
		"The load generator is not in it. Before a row is measured, both servers answer 200 to what is sent, and the one that protects refuses a request without a credential and one with a credential that was changed by a letter.\n",
		r.Effort.Pairs, thousands(maxSlice), connections)
	p("Tokens have 1 KB with HS256: ten claims of an identity provider, issuer and audience checked everywhere. Throughput and latency are those of the server with authentication, with the base case in brackets; memory is the most that the process had.\n")
}

// tables are all rows, by groups.
func (r *results) tables(p func(string, ...any)) {
	for _, group := range []string{groupNoise, groupSeen, groupUnseen, groupVaried, groupKeys, groupPeers} {
		p("\n## %s\n", group)
		switch group {
		case groupNoise:
			p("What is smaller than the first row is no difference.\n")
		case groupPeers:
			p("HAProxy compares the algorithm, checks the signature, and reads issuer, audience and expiry from the payload, as its manual shows; fastify is told the algorithm, the issuer and the audience. Both have one thread. Each is compared with itself: the whole request is in the column beside.\n")
		case groupKeys:
			if r.FirstLogIn > 0 {
				p("A password that was not seen before costs `basic_auth` %.0f ms of CPU time: that is bcrypt as `caddy hash-password` uses it, and as it should be.\n", r.FirstLogIn)
			}
		}
		p("| | adds | CPU per request | requests per second | median | 99 of 100 | memory |\n|---|---|---|---|---|---|---|")
		base := ""
		for _, m := range r.Rows {
			if m.Group != group {
				continue
			}
			if base != m.Base {
				base = m.Base
				p("| *over %s* | | | | | | |", base)
			}
			d := m.Figures
			if d == nil {
				p("| %s | %s | | | | | |", m.Name, cell(r.Failed[m.ID]))
				continue
			}
			p("| %s | **%s** (%+.1f to %+.1f) | %s (%.1f) | %s (%s) | %.0f µs (%.0f) | %.0f µs (%.0f) | %s (%.0f) |", m.Name,
				signed(d.Added), d.Low, d.High, us(d.Own.CPU), d.Base.CPU,
				thousands(int(d.Own.Throughput)), thousands(int(d.Base.Throughput)),
				d.Own.P50, d.Base.P50, d.Own.P99, d.Base.P99, mib(d.Own.Peak), float64(d.Base.Peak)/(1<<20))
		}
	}
}

// afar is what other machines have a part in.
func (r *results) afar(p func(string, ...any)) {
	p("\n## Revocation and key servers\n")
	for _, by := range r.propagations(r.Effort) {
		if d := *by.result; d != nil {
			p("- Two Caddys, %s: a token that is logged out at one is refused by the other after %.1f ms (median of %d), %.1f ms (99 of 100), %.1f ms at most, counted from when the log-out is sent.", by.servers, d.P50, d.Trials, d.P99, d.Most)
		} else {
			p("- Propagation by %s: %s", by.name, cell(r.Failed[by.id]))
		}
	}
	if f := r.Flood; f != nil {
		p("- %s tokens with unknown kids, as fast as %d clients can send them (%.1f s), make %s of the key server, which takes %d ms to answer, with `min_refresh %s`. A valid token meanwhile takes %.0f µs (median); beside as many valid ones %.0f µs; alone %.0f µs.",
			thousands(f.Requests), connections, f.Took, plural(f.Fetches, "fetch", "fetches"), keyServer.Milliseconds(), minRefresh, f.Unknown, f.Valid, f.Alone)
	} else {
		p("- Unknown kids: %s", cell(r.Failed["flood"]))
	}
}

// millions are the stores when much is revoked.
func (r *results) millions(p func(string, ...any)) {
	p("\nA million revoked tokens: how long a start takes until the store decides (the server stands on the same two cores), in brackets until its copy is filled where it decides before, by asking the server about single tokens; what the copy takes, and a look-up, half of them of revoked tokens.\n")
	p("| | start | memory | look-up | allocations |\n|---|---|---|---|---|")
	for _, store := range millionStores {
		i := slices.IndexFunc(r.Millions, func(m million) bool { return m.Store == store })
		if i < 0 {
			p("| %s | not measured | | | |", store)
			continue
		}
		m, start := r.Millions[i], "empty"
		if m.Load > 0 {
			start = fmt.Sprintf("%.0f ms", m.Load)
		}
		if m.Fill > 0 {
			start += fmt.Sprintf(" (%.0f ms)", m.Fill)
		}
		p("| %s | %s | %.0f MiB | %.0f ns | %.0f |", store, start, m.Memory, m.Nanos, m.Allocs)
	}
}

// stages are the Go benchmarks.
func (r *results) stages(p func(string, ...any)) {
	p("\n## Parts of a request\n")
	p("Go benchmarks, on one core: the median of %d runs. `Peers` does what `Unseen` does with other libraries: signature, issuer, audience, times.\n", r.Effort.Count)
	p("| | ns | bytes | allocations |\n|---|---|---|---|")
	last := ""
	for _, b := range benchmarks {
		if failed := r.Failed["go "+b.pkg]; failed != "" {
			p("| %s | %s | | |", b.pkg, cell(failed))
		}
		for _, s := range r.Stages {
			if s.Package != b.pkg {
				continue
			}
			if last != s.Package {
				last = s.Package
				p("| *`go test -bench . %s`* | | | |", s.Package)
			}
			p("| `%s` | %s | %s | %.0f |", s.Name, nanos(s.Nanos), thousands(int(s.Bytes)), s.Allocs)
		}
	}
}

func nanos(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.1f", v)
	}
	return thousands(int(v + 0.5))
}

// again says how to repeat it.
func (r *results) again(p func(string, ...any)) {
	p("\n## Again\n")
	p("```sh\nmake bench\nBENCH=quick make bench\n```\n")
	p("The first takes up to half an hour and writes this page; the second, up to five minutes, writes one below `.cache/bench/quick`. As root on Debian and its kin they install what they need: HAProxy, Redis, Node.js and, into `.cache`, fastify. A peer that is not there is a row that says so. `go run ./bench -only '^haproxy'` measures some rows again.")
}

// cell makes text fit for a table.
func cell(text string) string {
	if text == "" {
		return "not measured"
	}
	line, _, _ := strings.Cut(text, "\n")
	return strings.ReplaceAll(line, "|", "/")
}
