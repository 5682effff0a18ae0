// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package passhash

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// counting returns a verifier that counts what it computes.
func counting(parallel int, c clock.Clock) (*Verifier, *atomic.Int64) {
	v, n := New(parallel, c), new(atomic.Int64)
	compare := v.compare
	v.compare = func(h Hash, hashed, password []byte) (bool, error) {
		n.Add(1)
		return compare(h, hashed, password)
	}
	return v, n
}

func TestRightPasswordIsComputedOnce(t *testing.T) {
	t.Parallel()
	v, n := counting(1, clock.Clock{})
	h := mustParse(t, bcryptHorse)
	for range 30 {
		if ok, err := v.Verify(context.Background(), "bob", h, "correct horse"); !ok || err != nil {
			t.Fatalf("Verify = %v, %v", ok, err)
		}
	}
	if n.Load() != 1 {
		t.Errorf("computed %d hashes", n.Load())
	}
}

// Attack: a wrong password right after the right one, or another user's name
// with it, or the right one after the hash was changed.
func TestMemoryOfARightPasswordLetsNothingElseIn(t *testing.T) {
	t.Parallel()
	v, n := counting(1, clock.Clock{})
	h, other := mustParse(t, bcryptHorse), mustParse(t, bcryptA)
	if ok, _ := v.Verify(context.Background(), "bob", h, "correct horse"); !ok {
		t.Fatal("the right password is refused") // control
	}
	for _, tc := range []struct {
		name, user string
		hash       Hash
		password   string
	}{
		{"wrong password", "bob", h, "correct hors"},
		{"empty password", "bob", h, ""},
		{"hash changed", "bob", other, "correct horse"},
		{"parts shifted", "bobc", h, "orrect horse"},
	} {
		before := n.Load()
		if ok, err := v.Verify(context.Background(), tc.user, tc.hash, tc.password); ok || err != nil {
			t.Errorf("%s: Verify = %v, %v", tc.name, ok, err)
		}
		if n.Load() != before+1 {
			t.Errorf("%s: computed %d hashes, want 1", tc.name, n.Load()-before)
		}
	}
	before := n.Load()
	if ok, _ := v.Verify(context.Background(), "eve", h, "correct horse"); !ok || n.Load() != before+1 {
		t.Error("another user's answer came from memory")
	}
}

// Attack: a name and a password, cut in another place, spell the same text.
func TestQuestionsThatSpellTheSameAreTwo(t *testing.T) {
	t.Parallel()
	v := New(1, clock.Clock{})
	h := mustParse(t, bcryptHorse)
	one := v.digest(question{user: "a", hashed: h.text, password: "b" + bcryptHorse + "c"})
	two := v.digest(question{user: "a" + bcryptHorse + "b", hashed: h.text, password: "c"})
	if one == two {
		t.Error("one digest stands for both")
	}
	if one != v.digest(question{user: "a", hashed: h.text, password: "b" + bcryptHorse + "c"}) { // control
		t.Error("one question has two digests")
	}
	if one == New(1, clock.Clock{}).digest(question{user: "a", hashed: h.text, password: "b" + bcryptHorse + "c"}) {
		t.Error("two processes have one secret")
	}
}

func TestWrongPasswordIsNeverRemembered(t *testing.T) {
	t.Parallel()
	v, n := counting(1, clock.Clock{})
	h := mustParse(t, bcryptHorse)
	for range 3 {
		if ok, _ := v.Verify(context.Background(), "bob", h, "wrong"); ok {
			t.Fatal("accepted")
		}
	}
	if n.Load() != 3 || len(v.right) != 0 || len(v.flights) != 0 {
		t.Errorf("computed %d hashes, remembers %d, %d on their way", n.Load(), len(v.right), len(v.flights))
	}
}

func TestRightPasswordIsForgottenAfterSomeMinutes(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	v, n := counting(1, clock.Func(func() time.Time { return now }))
	h := mustParse(t, bcryptHorse)
	for _, step := range []time.Duration{0, cacheTTL - 1, 1} {
		now = now.Add(step)
		if ok, _ := v.Verify(context.Background(), "bob", h, "correct horse"); !ok {
			t.Fatal("refused")
		}
	}
	if n.Load() != 2 {
		t.Errorf("computed %d hashes, want one at first and one after the time", n.Load())
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	v := New(1, clock.Fixed(time.Unix(1_800_000_000, 0)))
	v.compare = func(Hash, []byte, []byte) (bool, error) { return true, nil }
	h := mustParse(t, bcryptHorse)
	for i := range 2*cacheSize + 10 {
		if ok, err := v.Verify(context.Background(), strconv.Itoa(i), h, "x"); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if len(v.right) != cacheSize {
		t.Errorf("remembers %d", len(v.right))
	}
}

// Attack: names are found out by how long the answer takes. Pretend goes the
// same way as Verify with a wrong password: as many hashes, shared alike.
func TestPretendingCostsWhatAWrongPasswordCosts(t *testing.T) {
	t.Parallel()
	h := mustParse(t, bcryptHorse)
	for _, tc := range []struct {
		name string
		ask  func(*Verifier) error
	}{
		{"wrong password", func(v *Verifier) error {
			ok, err := v.Verify(context.Background(), "bob", h, "x")
			if ok {
				return errors.New("accepted")
			}
			return err
		}},
		{"pretended", func(v *Verifier) error { return v.Pretend(context.Background(), "bob", h, "x") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := New(1, clock.Clock{})
				var computed int
				v.compare = func(Hash, []byte, []byte) (bool, error) {
					computed++
					time.Sleep(100 * time.Millisecond)
					return false, nil
				}
				start := time.Now()
				var wg sync.WaitGroup
				for range 8 {
					wg.Go(func() {
						if err := tc.ask(v); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				if took := time.Since(start); computed != 1 || took != 100*time.Millisecond {
					t.Errorf("8 at once: %d hashes in %v", computed, took)
				}
				if err := tc.ask(v); err != nil || computed != 2 {
					t.Errorf("one more: %v, %d hashes", err, computed)
				}
			})
		})
	}
}

func TestPretendedUserIsNeverRemembered(t *testing.T) {
	t.Parallel()
	v := New(1, clock.Clock{})
	v.compare = func(Hash, []byte, []byte) (bool, error) { return true, nil } // the fake's password, found
	h := mustParse(t, bcryptHorse)
	if err := v.Pretend(context.Background(), "bob", h, "x"); err != nil || len(v.right) != 0 {
		t.Errorf("Pretend = %v, remembers %d", err, len(v.right))
	}
}

// slow returns a verifier whose hashes take as long as given.
func slow(parallel int, d time.Duration) (v *Verifier, most *atomic.Int64) {
	v, most = New(parallel, clock.Clock{}), new(atomic.Int64)
	var running atomic.Int64
	v.compare = func(Hash, []byte, []byte) (bool, error) {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(d)
		running.Add(-1)
		return true, nil
	}
	return v, most
}

func TestVerificationsWaitForTheirTurnAndNotForLong(t *testing.T) {
	t.Parallel()
	h := mustParse(t, bcryptHorse)
	synctest.Test(t, func(t *testing.T) {
		v, most := slow(2, 400*time.Millisecond)
		var ok, busy atomic.Int64
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				start := time.Now()
				right, err := v.Verify(context.Background(), strconv.Itoa(i), h, "x")
				switch {
				case right && err == nil:
					ok.Add(1)
				case !right && errors.Is(err, ErrBusy):
					busy.Add(1)
					if took := time.Since(start); took > MaxWait {
						t.Errorf("waited %v", took)
					}
				default:
					t.Errorf("Verify = %v, %v", right, err)
				}
			})
		}
		wg.Wait()
		if most.Load() != 2 || ok.Load() != 6 || busy.Load() != 4 {
			t.Errorf("%d at once, %d answered, %d sent away; want 2, 6 and 4", most.Load(), ok.Load(), busy.Load())
		}
	})
}

func TestWhoCannotWaitIsSentAwayAtOnce(t *testing.T) {
	t.Parallel()
	h := mustParse(t, bcryptHorse)
	synctest.Test(t, func(t *testing.T) {
		v, _ := slow(1, 10*time.Second)
		var wg sync.WaitGroup
		for i := range 1 + maxWaiting {
			wg.Go(func() { _, _ = v.Verify(context.Background(), strconv.Itoa(i), h, "x") })
		}
		synctest.Wait()
		start := time.Now()
		if _, err := v.Verify(context.Background(), "one too many", h, "x"); !errors.Is(err, ErrBusy) || time.Since(start) != 0 {
			t.Errorf("Verify = %v after %v", err, time.Since(start))
		}
		wg.Wait()
		if v.waiting.Load() != 0 || len(v.turns) != 0 || len(v.flights) != 0 {
			t.Error("something is still waiting")
		}
	})
}

func TestWaitingEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	h := mustParse(t, bcryptHorse)
	synctest.Test(t, func(t *testing.T) {
		v, _ := slow(1, 500*time.Millisecond)
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = v.Verify(context.Background(), "first", h, "x") })
		synctest.Wait()
		wg.Go(func() { // leads, and goes away
			if ok, err := v.Verify(ctx, "second", h, "x"); ok || !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v, %v", ok, err)
			}
		})
		synctest.Wait()
		wg.Go(func() { // waits for the second, and then has to ask
			if ok, err := v.Verify(context.Background(), "second", h, "x"); !ok || err != nil {
				t.Errorf("left alone: %v, %v", ok, err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
		if ok, err := v.Verify(ctx, "third", h, "x"); ok || !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before: %v, %v", ok, err)
		}
	})
}

// A comparison that panics lets nobody in who waits for it, and holds no turn.
func TestPanicInAComparisonIsNoAnswer(t *testing.T) {
	t.Parallel()
	h := mustParse(t, bcryptHorse)
	synctest.Test(t, func(t *testing.T) {
		v := New(1, clock.Clock{})
		v.compare = func(Hash, []byte, []byte) (bool, error) {
			time.Sleep(time.Millisecond)
			panic("hash")
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			defer func() { _ = recover() }()
			_, _ = v.Verify(context.Background(), "bob", h, "x")
			t.Error("no panic")
		})
		synctest.Wait()
		if ok, err := v.Verify(context.Background(), "bob", h, "x"); ok || !errors.Is(err, ErrBusy) {
			t.Errorf("waiter: %v, %v", ok, err)
		}
		wg.Wait()
		if len(v.turns) != 0 || len(v.flights) != 0 || len(v.right) != 0 {
			t.Error("something was left behind")
		}
	})
}

func TestVerifierIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	v := New(4, clock.Clock{})
	h := mustParse(t, argonHorse)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			right := i%2 == 0
			password := "correct horse"
			if !right {
				password = "wrong" + strconv.Itoa(i)
			}
			for range 10 {
				if ok, err := v.Verify(context.Background(), "u"+strconv.Itoa(i%4), h, password); err != nil || ok != right {
					t.Errorf("Verify = %v, %v", ok, err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkVerifyRemembered(b *testing.B) {
	v := New(1, clock.Clock{})
	h, err := Parse(bcryptHorse)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := v.Verify(context.Background(), "bob", h, "correct horse"); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
