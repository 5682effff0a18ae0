// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revoked

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
)

// filledSet has many tokens of two issuers, sessions, users, and what has ended.
func filledSet() *Set {
	s := New()
	for i := range 300 {
		id := strconv.Itoa(i)
		s.Apply(Entry{Kind: Token, ID: id, Issuer: "b", Until: 100})
		s.Apply(Entry{Kind: Token, ID: id, Issuer: "a", Until: 100 + int64(i)})
		s.Apply(Entry{Kind: Token, ID: id, Until: 5})
		s.Apply(Entry{Kind: Session, ID: id, Until: 100})
		s.Apply(Entry{Kind: User, ID: id, Issuer: "a", Cutoff: int64(i), Until: 100})
		s.Apply(Entry{Kind: User, ID: "gone" + id, Until: 10})
	}
	return s
}

// Whatever the limit, the pages together are the list.
func TestPagesTogetherAreTheList(t *testing.T) {
	t.Parallel()
	s := filledSet()
	// The first issuer's entry goes, and the second's comes again: it stands
	// there twice.
	s.Remove(Entry{Kind: Token, ID: "7", Issuer: "b"}, 1000)
	s.Apply(Entry{Kind: Token, ID: "7", Issuer: "a", Until: 500})
	want, err := s.List(t.Context(), 10)
	if err != nil || len(want) != 4*300-1 {
		t.Fatalf("%d entries, error %v", len(want), err)
	}
	for _, limit := range []int{1, 7, 100, 1198, 1199, 5000} {
		var got []auth.Revocation
		from := auth.Revocation{}
		for {
			list, count, err := s.Page(t.Context(), 10, from, limit+1)
			if err != nil || count != len(want) || len(list) > limit+1 {
				t.Fatalf("%d of %d entries, error %v", len(list), count, err)
			}
			if len(list) <= limit {
				got = append(got, list...)
				break
			}
			got, from = append(got, list[:limit]...), list[limit]
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("limit %d: %d entries, want %d", limit, len(got), len(want))
		}
		if limit == 1 && testing.Short() {
			break
		}
	}
}

func TestPageCountsAndBeginsWhereItIsTold(t *testing.T) {
	t.Parallel()
	s := filledSet()
	if list, count, err := s.Page(t.Context(), 10, auth.Revocation{}, 0); len(list) != 0 || count != 1200 || err != nil {
		t.Errorf("%d of %d entries, error %v", len(list), count, err)
	}
	for _, c := range []struct {
		from auth.Revocation
		want string
	}{
		{auth.Revocation{ID: "42"}, "42@a"},
		{auth.Revocation{ID: "42", User: auth.UserRef{Issuer: "aa"}}, "42@b"},
		{auth.Revocation{ID: "42", User: auth.UserRef{Issuer: "c"}}, "43@a"},
		{auth.Revocation{SessionID: "42"}, "s42@"},
		{auth.Revocation{User: auth.UserRef{ID: "42"}}, "u42@a"},
		{auth.Revocation{User: auth.UserRef{ID: "zzz"}}, ""},
	} {
		list, _, err := s.Page(t.Context(), 10, c.from, 1)
		got := ""
		for _, r := range list {
			got = r.ID + "@" + r.User.Issuer
			if r.SessionID != "" {
				got = "s" + r.SessionID + "@" + r.User.Issuer
			} else if r.User.ID != "" {
				got = "u" + r.User.ID + "@" + r.User.Issuer
			}
		}
		if got != c.want || err != nil {
			t.Errorf("from %+v: %q, want %q; error %v", c.from, got, c.want, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Page(ctx, 10, auth.Revocation{}, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// What stands in two sets is one entry, but for what has ended in the first.
func TestPageOfTwoSetsIsThatOfOne(t *testing.T) {
	t.Parallel()
	one, two := New(), New()
	for _, e := range []Entry{
		{Kind: Token, ID: "both", Until: 100},
		{Kind: Token, ID: "a", Until: 100},
		{Kind: Token, ID: "ended", Until: 5},
		{Kind: Token, ID: "issuer", Issuer: "x", Until: 100},
		{Kind: Token, ID: "issuer", Issuer: "y", Until: 100},
		{Kind: User, ID: "u", Issuer: "x", Cutoff: 1, Until: 100},
	} {
		one.Apply(e)
	}
	for _, e := range []Entry{
		{Kind: Token, ID: "both", Until: 200},
		{Kind: Token, ID: "c", Until: 100},
		{Kind: Token, ID: "ended", Until: 100},
		{Kind: Token, ID: "issuer", Issuer: "y", Until: 100},
		{Kind: Token, ID: "issuer", Issuer: "z", Until: 100},
		{Kind: User, ID: "u", Issuer: "x", Cutoff: 1, Until: 100},
		{Kind: User, ID: "u", Until: 100},
	} {
		two.Apply(e)
	}
	list, count, err := PageOf(t.Context(), 10, auth.Revocation{}, 100, one, two)
	var got []string
	for _, r := range list {
		got = append(got, r.ID+r.User.ID+"@"+r.User.Issuer)
	}
	want := "a@ both@ c@ ended@ issuer@x issuer@y issuer@z u@ u@x"
	if strings.Join(got, " ") != want || count != 9 || err != nil {
		t.Errorf("%d: %q, want %q; error %v", count, got, want, err)
	}
}

// A page of a million entries holds a few times the page.
func TestPageHoldsLittleMoreThanItShows(t *testing.T) {
	t.Parallel()
	p := page{limit: 10}
	for i := range 10_000 {
		p.add(Entry{Kind: Token, ID: fmt.Sprintf("%08d", i*7919%10_000)})
	}
	p.cut()
	if cap(p.entries) > 40 {
		t.Errorf("room for %d entries", cap(p.entries))
	}
	for i, e := range p.entries {
		if want := fmt.Sprintf("%08d", i); e.ID != want || len(p.entries) != 10 {
			t.Errorf("entry %d of %d is %q, want %q", i, len(p.entries), e.ID, want)
		}
	}
}
