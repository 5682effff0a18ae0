// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package attempts slows those who guess: attempts to sign in that failed are
// counted per user name and per address, whoever takes them.
package attempts

import (
	"hash/maphash"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// How many failed attempts to sign in are let pass at once, and how long it
// takes until one more is. An address may be that of a whole office.
const (
	UserBurst    = 10
	UserEvery    = 10 * time.Second
	AddressBurst = 50
	AddressEvery = time.Second
)

// Refresh tokens cannot be guessed. The bound is on how often an address makes
// us ask a store for one that is not good.
const (
	RefreshBurst = 100
	RefreshEvery = 100 * time.Millisecond
)

// Limiter slows attempts to sign in, per user and per address. All who ask for
// passwords in the process share one, over reloads too: two endpoints are not twice
// as many attempts. Its memory is bounded.
type Limiter struct {
	seed      maphash.Seed
	users     *buckets
	addresses *buckets
	refreshes *buckets
	right     *right
}

func New() *Limiter {
	return &Limiter{
		seed:      maphash.MakeSeed(),
		users:     newBuckets(UserBurst, UserEvery),
		addresses: newBuckets(AddressBurst, AddressEvery),
		refreshes: newBuckets(RefreshBurst, RefreshEvery),
		right:     newRight(),
	}
}

// Destruct implements caddy.Destructor.
func (*Limiter) Destruct() error { return nil }

// Attempt is one attempt to sign in, which counts as failed until refunded: many
// that are under way at once must not all find that none has failed.
type Attempt struct {
	limiter       *Limiter
	user, address uint64
	noAddress     bool
}

// Begin counts an attempt. It returns how long to wait when there were too
// many, whose names are known as well as whose are not. Without an address, the
// user's alone count.
func (l *Limiter) Begin(username, address string, now time.Time) (Attempt, time.Duration) {
	a := Attempt{
		limiter: l,
		// Stores may take no notice of case.
		user:      maphash.String(l.seed, strings.ToLower(strings.TrimSpace(username))),
		address:   maphash.String(l.seed, network(address)),
		noAddress: address == "",
	}
	if !a.noAddress {
		if wait := l.addresses.take(a.address, now); wait > 0 {
			return a, wait
		}
	}
	if wait := l.users.take(a.user, now); wait > 0 {
		a.refundAddress()
		return a, wait
	}
	return a, 0
}

// Refund makes the attempt one that did not fail.
func (a Attempt) Refund() {
	a.limiter.users.refund(a.user)
	a.refundAddress()
}

func (a Attempt) refundAddress() {
	if !a.noAddress {
		a.limiter.addresses.refund(a.address)
	}
}

// BeginRefresh counts an attempt with a refresh token as one with one that is
// not good, until the function takes that back. It returns how long to wait
// when there were too many.
func (l *Limiter) BeginRefresh(address string, now time.Time) (refund func(), wait time.Duration) {
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

// Address returns the address of the client as far as Caddy trusts the proxies in
// between; empty if the request has none.
func Address(r *http.Request) string {
	if address, ok := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string); ok && address != "" {
		return address
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

// limiters holds the limiter of the process.
var limiters = caddy.NewUsagePool()

const limiterKey = "attempts"

// Acquire returns the limiter of the process. Who has it gives it back with
// Release.
func Acquire() (*Limiter, error) {
	l, _, err := limiters.LoadOrNew(limiterKey, func() (caddy.Destructor, error) { return New(), nil })
	if err != nil {
		return nil, err
	}
	return l.(*Limiter), nil
}

// Release gives the limiter back. Nothing is remembered when nobody has it.
func Release() error {
	_, err := limiters.Delete(limiterKey)
	return err
}

// Interface guards
var _ caddy.Destructor = (*Limiter)(nil)
