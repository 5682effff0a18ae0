// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// What is not configured of a key server, and what is not for configuration.
const (
	defaultRefreshLeast = 5 * time.Minute
	defaultRefreshMost  = time.Hour
	defaultMinRefresh   = 30 * time.Second
	defaultStale        = 24 * time.Hour
	defaultTimeout      = 5 * time.Second

	unsaidLifetime = 15 * time.Minute // of keys of which the server does not say it
	lookInterval   = time.Minute      // how often the age of the keys is looked at, at least
	firstRetry     = time.Second      // while there are no keys at all; doubled each time
	maxWait        = time.Second      // of a request, for keys
	maxWaiters     = 256              // requests that wait at once
	maxMissing     = 4096             // "kid"s that are remembered as missing
)

// remoteSet is a JWK set as it was fetched. It is immutable.
type remoteSet struct {
	data    []byte
	keys    int // that can be used
	etag    string
	uri     string // that it came from
	fetched time.Time
}

// remote keeps the keys of one key server, for all blocks of all configurations
// that name it and trust it for the same reasons. Requests read what it
// publishes, and wait for it only when they need a key that is not there.
type remote struct {
	remoteSettings // of its times, those of all blocks together; under mu
	client         *http.Client
	now            func() time.Time
	logger         func() *zap.Logger // the process's: a configuration's ends with it
	ctx            context.Context    // of the process; ends with the last user
	cancel         context.CancelFunc
	begun          atomic.Bool
	store          atomic.Pointer[storage]
	wake           chan struct{} // to look at next again

	mu          sync.Mutex
	set         *remoteSet // nil: none, or too old
	confirmed   time.Time  // when the server last said that set is its set
	subscribers map[*subscription]struct{}
	flight      *flight // under way; nil: none
	attempted   time.Time
	next        time.Time
	missing     map[uint64]struct{} // "kid"s that the last fetch did not bring
	waiting     int
	failures    int // since the last success
	uri         string
	discovered  time.Time // when uri was
	lastError   error

	fetches, failed atomic.Uint64
}

// flight is one fetch, for all who wait for it.
type flight struct {
	done chan struct{}
	err  error // once done is closed
}

func newRemote(s remoteSettings) (*remote, error) {
	client, err := newClient(s)
	if err != nil {
		return nil, err
	}
	r := &remote{
		remoteSettings: s,
		client:         client,
		now:            time.Now,
		logger:         remoteLogger,
		wake:           make(chan struct{}, 1),
		subscribers:    make(map[*subscription]struct{}),
		missing:        make(map[uint64]struct{}),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background()) //nolint:forbidigo // it outlives configurations, and ends with the last that uses it
	return r, nil
}

// Destruct implements caddy.Destructor. It ends the goroutines.
func (r *remote) Destruct() error {
	r.cancel()
	return nil
}

// begin starts to fetch, in the background. It returns at once.
func (r *remote) begin() {
	if !r.begun.Load() && r.begun.CompareAndSwap(false, true) {
		go r.run()
	}
}

// run keeps the keys fresh until the last user is gone.
func (r *remote) run() {
	r.restore()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.wake:
		case <-timer.C:
		}
		timer.Reset(r.look())
	}
}

// look does what is due, and returns when to look again.
func (r *remote) look() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	r.publish(r.fresh(now, r.stale))
	if r.flight != nil {
		return lookInterval // its end wakes us
	}
	if wait := r.next.Sub(now); wait > 0 {
		return min(wait, lookInterval)
	}
	r.fly(now)
	return lookInterval
}

// fly starts a fetch. It is called with the lock.
func (r *remote) fly(now time.Time) {
	f := &flight{done: make(chan struct{})}
	r.flight, r.attempted = f, now
	set, uri := r.set, ""
	if r.failures == 0 && now.Sub(r.discovered) < r.refreshMost {
		uri = r.uri
	}
	r.fetches.Add(1)
	timeout := r.timeout
	go func() {
		set, uri, lifetime, err := r.fetch(set, uri, timeout)
		r.land(f, set, uri, lifetime, err)
	}()
}

// fetch asks the server. The uri is where the keys were found before, or empty.
func (r *remote) fetch(former *remoteSet, uri string, timeout time.Duration) (*remoteSet, string, time.Duration, error) {
	if !r.discovery {
		uri = r.address
	}
	now := r.now()
	if uri == "" {
		var err error
		if uri, err = r.discover(r.ctx, now, timeout); err != nil {
			return nil, "", 0, err
		}
	}
	etag := ""
	if former != nil && former.uri == uri {
		etag = former.etag
	}
	d, err := get(r.ctx, r.client, uri, etag, now, timeout)
	if err != nil {
		return nil, "", 0, err
	}
	if d.same {
		return former, uri, d.lifetime, nil
	}
	keys, left, err := keyRules{weak: true}.parseRemote(d.data, r.template, anyIssuer)
	if err != nil {
		return nil, "", 0, err
	}
	if len(left) > 0 && (former == nil || string(former.data) != string(d.data)) {
		r.logger().Info("keys of the JWK set are not used",
			zap.String("source", r.label()), zap.Int("keys", len(left)),
			zap.Int("index", left[0].index), zap.NamedError("because", left[0].why))
	}
	return &remoteSet{data: d.data, keys: len(keys), etag: d.etag, uri: uri, fetched: now}, uri, d.lifetime, nil
}

// land ends a fetch: it publishes the keys and lets those go who wait.
func (r *remote) land(f *flight, set *remoteSet, uri string, lifetime time.Duration, err error) {
	if r.ctx.Err() != nil {
		err = r.ctx.Err()
	}
	r.mu.Lock()
	now := r.now()
	clear(r.missing)
	r.flight, f.err = nil, err
	if err == nil {
		r.landed(set, uri, lifetime, now)
	} else {
		r.crashed(err, now)
	}
	r.mu.Unlock()
	close(f.done)
	select {
	case r.wake <- struct{}{}:
	default:
	}
	if err == nil {
		r.save(set)
	}
}

func (r *remote) landed(set *remoteSet, uri string, lifetime time.Duration, now time.Time) {
	if r.failures > 0 {
		r.logger().Info("keys can be fetched again", zap.String("source", r.label()))
	}
	if uri != r.uri || now.Sub(r.discovered) >= r.refreshMost {
		r.uri, r.discovered = uri, now
	}
	r.failures, r.lastError, r.confirmed = 0, nil, now
	r.next = now.Add(r.pause(lifetime))
	r.publish(set)
}

// crashed notes a failure. One warning is an outage, however long.
func (r *remote) crashed(err error, now time.Time) {
	if r.ctx.Err() != nil {
		return
	}
	r.failed.Add(1)
	r.lastError = err
	r.failures++
	wait := r.minRefresh
	if r.set == nil { // nobody can sign in: more haste
		wait = min(firstRetry<<min(r.failures-1, 16), r.minRefresh)
	}
	r.next = now.Add(jittered(wait))
	if r.failures > 1 {
		return
	}
	if r.set == nil {
		r.logger().Warn("keys cannot be fetched, and there are none: tokens are answered with 503",
			zap.String("source", r.label()), zap.Error(err))
		return
	}
	r.logger().Warn("keys cannot be fetched; the last ones stay in force for a while",
		zap.String("source", r.label()), zap.Time("until", r.confirmed.Add(r.stale)), zap.Error(err))
}

// pause returns how long keys are good that the server gives that lifetime.
func (r *remote) pause(lifetime time.Duration) time.Duration {
	if lifetime < 0 {
		lifetime = unsaidLifetime
	}
	return max(jittered(min(lifetime, r.refreshMost)), r.refreshLeast)
}

// jittered returns a little less, so that many servers do not ask at once.
func jittered(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/10+1)) //nolint:gosec // nobody gains by guessing it
}

// currentFor returns the present keys; nil for none that are young enough.
func (r *remote) currentFor(stale time.Duration) *remoteSet {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fresh(r.now(), stale)
}

// answer is what a request is told that needs a key which is not there.
type answer int

const (
	answerUnavailable answer = iota // nobody knows now
	answerFetched                   // look again
	answerMissing                   // there is no such key
)

// demand asks for a key that is not there: of the "kid" whose hash is given, or,
// without keys at all, of any. It starts a fetch unless one began less than
// minRefresh ago, and waits for the one that is under way, for a moment.
func (r *remote) demand(ctx context.Context, kid uint64, wait time.Duration) answer {
	r.begin() //nolint:contextcheck // it goes on when the request has ended
	r.mu.Lock()
	if r.flight == nil {
		now := r.now()
		if !r.attempted.IsZero() && now.Sub(r.attempted) < r.minRefresh {
			_, missing := r.missing[kid]
			r.mu.Unlock()
			if missing {
				return answerMissing
			}
			return answerUnavailable
		}
		r.fly(now) //nolint:contextcheck // likewise
	}
	f := r.flight
	if r.waiting >= maxWaiters {
		r.mu.Unlock()
		return answerUnavailable
	}
	r.waiting++
	r.mu.Unlock()

	timer := time.NewTimer(wait)
	defer timer.Stop()
	result := answerUnavailable
	select {
	case <-f.done:
		if f.err == nil {
			result = answerFetched
		}
	case <-timer.C:
	case <-ctx.Done():
	}
	r.mu.Lock()
	r.waiting--
	r.mu.Unlock()
	return result
}

// forget remembers that a fetch did not bring the key of the "kid", until the
// next one ends.
func (r *remote) forget(kid uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.missing) < maxMissing {
		r.missing[kid] = struct{}{}
	}
}
