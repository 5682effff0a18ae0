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
// While there is room every token is taken in. Once there is none, a token is
// taken in when it comes for the second time within a while, at the cost of the
// one that waited longest without being asked for (CLOCK, with a few laps for
// those that are asked for often). So any number of tokens that are used once
// push out nothing, and cost hardly more than without a cache.
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

// cacheEntry is one token. Only the links change, under the lock of the shard,
// and uses.
type cacheEntry struct {
	key        cacheKey
	tail       uint64
	identity   *auth.Identity
	notBefore  time.Time
	size       int
	uses       atomic.Uint32 // laps that it still has, up to maxUses
	prev, next *cacheEntry
}

// maxUses is how many laps a token can earn.
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

	// What every entry takes, with its places in the map and among the newcomers.
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
	shard, size := c.shard(tail), entrySize(id, text)
	if !shard.admits(tail, size) {
		return
	}
	shard.put(&cacheEntry{key: newCacheKey(token, identity), tail: tail, identity: id, notBefore: notBefore, size: size})
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
	first, last *cacheEntry // by how long they waited
	bytes       int
	newcomers   []uint64 // tails that were not taken in, each in its one place
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
	s.first, s.last, s.bytes = nil, nil, 0
	s.newcomers = nil
}

func (s *cacheShard) get(tail uint64) *cacheEntry {
	s.mu.Lock()
	e := s.entries[tail]
	s.mu.Unlock()
	return e
}

// admits reports whether a token of that size is taken in. One that is not is
// remembered as a newcomer, until another needs its place.
func (s *cacheShard) admits(tail uint64, size int) bool {
	if size > s.maxBytes {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.entries) < s.maxEntries && s.bytes+size <= s.maxBytes {
		return true
	}
	if s.newcomers == nil {
		s.newcomers = make([]uint64, 2*s.maxEntries)
	}
	place := &s.newcomers[tail%uint64(len(s.newcomers))]
	if *place == tail {
		return true
	}
	*place = tail
	return false
}

// put takes an entry in and makes room for it.
func (s *cacheShard) put(e *cacheEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if former := s.entries[e.tail]; former != nil {
		s.unlink(former)
	}
	s.entries[e.tail] = e
	s.append(e)
	for len(s.entries) > s.maxEntries || s.bytes > s.maxBytes {
		oldest := s.first
		s.unlink(oldest)
		if uses := oldest.uses.Load(); uses > 0 { // another lap; it has few
			oldest.uses.Store(uses - 1)
			s.append(oldest)
			continue
		}
		delete(s.entries, oldest.tail)
	}
}

func (s *cacheShard) remove(e *cacheEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries[e.tail] == e {
		delete(s.entries, e.tail)
		s.unlink(e)
	}
}

// append puts e at the end of the list.
func (s *cacheShard) append(e *cacheEntry) {
	e.prev, e.next = s.last, nil
	if s.last == nil {
		s.first = e
	} else {
		s.last.next = e
	}
	s.last = e
	s.bytes += e.size
}

// unlink takes e out of the list.
func (s *cacheShard) unlink(e *cacheEntry) {
	if e.prev == nil {
		s.first = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		s.last = e.prev
	} else {
		e.next.prev = e.prev
	}
	e.prev, e.next = nil, nil
	s.bytes -= e.size
}
