// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
)

// GuardCase is a guard and whom it lets pass.
type GuardCase struct {
	// New returns a provisioned guard.
	New func(testing.TB) auth.Guard

	// Request returns a request that comes from the identity, which is nil when
	// nobody is signed in. Optional: a GET made with NewRequest and SignIn.
	Request func(testing.TB, *auth.Identity) *http.Request

	// Pass are identities that pass and Refuse those that do not, each by a
	// name. A guard of which no signed-in user is refused leaves Refuse empty.
	Pass, Refuse map[string]*auth.Identity

	// Secrets are texts that must appear in no error, such as the values of
	// claims.
	Secrets []string

	// Services are what the request finds its user in. Optional.
	Services auth.Services

	// Down returns the guard while what it depends on does not answer, and
	// DownRequest its request. Optional. It must let nobody pass and must not
	// say "forbidden" either.
	Down        func(testing.TB) auth.Guard
	DownRequest func(testing.TB, *auth.Identity) *http.Request
}

// TestGuard checks a guard against the contract of auth.Guard and
// auth.Admitter.
func TestGuard(t *testing.T, c GuardCase) {
	t.Helper()
	runChecks(t, c, guardChecks)
}

var guardChecks = []check[GuardCase]{
	{"the case is complete", guardCaseComplete},
	{"who may pass passes", guardPass},
	{"who may not pass is forbidden", guardRefuse},
	{"nobody is not signed in", guardAnonymous},
	{"no secret in an error", guardSecrets},
	{"request and identity stay as they were", guardUnchanged},
	{"many requests at once", guardConcurrent},
	{"a cancelled context", guardCancelled},
	{"what could not be decided does not pass", guardDown},
}

// request returns a request that comes from id.
func (c GuardCase) request(tb testing.TB, id *auth.Identity) *http.Request {
	tb.Helper()
	if c.Request != nil {
		return c.Request(tb, id)
	}
	r := NewRequest(tb, http.MethodGet, "https://app.example.com/path?q=1")
	SignIn(r, id, c.Services)
	return r
}

func guardCaseComplete(tb testing.TB, c GuardCase) {
	if c.New == nil || len(c.Pass) == 0 {
		tb.Fatalf("New and Pass are required")
	}
	for name, id := range c.all() {
		if id == nil {
			tb.Fatalf("%s: Pass and Refuse hold identities; nobody is tested without being named", name)
		}
	}
	if c.New(tb) == nil {
		tb.Fatalf("New returned nil")
	}
}

func (c GuardCase) all() map[string]*auth.Identity {
	all := maps.Clone(c.Pass)
	maps.Copy(all, c.Refuse)
	return all
}

func guardPass(tb testing.TB, c GuardCase) {
	g := c.New(tb)
	for _, name := range slices.Sorted(maps.Keys(c.Pass)) {
		id := c.Pass[name]
		if err := g.Check(c.request(tb, id), id); err != nil {
			tb.Errorf("%s: %v", name, err)
		}
	}
}

func guardRefuse(tb testing.TB, c GuardCase) {
	g := c.New(tb)
	for _, name := range slices.Sorted(maps.Keys(c.Refuse)) {
		id := c.Refuse[name]
		err := g.Check(c.request(tb, id), id)
		switch {
		case err == nil:
			tb.Errorf("%s: passes", name)
		case errors.Is(err, auth.ErrUnauthenticated):
			tb.Errorf("%s: somebody who is signed in is told to sign in", name)
		case !errors.Is(err, auth.ErrForbidden) && !errors.Is(err, auth.ErrEvaluation):
			tb.Errorf("%s: error is neither ErrForbidden nor ErrEvaluation: %v", name, err)
		case auth.ReasonOf(err) != auth.ReasonForbidden:
			tb.Errorf("%s: reason is %q, want %q", name, auth.ReasonOf(err), auth.ReasonForbidden)
		}
	}
}

func guardAnonymous(tb testing.TB, c GuardCase) {
	g := c.New(tb)
	err := g.Check(c.request(tb, nil), nil)
	if a, ok := g.(auth.Admitter); ok {
		switch a.Admission() {
		case auth.AdmitMissing, auth.AdmitAnyone:
			if err != nil {
				tb.Errorf("an Admitter refuses nobody: %v", err)
			}
			return
		case auth.RequireIdentity:
		default:
			tb.Errorf("Admission returns %d, which is none", a.Admission())
		}
	}
	switch {
	case err == nil:
		tb.Errorf("nobody passes")
	case !errors.Is(err, auth.ErrUnauthenticated):
		tb.Errorf("error is not ErrUnauthenticated: %v", err)
	case errors.Is(err, auth.ErrForbidden):
		tb.Errorf("error is ErrForbidden too, which \"not\" turns into a pass: %v", err)
	}
}

func guardSecrets(tb testing.TB, c GuardCase) {
	g := c.New(tb)
	ids := c.all()
	ids["nobody"] = nil
	for name, id := range ids {
		if err := g.Check(c.request(tb, id), id); err != nil {
			showsNone(tb, name+": the error", errorText(err)+auth.ScopesOf(err), c.Secrets)
		}
	}
}

// copyOf is a copy of an identity that shares nothing which could change.
func copyOf(id *auth.Identity) auth.Identity {
	c := *id
	c.Permissions = auth.NewSet(id.Permissions.Words()...)
	c.Claims = auth.TrustedClaims(slices.Clone(id.Claims.JSON()))
	return c
}

func guardUnchanged(tb testing.TB, c GuardCase) {
	g := c.New(tb)
	for name, id := range c.all() {
		before := copyOf(id)
		r := c.request(tb, id)
		unchanged(tb, name, r, func() { _ = g.Check(r, id) })
		if after := copyOf(id); !reflect.DeepEqual(before, after) {
			tb.Errorf("%s: the identity was changed", name)
		}
	}
	r := c.request(tb, nil)
	unchanged(tb, "nobody", r, func() { _ = g.Check(r, nil) })
}

// verdict is what a guard said, in words that can be compared.
func verdict(err error) string {
	switch {
	case err == nil:
		return "pass"
	case errors.Is(err, auth.ErrUnauthenticated):
		return "not signed in"
	case errors.Is(err, auth.ErrEvaluation):
		return "not evaluated"
	case errors.Is(err, auth.ErrForbidden):
		return "forbidden"
	default:
		return "not decided"
	}
}

func guardConcurrent(tb testing.TB, c GuardCase) {
	g := c.New(tb)
	type asked struct {
		name string
		id   *auth.Identity
		r    *http.Request
		want string
	}
	ids := c.all()
	ids["nobody"] = nil
	var all []asked
	for name, id := range ids {
		all = append(all, asked{name, id, c.request(tb, id), verdict(g.Check(c.request(tb, id), id))})
	}
	// One request is never served by two goroutines, and a matcher may use its
	// variables: each call has a request of its own.
	const rounds = 10
	requests := make([]*http.Request, 8*rounds)
	for i := range requests {
		requests[i] = c.request(tb, all[i%len(all)].id)
	}
	together(rounds, func(call int) {
		q := all[call%len(all)]
		if got := verdict(g.Check(requests[call], q.id)); got != q.want {
			tb.Errorf("%s: %q among others, %q alone", q.name, got, q.want)
		}
	})
}

func guardCancelled(tb testing.TB, c GuardCase) {
	g := c.New(tb)
	ids := c.all()
	ids["nobody"] = nil
	for name, id := range ids {
		r := c.request(tb, id)
		want := verdict(g.Check(c.request(tb, id), id))
		r = r.WithContext(cancelled(r.Context()))
		var err error
		within(tb, name, func() { err = g.Check(r, id) })
		if got := verdict(err); got != want && got != "not decided" {
			tb.Errorf("%s: a cancelled context made %q of %q", name, got, want)
		}
	}
}

func guardDown(tb testing.TB, c GuardCase) {
	if c.Down == nil {
		return
	}
	g := c.Down(tb)
	request := c.DownRequest
	if request == nil {
		request = c.request
	}
	for name, id := range c.all() {
		var err error
		within(tb, name, func() { err = g.Check(request(tb, id), id) })
		if got := verdict(err); got != "not decided" {
			tb.Errorf("%s: %q by what could not decide", name, got)
		}
		if err != nil {
			showsNone(tb, name+": the error", errorText(err), c.Secrets)
		}
	}
}
