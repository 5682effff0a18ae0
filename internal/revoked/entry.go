// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revoked

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

// MaxName bounds an ID with its issuer. A token that carries longer ones does
// not fit into a request.
const MaxName = 16 << 10

// Errors of what a caller asks for.
var (
	errNoToken = errors.New("token has neither an ID nor a session")
	errNoUser  = errors.New("user has no ID")
	errTooLong = fmt.Errorf("ID and issuer are longer than %d bytes", MaxName)
	errPast    = errors.New("the time until which to remember the revocation has passed")
)

// Kind is what an entry is of.
type Kind byte

const (
	Token   Kind = 't'
	Session Kind = 's'
	User    Kind = 'u'
)

// Entry is what a store remembers of one token, session or user. Times are in
// nanoseconds since 1970.
type Entry struct {
	Kind   Kind
	ID     string
	Issuer string // of a token or session: empty counts for every issuer
	Cutoff int64  // of a user
	Until  int64
}

// TokenEntries returns what is remembered of a revoked token.
func TokenEntries(token auth.TokenRef, until, now time.Time) ([]Entry, error) {
	if token.ID == "" && token.SessionID == "" {
		return nil, errNoToken
	}
	end, err := lifetime(until, now)
	if err != nil {
		return nil, err
	}
	var list []Entry
	if token.ID != "" {
		list = append(list, Entry{Kind: Token, ID: token.ID, Issuer: token.User.Issuer, Until: end})
	}
	if token.SessionID != "" {
		list = append(list, Entry{Kind: Session, ID: token.SessionID, Issuer: token.User.Issuer, Until: end})
	}
	return list, checkLengths(list)
}

// UserEntry returns what is remembered of a revoked user.
func UserEntry(user auth.UserRef, issuedBefore, until, now time.Time) (Entry, error) {
	if user.ID == "" {
		return Entry{}, errNoUser
	}
	end, err := lifetime(until, now)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Kind: User, ID: user.ID, Issuer: user.Issuer, Cutoff: Nanoseconds(issuedBefore), Until: end}
	return e, checkLengths([]Entry{e})
}

// UnrevokeEntries returns the keys of what Unrevoke forgets.
func UnrevokeEntries(token auth.TokenRef) ([]Entry, error) {
	var list []Entry
	if token.ID != "" {
		list = append(list, Entry{Kind: Token, ID: token.ID, Issuer: token.User.Issuer})
	}
	if token.SessionID != "" {
		list = append(list, Entry{Kind: Session, ID: token.SessionID, Issuer: token.User.Issuer})
	}
	if len(list) == 0 {
		if token.User.ID == "" {
			return nil, errNoToken
		}
		list = append(list, Entry{Kind: User, ID: token.User.ID, Issuer: token.User.Issuer})
	}
	return list, checkLengths(list)
}

func checkLengths(list []Entry) error {
	for _, e := range list {
		if len(e.ID)+len(e.Issuer) > MaxName {
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
	return Nanoseconds(until), nil
}

// latest is the last moment that Nanoseconds can tell, in the year 2262.
var latest = time.Unix(0, math.MaxInt64)

// Nanoseconds is UnixNano, which stops at the ends of its range rather than
// wrap around: an entry until the year 9999 is one until 2262.
func Nanoseconds(t time.Time) int64 {
	switch {
	case t.After(latest):
		return math.MaxInt64
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	default:
		return t.UnixNano()
	}
}

// Revocation returns the entry as the contract shows it.
func (e Entry) Revocation() auth.Revocation {
	r := auth.Revocation{User: auth.UserRef{Issuer: e.Issuer}, Until: time.Unix(0, e.Until).UTC()}
	switch e.Kind {
	case Token:
		r.ID = e.ID
	case Session:
		r.SessionID = e.ID
	default:
		r.User.ID = e.ID
		r.IssuedBefore = time.Unix(0, e.Cutoff).UTC()
	}
	return r
}
