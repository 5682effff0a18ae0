// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// notBetter says what is not better here than elsewhere, or than promised, as
// far as the figures go. Nobody edits it.
func (r *results) notBetter() []string {
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }

	for _, b := range r.bounds() {
		switch {
		case b.missing:
			add("%s: not measured in this run.", b.what)
		case !b.kept:
			add("%s: meant to be at most %s, measured %s.", b.what, b.limit, b.measured)
		}
	}
	seen := r.figures("seen")
	for _, p := range r.peers() {
		if p.theirs.Added < p.ours.Added {
			add("%s adds %s, %s here adds %s.", p.name, us(p.theirs.Added), p.what, us(p.ours.Added))
		}
	}
	for _, p := range r.peers() {
		if p.theirs.Own.CPU < p.ours.Own.CPU {
			add("The whole request takes %s with %s, and %s with %s here: Caddy itself takes %s, the other server %s.",
				us(p.theirs.Own.CPU), p.name, us(p.ours.Own.CPU), p.what, us(p.ours.Base.CPU), us(p.theirs.Base.CPU))
		}
	}
	for _, id := range []string{"haproxy-hs256", "fastify-cache"} {
		if theirs := r.figures(id); theirs != nil && seen != nil && theirs.Own.Peak < seen.Own.Peak {
			name, _, _ := strings.Cut(id, "-")
			add("A server with %s needs %s of memory, Caddy %s with `auth` and %s without.", names[name], mib(theirs.Own.Peak), mib(seen.Own.Peak), mib(seen.Base.Peak))
		}
	}
	if basic, theirs := r.figures("basic"), r.figures("basic_auth"); basic != nil && theirs != nil && theirs.Added+resolution < basic.Added {
		add("A password seen before adds %s with `basic`, %s with Caddy's `basic_auth`.", us(basic.Added), us(theirs.Added))
	}
	if theirs := r.figures("basic_auth"); theirs != nil && seen != nil && theirs.Added < seen.Added {
		add("Caddy's `basic_auth` adds %s for a password seen before (the first time takes %.0f ms), a token seen before %s.", us(theirs.Added), r.FirstLogIn, us(seen.Added))
	}
	if unseen := r.figures("unseen-es256"); unseen != nil && seen != nil {
		add("A token never seen adds %s with ES256, where a token seen before adds %s: with more tokens in use than `cache` holds, that is what most of them cost.", us(unseen.Added), us(seen.Added))
	}
	if d := r.figures("keys-100000"); d != nil && d.Own.Peak-d.Base.Peak > 20<<20 {
		add("100,000 API keys take %s of memory at most, while their file is read.", mib(d.Own.Peak-d.Base.Peak))
	}
	var wide []string
	for _, m := range r.Rows {
		if m.Figures != nil && m.Figures.High-m.Figures.Low > widest {
			wide = append(wide, fmt.Sprintf("“%s” by %s", m.Name, us(m.Figures.High-m.Figures.Low)))
		}
	}
	if len(wide) > 0 {
		add("Rows that scatter by more than %s, and whose figures are worth less than the others: %s.", us(widest), strings.Join(wide, ", "))
	}
	return list
}

// names of other servers, by the beginning of the IDs of their rows.
var names = map[string]string{"haproxy": "HAProxy", "fastify": "fastify"}

// widest is how far the middle half of the pairs may scatter, in µs.
const widest = 2

// comparison is another server beside ours.
type comparison struct {
	name, what   string
	theirs, ours *difference
}

// peers are the comparisons that were measured.
func (r *results) peers() []comparison {
	var list []comparison
	for _, c := range []struct{ name, theirs, what, ours string }{
		{"HAProxy's `jwt_verify` with HS256", "haproxy-hs256", "a token seen before", "seen"},
		{"HAProxy's `jwt_verify` with HS256", "haproxy-hs256", "an HS256 token never seen", "unseen-hs256"},
		{"HAProxy's `jwt_verify` with RS256", "haproxy-rs256", "an RS256 token never seen", "unseen-rs256"},
		{"HAProxy's `jwt_verify` with ES256", "haproxy-es256", "an ES256 token never seen", "unseen-es256"},
		{"`@fastify/jwt` with its cache", "fastify-cache", "a token seen before", "seen"},
		{"`@fastify/jwt`", "fastify-jwt", "an HS256 token never seen", "unseen-hs256"},
	} {
		theirs, ours := r.figures(c.theirs), r.figures(c.ours)
		if theirs != nil && ours != nil {
			list = append(list, comparison{c.name, c.what, theirs, ours})
		}
	}
	return list
}

// us is a time in microseconds.
func us(v float64) string { return fmt.Sprintf("%.1f µs", v) }

// signed is us with its sign.
func signed(v float64) string { return fmt.Sprintf("%+.1f µs", v) }

func mib(bytes int64) string { return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20)) }

func lower(s string) string { return strings.ToLower(s) }

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// thousands writes a whole number with commas.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
