// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"errors"
	"net/http"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// Authenticate implements auth.Authenticator.
func (j *JWT) Authenticate(r *http.Request) (*auth.Identity, error) {
	token, _, err := j.extractor.Extract(r)
	if err != nil {
		return nil, err
	}
	keys := j.keys.set()
	id, err := j.judge(token, j.clock.Now())
	if err != nil && j.remote != nil {
		var d *doubt
		if errors.As(err, &d) {
			return j.consult(r.Context(), token, d, keys)
		}
	}
	return id, err
}

// judge finds out whose token it is, by remembering or by verifying it.
func (j *JWT) judge(token string, now time.Time) (*auth.Identity, error) {
	keys := j.keys.set()
	if j.cache != nil {
		if known := j.cache.get(token, &keys.identity); known != nil {
			return j.recall(known, now)
		}
	}
	return j.verify(token, keys, now)
}

// recall judges a token that was accepted before, with the same keys and by
// the same rules: what is left to ask is the time.
func (j *JWT) recall(known *cacheEntry, now time.Time) (*auth.Identity, error) {
	v := known.validity()
	if f := j.limits.check(&v, now); f.found() {
		j.cache.remove(known)
		return nil, auth.InvalidFor(known.identity.ID, f.reason, f.detail)
	}
	return known.identity, nil
}

// verify judges the token. Its order is from what costs nothing to what costs
// most, and no key is touched for a token of another issuer.
func (j *JWT) verify(token string, keys *keySet, now time.Time) (*auth.Identity, error) {
	parts, err := split(token)
	if err != nil {
		return nil, err
	}
	s := scratches.Get().(*scratch)
	defer s.release()

	h, known := j.headers.find(parts.header)
	if !known {
		if h, err = parseHeader(s, parts.header); err != nil {
			return nil, err
		}
	}
	if !h.known || !keys.algorithms.has(h.alg) {
		return nil, errAlgorithm
	}
	if err := parsePayload(s, parts.payload, j.names); err != nil {
		return nil, err
	}
	if s.issuer, err = j.issuer(&s.claims); err != nil {
		return nil, err
	}
	if s.signature, err = decode(s.signature, parts.signature); err != nil {
		return nil, err
	}
	if err := keys.verify(&h, parts.signed, s.signature); err != nil {
		return nil, j.doubt(keys, &h, err)
	}
	if !known {
		j.headers.add(parts.header, h)
	}
	id, notBefore, err := j.accept(s, &h, now)
	if err != nil {
		return nil, err
	}
	if j.cache != nil {
		j.cache.put(token, &keys.identity, id, notBefore, len(s.text))
	}
	return id, nil
}
