// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
	"github.com/caddybolt/caddy-bolt/internal/secret"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App holds what all auth handlers of a configuration share: their default
// settings, named policies, the user store and the revocation store.
//
// It is what the global option "auth" of a Caddyfile configures. Without one, an
// app with no defaults is there.
type App struct {
	// The defaults of every auth handler.
	Settings

	// A secret for the authenticators and token endpoints that name no key of
	// their own. Write {env.SECRET_KEY} or {file./run/secrets/key} rather than
	// the secret itself, which Caddy's admin API, autosave file and debug log
	// show.
	SecretKey string `json:"secret,omitempty"`

	// Settings that handlers and rules name.
	Policies map[string]*Settings `json:"policies,omitempty"`

	// The store of users. A module of http.auth.users; the name stands in the
	// member "store".
	UsersRaw json.RawMessage `json:"users,omitempty" caddy:"namespace=http.auth.users inline_key=store"`

	// The store of revoked tokens. Without one, tokens are not checked for
	// revocation. A module of http.auth.revocation; the name stands in the
	// member "store".
	RevocationRaw json.RawMessage `json:"revocation,omitempty" caddy:"namespace=http.auth.revocation inline_key=store"`

	logger     *zap.Logger
	ctx        caddy.Context
	secret     *secret.Value
	users      auth.UserStore
	revocation auth.RevocationStore
	defaults   *layer
	policies   map[string]*layer
	metrics    *metrics
	tolerance  time.Duration // the largest of all authenticators
	sources    []auth.Source // where handlers read credentials
	reporters  []auth.KeyReporter
	issuers    []string // whose tokens are made here
	refreshes  []auth.RefreshCookie
	issuerless []auth.Signer // that accept tokens without an issuer
	starters   []starter     // among the authenticators
	outage     outage
	standBack  func() // the store before is no longer followed
	started    atomic.Bool
	ready      chan struct{} // closed once it is started
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "auth",
		New: func() caddy.Module { return new(App) },
	}
}

// appOf returns the app of the configuration that ctx belongs to.
func appOf(ctx caddy.Context) (*App, error) {
	mod, err := ctx.App("auth")
	if err != nil {
		return nil, err
	}
	app, ok := mod.(*App)
	if !ok {
		return nil, fmt.Errorf("app \"auth\" is a %T", mod)
	}
	return app, nil
}

// Provision loads what handlers share: first what authenticators ask for, then
// the authenticators.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	a.logger = ctx.Logger()
	a.ready = make(chan struct{})
	if a.SecretKey != "" {
		text, err := secret.Resolve(a.SecretKey)
		if err != nil {
			return fmt.Errorf("secret: %w", err)
		}
		value := secret.New([]byte(text))
		a.secret = &value
		if secret.IsInline(a.SecretKey) {
			a.logger.Warn("option secret holds the secret itself, which Caddy's admin API, autosave file and debug log show: use {env.NAME} or {file./path}")
		}
	}
	var err error
	if a.metrics, err = newMetrics(ctx.GetMetricsRegistry()); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	if err := a.loadStores(ctx); err != nil {
		return err
	}
	if a.defaults, err = a.load(ctx); err != nil {
		return err
	}
	a.policies = make(map[string]*layer, len(a.Policies))
	for name, settings := range a.Policies {
		if err := checkPolicyName(name); err != nil {
			return err
		}
		if settings == nil {
			return fmt.Errorf("policy %q is null", name)
		}
		l, err := settings.load(ctx)
		if err != nil {
			return fmt.Errorf("policy %q: %w", name, err)
		}
		a.policies[name] = l
		a.noteIssuerless(l.members)
	}
	a.noteIssuerless(a.defaults.members)
	return nil
}

func (a *App) loadStores(ctx caddy.Context) error {
	if a.UsersRaw != nil {
		mod, err := ctx.LoadModule(a, "UsersRaw")
		if err != nil {
			return fmt.Errorf("loading users: %w", err)
		}
		store, ok := mod.(auth.UserStore)
		if !ok {
			return fmt.Errorf("users: %T is not a user store", mod)
		}
		a.users = store
	}
	if a.RevocationRaw != nil {
		mod, err := ctx.LoadModule(a, "RevocationRaw")
		if err != nil {
			return fmt.Errorf("loading revocation: %w", err)
		}
		store, ok := mod.(auth.RevocationStore)
		if !ok {
			return fmt.Errorf("revocation: %T is not a revocation store", mod)
		}
		a.revocation = store
	}
	return nil
}

// checkPolicyName keeps names apart from matchers.
func checkPolicyName(name string) error {
	if name == "" || strings.ContainsAny(name[:1], "/@*") || strings.ContainsAny(name, "{} \t") {
		return fmt.Errorf("policy name %q: it begins with none of / @ * and has no blanks or braces", name)
	}
	return nil
}

// starter is a store or an authenticator that opens files or connections when
// the app starts, and not before: "caddy validate" works beside a running
// server.
type starter interface {
	Start(context.Context) error
}

// Start opens the stores and starts the authenticators.
func (a *App) Start() (err error) {
	defer func() {
		if err != nil {
			_ = a.Stop()
		}
	}()
	if err := a.takeOver(); err != nil {
		return err
	}
	for _, store := range []any{a.users, a.revocation} {
		if s, ok := store.(starter); ok {
			if err := s.Start(a.ctx); err != nil {
				return err
			}
		}
	}
	for _, s := range a.starters {
		if err := s.Start(a.ctx); err != nil {
			return err
		}
	}
	a.notePlaces()
	a.warnReadable()
	a.warnIssuerless()
	a.started.Store(true)
	close(a.ready)
	return nil
}

// takeOver lets the revocation store refuse what that of the running
// configuration refuses, which may be another.
func (a *App) takeOver() error {
	running, err := activeApp()
	if err != nil {
		return err
	}
	type keeper interface{ State() revoked.State }
	before, ok := running.revocation.(keeper)
	if next, is := a.revocation.(keeper); is && ok {
		a.standBack = revoked.Succeed(before.State(), next.State())
	}
	return nil
}

// startWait is how long a request waits for the app to start. Apps start in any
// order: a server may listen a moment before the stores are open, at each
// reload too.
const startWait = 2 * time.Second

// awaitStart reports whether the app is started, and waits a moment for it.
func (a *App) awaitStart(ctx context.Context) bool {
	if a.started.Load() {
		return true
	}
	timer := time.NewTimer(startWait)
	defer timer.Stop()
	select {
	case <-a.ready:
		return true
	case <-ctx.Done():
		return false
	case <-timer.C:
		return false
	}
}

// Stop closes nothing: requests that are under way still need the stores, which
// close when the configuration is cleaned up.
func (a *App) Stop() error {
	if a.standBack != nil {
		a.standBack()
	}
	return nil
}

// policy returns a named policy; nil for no name.
func (a *App) policy(name PolicyName) (*layer, error) {
	if name == "" {
		return nil, nil
	}
	l, ok := a.policies[string(name)]
	if !ok {
		return nil, unknownPolicy(string(name), a.Policies)
	}
	return l, nil
}

func unknownPolicy(name string, policies map[string]*Settings) error {
	if len(policies) == 0 {
		return fmt.Errorf("unknown policy %q; the global auth block defines none", name)
	}
	names := make([]string, 0, len(policies))
	for n := range policies {
		names = append(names, n)
	}
	slices.Sort(names)
	return fmt.Errorf("unknown policy %q; there are: %s", name, strings.Join(names, ", "))
}

// Secret implements auth.Services.
func (a *App) Secret() ([]byte, bool) {
	if a.secret == nil {
		return nil, false
	}
	return a.secret.Bytes(), true
}

// Users implements auth.Services.
func (a *App) Users() auth.UserStore { return a.users }

// Revocation implements auth.Services.
func (a *App) Revocation() auth.RevocationStore { return a.revocation }

// RequireRevocation implements auth.Revoker.
func (a *App) RequireRevocation() (auth.RevocationStore, error) {
	if a.revocation != nil {
		return a.revocation, nil
	}
	mod, err := a.ctx.LoadModuleByID(revocationSpace+"."+defaultRevocation, nil)
	if err != nil {
		return nil, fmt.Errorf("loading revocation: %w", err)
	}
	store, ok := mod.(auth.RevocationStore)
	if !ok {
		return nil, fmt.Errorf("revocation: %T is not a revocation store", mod)
	}
	a.revocation = store
	return store, nil
}

// NoteIssuer implements auth.IssuerRegistry.
func (a *App) NoteIssuer(issuer string) { a.issuers = append(a.issuers, issuer) }

// Issues implements auth.IssuerRegistry. A token without an issuer was made here
// only if nobody else's key can sign one that is accepted.
func (a *App) Issues(issuer string) bool {
	if issuer == "" && len(a.issuerless) > 1 {
		return false
	}
	return slices.Contains(a.issuers, issuer)
}

// warnIssuerless warns where users get tokens that do not lead back to them.
func (a *App) warnIssuerless() {
	store, ok := a.users.(interface{ Serves(issuer string) bool })
	if ok && slices.Contains(a.issuers, "") && !store.Serves("") {
		a.logger.Warn("tokens that are issued here have no issuer, and so may others that are accepted: nobody's fields are loaded for them, and none is refreshed; give each jwt an issuer",
			zap.Int("jwts_without_issuer", len(a.issuerless)))
	}
}

// noteIssuerless notes which authenticators accept tokens without an issuer.
func (a *App) noteIssuerless(members []*member) {
	for _, m := range members {
		if s, ok := m.Authenticator.(auth.Signer); ok && s.Issuer() == "" && !slices.Contains(a.issuerless, s) {
			a.issuerless = append(a.issuerless, s)
		}
	}
}

// NoteRefreshCookie implements auth.CookieRegistry.
func (a *App) NoteRefreshCookie(c auth.RefreshCookie) {
	if !slices.Contains(a.refreshes, c) {
		a.refreshes = append(a.refreshes, c)
	}
}

// RefreshCookies implements auth.CookieRegistry.
func (a *App) RefreshCookies() []auth.RefreshCookie { return a.refreshes }

// noteMembers notes which authenticators have something to start, and how long
// after their end tokens are accepted.
func (a *App) noteMembers(members []*member) {
	a.noteIssuerless(members)
	for _, m := range members {
		if s, ok := m.Authenticator.(starter); ok && !slices.Contains(a.starters, s) {
			a.starters = append(a.starters, s)
		}
		if k, ok := m.Authenticator.(auth.KeyReporter); ok && !slices.Contains(a.reporters, k) {
			a.reporters = append(a.reporters, k)
		}
		if t, ok := m.Authenticator.(auth.Tolerant); ok {
			a.tolerance = max(a.tolerance, t.Tolerance())
		}
	}
}

// Signer implements auth.Services.
func (a *App) Signer(name string) (auth.Signer, error) {
	if a.defaults == nil {
		return nil, errors.New("the global auth block is not loaded yet")
	}
	layers := []*layer{a.defaults}
	for _, policy := range slices.Sorted(maps.Keys(a.policies)) {
		layers = append(layers, a.policies[policy])
	}
	for _, l := range layers {
		for _, m := range l.members {
			s, ok := m.Authenticator.(auth.Signer)
			if ok && (name == "" || s.Name() == name) {
				return s, nil
			}
		}
	}
	if name == "" {
		return nil, errors.New("tokens are issued as a jwt of the global auth block accepts them, and it has none")
	}
	return nil, fmt.Errorf("the global auth block has no jwt named %q", name)
}

// checkIdentity says whether what an authenticator returned is an identity, and
// whether the token that brought it was ended.
func (a *App) checkIdentity(ctx context.Context, id *auth.Identity) error {
	if id == nil || id.ID == "" {
		return errNoIdentity
	}
	if a.revocation == nil || id.TokenID == "" {
		return nil
	}
	revoked, err := a.revocation.Revoked(ctx, id.Token())
	if err != nil {
		return auth.Unavailable(auth.ReasonStoreUnavailable, err)
	}
	if revoked {
		return auth.InvalidFor(id.ID, auth.ReasonTokenRevoked, "")
	}
	return nil
}

var errNoIdentity = errors.New("an authenticator accepted a request and did not say whose it is")

// Interface guards
var (
	_ caddy.App           = (*App)(nil)
	_ caddy.Provisioner   = (*App)(nil)
	_ auth.Services       = (*App)(nil)
	_ auth.Revoker        = (*App)(nil)
	_ auth.IssuerRegistry = (*App)(nil)
	_ auth.CookieRegistry = (*App)(nil)
)
