// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
)

// Services is what modules need of the app "auth": what the global block
// configures once for all.
type Services interface {
	// Secret returns the global secret, resolved and not empty; false when
	// none is configured. The bytes must not be changed.
	Secret() ([]byte, bool)

	// Signer returns the authenticator of the global block that signs: the one
	// of that name, or the first jwt when name is empty. Call it when the
	// request comes or in Provision of a handler, not of an authenticator.
	Signer(name string) (Signer, error)

	// Users returns the global user store, or nil when none is configured.
	Users() UserStore

	// Revocation returns the global revocation store, or nil when revocation
	// is off.
	Revocation() RevocationStore
}

// Revoker is Services that turn revocation on where somebody needs it.
type Revoker interface {
	// RequireRevocation returns the global revocation store. Without one, it
	// turns on the store that "revocation" alone means.
	RequireRevocation() (RevocationStore, error)
}

// IssuerRegistry is Services that know which issuers' tokens are made here, by
// whoever issues them. The users of such a token are the users of the store.
type IssuerRegistry interface {
	// NoteIssuer says that tokens of the issuer are made here. Call it in
	// Provision.
	NoteIssuer(issuer string)

	// Issues reports whether they are. Ask when a request comes. It is false for
	// the empty issuer where others than the one that signs here accept tokens
	// without one.
	Issues(issuer string) bool
}

// CookieRegistry is Services that know in which cookies of this server refresh
// tokens stand, so that a log-out finds them.
type CookieRegistry interface {
	// NoteRefreshCookie says that there is one. Call it in Provision.
	NoteRefreshCookie(RefreshCookie)

	// RefreshCookies returns them. Ask when a request comes.
	RefreshCookies() []RefreshCookie
}

// RefreshCookie is a cookie that holds a refresh token.
type RefreshCookie struct {
	Name string

	// Path is its path. Empty: the folder of the endpoint that sets it.
	Path string
}

// servicesKey is the context key of WithServices.
type servicesKey struct{}

// WithServices returns a context whose services are those given. It is for
// tests: in a running Caddy the app "auth" provides them.
func WithServices(ctx caddy.Context, s Services) caddy.Context {
	return ctx.WithValue(servicesKey{}, s)
}

// ServicesOf returns the services of the configuration that ctx belongs to.
// Call it in Provision. Without a global auth block they are those of an
// app with defaults.
func ServicesOf(ctx caddy.Context) (Services, error) {
	if s, ok := ctx.Value(servicesKey{}).(Services); ok {
		return s, nil
	}
	app, err := ctx.App("auth")
	if err != nil {
		return nil, err
	}
	s, ok := app.(Services)
	if !ok {
		return nil, fmt.Errorf("app \"auth\" is a %T, which provides no services", app)
	}
	return s, nil
}
