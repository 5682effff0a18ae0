// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/caddybolt/caddy-bolt/auth"
)

// Bounds of a cache.
const (
	defaultCache = 10_000

	// maxCache is the most tokens that can be configured.
	maxCache = 10_000_000

	// bytesPerToken times the number of tokens is how much memory a cache may
	// take: 20 MB for 10,000. Tokens of 1 KB take two thirds of it; with larger
	// ones there are fewer of them.
	bytesPerToken = 2000
)

// tokenCache remembers identities by the tokens that proved them. It never
// holds a token, and nothing that was refused.
//
// An entry is found by the end of its token, which is the end of a signature
// and as good as random, and believed only if the SHA-256 of the whole token is
// the right one: so a token that is not there is not hashed, and a flood of bad
// tokens costs no more than verifying them.
//
// What is dropped is decided by S3-FIFO (Yang et al., SOSP 2023): a newcomer
// waits in a small queue and reaches the main one only if it is asked for
// again, so that any number of tokens that are used once cannot push out those
// that are used all the time.
type tokenCache struct {
	seed   maphash.Seed
	shards []cacheShard
}

// cacheKey is the SHA-256 of a token, combined with the identity of the
// authenticator and its keys.
type cacheKey [sha256.Size]byte

// newCacheKey hashes a token for the authenticator of that identity. An
// identity is a SHA-256 itself: to find two tokens that share a key for two
// authenticators is to find a preimage.
func newCacheKey(token string, identity *[sha256.Size]byte) cacheKey {
	key := cacheKey(sha256.Sum256(view(token)))
	for i := 0; i < len(key); i += 8 {
		binary.NativeEndian.PutUint64(key[i:], binary.NativeEndian.Uint64(key[i:])^binary.NativeEndian.Uint64(identity[i:]))
	}
	return key
}

// cacheEntry is one token. Only the links and the queue change, under the lock
// of the shard, and uses.
type cacheEntry struct {
	key        cacheKey
	tail       uint64
	identity   *auth.Identity
	notBefore  time.Time
	size       int
	uses       atomic.Uint32 // since it was put where it is, up to maxUses
	queue      *cacheQueue
	prev, next *cacheEntry
}

// maxUses is as far as uses are counted.
const maxUses = 3

// validity returns the times of the token.
func (e *cacheEntry) validity() validity {
	return validity{expires: e.identity.ExpiresAt, notBefore: e.notBefore, issued: e.identity.IssuedAt}
}

// Shards keep requests from waiting for each other. A small cache has one, so
// that its bounds mean something.
const (
	cacheShards  = 16
	minShardSize = 256
	smallQueue   = 10 // the small queue gets one in so many bytes
	tailLength   = 16 // characters: 96 bits of the signature

	// What every entry takes, with its places in the map and among the ghosts.
	entryOverhead = int(unsafe.Sizeof(cacheEntry{})+unsafe.Sizeof(auth.Identity{})) + 72

	// What every permission takes in an auth.Set, which has an index when it is
	// large.
	listedPermission   = 16
	indexedPermission  = 64
	indexedPermissions = 16
)

// newTokenCache returns a cache of so many tokens.
func newTokenCache(tokens int) *tokenCache {
	shards := cacheShards
	if tokens < cacheShards*minShardSize {
		shards = 1
	}
	c := &tokenCache{seed: maphash.MakeSeed(), shards: make([]cacheShard, shards)}
	for i := range c.shards {
		c.shards[i].init(tokens / shards)
	}
	return c
}

// tail returns where to look for a token, false for text that is too short to
// be one.
func (c *tokenCache) tail(token string) (uint64, bool) {
	if len(token) < tailLength {
		return 0, false
	}
	return maphash.String(c.seed, token[len(token)-tailLength:]), true
}

// shard returns the shard of a tail, from bits that its map does not begin with.
func (c *tokenCache) shard(tail uint64) *cacheShard {
	return &c.shards[(tail>>32)%uint64(len(c.shards))]
}

// get returns the entry of the token for the authenticator of that identity,
// or nil.
func (c *tokenCache) get(token string, identity *[sha256.Size]byte) *cacheEntry {
	tail, ok := c.tail(token)
	if !ok {
		return nil
	}
	e := c.shard(tail).get(tail)
	if e == nil || e.key != newCacheKey(token, identity) {
		return nil
	}
	if uses := e.uses.Load(); uses < maxUses {
		e.uses.Store(uses + 1) // a lost count does no harm
	}
	return e
}

// put remembers who the token was proven to come from. text is how many bytes
// of text the identity consists of, beside its claims.
func (c *tokenCache) put(token string, identity *[sha256.Size]byte, id *auth.Identity, notBefore time.Time, text int) {
	tail, ok := c.tail(token)
	if !ok {
		return
	}
	c.shard(tail).put(&cacheEntry{
		key:       newCacheKey(token, identity),
		tail:      tail,
		identity:  id,
		notBefore: notBefore,
		size:      entrySize(id, text),
	})
}

// entrySize is about how much memory an entry takes, with what the allocator
// rounds up.
func entrySize(id *auth.Identity, text int) int {
	size := entryOverhead + id.Claims.Size() + text
	if n := id.Permissions.Len(); n < indexedPermissions {
		size += n * listedPermission
	} else {
		size += n * indexedPermission
	}
	return size + size/16
}

// remove forgets an entry.
func (c *tokenCache) remove(e *cacheEntry) { c.shard(e.tail).remove(e) }

// clear forgets everything.
func (c *tokenCache) clear() {
	for i := range c.shards {
		c.shards[i].clear()
	}
}

// cacheShard is a part of the cache with a lock of its own.
type cacheShard struct {
	maxEntries, maxBytes int

	mu          sync.Mutex
	entries     map[uint64]*cacheEntry
	small, main cacheQueue
	ghosts      ghosts
	_           [64]byte // the next shard's lock is on a cache line of its own
}

func (s *cacheShard) init(tokens int) {
	s.maxEntries, s.maxBytes = tokens, tokens*bytesPerToken
	s.clear()
}

func (s *cacheShard) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = make(map[uint64]*cacheEntry)
	s.small, s.main = cacheQueue{}, cacheQueue{}
	s.ghosts = ghosts{max: s.maxEntries}
}

func (s *cacheShard) get(tail uint64) *cacheEntry {
	s.mu.Lock()
	e := s.entries[tail]
	s.mu.Unlock()
	return e
}

func (s *cacheShard) put(e *cacheEntry) {
	if e.size > s.maxBytes {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if former := s.entries[e.tail]; former != nil {
		former.queue.remove(former)
	}
	s.entries[e.tail] = e
	if s.ghosts.take(e.tail) {
		s.main.push(e)
	} else {
		s.small.push(e)
	}
	for len(s.entries) > s.maxEntries || s.small.bytes+s.main.bytes > s.maxBytes {
		s.evict()
	}
}

// evict drops one entry or moves one to the end of the main queue. It ends
// because every move costs the entry one of its few uses.
func (s *cacheShard) evict() {
	if s.small.bytes > s.maxBytes/smallQueue || s.main.first == nil {
		e := s.small.first
		s.small.remove(e)
		if e.uses.Load() > 0 {
			e.uses.Store(0)
			s.main.push(e)
			return
		}
		delete(s.entries, e.tail)
		s.ghosts.add(e.tail)
		return
	}
	e := s.main.first
	s.main.remove(e)
	if uses := e.uses.Load(); uses > 0 {
		e.uses.Store(uses - 1)
		s.main.push(e)
		return
	}
	delete(s.entries, e.tail)
}

func (s *cacheShard) remove(e *cacheEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries[e.tail] == e {
		delete(s.entries, e.tail)
		e.queue.remove(e)
	}
}

// cacheQueue is a list of entries, the oldest first.
type cacheQueue struct {
	first, last *cacheEntry
	bytes       int
}

func (q *cacheQueue) push(e *cacheEntry) {
	e.queue, e.prev, e.next = q, q.last, nil
	if q.last == nil {
		q.first = e
	} else {
		q.last.next = e
	}
	q.last = e
	q.bytes += e.size
}

func (q *cacheQueue) remove(e *cacheEntry) {
	if e.prev == nil {
		q.first = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		q.last = e.prev
	} else {
		e.next.prev = e.prev
	}
	e.queue, e.prev, e.next = nil, nil, nil
	q.bytes -= e.size
}

// ghosts remember which tokens were dropped from the small queue of late: one
// that comes back goes to the main queue at once.
type ghosts struct {
	max   int
	ring  []uint64
	next  int
	known map[uint64]struct{}
}

func (g *ghosts) add(tail uint64) {
	if g.known == nil {
		g.known = make(map[uint64]struct{})
	}
	if len(g.ring) < g.max {
		g.ring = append(g.ring, tail)
	} else {
		delete(g.known, g.ring[g.next])
		g.ring[g.next] = tail
		g.next = (g.next + 1) % g.max
	}
	g.known[tail] = struct{}{}
}

// take reports whether the tail is known, and forgets it.
func (g *ghosts) take(tail uint64) bool {
	_, ok := g.known[tail]
	delete(g.known, tail)
	return ok
}
