// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package attempts

import (
	"sync"
	"time"
)

const (
	bucketSets = 2048 // a power of two
	bucketWays = 8
)

// buckets let pass a burst, and from then on one each interval, for each of a
// bounded number of keys (the generic cell rate algorithm). When a set of keys
// is full, the one that has recovered furthest goes.
type buckets struct {
	every int64 // nanoseconds
	limit int64 // burst times every

	mu   sync.Mutex
	sets [bucketSets][bucketWays]bucket
}

type bucket struct {
	key  uint64
	full int64 // when the key has recovered
}

func newBuckets(burst int, every time.Duration) *buckets {
	return &buckets{every: int64(every), limit: int64(burst) * int64(every)}
}

// take counts one. It returns how long to wait if that is one too many, and
// does not count it.
func (b *buckets) take(key uint64, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.find(key)
	at.full = min(at.full, now.UnixNano()+b.limit) // further ahead if the clock was set back
	full := max(at.full, now.UnixNano()) + b.every
	if wait := full - now.UnixNano() - b.limit; wait > 0 {
		return time.Duration(wait)
	}
	at.full = full
	return 0
}

// refund takes back one.
func (b *buckets) refund(key uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	set := &b.sets[key%bucketSets]
	for i := range set {
		if set[i].key == key {
			set[i].full -= b.every
			return
		}
	}
}

// find returns the bucket of the key, for which it gives up another's.
func (b *buckets) find(key uint64) *bucket {
	set := &b.sets[key%bucketSets]
	oldest := &set[0]
	for i := range set {
		if set[i].key == key {
			return &set[i]
		}
		if set[i].full < oldest.full {
			oldest = &set[i]
		}
	}
	*oldest = bucket{key: key}
	return oldest
}
