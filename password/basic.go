// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package password accepts user names and passwords: by HTTP Basic, and by the
// providers that Caddy and its plugins have.
package password

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/attempts"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/extract"
	"github.com/caddybolt/caddy-bolt/internal/text"
)

func init() {
	caddy.RegisterModule(new(Basic))
	caddy.RegisterModule(new(Provider))
}

const (
	basicBackend = "basic"
	basicIssuer  = auth.LocalIssuer + basicBackend

	// maxPart is the length in bytes above which a name or a password is
	// refused unread.
	maxPart = 1 << 10
)

// Basic accepts a user name and a password by HTTP Basic (RFC 7617), and asks a
// user store about them.
//
// A browser sends them with each request; the stores remember for some minutes
// which were right, so that this costs little. Use it over HTTPS only.
//
// A request that presents a right password is that user's:
// {http.auth.user.id} is the store's ID of the user, {http.auth.backend} is
// "basic", and {http.auth.user.<field>} is whatever else the store knows.
//
// A wrong password, an unknown user, one who may not sign in and a header that
// is not well formed are answered with 401 and the challenge Basic;
// {http.auth.error} is "bad_password". A store that cannot decide is 503.
//
// Of one user name, 10 attempts may fail at once, and then one each 10 seconds;
// from one address (an IPv6 network of 64 bits), 50 and then one each second.
// They count together with those of auth_token. More are answered with 429 and
// Retry-After, unread, and {http.auth.error} is "too_many_attempts". A password
// that was right within the last five minutes passes all the same. The address is
// that of Caddy's trusted proxies: configure trusted_proxies behind one, or all
// clients share the proxy's.
type Basic struct {
	// The store of the users. A module of http.auth.users; its name stands in
	// the member "store". Default: the store of the global block.
	UsersRaw json.RawMessage `json:"users,omitempty" caddy:"namespace=http.auth.users inline_key=store"`

	store     auth.UserStore
	own       bool // not the global one
	extractor *extract.Extractor
	attempts  *attempts.Limiter
	acquired  bool
	clock     clock.Clock
}

// CaddyModule returns the Caddy module information.
func (*Basic) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.authenticators.basic",
		New: func() caddy.Module { return new(Basic) },
	}
}

// Provision loads the user store or finds the global one.
func (b *Basic) Provision(ctx caddy.Context) error {
	var err error
	source := auth.Source{Header: "Authorization", Scheme: "Basic"}
	if b.extractor, err = extract.New([]auth.Source{source}, base64.StdEncoding.EncodedLen(maxPart+1+maxPart)); err != nil {
		return err
	}
	if b.attempts, err = attempts.Acquire(); err != nil {
		return err
	}
	b.acquired = true
	if len(b.UsersRaw) > 0 {
		mod, err := ctx.LoadModule(b, "UsersRaw")
		if err != nil {
			return fmt.Errorf("loading users: %w", err)
		}
		store, ok := mod.(auth.UserStore)
		if !ok {
			return fmt.Errorf("users: %T is not a user store", mod)
		}
		b.store, b.own = store, true
		return nil
	}
	services, err := auth.ServicesOf(ctx)
	if err != nil {
		return err
	}
	if b.store = services.Users(); b.store == nil {
		return errors.New("users are required: basic has none of its own and the global block none either")
	}
	return nil
}

// Start starts the store, if it is one of its own: the global one is started
// with the global block.
func (b *Basic) Start(ctx context.Context) error {
	starts, ok := b.store.(interface{ Start(context.Context) error })
	if !ok || !b.own {
		return nil
	}
	return starts.Start(ctx)
}

// Cleanup gives the count of failed attempts away.
func (b *Basic) Cleanup() error {
	if !b.acquired {
		return nil
	}
	b.acquired = false
	return attempts.Release()
}

// Errors of Authenticate, made once.
var (
	errShape  = auth.Invalid(auth.ReasonBadPassword, "header is not well formed")
	errWrong  = auth.Invalid(auth.ReasonBadPassword, "")
	errNobody = auth.Unavailable(auth.ReasonStoreUnavailable, errors.New("the user store accepted a password and did not say whose it is"))
	errBroken = errors.New("the user store answered what no user store answers")
)

// Authenticate implements auth.Authenticator.
func (b *Basic) Authenticate(r *http.Request) (*auth.Identity, error) {
	encoded, _, err := b.extractor.Extract(r)
	if errors.Is(err, auth.ErrInvalidCredentials) {
		return nil, errShape
	}
	if err != nil {
		return nil, err
	}
	username, password, ok := split(encoded)
	if !ok {
		return nil, errShape
	}
	done, wait := b.attempts.Password(username, password, attempts.Address(r), b.clock.Now())
	if wait > 0 {
		return nil, auth.TooManyAttempts(wait)
	}
	outcome := attempts.Wrong
	defer func() { done(outcome) }()
	user, err := b.store.Verify(r.Context(), username, password)
	if err == nil || r.Context().Err() == nil && !errors.Is(err, auth.ErrInvalidCredentials) {
		outcome = attempts.Undecided
	}
	switch {
	case errors.Is(err, auth.ErrInvalidCredentials):
		return nil, errWrong
	case errors.Is(err, auth.ErrNoCredentials): // would read as "nothing presented"
		return nil, auth.Unavailable(auth.ReasonStoreUnavailable, errBroken)
	case err != nil:
		return nil, auth.Unavailable(auth.ReasonStoreUnavailable, err)
	case user == nil || user.ID == "":
		return nil, errNobody
	case strings.HasPrefix(user.ID, auth.APIKeyPrefix): // would pass for a key
		return nil, errWrong
	}
	outcome = attempts.Right
	return &auth.Identity{
		ID:          user.ID,
		Issuer:      basicIssuer,
		Backend:     basicBackend,
		Staff:       user.Staff,
		Superuser:   user.Superuser,
		Permissions: user.Permissions,
	}, nil
}

// split takes user-id and password apart (RFC 7617, section 2): the text is
// UTF-8 without control characters, and the name ends at the first colon.
func split(encoded string) (username, password string, ok bool) {
	if strings.ContainsAny(encoded, "\r\n") { // which the decoder skips
		return "", "", false
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return "", "", false
	}
	username, password, ok = strings.Cut(string(decoded), ":")
	if !ok || username == "" || len(username) > maxPart || len(password) > maxPart || !text.IsPlain(username) || !text.IsPlain(password) {
		return "", "", false
	}
	return username, password, true
}

// Challenge implements auth.Challenger.
func (*Basic) Challenge() string { return "Basic" }

// Sources implements auth.SourceLister.
func (b *Basic) Sources() []auth.Source { return b.extractor.Sources() }

// UserStore returns the store that knows the users: its own or the global one.
func (b *Basic) UserStore() auth.UserStore { return b.store }

// Interface guards
var (
	_ caddy.Provisioner  = (*Basic)(nil)
	_ caddy.CleanerUpper = (*Basic)(nil)
	_ auth.Authenticator = (*Basic)(nil)
	_ auth.Challenger    = (*Basic)(nil)
	_ auth.SourceLister  = (*Basic)(nil)
)
