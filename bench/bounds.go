// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
)

// bound is a promise of the design and what was measured of it.
type bound struct {
	what     string
	limit    string
	measured string
	kept     bool
	missing  bool // it could not be measured
}

// bounds are all promises that figures can speak of.
func (r *results) bounds() []bound {
	list := []bound{
		r.most("A token seen before, any algorithm, any revocation store", 5,
			"seen", "seen-rs256", "seen-es256", "seen-eddsa", "revocation-memory", "revocation-bolt", "revocation-redis", "revocation-sql"),
		r.most("HS256, never seen", 12, "unseen-hs256"),
	}
	for _, alg := range algorithms[1:] {
		list = append(list, r.overSignature(alg))
	}
	list = append(list, r.mostBare("An API key, one of 10 or of 100,000", 3, "keys-10", "keys-100000"),
		r.fullCacheBound(), r.memoryBound(), r.floodBound())
	for _, p := range r.propagations(r.Effort) {
		list = append(list, p.bound())
	}
	return append(list,
		r.millionBound("start", "%.0f ms", 2000, func(m million) float64 { return m.Load }),
		r.millionBound("memory", "%.0f MiB", 150, func(m million) float64 { return m.Memory }),
		r.millionBound("a look-up", "%.0f ns", 500, func(m million) float64 { return m.Nanos }),
		r.millionBound("allocations of a look-up", "%.0f", 0, func(m million) float64 { return m.Allocs }),
		r.stageBound("`ServeHTTP` around an empty handler, token seen before", "JWTSeenBefore", 1200, 3),
		r.stageBound("the same, HS256 never seen", "JWTNeverSeen", 4000, math.Inf(1)),
	)
}

// most bounds what rows add at most, with what it takes to receive the token:
// the base case is then a Caddy that is sent none.
func (r *results) most(what string, limit float64, ids ...string) bound {
	receiving := r.figures("receiving")
	if receiving == nil {
		return bound{what: what, limit: us(limit), missing: true}
	}
	return r.worst(what, limit, receiving.Added, ids)
}

// mostBare bounds rows whose credential is short.
func (r *results) mostBare(what string, limit float64, ids ...string) bound {
	return r.worst(what, limit, 0, ids)
}

func (r *results) worst(what string, limit, more float64, ids []string) bound {
	b := bound{what: what, limit: us(limit)}
	worst := math.Inf(-1)
	for _, id := range ids {
		d := r.figures(id)
		if d == nil {
			b.missing = true
			return b
		}
		worst = max(worst, d.Added+more)
	}
	b.measured, b.kept = us(worst), worst <= limit
	return b
}

// overSignature bounds what a token takes beyond its signature: the fastest run
// of the Go benchmark of the signature alone, since runs are slowed by others
// and sped up by nothing.
func (r *results) overSignature(alg string) bound {
	b := bound{what: alg + ", never seen", limit: "signature + 12 µs", missing: true}
	receiving, row, signature := r.figures("receiving"), r.figures("unseen-"+lower(alg)), r.stageOf("./jwtauth", "Signature/"+alg)
	if receiving == nil || row == nil || signature == nil {
		return b
	}
	added, alone := row.Added+receiving.Added, signature.Low/1000
	b.measured = fmt.Sprintf("%s: signature %s + %s", us(added), us(alone), us(added-alone))
	b.kept, b.missing = added <= alone+12, false
	return b
}

// resolution is what a difference has to exceed to be one, in µs.
const resolution = 0.5

func (r *results) fullCacheBound() bound {
	b := bound{what: "100,000 distinct tokens that all miss a full cache", limit: "as fast as `cache off`", missing: true}
	d := r.figures("full-cache")
	if d == nil {
		return b
	}
	b.measured, b.kept, b.missing = signed(d.Added), d.Added <= resolution, false
	return b
}

// maxMemory is twice the 20 MiB that the cache holds at most: Go's collector
// lets a heap double.
const maxMemory = 40 << 20

func (r *results) memoryBound() bound {
	b := bound{what: "100,000 distinct tokens: memory of the process", limit: "20 MiB of cache, twice that with Go's collector", missing: true}
	d := r.figures("tokens-100000")
	if d == nil {
		return b
	}
	more := d.Own.Peak - d.Base.Peak
	b.measured, b.kept, b.missing = mib(more)+" more than without `auth`", more <= maxMemory, false
	return b
}

func (r *results) floodBound() bound {
	b := bound{what: thousands(floodRequests) + " requests with unknown kids", limit: "1 fetch in `min_refresh` (here 1 s); valid tokens at most twice as slow as beside as many valid ones", missing: true}
	f := r.Flood
	if f == nil {
		return b
	}
	allowed := int64(f.Took/minRefresh.Seconds()) + 1
	b.measured = fmt.Sprintf("%s in %.1f s, %.1f times", plural(f.Fetches, "fetch", "fetches"), f.Took, f.Unknown/f.Valid)
	b.kept, b.missing = f.Fetches >= 1 && f.Fetches <= allowed && f.Unknown <= 2*f.Valid, false
	return b
}

func (p reached) bound() bound {
	b := bound{what: "A log-out reaches another node, by " + p.name, limit: fmt.Sprintf("%.0f ms", p.limit), missing: true}
	d := *p.result
	if d == nil {
		return b
	}
	b.measured = fmt.Sprintf("%.1f ms (99 of 100), %.1f ms at most", d.P99, d.Most)
	b.kept, b.missing = d.P99 <= p.limit, false
	return b
}

func (r *results) millionBound(what, format string, limit float64, value func(million) float64) bound {
	b := bound{what: "A million revoked tokens, any revocation store: " + what, limit: fmt.Sprintf(format, limit), missing: true}
	if worst, ok := r.worstMillion(value); ok {
		b.measured, b.kept, b.missing = fmt.Sprintf(format, worst), worst <= limit, false
	}
	return b
}

func (r *results) stageBound(what, name string, nanos, allocs float64) bound {
	b := bound{what: what, limit: us(nanos / 1000), missing: true}
	if !math.IsInf(allocs, 1) {
		b.limit += fmt.Sprintf(", %.0f allocations", allocs)
	}
	s := r.stageOf(".", name)
	if s == nil {
		return b
	}
	b.measured = fmt.Sprintf("%.2f µs, %.0f allocations", s.Nanos/1000, s.Allocs)
	b.kept, b.missing = s.Nanos <= nanos && s.Allocs <= allocs, false
	return b
}
