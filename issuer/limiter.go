// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"hash/maphash"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// How many failed attempts to sign in are let pass at once, and how long it
// takes until one more is. An address may be that of a whole office.
const (
	userBurst    = 10
	userEvery    = 10 * time.Second
	addressBurst = 50
	addressEvery = time.Second
)

// Refresh tokens cannot be guessed. The bound is on how often an address makes
// us ask a store for one that is not good.
const (
	refreshBurst = 100
	refreshEvery = 100 * time.Millisecond
)

// limiter slows attempts to sign in, per user and per address. All handlers of
// the process share one, over reloads too: two endpoints are not twice as many
// attempts. Its memory is bounded.
type limiter struct {
	seed      maphash.Seed
	users     *buckets
	addresses *buckets
	refreshes *buckets
}

func newLimiter() *limiter {
	return &limiter{
		seed:      maphash.MakeSeed(),
		users:     newBuckets(userBurst, userEvery),
		addresses: newBuckets(addressBurst, addressEvery),
		refreshes: newBuckets(refreshBurst, refreshEvery),
	}
}

// Destruct implements caddy.Destructor.
func (*limiter) Destruct() error { return nil }

// attempt is one attempt to sign in, which counts as failed until refunded:
// many that are under way at once must not all find that none has failed.
type attempt struct {
	limiter       *limiter
	user, address uint64
}

// begin counts an attempt. It returns how long to wait when there were too
// many, whose names are known as well as whose are not.
func (l *limiter) begin(username, address string, now time.Time) (attempt, time.Duration) {
	a := attempt{
		limiter: l,
		// Stores may take no notice of case.
		user:    maphash.String(l.seed, strings.ToLower(strings.TrimSpace(username))),
		address: maphash.String(l.seed, network(address)),
	}
	if wait := l.addresses.take(a.address, now); wait > 0 {
		return a, wait
	}
	if wait := l.users.take(a.user, now); wait > 0 {
		l.addresses.refund(a.address)
		return a, wait
	}
	return a, 0
}

// refund makes the attempt one that did not fail.
func (a attempt) refund() {
	a.limiter.users.refund(a.user)
	a.limiter.addresses.refund(a.address)
}

// beginRefresh counts an attempt with a refresh token as one with one that is
// not good, until the function takes that back. It returns how long to wait
// when there were too many.
func (l *limiter) beginRefresh(address string, now time.Time) (refund func(), wait time.Duration) {
	key := maphash.String(l.seed, network(address))
	return func() { l.refreshes.refund(key) }, l.refreshes.take(key, now)
}

// network returns what one client has for itself: an IPv4 address, or the first
// 64 bits of an IPv6 address.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}

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

// limiters holds the limiter of the process.
var limiters = caddy.NewUsagePool()

const limiterKey = "attempts"

// Interface guards
var _ caddy.Destructor = (*limiter)(nil)
