// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"errors"
	"fmt"
	"net/http"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/matching"
)

// The refusals that say nothing of the request, made once.
var (
	ambiguousPath = &refusal{status: http.StatusBadRequest, reason: auth.ReasonAmbiguousPath}
	nothingThere  = &refusal{status: http.StatusUnauthorized, reason: auth.ReasonMissingCredentials, err: auth.ErrNoCredentials}
)

// settingsFor finds the settings that apply to the request, none if it is not
// for this handler to decide about.
func (h *Handler) settingsFor(r *http.Request) (*effective, *refusal) {
	if isOpaque(r.URL) { // whoever decides by path, here or behind us, sees none
		return h.effective, ambiguousPath
	}
	if len(h.Rules) == 0 && len(h.MatcherSetsRaw) == 0 && len(h.logins) == 0 {
		return h.effective, nil
	}
	if isAmbiguous(r.URL) {
		if h.effective.insecure || len(h.Rules) == 0 && len(h.MatcherSetsRaw) == 0 {
			return h.effective, nil
		}
		return h.effective, ambiguousPath
	}
	match, err := h.matchers.Match(r)
	if err != nil { // taken for neither yes nor no
		return h.effective, matcherFailed(err)
	}
	if !match {
		return nil, nil
	}
	for _, login := range h.logins {
		if r.URL.Path == login.loginURL {
			return login, nil
		}
	}
	for _, rule := range h.Rules {
		match, err := rule.matchers.Match(r)
		if err != nil {
			return h.effective, matcherFailed(err)
		}
		if match {
			return rule.effective, nil
		}
	}
	return h.effective, nil
}

// matcherFailed is what becomes of a matcher that could not say.
func matcherFailed(err error) *refusal {
	f := &refusal{status: http.StatusForbidden, reason: auth.ReasonForbidden, err: fmt.Errorf("matching: %w", err)}
	if errors.Is(err, matching.ErrTooEarly) {
		f.status = http.StatusTooEarly
	}
	return f
}

// authenticate tries the authenticators in order until one accepts.
func (h *Handler) authenticate(w http.ResponseWriter, r *http.Request, e *effective) (*auth.Identity, *member, *refusal) {
	var undecided error
	var proven *auth.Identity // whose token may be revoked
	var by *member
	best := nothingThere
	for _, m := range e.members {
		id, answer, err := m.authenticate(r)
		judged := err == nil
		if judged {
			err = h.app.checkIdentity(r.Context(), id)
		}
		switch {
		case err == nil:
			m.decided(h.logger)
			if answer != nil {
				copyHeader(w.Header(), answer.Header)
			}
			return id, m, nil
		case errors.Is(err, auth.ErrInvalidCredentials):
			m.decided(h.logger)
			if reason := auth.ReasonOf(err); best.missing() || reason.Telling() > best.reason.Telling() {
				best = &refusal{status: http.StatusUnauthorized, reason: reason, scheme: m.scheme, answer: answer, err: err}
			}
		case errors.Is(err, auth.ErrNoCredentials):
			if answer != nil && best == nothingThere {
				best = &refusal{status: nothingThere.status, reason: nothingThere.reason, err: nothingThere.err, answer: answer}
			}
		default:
			// not because the client went away, nor because it guesses
			if r.Context().Err() == nil && auth.WaitOf(err) == 0 {
				m.undecided(h.logger, err)
			}
			if undecided == nil {
				undecided = err
			}
			if judged && proven == nil && id.ID != "" && id.TokenID != "" {
				proven, by = id, m
			}
		}
	}
	if undecided == nil {
		return nil, nil, best
	}
	f := &refusal{
		status: http.StatusServiceUnavailable, reason: auth.ReasonOf(undecided), err: undecided,
		undecided: proven, doubtful: by,
	}
	if f.wait = auth.WaitOf(undecided); f.wait > 0 {
		f.status = http.StatusTooManyRequests
	}
	return nil, nil, f
}

// admit publishes the identity and asks the guards about it. If they refuse,
// what was published before is there again.
func (h *Handler) admit(r *http.Request, st *state, e *effective, id *auth.Identity, m *member) *refusal {
	outer, outerMember := st.identity, st.member
	if id != nil {
		st.identity, st.member = id, m
		st.accepted(m, st.stripped.restore(r))
		if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
			repl.DeleteByPrefix("http.auth.user.") // a static value, as of basic_auth, would win
		}
	}
	if id == nil && e.admission != auth.RequireIdentity {
		return nil
	}
	if id == nil { // every list asks for somebody
		return &refusal{status: http.StatusUnauthorized, reason: auth.ReasonMissingCredentials, err: auth.ErrUnauthenticated}
	}
	for _, g := range e.guards {
		err := g.Check(r, id)
		if err == nil {
			continue
		}
		st.identity, st.member = outer, outerMember
		st.candidate = id.ID
		f := &refusal{reason: auth.ReasonOf(err), err: err, scheme: m.scheme}
		switch {
		case errors.Is(err, auth.ErrForbidden), errors.Is(err, auth.ErrEvaluation):
			f.status, f.reason, f.scopes = http.StatusForbidden, auth.ReasonForbidden, auth.ScopesOf(err)
		case errors.Is(err, auth.ErrUnauthenticated):
			f.status = http.StatusUnauthorized
		default:
			f.status = http.StatusServiceUnavailable
			if h.app.outage.due() {
				h.logger.Warn("guard cannot decide; its requests are refused with 503",
					zap.String("reason", string(f.reason)), zap.Error(err))
			}
		}
		return f
	}
	return nil
}

// isPreflight reports whether the request is the question that a browser asks
// before a cross-origin request, and nothing else.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.ContentLength == 0 && len(r.TransferEncoding) == 0 &&
		r.Header.Get("Upgrade") == "" && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// makeAnonymous removes whatever could make more of a preflight.
func makeAnonymous(r *http.Request, sources []auth.Source) {
	strip(r, sources, new(stripped))
	for _, name := range []string{
		"Authorization", "Proxy-Authorization", "Cookie",
		"X-Http-Method", "X-Http-Method-Override", "X-Method-Override",
	} {
		r.Header.Del(name)
	}
}

// copyHeader adds the headers of a provider that accepted the request.
func copyHeader(to, from http.Header) {
	for name, values := range from {
		for _, value := range values {
			to.Add(name, value)
		}
	}
}
