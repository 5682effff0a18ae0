// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"html"
	"strings"
)

// bar is one of the chart.
type bar struct {
	label string
	ours  bool
	d     *difference
}

// barGroup are bars below a title.
type barGroup struct {
	title string
	bars  []bar
}

// chartGroups are what the chart shows, as far as it was measured.
func (r *results) chartGroups() []barGroup {
	groups := []struct {
		title string
		bars  []struct{ label, id string }
	}{
		{"A token seen before", []struct{ label, id string }{
			{"caddy-bolt", "seen"},
			{"caddy-bolt, revocation by Redis", "revocation-redis"},
			{"@fastify/jwt with its cache", "fastify-cache"},
			{"HAProxy jwt_verify, which has no cache", "haproxy-hs256"},
		}},
		{"HS256, never seen", []struct{ label, id string }{
			{"caddy-bolt", "unseen-hs256"},
			{"HAProxy jwt_verify", "haproxy-hs256"},
			{"@fastify/jwt", "fastify-jwt"},
		}},
		{"RS256, never seen", []struct{ label, id string }{
			{"caddy-bolt", "unseen-rs256"},
			{"HAProxy jwt_verify", "haproxy-rs256"},
		}},
		{"ES256, never seen", []struct{ label, id string }{
			{"caddy-bolt", "unseen-es256"},
			{"HAProxy jwt_verify", "haproxy-es256"},
		}},
		{"EdDSA, never seen", []struct{ label, id string }{
			{"caddy-bolt", "unseen-eddsa"},
		}},
		{"Keys and passwords", []struct{ label, id string }{
			{"caddy-bolt, API key, one of 100,000", "keys-100000"},
			{"caddy-bolt basic, password seen before", "basic"},
			{"Caddy basic_auth, password seen before", "basic_auth"},
		}},
	}
	var list []barGroup
	for _, g := range groups {
		shown := barGroup{title: g.title}
		for _, b := range g.bars {
			if d := r.figures(b.id); d != nil {
				shown.bars = append(shown.bars, bar{b.label, strings.HasPrefix(b.label, "caddy-bolt"), d})
			}
		}
		if len(shown.bars) > 0 {
			list = append(list, shown)
		}
	}
	return list
}

// Measures of the chart.
const (
	chartWidth  = 760
	chartLabels = 296 // where bars begin
	chartRight  = 70  // what is left for the last figure
	barHeight   = 16
	barStep     = 22
	groupStep   = 30
	chartTop    = 64
)

// svg draws the chart. Colours follow the theme of who looks.
func (r *results) svg() string {
	groups := r.chartGroups()
	height, longest := chartTop, 1.0
	for _, g := range groups {
		height += groupStep + barStep*len(g.bars)
		for _, b := range g.bars {
			longest = max(longest, b.d.Added, b.d.High)
		}
	}
	height += 56
	scale := float64(chartWidth-chartLabels-chartRight) / longest

	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title">`, chartWidth, height, chartWidth, height)
	p(`<title id="title">CPU time that authentication adds to a request</title>`)
	p(`<style>
.back { fill: #ffffff }
text { font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.group { font-weight: 600 }
.small { font-size: 11px; fill: #59636e }
.ours { fill: #0a7d4f }
.other { fill: #9aa4af }
.spread, .axis { stroke: #1f2328; stroke-width: 1 }
.axis { opacity: .4 }
@media (prefers-color-scheme: dark) {
  .back { fill: #0d1117 }
  text { fill: #e6edf3 }
  .small { fill: #9198a1 }
  .ours { fill: #2fb57c }
  .other { fill: #5b6570 }
  .spread, .axis { stroke: #e6edf3 }
}
</style>`)
	p(`<rect class="back" width="%d" height="%d" rx="6"/>`, chartWidth, height)
	p(`<text class="title" x="16" y="28">CPU time that authentication adds to a request</text>`)
	p(`<text class="small" x="16" y="48">in µs, over the same server without it that is sent the same requests; shorter is better; lines: the middle half of the pairs</text>`)

	y := chartTop
	for _, g := range groups {
		y += groupStep
		p(`<text class="group" x="16" y="%d">%s</text>`, y-9, html.EscapeString(g.title))
		for _, bar := range g.bars {
			class := "other"
			if bar.ours {
				class = "ours"
			}
			middle := float64(y) + barHeight/2
			end := chartLabels + max(bar.d.Added, 0)*scale
			p(`<text x="%d" y="%.1f" text-anchor="end">%s</text>`, chartLabels-8, middle+4.5, html.EscapeString(bar.label))
			p(`<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`, class, chartLabels, y, max(end-chartLabels, 1), barHeight)
			from, to := chartLabels+max(bar.d.Low, 0)*scale, chartLabels+max(bar.d.High, 0)*scale
			p(`<line class="spread" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, from, middle, to, middle)
			p(`<text x="%.1f" y="%.1f">%.1f</text>`, max(end, to)+6, middle+4.5, bar.d.Added)
			y += barStep
		}
	}
	p(`<line class="axis" x1="%d" y1="%d" x2="%d" y2="%d"/>`, chartLabels, chartTop+groupStep-8, chartLabels, y)
	for i, line := range r.footnotes() {
		p(`<text class="small" x="16" y="%d">%s</text>`, y+26+16*i, html.EscapeString(line))
	}
	p(`</svg>`)
	return b.String()
}

// footnotes say what it was measured on.
func (r *results) footnotes() []string {
	v := r.Machine.Versions
	return []string{
		fmt.Sprintf("%s, one core for the server; tokens of 1 KB; %s", r.Machine.CPU, r.Date.Format("January 2006")),
		fmt.Sprintf("Caddy %s, HAProxy %s, fastify %s with @fastify/jwt %s on Node.js %s", v["Caddy"], v["HAProxy"], v["fastify"], v["@fastify/jwt"], v["Node.js"]),
	}
}
