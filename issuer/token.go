// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/attempts"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

func init() {
	caddy.RegisterModule(Token{})
}

const (
	defaultExpiresIn = time.Hour

	// maxExpiresIn keeps tokens from outliving the cut-off of a user, which
	// stores keep for 400 days.
	maxExpiresIn = 366 * 24 * time.Hour

	// storeTimeout bounds how long the stores may take.
	storeTimeout = 10 * time.Second

	// retryAfter is what a 503 suggests.
	retryAfter = 5 * time.Second
)

// Token is a log-in endpoint: it takes a name and a password, asks the user
// store of the global auth block, and answers with a token that a jwt of the
// global auth block accepts.
//
// It answers POST alone. The body is a JSON object or a form, of at most 8 KiB,
// with "username" and "password"; "grant_type" may be "password" (OAuth 2.0, RFC
// 6749, section 4.3). Other members are ignored. The answer is
//
//	{"access_token":"...","token_type":"bearer","expires_in":3600}
//
// and an error is one of RFC 6749, section 5.2:
//
//	400 invalid_request         the request is malformed, or a field is missing or repeated
//	400 unsupported_grant_type  "grant_type" is something else
//	400 invalid_grant           unknown user, wrong password or inactive user, all alike;
//	                            a refresh token that is not good
//	403 invalid_request         with cookies: the request comes from another site
//	405, 408, 413               not POST; a body that takes over 10 seconds; one over 8 KiB
//	429                         too many failed attempts, with Retry-After
//	503                         a store or the key cannot be used, with Retry-After
//
// A token holds the claims sub, username, is_staff, is_superuser, iat, exp, jti,
// and iss and aud if the jwt asks for them, and sid with refresh tokens. No token
// is issued that the jwt would refuse.
//
// Of one user name, 10 attempts may fail at once, and then one each 10 seconds;
// from one address (an IPv6 network of 64 bits), 50 and then one each second.
// Right passwords do not count; those of HTTP Basic count as well. The address is that of Caddy's trusted proxies:
// configure trusted_proxies behind one, or all clients share the proxy's.
type Token struct {
	// The name of the jwt authenticator of the global auth block that the
	// token is for. Default: the first.
	For string `json:"for,omitempty"`

	// How long a token is valid, in whole seconds up to 366 days. Default: 1
	// hour.
	ExpiresIn caddy.Duration `json:"expires_in,omitempty"`

	// What the token holds of the user besides: "permissions", a list, or any
	// field of the user store, such as "email". A field that the user does not
	// have is left out. Default: nothing.
	Include []string `json:"include,omitempty"`

	// Claims of the token by their names, as text. Placeholders of the request
	// and {http.auth.user.*}, the user who signs in, are replaced; a claim that
	// comes out empty is left out, one of over 1 KiB is refused. The claims that
	// the endpoint sets by itself cannot be set here, nor those from which the jwt
	// reads who somebody is or a flag; one from which it reads permissions takes
	// text and {http.auth.user.*} alone, since the rest is what clients send.
	Claims map[string]string `json:"claims,omitempty"`

	// Refresh tokens, with which a client gets new tokens without the password.
	// Default: none.
	Refresh *Refresh `json:"refresh,omitempty"`

	// Deliver the tokens in cookies, for browsers, and in no other way. Default:
	// in the body.
	Cookie *Cookie `json:"cookie,omitempty"`

	// Issue a token for whoever an auth further out has accepted, in place of a
	// name and a password. Default: false.
	Exchange bool `json:"exchange,omitempty"`

	logger   *zap.Logger
	clock    clock.Clock
	signer   auth.Signer
	users    auth.UserStore
	services auth.Services // asked for the revocation store, which a log-out may turn on
	sessions auth.RefreshStore
	sameSite *http.CrossOriginProtection
	attempts *attempts.Limiter
	acquired bool
	outage   *outage
	wait     func(context.Context, time.Duration) error

	unissuable *warning
}

// CaddyModule returns the Caddy module information.
func (Token) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.auth_token",
		New: func() caddy.Module { return new(Token) },
	}
}

// Provision finds the user store and the key.
func (t *Token) Provision(ctx caddy.Context) error {
	t.logger = ctx.Logger()
	t.outage, t.unissuable, t.wait = new(outage), new(warning), pause
	t.sameSite = http.NewCrossOriginProtection()
	if t.ExpiresIn == 0 {
		t.ExpiresIn = caddy.Duration(defaultExpiresIn)
	}
	services, err := auth.ServicesOf(ctx)
	if err != nil {
		return err
	}
	if t.users = services.Users(); t.users == nil && !t.Exchange {
		return errors.New("auth_token needs a user store: add \"users\" to the global auth block")
	}
	if t.signer, err = signer(services, t.For); err != nil {
		return err
	}
	if t.Exchange {
		if err := checkPlace(ctx); err != nil {
			return err
		}
	}
	t.services = services
	if err := t.provisionSessions(); err != nil {
		return err
	}
	if r, ok := services.(auth.IssuerRegistry); ok {
		r.NoteIssuer(t.signer.Issuer())
	}
	if c, ok := services.(auth.CookieRegistry); ok && t.Cookie != nil && t.Refresh != nil {
		c.NoteRefreshCookie(auth.RefreshCookie{Name: t.Cookie.refreshName(), Path: t.Cookie.RefreshPath})
	}
	if t.attempts, err = attempts.Acquire(); err != nil {
		return err
	}
	t.acquired = true
	return nil
}

// signer finds the jwt of that name, and makes sure that it can sign.
func signer(services auth.Services, name string) (auth.Signer, error) {
	s, err := services.Signer(name)
	if err != nil {
		return nil, fmt.Errorf("issuing tokens: %w", err)
	}
	if err := s.CanSign(); err != nil {
		return nil, fmt.Errorf("issuing tokens: %w", err)
	}
	return s, nil
}

// Validate judges the options.
func (t *Token) Validate() error {
	if err := checkExpiresIn(time.Duration(t.ExpiresIn)); err != nil {
		return err
	}
	for i, name := range t.Include {
		if err := checkClaim(name); err != nil {
			return fmt.Errorf("include: %w", err)
		}
		if slices.Contains(t.Include[:i], name) {
			return fmt.Errorf("include: %q is given twice", name)
		}
		if _, ok := t.Claims[name]; ok {
			return fmt.Errorf("claim %q is included already", name)
		}
	}
	for name, value := range t.Claims {
		if err := checkClaim(name); err != nil {
			return err
		}
		if value == "" {
			return fmt.Errorf("claim %q has no value", name)
		}
	}
	if err := t.checkRefresh(); err != nil {
		return err
	}
	if err := t.checkCookie(); err != nil {
		return err
	}
	return t.checkSigner()
}

func checkExpiresIn(d time.Duration) error {
	if d < time.Second || d > maxExpiresIn || d%time.Second != 0 {
		return fmt.Errorf("expires_in %s: it is whole seconds, at least one and at most 366 days", d)
	}
	return nil
}

// checkClaim refuses names that an option may not set.
func checkClaim(name string) error {
	switch {
	case name == "":
		return errors.New("a claim has no name")
	case isReserved(name):
		return fmt.Errorf("claim %q is set by auth_token itself", name)
	default:
		return nil
	}
}

// Cleanup gives the count of failed attempts away.
func (t *Token) Cleanup() error {
	if !t.acquired {
		return nil
	}
	t.acquired = false
	return attempts.Release()
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Token)(nil)
	_ caddy.Validator             = (*Token)(nil)
	_ caddy.CleanerUpper          = (*Token)(nil)
	_ caddyhttp.MiddlewareHandler = (*Token)(nil)
	_ caddyfile.Unmarshaler       = (*Token)(nil)
)
