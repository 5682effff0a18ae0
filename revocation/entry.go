// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// DefaultLifetime is how long an entry is kept that nobody gave an end: the
// cut-off of a user, and a token that never expires.
const DefaultLifetime = 400 * 24 * time.Hour

// maxName bounds an ID with its issuer. A token that carries longer ones does
// not fit into a request.
const maxName = 16 << 10

// Errors of what a caller asks for.
var (
	errNoToken = errors.New("token has neither an ID nor a session")
	errNoUser  = errors.New("user has no ID")
	errTooLong = fmt.Errorf("ID and issuer are longer than %d bytes", maxName)
	errPast    = errors.New("the time until which to remember the revocation has passed")
)

// kind is what an entry is of.
type kind byte

const (
	tokenKind   kind = 't'
	sessionKind kind = 's'
	userKind    kind = 'u'
)

// entry is what a store remembers of one token, session or user. Times are in
// nanoseconds since 1970.
type entry struct {
	kind   kind
	id     string
	issuer string // of a token or session: empty counts for every issuer
	cutoff int64  // of a user
	until  int64
}

// tokenEntries returns what is remembered of a revoked token.
func tokenEntries(token auth.TokenRef, until, now time.Time) ([]entry, error) {
	if token.ID == "" && token.SessionID == "" {
		return nil, errNoToken
	}
	end, err := lifetime(until, now)
	if err != nil {
		return nil, err
	}
	var list []entry
	if token.ID != "" {
		list = append(list, entry{kind: tokenKind, id: token.ID, issuer: token.User.Issuer, until: end})
	}
	if token.SessionID != "" {
		list = append(list, entry{kind: sessionKind, id: token.SessionID, issuer: token.User.Issuer, until: end})
	}
	return list, checkLengths(list)
}

// userEntry returns what is remembered of a revoked user.
func userEntry(user auth.UserRef, issuedBefore, until, now time.Time) (entry, error) {
	if user.ID == "" {
		return entry{}, errNoUser
	}
	end, err := lifetime(until, now)
	if err != nil {
		return entry{}, err
	}
	e := entry{kind: userKind, id: user.ID, issuer: user.Issuer, cutoff: nanoseconds(issuedBefore), until: end}
	return e, checkLengths([]entry{e})
}

// unrevokeEntries returns the keys of what Unrevoke forgets.
func unrevokeEntries(token auth.TokenRef) ([]entry, error) {
	var list []entry
	if token.ID != "" {
		list = append(list, entry{kind: tokenKind, id: token.ID, issuer: token.User.Issuer})
	}
	if token.SessionID != "" {
		list = append(list, entry{kind: sessionKind, id: token.SessionID, issuer: token.User.Issuer})
	}
	if len(list) == 0 {
		if token.User.ID == "" {
			return nil, errNoToken
		}
		list = append(list, entry{kind: userKind, id: token.User.ID, issuer: token.User.Issuer})
	}
	return list, checkLengths(list)
}

func checkLengths(list []entry) error {
	for _, e := range list {
		if len(e.id)+len(e.issuer) > maxName {
			return errTooLong
		}
	}
	return nil
}

// lifetime returns the end of an entry. An end in the past would make a
// revocation that revokes nothing.
func lifetime(until, now time.Time) (int64, error) {
	if until.IsZero() {
		until = now.Add(DefaultLifetime)
	}
	if !until.After(now) {
		return 0, errPast
	}
	return nanoseconds(until), nil
}

// latest is the last moment that nanoseconds can tell, in the year 2262.
var latest = time.Unix(0, math.MaxInt64)

// nanoseconds is UnixNano, which stops at the ends of its range rather than
// wrap around: an entry until the year 9999 is one until 2262.
func nanoseconds(t time.Time) int64 {
	switch {
	case t.After(latest):
		return math.MaxInt64
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	default:
		return t.UnixNano()
	}
}

// revocation returns the entry as the contract shows it.
func (e entry) revocation() auth.Revocation {
	r := auth.Revocation{User: auth.UserRef{Issuer: e.issuer}, Until: time.Unix(0, e.until).UTC()}
	switch e.kind {
	case tokenKind:
		r.ID = e.id
	case sessionKind:
		r.SessionID = e.id
	default:
		r.User.ID = e.id
		r.IssuedBefore = time.Unix(0, e.cutoff).UTC()
	}
	return r
}
