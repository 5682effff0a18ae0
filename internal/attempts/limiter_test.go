// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package attempts

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// Attack: many guesses at once, before any has failed.
func TestGuessesAtOnceCountBeforeTheyFail(t *testing.T) {
	t.Parallel()
	l := New()
	var passed atomic.Int64
	var wg sync.WaitGroup
	for caller := range 8 {
		wg.Go(func() {
			for range 100 {
				if _, wait := l.Begin("ann", fmt.Sprint("192.0.2.", caller), noon); wait == 0 {
					passed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := passed.Load(); n != UserBurst {
		t.Errorf("%d passed, want %d", n, UserBurst)
	}
}

// Attack: as many names as fit into memory, or to push one out of it.
func TestMemoryOfAttemptsIsBoundedAndKeepsWhatIsHot(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(buckets{}); size > 1<<20 {
		t.Errorf("%d bytes", size)
	}
	b := newBuckets(UserBurst, UserEvery)
	const hot = 42
	for range UserBurst {
		if wait := b.take(hot, noon); wait != 0 {
			t.Fatal(wait)
		}
	}
	for i := range uint64(100_000) {
		b.take(i*bucketSets+hot, noon) // all in one set, once each
	}
	if wait := b.take(hot, noon); wait == 0 {
		t.Error("a user under attack was forgotten for others")
	}
}

// A clock that was wrong for a while must not lock people out until it is that
// late again.
func TestClockThatIsSetBackLocksNobodyOut(t *testing.T) {
	t.Parallel()
	l := New()
	for range UserBurst {
		l.Begin("ann", "192.0.2.1", noon.AddDate(1, 0, 0))
	}
	if _, wait := l.Begin("ann", "192.0.2.1", noon); wait <= 0 || wait > UserEvery {
		t.Errorf("wait %s", wait)
	}
	l.Begin("ann", "192.0.2.1", noon.Add(UserEvery))
	if _, wait := l.Begin("ann", "192.0.2.1", noon.Add(2*UserEvery)); wait != 0 {
		t.Errorf("wait %s", wait)
	}
}

// Who is locked out by somebody else's guesses gets in with a password that was
// right a moment ago; and a browser that loads a page sends it many times at once.
func TestPasswordsThatWereRightPass(t *testing.T) {
	t.Parallel()
	l := New()
	try := func(password string, o Outcome) time.Duration {
		done, wait := l.Password("ann", password, "192.0.2.1", noon)
		if wait == 0 {
			done(o)
		}
		return wait
	}
	if wait := try("pw", Right); wait != 0 {
		t.Fatal(wait)
	}
	for i := range UserBurst {
		if wait := try(fmt.Sprint("guess", i), Wrong); wait != 0 {
			t.Fatalf("guess %d: wait %s", i, wait)
		}
	}
	if try("another", Wrong) == 0 {
		t.Error("one guess too many passes")
	}
	for range 3 * UserBurst {
		if wait := try("pw", Right); wait != 0 {
			t.Fatal(wait)
		}
	}

	// It was changed: the old one is a guess like any other.
	if wait := try("pw", Wrong); wait != 0 {
		t.Fatal(wait)
	}
	if try("pw", Wrong) == 0 {
		t.Error("what is right no more passes again")
	}
}

func TestOnePasswordAtOnceCountsOnce(t *testing.T) {
	t.Parallel()
	l := New()
	for _, o := range []Outcome{Right, Undecided, Wrong} {
		var all []func(Outcome)
		for range 3 * UserBurst {
			done, wait := l.Password("ann", "pw", "", noon)
			if wait != 0 {
				t.Fatal(wait)
			}
			all = append(all, done)
		}
		for _, done := range all {
			done(o)
		}
		if o == Right {
			l.right.forget(l.right.digest("ann", "pw"))
		}
	}
	for i := range UserBurst - 1 {
		if _, wait := l.Begin("ann", "", noon); wait != 0 {
			t.Fatalf("%d: the wrong one counts once, and the others not: %s", i, wait)
		}
	}
	if _, wait := l.Begin("ann", "", noon); wait == 0 {
		t.Error("the wrong one does not count")
	}
	if len(l.right.guesses) != 0 {
		t.Error("a guess is remembered for ever")
	}
}

// Attack: an application that has many users, or a client with many right
// passwords, fills the memory.
func TestMemoryOfRightPasswordsIsBounded(t *testing.T) {
	t.Parallel()
	l := New()
	for i := range 2 * maxRight {
		done, wait := l.Password(fmt.Sprint(i), "pw", "", noon)
		if wait != 0 {
			t.Fatal(wait)
		}
		done(Right)
	}
	if n := len(l.right.until); n != maxRight {
		t.Errorf("%d are remembered", n)
	}
}

// A request without an address is nobody else's.
func TestWhatHasNoAddressIsCountedPerUserAlone(t *testing.T) {
	t.Parallel()
	l := New()
	for i := range 2 * AddressBurst {
		if _, wait := l.Begin(fmt.Sprint("user", i), "", noon); wait != 0 {
			t.Fatalf("%d: %s", i, wait)
		}
	}
	if _, wait := l.Begin("ann", Address(&http.Request{}), noon); wait != 0 {
		t.Error(wait)
	}
}
