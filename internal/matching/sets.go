// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package matching asks Caddy's matchers about a request, and takes a matcher
// that fails for neither a match nor none.
package matching

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

var (
	// ErrFailed is the error of matchers that could not be evaluated for a
	// request. It says nothing more: what they say themselves may hold the
	// value of a claim.
	ErrFailed = errors.New("a matcher could not be evaluated")

	// ErrTooEarly is the error of matchers that wait for the end of a TLS
	// handshake, such as remote_ip in 0-RTT (RFC 8470, section 5.2). It is not
	// ErrFailed: the client is to ask again.
	ErrTooEarly = errors.New("the TLS handshake has not ended yet")

	// ErrNotPrepared is the error of a request that Caddy did not prepare.
	ErrNotPrepared = errors.New("the request was not prepared by Caddy")
)

// Sets are matcher sets that are loaded: one of them must match, and of it every
// matcher. They are safe for concurrent use.
type Sets struct {
	Raw caddyhttp.RawMatcherSets `caddy:"namespace=http.matchers"` // exported for LoadModule

	sets    caddyhttp.MatcherSets
	watched bool // an expression may tell the probe that it failed
	query   bool // some matcher looks at the query
}

// Load loads matcher sets, which it leaves as they are. No sets match every
// request.
func Load(ctx caddy.Context, raw caddyhttp.RawMatcherSets) (*Sets, error) {
	s := new(Sets)
	if len(raw) == 0 {
		return s, nil
	}
	var err error
	if raw, err = resolvePaths(raw); err != nil {
		return nil, err
	}
	if s.Raw, s.watched, err = watchExpressions(ctx, raw, false); err != nil {
		return nil, err
	}
	mods, err := ctx.LoadModule(s, "Raw")
	if err != nil {
		return nil, fmt.Errorf("loading matchers: %w", err)
	}
	if err := s.sets.FromInterface(mods); err != nil {
		return nil, err
	}
	for _, set := range raw {
		for name, matcher := range set {
			s.query = s.query || name == "query" || bytes.Contains(matcher, []byte("query"))
		}
	}
	return s, nil
}

// Of returns sets of matchers that are there already.
func Of(sets caddyhttp.MatcherSets) *Sets { return &Sets{sets: sets} }

// Match reports whether the request matches.
func (s *Sets) Match(r *http.Request) (bool, error) {
	if s.query && !isQuery(r.URL.RawQuery) {
		return false, ErrFailed
	}
	var p *probe
	if s.watched {
		if p = probeOf(r); p == nil {
			return false, ErrNotPrepared
		}
	}
	for _, set := range s.sets {
		if matches, err := matchSet(r, set, p); matches || err != nil {
			return matches, err
		}
	}
	return len(s.sets) == 0, nil
}

// isQuery reports whether the query can be read. Where it cannot, Caddy's matchers
// take it for one without parameters or leave some out, and an application may
// read it all the same: "action=delete&x=%zz".
func isQuery(raw string) bool {
	if raw == "" {
		return true
	}
	_, err := url.ParseQuery(raw)
	return err == nil
}

// matchSet reports whether every matcher of the set matches. Caddy walks them in
// random order, so what one says that fails must not depend on which is asked
// first: the failure counts unless the others decide whatever it might have said.
func matchSet(r *http.Request, set caddyhttp.MatcherSet, p *probe) (bool, error) {
	matches, err := ask(r, set, p, true)
	switch {
	case !matches:
		return false, nil
	case err != nil:
		return false, failure(err)
	case p == nil || !p.failed:
		return true, nil
	}
	if matches, err = ask(r, set, p, false); !matches || err != nil {
		return false, ErrFailed
	}
	return true, nil
}

// failure returns the error of a matcher that failed.
func failure(err error) error {
	var he caddyhttp.HandlerError
	if errors.As(err, &he) && he.StatusCode == http.StatusTooEarly {
		return ErrTooEarly
	}
	return ErrFailed
}

// ask reports whether every matcher of the set matches, apart from those that
// return an error, which is the error of a match. Expressions that fail are
// assumed to favor a match, or not to.
func ask(r *http.Request, set caddyhttp.MatcherSet, p *probe, favor bool) (bool, error) {
	if p != nil {
		*p = probe{favor: favor}
	}
	var failed error
	for i := range set {
		matches, err := set[i : i+1].MatchWithError(r)
		switch {
		case err != nil:
			failed = err
		case !matches:
			return false, nil
		}
	}
	return true, failed
}
