// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/text"
)

// Settings are what the global block, a policy, an auth block and a rule have
// in common. Each of them is inherited by itself: a rule asks its own settings,
// then those of its policy, of the block, of the block's policy, and of the
// global block, and takes the first that says anything.
type Settings struct {
	// How to find out who a request comes from, tried in this order. Naming one
	// replaces the whole list of the levels further out. Modules of
	// http.auth.authenticators; the name stands in the member "authenticator".
	AuthenticatorsRaw []json.RawMessage `json:"authenticators,omitempty" caddy:"namespace=http.auth.authenticators inline_key=authenticator"`

	// Who may pass: all of them must agree. A list without "allow_any" and
	// "optional" asks for a signed-in user, whatever else it says. Default:
	// "authenticated". Guards beside a policy are added to the policy's.
	// Modules of http.auth.guards; the name stands in the member "guard".
	GuardsRaw []json.RawMessage `json:"guards,omitempty" caddy:"namespace=http.auth.guards inline_key=guard"`

	// The realm that challenges name. Default: "restricted".
	Realm string `json:"realm,omitempty"`

	// Whether to take the credentials out of requests that pass: headers, cookies
	// and parameters of the query, wherever an authenticator of the handler, its
	// rules, their policies or the global block looks for them. Default: false.
	StripCredentials *bool `json:"strip_credentials,omitempty"`

	// Headers that tell the application who is asking. A client's own headers
	// of these names are removed from every request, in every spelling that an
	// application could take for them.
	Forward []ForwardHeader `json:"forward,omitempty"`

	// Where to send people who are not signed in: a path on this site, without a
	// query. A
	// browser that navigates is redirected there with 303 and a query parameter
	// "next", which holds the path it asked for; everything else gets 401. The
	// path itself is open to all. "off" undoes what is inherited.
	LoginURL string `json:"login_url,omitempty"`

	// Whether to let CORS preflight requests pass, which cannot carry
	// credentials: OPTIONS with Origin and Access-Control-Request-Method and
	// without a body. Their credentials are removed. Default: false.
	AllowPreflight *bool `json:"allow_preflight,omitempty"`

	// What a refusal looks like: "problem_json" answers with the body of
	// RFC 9457; "default" leaves it to handle_errors.
	Errors string `json:"errors,omitempty"`

	// Whether to let ambiguous paths pass, such as "/a%2fb" and "/a;b". They
	// then get the block's own settings and no rule. Without it, an auth with
	// rules refuses them with 400. Default: false.
	InsecurePaths *bool `json:"insecure_paths,omitempty"`
}

// defaultRealm is what Caddy's basic_auth says, too.
const defaultRealm = "restricted"

// The values of Errors.
const (
	errorsDefault = "default"
	errorsProblem = "problem_json"
)

// validate judges what can be judged without loading a module.
func (s *Settings) validate() error {
	if s.Errors != "" && s.Errors != errorsProblem && s.Errors != errorsDefault {
		return fmt.Errorf("errors is %q; there are: %s, %s", s.Errors, errorsDefault, errorsProblem)
	}
	if err := checkRealm(s.Realm); err != nil {
		return err
	}
	if err := checkLoginURL(s.LoginURL); err != nil {
		return err
	}
	return checkForward(s.Forward)
}

func checkRealm(realm string) error {
	for i := range len(realm) {
		if realm[i] < 0x20 || realm[i] > 0x7e {
			return errors.New("realm must be printable ASCII")
		}
	}
	return nil
}

func checkLoginURL(loginURL string) error {
	if loginURL == "" || loginURL == off {
		return nil
	}
	if !text.IsLocalPath(loginURL) || strings.ContainsAny(loginURL, "?#{}%") {
		return fmt.Errorf("login_url is %q, which is not a plain path on this site such as /login", loginURL)
	}
	return nil
}

// off undoes an inherited login_url.
const off = "off"

// layer is one level of settings with its modules loaded.
type layer struct {
	*Settings
	members []*member
	guards  []auth.Guard
}

// load loads the modules of the settings.
func (s *Settings) load(ctx caddy.Context) (*layer, error) {
	l := &layer{Settings: s}
	if err := s.validate(); err != nil {
		return nil, err
	}
	if s.AuthenticatorsRaw != nil && len(s.AuthenticatorsRaw) == 0 || s.GuardsRaw != nil && len(s.GuardsRaw) == 0 {
		return nil, errEmptyList
	}
	if len(s.AuthenticatorsRaw) > 0 {
		mods, err := ctx.LoadModule(s, "AuthenticatorsRaw")
		if err != nil {
			return nil, fmt.Errorf("loading authenticators: %w", err)
		}
		for i, mod := range mods.([]any) {
			a, ok := mod.(auth.Authenticator)
			if !ok {
				return nil, fmt.Errorf("authenticators: position %d: %T is not an authenticator", i, mod)
			}
			l.members = append(l.members, newMember(a))
		}
	}
	if len(s.GuardsRaw) > 0 {
		mods, err := ctx.LoadModule(s, "GuardsRaw")
		if err != nil {
			return nil, fmt.Errorf("loading guards: %w", err)
		}
		for i, mod := range mods.([]any) {
			g, ok := mod.(auth.Guard)
			if !ok {
				return nil, fmt.Errorf("guards: position %d: %T is not a guard", i, mod)
			}
			l.guards = append(l.guards, g)
		}
	}
	return l, nil
}

// errEmptyList: nobody can tell "inherit" from "none" by an empty list.
var errEmptyList = errors.New("authenticators and guards must not be empty lists: leave them out to inherit")

// effective is what applies to a request once rule, policies, block and global
// block are put together.
type effective struct {
	members   []*member
	guards    []auth.Guard // without those that open the list
	admission auth.Admission
	realm     string
	strip     bool
	forward   []ForwardHeader
	loginURL  string
	preflight bool
	problem   bool
	insecure  bool // paths
}

// scope is a block or a rule, and the policy that it names, if any.
type scope struct {
	own    *layer
	policy *layer // may be nil
}

// layers returns both, the own one first.
func (s scope) layers() []*layer {
	if s.policy == nil {
		return []*layer{s.own}
	}
	return []*layer{s.own, s.policy}
}

// guards returns the policy's and the own ones.
func (s scope) guards() ([]auth.Guard, error) {
	if s.policy == nil || len(s.policy.guards) == 0 {
		return s.own.guards, nil
	}
	if len(s.own.guards) > 0 && isOpen(s.own.guards) != isOpen(s.policy.guards) {
		return nil, errOpensPolicy
	}
	return slices.Concat(s.policy.guards, s.own.guards), nil
}

// isOpen reports whether the list lets in requests that nobody is signed in for.
func isOpen(list []auth.Guard) bool {
	return slices.ContainsFunc(list, func(g auth.Guard) bool {
		_, ok := g.(auth.Admitter)
		return ok
	})
}

var errOpensPolicy = errors.New("guards beside a policy are added to the policy's, and one of the two lists opens the other with allow_any or optional: write the whole list in one place")

// combine puts scopes together, the innermost first.
func combine(scopes []scope) (*effective, error) {
	e := &effective{realm: defaultRealm}
	var layers []*layer
	for _, s := range scopes {
		layers = append(layers, s.layers()...)
	}
	for _, l := range layers {
		if len(l.members) > 0 {
			e.members = l.members
			break
		}
	}
	for _, s := range scopes {
		list, err := s.guards()
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			if err := e.setGuards(list); err != nil {
				return nil, err
			}
			break
		}
	}
	if v := first(layers, func(l *layer) *string { return nonEmpty(l.Realm) }); v != nil {
		e.realm = *v
	}
	e.strip = isTrue(first(layers, func(l *layer) *bool { return l.StripCredentials }))
	e.preflight = isTrue(first(layers, func(l *layer) *bool { return l.AllowPreflight }))
	e.insecure = isTrue(first(layers, func(l *layer) *bool { return l.InsecurePaths }))
	if v := first(layers, func(l *layer) *string { return nonEmpty(l.Errors) }); v != nil {
		e.problem = *v == errorsProblem
	}
	if v := first(layers, func(l *layer) *string { return nonEmpty(l.LoginURL) }); v != nil && *v != off {
		e.loginURL = *v
	}
	for _, l := range layers {
		if len(l.Forward) > 0 {
			e.forward = canonical(l.Forward)
			break
		}
	}
	if len(e.members) == 0 && e.admission != auth.AdmitAnyone {
		return nil, errNoAuthenticator
	}
	return e, e.checkAdmission()
}

var errNoAuthenticator = errors.New("no authenticator: name one, such as jwt, api_key or basic, here or in the global auth block, or open the route with the guard allow_any")

// setGuards takes the list apart into what opens it and what must agree.
func (e *effective) setGuards(list []auth.Guard) error {
	contradicts := false
	for _, g := range list {
		a, ok := g.(auth.Admitter)
		if !ok {
			e.guards = append(e.guards, g)
			contradicts = contradicts || nameOf(g) == guardAuthenticated
			continue
		}
		e.admission = max(e.admission, a.Admission())
	}
	if e.admission == auth.AdmitMissing && contradicts {
		return errOptionalAuthenticated
	}
	if e.admission == auth.AdmitAnyone && len(list) > 1 {
		return errAllowAnyBeside
	}
	return nil
}

var errAllowAnyBeside = errors.New("guard allow_any lets everybody in and so stands alone: remove it or the guards beside it")

var errOptionalAuthenticated = errors.New("guard optional lets in who is not signed in, and guard authenticated does not: remove one of them")

const guardAuthenticated = "authenticated"

// nameOf returns the word of a module in a Caddyfile.
func nameOf(module any) string {
	m, ok := module.(caddy.Module)
	if !ok {
		return ""
	}
	return m.CaddyModule().ID.Name()
}

func (e *effective) checkAdmission() error {
	if e.admission != auth.AdmitMissing {
		return nil
	}
	for _, m := range e.members {
		if m.responder != nil {
			return errOptionalProvider
		}
	}
	return nil
}

var errOptionalProvider = errors.New("guard optional cannot stand beside the authenticator provider, which cannot tell a missing credential from a bad one")

// first returns what the first layer says that says anything.
func first[T any](layers []*layer, get func(*layer) *T) *T {
	for _, l := range layers {
		if v := get(l); v != nil {
			return v
		}
	}
	return nil
}

func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func isTrue(b *bool) bool { return b != nil && *b }
