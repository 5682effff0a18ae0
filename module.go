// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package caddybolt decides who gets in: it puts authentication and
// authorization in front of anything that Caddy serves.
//
// A blank import of this package adds the directives auth, auth_token,
// auth_logout and auth_jwks, the global option auth, the log format
// auth_redact and the command "caddy auth" to a Caddy. The contract for modules
// of your own is in the package auth.
package caddybolt

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/matching"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Handler lets a request pass when somebody is signed in who may pass, and
// refuses it otherwise.
//
// It tries its authenticators in order until one accepts the request, then asks
// its guards. A rule for the request's path, or whatever else it matches on,
// may replace either. What is not configured is inherited from the policy that
// the handler names and from the global block; with no guards anywhere,
// everybody who is signed in may pass.
//
// Refusals are 401 with a challenge (nobody is signed in), 403 (somebody is, and
// may not), 503 with Retry-After (a store or key server that is needed does not
// answer), 429 with Retry-After (too many passwords were wrong) and 400 (a path
// that could be read in two ways, where rules decide by path). Clients are not
// told why.
//
// Every handler on the way of a request must let it pass: one more can only
// restrict.
//
// Placeholders, all of them empty when nobody is signed in:
//
// Placeholder | Description
// ------------|-------------
// `{http.auth.user.id}` | Who is signed in; also "user_id" in the access log
// `{http.auth.user.issuer}` | Whose ID that is
// `{http.auth.user.is_staff}` | "true" or "false"
// `{http.auth.user.is_superuser}` | "true" or "false"
// `{http.auth.user.permissions}` | Separated by spaces; a list in expressions
// `{http.auth.user.<field>}` | Any other field, loaded from the user store when asked for
// `{http.auth.backend}` | The authenticator that accepted: "jwt", "api_key", "basic"
// `{http.auth.claims.<path>}` | Any claim, such as "email" or "realm_access.roles.0"
// `{http.auth.error}` | Why a request was refused, in one word
// `{http.auth.candidate.id}` | Who was refused, if it was proven who it is
//
// Go code further on asks auth.FromContext.
type Handler struct {
	// The name of a policy of the global block whose settings come after the
	// handler's own.
	Policy PolicyName `json:"policy,omitempty"`

	Settings

	// Which requests the handler decides about; those that do not match are
	// handed on. As in a route: one of the sets must match, and of a set all
	// matchers. Default: all. Prefer this to the matchers of a route: they are
	// asked before anybody looks at whether the path is ambiguous.
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	// Settings for some requests, the first match applies.
	Rules []*Rule `json:"rules,omitempty"`

	app       *App
	logger    *zap.Logger
	matchers  *matching.Sets
	effective *effective    // without a rule
	logins    []*effective  // of the log-in paths, which are open
	forwarded []string      // names of identity headers, at any level
	sources   []auth.Source // where a credential may stand, at any level
	places    []*place      // where requests go on
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.auth",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision loads the modules and puts the levels of settings together.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	app, err := appOf(ctx)
	if err != nil {
		return err
	}
	h.app = app

	if err := checkSets(h.MatcherSetsRaw); err != nil {
		return err
	}
	if h.matchers, err = matching.Load(ctx, h.MatcherSetsRaw); err != nil {
		return err
	}
	own, err := h.load(ctx)
	if err != nil {
		return err
	}
	block := scope{own: own}
	if block.policy, err = app.policy(h.Policy); err != nil {
		return err
	}
	global := scope{own: app.defaults}
	if h.effective, err = combine([]scope{block, global}); err != nil {
		return err
	}
	h.forwarded = forwardNames(h.forwarded, block, global)
	h.sources = credentialSources(h.sources, block, global)

	for i, rule := range h.Rules {
		if err := h.provisionRule(ctx, i, rule, block, global); err != nil {
			return fmt.Errorf("rules: position %d: %w", i, err)
		}
	}
	all := []*effective{h.effective}
	for _, rule := range h.Rules {
		all = append(all, rule.effective)
	}
	for _, e := range all {
		h.openLogin(e)
		if err := h.addSources(e); err != nil {
			return err
		}
	}
	return nil
}

// addSources notes where credentials stand, and refuses identity headers that
// would be removed before anybody reads the credential in them.
func (h *Handler) addSources(e *effective) error {
	h.app.noteMembers(e.members)
	for _, m := range e.members {
		for _, s := range m.sources {
			if !slices.Contains(h.app.sources, s) {
				h.app.sources = append(h.app.sources, s)
			}
			if s.Header != "" && foldsLikeAny(s.Header, h.forwarded) {
				return fmt.Errorf("forward header %q is where a credential is read from, too", s.Header)
			}
		}
	}
	return nil
}

// openLogin lets everybody see the log-in page that the settings name.
func (h *Handler) openLogin(e *effective) {
	if e.loginURL == "" {
		return
	}
	login := *e
	login.guards, login.admission = nil, auth.AdmitAnyone
	h.logins = append(h.logins, &login)
}

// provisionRule prepares one rule.
func (h *Handler) provisionRule(ctx caddy.Context, i int, rule *Rule, block, global scope) error {
	switch {
	case rule == nil:
		return errors.New("is null")
	case rule.InsecurePaths != nil:
		return errors.New("insecure_paths stands outside of rules: it says what happens before they are read")
	}
	if err := checkSets(rule.MatcherSetsRaw); err != nil {
		return err
	}
	for j, earlier := range h.Rules[:i] {
		if covers(earlier.MatcherSetsRaw, rule.MatcherSetsRaw) {
			return fmt.Errorf("can never apply: the rule at position %d matches first", j)
		}
	}
	if err := checkMatchers(rule.MatcherSetsRaw); err != nil {
		return err
	}
	var err error
	if rule.matchers, err = matching.Load(ctx, rule.MatcherSetsRaw); err != nil {
		return err
	}
	own, err := rule.load(ctx)
	if err != nil {
		return err
	}
	s := scope{own: own}
	if s.policy, err = h.app.policy(rule.Policy); err != nil {
		return err
	}
	if rule.effective, err = combine([]scope{s, block, global}); err != nil {
		return err
	}
	h.forwarded = forwardNames(h.forwarded, s)
	h.sources = credentialSources(h.sources, s)
	return nil
}

// forwardNames adds the names of all identity headers of the scopes.
func forwardNames(names []string, scopes ...scope) []string {
	for _, s := range scopes {
		for _, l := range s.layers() {
			for _, f := range l.Forward {
				if !foldsLikeAny(f.Name, names) {
					names = append(names, f.Name)
				}
			}
		}
	}
	return names
}

// ServeHTTP decides whether the request may pass.
//
// The decision is a function of its own, so that what it needs of the stack is
// given back before the next handler is called: with HTTP/2 every request has a
// new stack, which is copied whenever it grows.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if passes, err := h.decide(w, r); !passes {
		return err
	}
	return next.ServeHTTP(w, r)
}

// decide reports whether the request may pass. If it may not, it is refused
// with the error, or was answered already.
func (h *Handler) decide(w http.ResponseWriter, r *http.Request) (passes bool, err error) {
	st := stateOf(r, h.app)

	// first of all and whatever comes of it: who says who they are is believed
	// by nobody behind us
	removeSpoofed(r, h.forwarded)

	if !h.app.awaitStart(r.Context()) {
		return false, h.fail(w, r, st, h.effective, unavailable(errNotStarted))
	}
	// what an outer auth said is there again, for matchers and for the application
	if err := setForward(r.Header, st.forward, st); err != nil {
		return false, h.fail(w, r, st, h.effective, unavailable(err))
	}
	e, refused := h.settingsFor(st.stripped.restore(r))
	if refused != nil {
		return false, h.fail(w, r, st, e, refused)
	}
	if e == nil { // not for this handler to decide about
		return true, nil
	}
	if e.preflight && isPreflight(r) {
		makeAnonymous(r, h.sources)
		h.app.metrics.preflight.Inc()
		return true, nil
	}

	id, m, refused := h.authenticate(w, st.stripped.restore(r), e)
	if refused != nil && !e.admits(refused) {
		if is, err := h.logout(w, r, st, e, refused); is {
			return false, err
		}
		return false, h.fail(w, r, st, e, refused)
	}
	if refused != nil && !refused.missing() {
		st.refused(refused, e, st.stripped.restore(r))
	}
	if refused := h.admit(r, st, e, id, m); refused != nil {
		return false, h.fail(w, r, st, e, refused)
	}

	if e.strip {
		strip(r, h.sources, &st.stripped)
	}
	if len(e.forward) > 0 {
		for _, f := range st.forward { // of an auth further out
			r.Header.Del(f.Name)
		}
		st.forward = e.forward
	}
	if err := setForward(r.Header, st.forward, st); err != nil {
		return false, h.fail(w, r, st, e, unavailable(err))
	}
	if id == nil {
		h.app.metrics.anonymous.Inc()
	} else {
		h.app.metrics.allowed.Inc()
	}
	return true, nil
}

// unavailable is the refusal of a request that a store could not help to decide.
func unavailable(err error) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, reason: auth.ReasonStoreUnavailable, err: err}
}

var errNotStarted = errors.New("the app auth has not started yet")

// fail notes why, and refuses.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, st *state, e *effective, f *refusal) error {
	st.reason = f.reason
	if c := auth.CandidateOf(f.err); c != "" {
		st.candidate = c
	}
	h.app.metrics.refused(f)
	return h.refuse(w, r, e, f)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ auth.Request                = (*state)(nil)
)
