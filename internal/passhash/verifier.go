// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package passhash

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddybolt/caddy-bolt/internal/clock"
)

const (
	// MaxPassword is the length in bytes above which a password is refused.
	MaxPassword = 1024

	// MaxWait is how long a verification waits for its turn.
	MaxWait = time.Second

	// maxWaiting is how many wait for their turn; who comes then is told to
	// come again at once.
	maxWaiting = 256

	// cacheSize and cacheTTL bound what is remembered of passwords that were
	// right.
	cacheSize = 1000
	cacheTTL  = 5 * time.Minute
)

// ErrBusy means that too many passwords are being verified: could not decide.
var ErrBusy = errors.New("too many passwords are being verified at once")

// Shared is the verifier of the process: the bound is on the machine, and what
// was found right stays right when a configuration is loaded.
var Shared = New(runtime.GOMAXPROCS(0), clock.Clock{})

// Verifier verifies passwords. It is safe for concurrent use.
type Verifier struct {
	clock   clock.Clock
	keyed   sync.Pool // of *keyedHash
	turns   chan struct{}
	waiting atomic.Int64

	mu      sync.Mutex
	right   map[digest]time.Time // until when it is remembered
	flights map[digest]*flight

	compare func(Hash, []byte, []byte) (bool, error) // tests count
}

// digest stands for a user, a password and a hash. It is keyed with a secret of
// the process, so that the memory of the process is no list of fast hashes.
type digest [sha256.Size]byte

// flight is a verification on its way, which others with the same question
// wait for.
type flight struct {
	done chan struct{}
	ok   bool
	err  error
}

// New returns a verifier that computes so many hashes at once.
func New(parallel int, c clock.Clock) *Verifier {
	v := &Verifier{
		clock:   c,
		turns:   make(chan struct{}, max(parallel, 1)),
		right:   make(map[digest]time.Time),
		flights: make(map[digest]*flight),
		compare: func(h Hash, hashed, password []byte) (bool, error) { return h.algo.Compare(hashed, password) },
	}
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails: Go ends the process instead
	v.keyed.New = func() any { return &keyedHash{mac: hmac.New(sha256.New, secret[:])} }
	return v
}

// Verify reports whether the password of the user is the one that was hashed.
// An error means that it could not find out; the result is then false.
//
// A password that was right is remembered for some minutes, for this user and
// this hash: a page of thirty files costs one hash. One that was wrong is never
// remembered, and costs a hash each time.
func (v *Verifier) Verify(ctx context.Context, user string, h Hash, password string) (bool, error) {
	return v.ask(ctx, question{user: user, hash: h, hashed: h.text, password: password, remember: true})
}

// Pretend takes as long as Verify does for a wrong password, and answers
// nothing: for a user who is not there, with the hash of one who is.
func (v *Verifier) Pretend(ctx context.Context, user string, h Hash, password string) error {
	// The same way through, flights included: who asks many times at once
	// could tell the two apart by how long all of them take together.
	_, err := v.ask(ctx, question{user: user, hash: h, hashed: h.fake, password: password})
	return err
}

// question is what a flight answers.
type question struct {
	user     string
	hash     Hash
	hashed   []byte // the hash's text, or its fake
	password string
	remember bool
}

// ask answers from memory, with the answer that somebody else waits for
// already, or by finding out.
func (v *Verifier) ask(ctx context.Context, q question) (bool, error) {
	key := v.digest(q)
	for {
		f, leads, known := v.join(key)
		if known {
			return true, nil
		}
		if leads {
			v.lead(ctx, key, f, q)
			return f.ok, f.err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return false, ctx.Err()
		}
		if !errors.Is(f.err, context.Canceled) && !errors.Is(f.err, context.DeadlineExceeded) {
			return f.ok, f.err
		}
		// The leader's visitor went away: it is somebody else's turn to lead.
	}
}

// join finds the password among the right ones, or the flight that finds out;
// leads is true for who has to do it.
func (v *Verifier) join(key digest) (f *flight, leads, known bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if until, ok := v.right[key]; ok {
		if v.clock.Now().Before(until) {
			return nil, false, true
		}
		delete(v.right, key)
	}
	if f := v.flights[key]; f != nil {
		return f, false, false
	}
	f = &flight{done: make(chan struct{})}
	v.flights[key] = f
	return f, true, false
}

// lead finds out, for itself and for whoever waits.
func (v *Verifier) lead(ctx context.Context, key digest, f *flight, q question) {
	f.err = ErrBusy // what waiters see if the comparison panics
	defer func() {
		v.mu.Lock()
		delete(v.flights, key)
		if q.remember && f.ok && f.err == nil {
			v.remember(key)
		}
		v.mu.Unlock()
		close(f.done)
	}()
	f.ok, f.err = v.compute(ctx, q)
}

// remember makes room where there is none: first of what is out of date, then
// of whatever comes. v.mu is held.
func (v *Verifier) remember(key digest) {
	now := v.clock.Now()
	if len(v.right) >= cacheSize {
		for k, until := range v.right {
			if !now.Before(until) {
				delete(v.right, k)
			}
		}
	}
	for k := range v.right {
		if len(v.right) < cacheSize {
			break
		}
		delete(v.right, k)
	}
	v.right[key] = now.Add(cacheTTL)
}

// compute compares when it is its turn.
func (v *Verifier) compute(ctx context.Context, q question) (bool, error) {
	if q.hash.algo == nil {
		return false, ErrFormat
	}
	if err := v.turn(ctx); err != nil {
		return false, err
	}
	defer func() { <-v.turns }()
	plain, whole := q.hash.algo.fits([]byte(q.password))
	same, err := v.compare(q.hash, q.hashed, plain)
	return same && whole && err == nil, err
}

// turn waits for a turn, which the caller gives back.
func (v *Verifier) turn(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case v.turns <- struct{}{}:
		return nil
	default:
	}
	defer v.waiting.Add(-1)
	if v.waiting.Add(1) > maxWaiting {
		return ErrBusy
	}
	timer := time.NewTimer(MaxWait)
	defer timer.Stop()
	select {
	case v.turns <- struct{}{}:
		return nil
	case <-timer.C:
		return ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

// digest writes the length before each part, so that no two questions are one.
func (v *Verifier) digest(q question) digest {
	k := v.keyed.Get().(*keyedHash)
	defer v.keyed.Put(k)
	k.text = k.text[:0]
	k.part(q.user)
	k.text = binary.BigEndian.AppendUint64(k.text, uint64(len(q.hashed)))
	k.text = append(k.text, q.hashed...)
	k.part(q.password)
	k.mac.Reset()
	k.mac.Write(k.text)
	k.mac.Sum(k.sum[:0])
	clear(k.text) // a pool is no place for passwords
	return k.sum
}

// keyedHash is an HMAC with the secret, and its memory.
type keyedHash struct {
	mac  hash.Hash
	text []byte
	sum  digest
}

func (k *keyedHash) part(text string) {
	k.text = binary.BigEndian.AppendUint64(k.text, uint64(len(text)))
	k.text = append(k.text, text...)
}
