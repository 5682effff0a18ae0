// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package attempts

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

const (
	// maxRight and rightFor bound what is remembered of passwords that were
	// right.
	maxRight = 1000
	rightFor = 5 * time.Minute
)

// Outcome is what became of a password.
type Outcome int

const (
	// Wrong also stands for an answer that nobody waited for: who hangs up early
	// has not been told, and may have guessed.
	Wrong Outcome = iota

	// Right is remembered: the next request with it does not count.
	Right

	// Undecided is neither.
	Undecided
)

// right knows which passwords were right a moment ago, and which are being tried.
// It says nothing about whether they still are.
type right struct {
	secret [32]byte

	mu      sync.Mutex
	until   map[digest]time.Time
	guesses map[digest]*guess
}

// digest stands for a name and a password. It is keyed with a secret of the
// process, so that the memory of the process is no list of fast hashes.
type digest [sha256.Size]byte

// guess is a password that is being tried, by as many as try the same at once: a
// browser that asks for thirty files has one password.
type guess struct {
	attempt Attempt
	trying  int
	failed  bool
}

func newRight() *right {
	r := &right{until: make(map[digest]time.Time), guesses: make(map[digest]*guess)}
	_, _ = rand.Read(r.secret[:]) // never fails: it ends the process instead
	return r
}

// Password is Begin for a password that a client sends with each request: one
// that was right a moment ago passes without being counted, and many requests at
// once with the same one count once. The function is called with what became of
// it; it is nil if there is a time to wait.
func (l *Limiter) Password(username, password, address string, now time.Time) (done func(Outcome), wait time.Duration) {
	r, key := l.right, l.right.digest(username, password)
	r.mu.Lock()
	defer r.mu.Unlock()
	if until, ok := r.until[key]; ok && now.Before(until) {
		return func(o Outcome) {
			if o == Wrong { // it was changed: from now on it is a guess
				r.forget(key)
				l.Begin(username, address, now)
			}
		}, 0
	}
	g := r.guesses[key]
	if g == nil {
		g = new(guess)
		if g.attempt, wait = l.Begin(username, address, now); wait > 0 {
			return nil, wait
		}
		r.guesses[key] = g
	}
	g.trying++
	return func(o Outcome) { r.done(key, g, o, now) }, 0
}

func (r *right) done(key digest, g *guess, o Outcome, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch o {
	case Right:
		r.remember(key, now)
	case Wrong:
		g.failed = true
	case Undecided:
	}
	if g.trying--; g.trying > 0 {
		return
	}
	delete(r.guesses, key)
	if _, ok := r.until[key]; ok || !g.failed {
		g.attempt.Refund()
	}
}

// remember makes room where there is none: first of what is out of date, then of
// whatever comes. r.mu is held.
func (r *right) remember(key digest, now time.Time) {
	if len(r.until) >= maxRight {
		for k, until := range r.until {
			if !now.Before(until) {
				delete(r.until, k)
			}
		}
	}
	for k := range r.until {
		if len(r.until) < maxRight {
			break
		}
		delete(r.until, k)
	}
	r.until[key] = now.Add(rightFor)
}

func (r *right) forget(key digest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.until, key)
}

// digest writes the length of the name before it, so that no two are one.
func (r *right) digest(username, password string) (sum digest) {
	mac := hmac.New(sha256.New, r.secret[:])
	text := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(username)+len(password)), uint64(len(username)))
	text = append(append(text, username...), password...)
	mac.Write(text)
	clear(text)
	mac.Sum(sum[:0])
	return sum
}
