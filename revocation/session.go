// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

// Errors of what a caller wants to keep of a session.
var (
	errNoSession    = errors.New("session has no ID")
	errSessionLong  = fmt.Errorf("ID, issuer and user of the session are longer than %d bytes", revoked.MaxName)
	errSessionPast  = errors.New("the end of the session has passed")
	errSessionTaken = errors.New("there is a session of this ID")
	errSessionsFull = errors.New("there are too many sessions")
)

// checkSession says whether a session can be kept.
func checkSession(s auth.Session, now time.Time) error {
	switch {
	case s.ID == "":
		return errNoSession
	case len(s.ID)+len(s.User.Issuer)+len(s.User.ID)+len(s.For) > revoked.MaxName:
		return errSessionLong
	case !s.Until.After(now):
		return errSessionPast
	default:
		return nil
	}
}

// ownSession returns the session with texts of its own: an ID may be part of a
// request, which must not stay in memory.
func ownSession(s auth.Session) auth.Session {
	s.ID = strings.Clone(s.ID)
	s.User.Issuer, s.User.ID, s.For = strings.Clone(s.User.Issuer), strings.Clone(s.User.ID), strings.Clone(s.For)
	return s
}

// sessionVersion is the first byte of a session's encoding after its end.
const sessionVersion = 1

// encodeSession writes all of a session but its ID, with its end first:
//
//	until (8) | version (1) | length (uvarint) and text of the issuer, the
//	user and what it is for | family, current, previous, nonce (32 each) | rotated, started, limit (8 each)
func encodeSession(s auth.Session) []byte {
	b := make([]byte, 0, 192+len(s.User.Issuer)+len(s.User.ID)+len(s.For))
	b = binary.BigEndian.AppendUint64(b, uint64(revoked.Nanoseconds(s.Until)))
	b = append(b, sessionVersion)
	for _, text := range []string{s.User.Issuer, s.User.ID, s.For} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	for _, digest := range [][32]byte{s.Family, s.Current, s.Previous, s.Nonce} {
		b = append(b, digest[:]...)
	}
	for _, t := range []time.Time{s.Rotated, s.Started, s.Limit} {
		b = binary.BigEndian.AppendUint64(b, uint64(revoked.Nanoseconds(t)))
	}
	return b
}

var errSessionFormat = errors.New("session: format")

// decodeSession is the reverse of encodeSession.
func decodeSession(id string, b []byte) (auth.Session, error) {
	if id == "" || len(b) < 9 || b[8] != sessionVersion {
		return auth.Session{}, errSessionFormat
	}
	s := auth.Session{ID: id, Until: moment(b)}
	b = b[9:]
	for _, text := range []*string{&s.User.Issuer, &s.User.ID, &s.For} {
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return auth.Session{}, errSessionFormat
		}
		b = b[n:]
		*text, b = string(b[:length]), b[length:]
	}
	if len(b) != 4*32+3*8 {
		return auth.Session{}, errSessionFormat
	}
	for _, digest := range []*[32]byte{&s.Family, &s.Current, &s.Previous, &s.Nonce} {
		b = b[copy(digest[:], b):]
	}
	for _, t := range []*time.Time{&s.Rotated, &s.Started, &s.Limit} {
		*t, b = moment(b), b[8:]
	}
	return s, nil
}

// moment reads a time. The zero time is before all that nanoseconds can tell.
func moment(b []byte) time.Time {
	nanos := int64(binary.BigEndian.Uint64(b))
	if nanos == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}
