// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"math"
	"strconv"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// validity is when a token may be used. What the token does not say is zero.
type validity struct{ expires, notBefore, issued time.Time }

// validity reads the times. It returns the name of the claim that is not a
// number, if there is one.
func (m *members) validity() (v validity, wrong string) {
	read := func(slot int) (t time.Time) {
		if !m.has(slot) {
			return t
		}
		t, ok := timeOf(m.value(slot))
		if !ok {
			wrong = registeredNames[slot]
		}
		return t
	}
	v = validity{expires: read(claimExp), notBefore: read(claimNbf), issued: read(claimIat)}
	return v, wrong
}

// limits is what a block asks of the times of a token.
type limits struct{ leeway, maxAge time.Duration }

// check judges the times at now. A token is over at the second of its "exp"
// (RFC 7519, section 4.1.4).
func (l limits) check(v *validity, now time.Time) fault {
	switch {
	case !now.Before(v.expires.Add(l.leeway)):
		return fault{auth.ReasonTokenExpired, `claim "exp": in the past`}
	case now.Add(l.leeway).Before(v.notBefore):
		return fault{auth.ReasonTokenNotYetValid, `claim "nbf": in the future`}
	case now.Add(l.leeway).Before(v.issued):
		return fault{auth.ReasonTokenNotYetValid, `claim "iat": in the future`}
	case l.maxAge > 0 && !v.issued.IsZero() && !now.Before(v.issued.Add(l.maxAge+l.leeway)):
		return fault{auth.ReasonTokenExpired, `claim "iat": longer ago than max_age`}
	default:
		return fault{}
	}
}

// latest is the last second that a time can be: the end of the year 9999.
// Times beyond it, however large, are that second, so that nothing overflows.
const latest = 253402300799

// timeOf returns the time that a valid JSON value means if it is a number:
// seconds since 1970, with or without a fraction (RFC 7519, section 2,
// NumericDate).
func timeOf(value []byte) (time.Time, bool) {
	if len(value) == 0 || value[0] != '-' && (value[0] < '0' || value[0] > '9') {
		return time.Time{}, false
	}
	if seconds, err := strconv.ParseInt(string(value), 10, 64); err == nil {
		return time.Unix(min(max(seconds, 0), latest), 0), true
	}
	// The only error left is one of range, for which the result is infinite.
	seconds, _ := strconv.ParseFloat(string(value), 64)
	if seconds >= latest {
		return time.Unix(latest, 0), true
	}
	if !(seconds > 0) {
		return time.Unix(0, 0), true
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), true
}
