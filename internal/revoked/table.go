// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revoked

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// Shards is how many parts a table has. A reader waits for a writer of its own
// part alone.
const Shards = 256

// table is a map in parts, each with a lock of its own.
type table[K comparable, V any] struct {
	size  atomic.Int64
	seed  maphash.Seed
	parts [Shards]part[K, V]
}

type part[K comparable, V any] struct {
	mu   sync.RWMutex
	m    map[K]V
	peak int // the largest that m was: Go's maps never shrink
}

func newTable[K comparable, V any]() *table[K, V] {
	return &table[K, V]{seed: maphash.MakeSeed()}
}

// part returns the part of the keys that hold this ID.
func (t *table[K, V]) part(id string) *part[K, V] {
	return &t.parts[maphash.String(t.seed, id)%Shards]
}

// get returns the value of a key. It allocates nothing.
func (t *table[K, V]) get(id string, key K) (V, bool) {
	p := t.part(id)
	p.mu.RLock()
	v, ok := p.m[key]
	p.mu.RUnlock()
	return v, ok
}

// set changes the value of a key into what change makes of it.
func (t *table[K, V]) set(id string, key K, change func(old V) V) {
	p := t.part(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	old, ok := p.m[key]
	if p.m == nil {
		p.m = make(map[K]V)
	}
	p.m[key] = change(old)
	if !ok {
		t.size.Add(1)
		p.peak = max(p.peak, len(p.m))
	}
}

// reserve makes room for so many keys where there are none.
func (t *table[K, V]) reserve(n int) {
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.Lock()
		if len(p.m) == 0 {
			p.m = make(map[K]V, n/Shards)
			p.peak = n / Shards
		}
		p.mu.Unlock()
	}
}

// prune changes the value of a key if there is one, and removes it if keep
// says so.
func (t *table[K, V]) prune(id string, key K, change func(old V) (v V, keep bool)) {
	p := t.part(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	old, ok := p.m[key]
	if !ok {
		return
	}
	v, keep := change(old)
	if keep {
		p.m[key] = v
		return
	}
	delete(p.m, key)
	t.size.Add(-1)
	if len(p.m) < p.peak/4 {
		p.shrink()
	}
}

// shrink gives memory back.
func (p *part[K, V]) shrink() {
	m := make(map[K]V, len(p.m))
	for k, v := range p.m {
		m[k] = v
	}
	p.m, p.peak = m, len(m)
}

// eachOf calls f with the keys of one part, of which there are as many as
// Shards. Readers go on meanwhile; f must not call the table.
func (t *table[K, V]) eachOf(i int, f func(K, V)) {
	t.parts[i].each(f)
}

// eachOfPart calls f with the keys that may hold this ID.
func (t *table[K, V]) eachOfPart(id string, f func(K, V)) {
	t.part(id).each(f)
}

func (p *part[K, V]) each(f func(K, V)) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for k, v := range p.m {
		f(k, v)
	}
}
