// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"slices"
	"strings"
	"unique"

	"github.com/caddybolt/caddy-bolt/auth"
)

// set is everything that is revoked, in memory. It is safe for concurrent use.
type set struct {
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

func newSet() *set {
	newNames := func() *names { return &names{first: newTable[string, mark](), more: newTable[string, []mark]()} }
	return &set{tokens: newNames(), sessions: newNames(), users: newTable[auth.UserRef, cutoff]()}
}

// revoked answers for a token. It allocates nothing, and asks for the time only
// if it finds something.
func (s *set) revoked(token *auth.TokenRef, now func() int64) bool {
	if s.tokens.revoked(token.ID, token.User.Issuer, now) || s.sessions.revoked(token.SessionID, token.User.Issuer, now) {
		return true
	}
	if token.User.ID != "" && s.users.size.Load() != 0 {
		if c, ok := s.users.get(token.User.ID, token.User); ok && now() < c.until {
			return token.IssuedAt.IsZero() || nanoseconds(token.IssuedAt) <= c.issuedBefore
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
// issuer is, whoever the entry names: the entry's may be its own.
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

// apply adds an entry. What was there before is only ever extended.
func (s *set) apply(e entry) {
	if e.kind == userKind {
		user := auth.UserRef{Issuer: strings.Clone(e.issuer), ID: strings.Clone(e.id)}
		s.users.set(e.id, user, func(old cutoff) cutoff {
			if old.until == 0 { // the first
				return cutoff{until: e.until, issuedBefore: e.cutoff}
			}
			return cutoff{until: max(e.until, old.until), issuedBefore: max(e.cutoff, old.issuedBefore)}
		})
		return
	}
	// The ID may be part of a token's text, which must not stay in memory.
	n, id, issuer := s.names(e.kind), strings.Clone(e.id), handle(e.issuer)
	placed := false
	n.first.set(id, id, func(old mark) mark {
		placed = old.until == 0 || old.issuer == issuer
		if !placed {
			return old
		}
		return mark{until: max(e.until, old.until), issuer: issuer}
	})
	if placed {
		return
	}
	n.more.set(id, id, func(old []mark) []mark {
		list := slices.Clone(old) // readers hold the old one
		i := slices.IndexFunc(list, func(m mark) bool { return m.issuer == issuer })
		if i < 0 {
			return append(list, mark{until: e.until, issuer: issuer})
		}
		list[i].until = max(e.until, list[i].until)
		return list
	})
}

// remove forgets the entry of this kind, ID and issuer, unless it ends after
// the time given.
func (s *set) remove(e entry, endsBefore int64) {
	if e.kind == userKind {
		s.users.prune(e.id, auth.UserRef{Issuer: e.issuer, ID: e.id}, func(old cutoff) (cutoff, bool) {
			return old, old.until > endsBefore
		})
		return
	}
	n := s.names(e.kind)
	keep := func(m mark) bool { return m.name() != e.issuer || m.until > endsBefore }
	n.first.prune(e.id, e.id, func(old mark) (mark, bool) { return old, keep(old) })
	n.more.prune(e.id, e.id, func(old []mark) ([]mark, bool) {
		var list []mark
		for _, m := range old {
			if keep(m) {
				list = append(list, m)
			}
		}
		return list, len(list) > 0
	})
}

// eachOf calls f with the entries of one part of the set, of which there are
// as many as shards. It must not call the set.
func (s *set) eachOf(i int, f func(entry)) {
	for _, k := range []kind{tokenKind, sessionKind} {
		n := s.names(k)
		n.first.eachOf(i, func(id string, m mark) {
			f(entry{kind: k, id: id, issuer: m.name(), until: m.until})
		})
		n.more.eachOf(i, func(id string, list []mark) {
			for _, m := range list {
				f(entry{kind: k, id: id, issuer: m.name(), until: m.until})
			}
		})
	}
	s.users.eachOf(i, func(user auth.UserRef, c cutoff) {
		f(entry{kind: userKind, id: user.ID, issuer: user.Issuer, cutoff: c.issuedBefore, until: c.until})
	})
}

// sweep calls remove with what ended until now, in batches of a bounded size.
func (s *set) sweep(now int64, remove func([]entry) error) error {
	for i := range shards {
		var ended []entry
		s.eachOf(i, func(e entry) {
			if e.until <= now {
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

// names returns the entries of tokens or those of sessions.
func (s *set) names(k kind) *names {
	if k == sessionKind {
		return s.sessions
	}
	return s.tokens
}
