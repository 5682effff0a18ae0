// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/internal/attempts"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// from makes a request one of a client at this address.
func from(r *http.Request, address string) *http.Request {
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, address)
	return r
}

// Attack: to guess the password of one user from many addresses.
func TestFailedAttemptsAreSlowedPerUser(t *testing.T) {
	t.Parallel()
	s := newServer()
	h := s.token(t, "auth_token")
	now := noon
	h.clock = clock.Func(func() time.Time { return now })
	try := func(i int, username, password string) int {
		w := serve(h, from(logIn(t, username, password), fmt.Sprintf("192.0.2.%d", i)))
		if w.Code == http.StatusTooManyRequests {
			after, err := strconv.Atoi(w.Header().Get("Retry-After"))
			if err != nil || after < 1 || after > 10 {
				t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
			}
		}
		return w.Code
	}
	for i := range attempts.UserBurst {
		if code := try(i, "Ann", "guess"); code != http.StatusBadRequest {
			t.Fatalf("attempt %d: status %d", i, code)
		}
	}
	asked := s.people.asked
	for _, name := range []string{"ann", "ANN", " ann "} { // one user, however written
		if code := try(100, name, "pw"); code != http.StatusTooManyRequests {
			t.Errorf("%q: status %d", name, code)
		}
	}
	if s.people.asked != asked {
		t.Error("the user store was asked all the same")
	}
	if code := try(100, "bob", "guess"); code != http.StatusBadRequest {
		t.Errorf("another user: status %d", code)
	}
	now = now.Add(attempts.UserEvery)
	if code := try(101, "ann", "guess"); code != http.StatusBadRequest {
		t.Errorf("after a while: status %d", code)
	}
	if code := try(101, "ann", "guess"); code != http.StatusTooManyRequests {
		t.Errorf("one more: status %d", code)
	}
	now = now.Add(attempts.UserEvery)
	if code := try(101, "ann", "pw"); code != http.StatusOK {
		t.Errorf("the right password, after a while: status %d", code)
	}
}

// Attack: one common password with many names.
func TestFailedAttemptsAreSlowedPerAddress(t *testing.T) {
	t.Parallel()
	h := newServer().token(t, "auth_token")
	now := noon
	h.clock = clock.Func(func() time.Time { return now })
	try := func(address, username, password string) int {
		return serve(h, from(logIn(t, username, password), address)).Code
	}
	for i := range attempts.AddressBurst {
		// an IPv6 client has a network of its own
		if code := try(fmt.Sprintf("2001:db8::%x", i+1), fmt.Sprint("user", i), "123456"); code != http.StatusBadRequest {
			t.Fatalf("attempt %d: status %d", i, code)
		}
	}
	for _, address := range []string{"2001:db8::1", "2001:db8::ffff:1", "2001:db8::1%eth0"} {
		if code := try(address, "ann", "pw"); code != http.StatusTooManyRequests {
			t.Errorf("%s: status %d", address, code)
		}
	}
	for _, address := range []string{"2001:db8:0:1::1", "192.0.2.1", "::ffff:192.0.2.2"} {
		if code := try(address, "ann", "pw"); code != http.StatusOK {
			t.Errorf("%s: status %d", address, code)
		}
	}
	now = now.Add(attempts.AddressEvery)
	if code := try("2001:db8::1", "ann", "pw"); code != http.StatusOK {
		t.Errorf("after a while: status %d", code)
	}
}

func TestClientAddressIsThatOfCaddy(t *testing.T) {
	t.Parallel()
	r := logIn(t, "ann", "pw")
	r.RemoteAddr = "192.0.2.1:1234"
	// Attack: a header that no trusted proxy sent.
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, nil)
	if got := attempts.Address(r); got != "192.0.2.1" {
		t.Errorf("%q", got)
	}
	if got := attempts.Address(from(r, "198.51.100.1")); got != "198.51.100.1" {
		t.Errorf("%q", got)
	}
	r.RemoteAddr = "pipe"
	if got := attempts.Address(from(r, "")); got != "pipe" {
		t.Errorf("%q", got)
	}
}

func TestRightPasswordsAndOutagesDoNotCount(t *testing.T) {
	t.Parallel()
	s := newServer()
	h := s.token(t, "auth_token")
	for i := range 3 * attempts.AddressBurst {
		if code := serve(h, from(logIn(t, "ann", "pw"), "192.0.2.1")).Code; code != http.StatusOK {
			t.Fatalf("log-in %d: status %d", i, code)
		}
	}
	s.people.err = errors.New("down")
	for range 3 * attempts.UserBurst {
		if code := serve(h, from(logIn(t, "ann", "pw"), "192.0.2.1")).Code; code != http.StatusServiceUnavailable {
			t.Fatalf("status %d", code)
		}
	}
	s.people.err = nil
	if code := serve(h, from(logIn(t, "ann", "pw"), "192.0.2.1")).Code; code != http.StatusOK {
		t.Errorf("after the outage: status %d", code)
	}
}

// Attack: to hang up before the answer, so that it does not count as failed.
func TestAttemptsOfWhoHangsUpCount(t *testing.T) {
	t.Parallel()
	h := newServer().token(t, "auth_token")
	for range attempts.UserBurst {
		r := logIn(t, "ann", "guess")
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		serve(h, r.WithContext(ctx))
	}
	if code := serve(h, logIn(t, "ann", "pw")).Code; code != http.StatusTooManyRequests {
		t.Errorf("status %d", code)
	}
}

func TestLimiterIsSharedAndSurvivesAReload(t *testing.T) {
	t.Parallel()
	first, second := new(Token), new(Token)
	s := newServer()
	if err := s.provision(t, first); err != nil {
		t.Fatal(err)
	}
	if err := s.provision(t, second); err != nil {
		t.Fatal(err)
	}
	if first.attempts != second.attempts {
		t.Error("two endpoints count apart")
	}
	kept := first.attempts
	if err := first.Cleanup(); err != nil {
		t.Fatal(err)
	}
	third := new(Token)
	if err := s.provision(t, third); err != nil {
		t.Fatal(err)
	}
	if third.attempts != kept {
		t.Error("a reload forgets attempts")
	}
}

func TestSecondsAreRoundedUp(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "1", 1: "1", time.Second: "1", time.Second + 1: "2", 9500 * time.Millisecond: "10",
	} {
		if got := seconds(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
