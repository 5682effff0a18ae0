// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revoked

import (
	"cmp"
	"context"
	"slices"

	"github.com/caddybolt/caddy-bolt/auth"
)

// Page returns at most limit entries that have not ended, in the order of List
// from the first that is not before from, and how many there are in all. It
// holds no more than a few times the limit in memory.
func (s *Set) Page(ctx context.Context, now int64, from auth.Revocation, limit int) ([]auth.Revocation, int, error) {
	return PageOf(ctx, now, from, limit, s)
}

// PageOf is Page of several sets as if they were one: what is in two of them
// comes and counts once, as the first of them has it.
func PageOf(ctx context.Context, now int64, from auth.Revocation, limit int, sets ...*Set) (list []auth.Revocation, count int, err error) {
	first := entryOf(from)
	p := page{limit: limit}
	for n, s := range sets {
		for i := range Shards {
			if err := ctx.Err(); err != nil {
				return nil, 0, err
			}
			s.eachOnce(i, func(e Entry) {
				if e.Until <= now || slices.ContainsFunc(sets[:n], func(before *Set) bool { return before.holds(e, now) }) {
					return
				}
				count++
				if limit > 0 && compare(e, first) >= 0 {
					p.add(e)
				}
			})
		}
	}
	p.cut()
	list = make([]auth.Revocation, len(p.entries))
	for i, e := range p.entries {
		list[i] = e.Revocation()
	}
	return list, count, nil
}

// holds reports whether an entry of this kind, ID and issuer is there and has
// not ended.
func (s *Set) holds(e Entry, now int64) bool {
	if e.Kind == User {
		c, ok := s.users.get(e.ID, auth.UserRef{Issuer: e.Issuer, ID: e.ID})
		return ok && c.until > now
	}
	live := func(m mark) bool { return m.until > now && m.name() == e.Issuer }
	n := s.names(e.Kind)
	if m, ok := n.first.get(e.ID, e.ID); ok && live(m) {
		return true
	}
	more, _ := n.more.get(e.ID, e.ID)
	return slices.ContainsFunc(more, live)
}

// page keeps the first entries of many.
type page struct {
	entries []Entry
	limit   int
	full    bool // the first of limit entries are sorted
}

func (p *page) add(e Entry) {
	if p.full && compare(e, p.entries[p.limit-1]) >= 0 {
		return
	}
	if p.entries = append(p.entries, e); len(p.entries) >= 2*p.limit {
		p.cut()
	}
}

func (p *page) cut() {
	slices.SortFunc(p.entries, compare)
	if len(p.entries) >= p.limit {
		p.entries, p.full = p.entries[:p.limit], true
	}
}

// compare orders entries: tokens, sessions, users, and each by ID and issuer.
func compare(a, b Entry) int {
	return cmp.Or(cmp.Compare(rank(a.Kind), rank(b.Kind)), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Issuer, b.Issuer))
}

func rank(k Kind) int {
	switch k {
	case Token:
		return 0
	case Session:
		return 1
	default:
		return 2
	}
}

// entryOf returns the entry that Revocation shows so.
func entryOf(r auth.Revocation) Entry {
	switch e := (Entry{Issuer: r.User.Issuer}); {
	case r.SessionID != "":
		e.Kind, e.ID = Session, r.SessionID
		return e
	case r.User.ID != "":
		e.Kind, e.ID = User, r.User.ID
		return e
	default:
		e.Kind, e.ID = Token, r.ID
		return e
	}
}

// eachOnce is EachOf, but each entry comes once: an ID whose first issuer's
// entry went may be there twice for the next. f may call the set.
func (s *Set) eachOnce(i int, f func(Entry)) {
	for _, k := range []Kind{Token, Session} {
		n := s.names(k)
		// Copied, since to look into one table while the other is locked is
		// to wait for a writer who waits for the reverse.
		var first, more []Entry
		n.first.eachOf(i, func(id string, m mark) {
			first = append(first, Entry{Kind: k, ID: id, Issuer: m.name(), Until: m.until})
		})
		n.more.eachOf(i, func(id string, list []mark) {
			for _, m := range list {
				more = append(more, Entry{Kind: k, ID: id, Issuer: m.name(), Until: m.until})
			}
		})
		for _, e := range first {
			if n.more.size.Load() != 0 {
				list, _ := n.more.get(e.ID, e.ID)
				for _, m := range list {
					if m.name() == e.Issuer {
						e.Until = max(e.Until, m.until)
					}
				}
			}
			f(e)
		}
		for _, e := range more {
			if m, ok := n.first.get(e.ID, e.ID); !ok || m.name() != e.Issuer {
				f(e)
			}
		}
	}
	var users []Entry
	s.users.eachOf(i, func(user auth.UserRef, c cutoff) {
		users = append(users, Entry{Kind: User, ID: user.ID, Issuer: user.Issuer, Cutoff: c.issuedBefore, Until: c.until})
	})
	for _, e := range users {
		f(e)
	}
}
