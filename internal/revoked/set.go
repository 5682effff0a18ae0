// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revoked

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"unique"

	"github.com/caddybolt/caddy-bolt/auth"
)

// Set is everything that is revoked, in memory. It is safe for concurrent use.
type Set struct {
	tokens   *names
	sessions *names
	users    *table[auth.UserRef, cutoff]
}

// names are the entries of tokens or of sessions by their IDs. An ID may be
// that of several issuers' tokens: all but the first are in more. With a
// million entries each byte of a mark counts.
type names struct {
	first *table[string, mark]
	more  *table[string, []mark]
}

// mark is the entry of a token or of a session.
type mark struct {
	until  int64
	issuer unique.Handle[string] // zero counts for every issuer
}

// cutoff is the entry of a user.
type cutoff struct {
	until        int64
	issuedBefore int64
}

func New() *Set {
	newNames := func() *names { return &names{first: newTable[string, mark](), more: newTable[string, []mark]()} }
	return &Set{tokens: newNames(), sessions: newNames(), users: newTable[auth.UserRef, cutoff]()}
}

// Revoked answers for a token. It allocates nothing, and asks for the time only
// if it finds something.
func (s *Set) Revoked(token *auth.TokenRef, now func() int64) bool {
	if s.tokens.revoked(token.ID, token.User.Issuer, now) || s.sessions.revoked(token.SessionID, token.User.Issuer, now) {
		return true
	}
	if token.User.ID != "" && s.users.size.Load() != 0 {
		if c, ok := s.users.get(token.User.ID, token.User); ok && now() < c.until {
			return token.IssuedAt.IsZero() || Nanoseconds(token.IssuedAt) <= c.issuedBefore
		}
	}
	return false
}

func (n *names) revoked(id, issuer string, now func() int64) bool {
	if id == "" {
		return false
	}
	if n.first.size.Load() != 0 {
		if m, ok := n.first.get(id, id); ok && m.covers(issuer, now()) {
			return true
		}
	}
	if n.more.size.Load() != 0 {
		more, _ := n.more.get(id, id)
		for _, m := range more {
			if m.covers(issuer, now()) {
				return true
			}
		}
	}
	return false
}

// covers reports whether a token of the issuer is revoked. A token without an
// issuer is, whoever the entry names: the Entry's may be its own.
func (m mark) covers(issuer string, now int64) bool {
	return now < m.until && (m.issuer == bare || issuer == "" || m.issuer.Value() == issuer)
}

// bare is the issuer of an entry that names none.
var bare unique.Handle[string]

func handle(issuer string) unique.Handle[string] {
	if issuer == "" {
		return bare
	}
	return unique.Make(issuer)
}

func (m mark) name() string {
	if m.issuer == bare {
		return ""
	}
	return m.issuer.Value()
}

// Apply adds an entry. What was there before is only ever extended.
func (s *Set) Apply(e Entry) {
	if e.Kind == User {
		user := auth.UserRef{Issuer: strings.Clone(e.Issuer), ID: strings.Clone(e.ID)}
		s.users.set(e.ID, user, func(old cutoff) cutoff {
			if old.until == 0 { // the first
				return cutoff{until: e.Until, issuedBefore: e.Cutoff}
			}
			return cutoff{until: max(e.Until, old.until), issuedBefore: max(e.Cutoff, old.issuedBefore)}
		})
		return
	}
	// The ID may be part of a token's text, which must not stay in memory.
	n, id, issuer := s.names(e.Kind), strings.Clone(e.ID), handle(e.Issuer)
	placed := false
	n.first.set(id, id, func(old mark) mark {
		placed = old.until == 0 || old.issuer == issuer
		if !placed {
			return old
		}
		return mark{until: max(e.Until, old.until), issuer: issuer}
	})
	if placed {
		return
	}
	n.more.set(id, id, func(old []mark) []mark {
		list := slices.Clone(old) // readers hold the old one
		i := slices.IndexFunc(list, func(m mark) bool { return m.issuer == issuer })
		if i < 0 {
			return append(list, mark{until: e.Until, issuer: issuer})
		}
		list[i].until = max(e.Until, list[i].until)
		return list
	})
}

// Reserve makes room for so many tokens or sessions, if there are none yet.
func (s *Set) Reserve(k Kind, n int) { s.names(k).first.reserve(n) }

// Remove forgets the entry of this kind, ID and issuer, unless it ends after
// the time given.
func (s *Set) Remove(e Entry, endsBefore int64) {
	if e.Kind == User {
		s.users.prune(e.ID, auth.UserRef{Issuer: e.Issuer, ID: e.ID}, func(old cutoff) (cutoff, bool) {
			return old, old.until > endsBefore
		})
		return
	}
	n := s.names(e.Kind)
	keep := func(m mark) bool { return m.name() != e.Issuer || m.until > endsBefore }
	n.first.prune(e.ID, e.ID, func(old mark) (mark, bool) { return old, keep(old) })
	n.more.prune(e.ID, e.ID, func(old []mark) ([]mark, bool) {
		var list []mark
		for _, m := range old {
			if keep(m) {
				list = append(list, m)
			}
		}
		return list, len(list) > 0
	})
}

// EachOf calls f with the entries of one part of the set, of which there are
// as many as Shards. It must not call the set.
func (s *Set) EachOf(i int, f func(Entry)) {
	for _, k := range []Kind{Token, Session} {
		n := s.names(k)
		n.first.eachOf(i, func(id string, m mark) {
			f(Entry{Kind: k, ID: id, Issuer: m.name(), Until: m.until})
		})
		n.more.eachOf(i, func(id string, list []mark) {
			for _, m := range list {
				f(Entry{Kind: k, ID: id, Issuer: m.name(), Until: m.until})
			}
		})
	}
	s.users.eachOf(i, func(user auth.UserRef, c cutoff) {
		f(Entry{Kind: User, ID: user.ID, Issuer: user.Issuer, Cutoff: c.issuedBefore, Until: c.until})
	})
}

// Live returns what has not ended, in batches that are valid until the next. A nil
// set has nothing.
func (s *Set) Live(now int64) iter.Seq[[]Entry] {
	const batch = 10_000
	return func(yield func([]Entry) bool) {
		if s == nil {
			return
		}
		var list []Entry
		for i := range Shards {
			s.EachOf(i, func(e Entry) {
				if e.Until > now {
					list = append(list, e)
				}
			})
			if len(list) >= batch || i == Shards-1 && len(list) > 0 {
				if !yield(list) {
					return
				}
				list = list[:0]
			}
		}
	}
}

// Merge adds what has not ended of another set, or of nil.
func (s *Set) Merge(other *Set, now int64) {
	for list := range other.Live(now) {
		for _, e := range list {
			s.Apply(e)
		}
	}
}

// Entries returns the entries of an ID, whatever their issuers, ended ones
// included.
func (s *Set) Entries(k Kind, id string) []Entry {
	var list []Entry
	if k == User {
		s.users.eachOfPart(id, func(user auth.UserRef, c cutoff) {
			if user.ID == id {
				list = append(list, Entry{Kind: k, ID: id, Issuer: user.Issuer, Cutoff: c.issuedBefore, Until: c.until})
			}
		})
		return list
	}
	n := s.names(k)
	if m, ok := n.first.get(id, id); ok {
		list = append(list, Entry{Kind: k, ID: id, Issuer: m.name(), Until: m.until})
	}
	more, _ := n.more.get(id, id)
	for _, m := range more {
		list = append(list, Entry{Kind: k, ID: id, Issuer: m.name(), Until: m.until})
	}
	return list
}

// Sweep calls remove with what ended until now, in batches of a bounded size.
func (s *Set) Sweep(now int64, remove func([]Entry) error) error {
	for i := range Shards {
		var ended []Entry
		s.EachOf(i, func(e Entry) {
			if e.Until <= now {
				ended = append(ended, e)
			}
		})
		for len(ended) > 0 {
			n := min(len(ended), 1000)
			if err := remove(ended[:n]); err != nil {
				return err
			}
			ended = ended[n:]
		}
	}
	return nil
}

// Expire removes what ended until now.
func (s *Set) Expire(now int64) {
	_ = s.Sweep(now, func(ended []Entry) error {
		s.Drop(ended, now)
		return nil
	})
}

// Drop removes entries that end before now, unless they were extended.
func (s *Set) Drop(ended []Entry, now int64) {
	for _, e := range ended {
		s.Remove(e, now)
	}
}

// List returns what has not ended, tokens first, in the order of their IDs.
func (s *Set) List(ctx context.Context, now int64) ([]auth.Revocation, error) {
	var entries []Entry
	for i := range Shards {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s.EachOf(i, func(e Entry) {
			if e.Until > now {
				entries = append(entries, e)
			}
		})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Or(compare(a, b), cmp.Compare(b.Until, a.Until)) })
	// An ID whose first issuer's entry went may be there twice for the next.
	entries = slices.CompactFunc(entries, func(a, b Entry) bool {
		return a.Kind == b.Kind && a.ID == b.ID && a.Issuer == b.Issuer
	})
	list := make([]auth.Revocation, len(entries))
	for i, e := range entries {
		list[i] = e.Revocation()
	}
	return list, nil
}

// Len returns how many IDs or users of a kind there are, ended ones included
// that have not been removed.
func (s *Set) Len(k Kind) int {
	if k == User {
		return int(s.users.size.Load())
	}
	return int(s.names(k).first.size.Load())
}

// names returns the entries of tokens or those of sessions.
func (s *Set) names(k Kind) *names {
	if k == Session {
		return s.sessions
	}
	return s.tokens
}
