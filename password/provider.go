// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package password

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/module"
)

const (
	providerBackend = "provider"
	providerIssuer  = auth.LocalIssuer + providerBackend
	providersSpace  = "http.authentication.providers"

	// panicsEvery bounds how often a provider that panics is logged.
	panicsEvery = int64(time.Minute)
)

// Provider accepts whom a provider of Caddy's own handler "authentication"
// accepts: "http_basic", or one of a plugin.
//
// The provider gets a copy of the request, without its body, and writes into a
// buffer: what it answers reaches the client only when it decides the outcome,
// at most 1 MiB of it. Providers cannot say whether a credential was missing
// or wrong, which is why the guard "optional" does not go with this one.
//
// A request that the provider accepts is that user's: {http.auth.user.id} is
// the ID that the provider gives, {http.auth.backend} is "provider" and what
// else the provider says of the user are {http.auth.claims.*}.
//
// A request that it does not accept is answered with what the provider wrote,
// otherwise with 401; {http.auth.error} is "missing_credentials" or, where the
// provider named a user or reported an error, "bad_password". A provider that
// panics or accepts a user without an ID is 503.
type Provider struct {
	// The provider. A module of http.authentication.providers; its name stands
	// in the member "provider". Required.
	ProviderRaw json.RawMessage `json:"provider,omitempty" caddy:"namespace=http.authentication.providers inline_key=provider"`

	provider caddyauth.Authenticator
	name     string
	logger   *zap.Logger
	clock    clock.Clock
	warned   atomic.Int64
}

// CaddyModule returns the Caddy module information.
func (*Provider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.authenticators.provider",
		New: func() caddy.Module { return new(Provider) },
	}
}

// Provision loads the provider.
func (p *Provider) Provision(ctx caddy.Context) error {
	p.logger = ctx.Logger()
	if len(p.ProviderRaw) == 0 {
		return errors.New("provider is required")
	}
	mod, err := ctx.LoadModule(p, "ProviderRaw")
	if err != nil {
		return fmt.Errorf("loading provider: %w", err)
	}
	provider, ok := mod.(caddyauth.Authenticator)
	if !ok {
		return fmt.Errorf("provider: %T is not an authentication provider", mod)
	}
	p.provider = provider
	if m, ok := mod.(caddy.Module); ok {
		p.name = m.CaddyModule().ID.Name()
	}
	return nil
}

// Authenticate implements auth.Authenticator.
func (p *Provider) Authenticate(r *http.Request) (*auth.Identity, error) {
	id, _, err := p.AuthenticateResponse(r)
	return id, err
}

// Errors of AuthenticateResponse, made once.
var (
	errPanicked  = auth.Unavailable(auth.ReasonStoreUnavailable, errors.New("the provider panicked"))
	errNoID      = auth.Unavailable(auth.ReasonStoreUnavailable, errors.New("the provider accepted a user without an ID"))
	errMetadata  = auth.Unavailable(auth.ReasonStoreUnavailable, errors.New("the provider's metadata are not text"))
	errProvider  = auth.Invalid(auth.ReasonBadPassword, "the provider reported an error")
	errReserved  = auth.Invalid(auth.ReasonBadPassword, "the user's ID is that of an API key")
	errAnonymous = auth.Invalid(auth.ReasonBadPassword, "the provider refused a user")
)

// AuthenticateResponse implements auth.Responder.
func (p *Provider) AuthenticateResponse(r *http.Request) (*auth.Identity, *auth.Response, error) {
	w := newBuffer()
	user, accepted, err, panicked := p.ask(w, copyOf(r))
	if panicked {
		return nil, nil, errPanicked // what it wrote until then means nothing
	}
	if err != nil {
		// Its text may hold the credential. "accepted" beside an error is no
		// acceptance.
		if c := p.logger.Check(zapcore.DebugLevel, "provider reported an error"); c != nil {
			c.Write(zap.String("provider", p.name))
		}
		return nil, w.refused(), errProvider
	}
	if !accepted {
		return nil, w.refused(), refusalOf(user)
	}
	id, err := identityOf(user)
	if err != nil {
		return nil, nil, err
	}
	return id, w.accepted(), nil
}

// ask calls the provider. A panic ends here: what becomes of it further up is
// not for a log-in to depend on.
func (p *Provider) ask(w http.ResponseWriter, r *http.Request) (user caddyauth.User, accepted bool, err error, panicked bool) { //nolint:revive // the provider's order
	panicked = true
	defer func() {
		if !panicked {
			return
		}
		_ = recover() // its value may hold the credential
		p.warnPanic()
	}()
	user, accepted, err = p.provider.Authenticate(w, r)
	panicked = false
	return user, accepted, err, panicked
}

// warnPanic warns of a panic, not more often than once a minute: a client can
// repeat what causes it.
func (p *Provider) warnPanic() {
	now, last := p.clock.Now().UnixNano(), p.warned.Load()
	if (last == 0 || now-last >= panicsEvery) && p.warned.CompareAndSwap(last, now) {
		p.logger.Warn("provider panicked; its requests are refused with 503", zap.String("provider", p.name))
	}
}

// copyOf returns a request that the provider may change, with the context of r
// and nothing of its body, which is for whoever serves the request.
func copyOf(r *http.Request) *http.Request {
	c := r.Clone(r.Context())
	if c.Header == nil {
		c.Header = make(http.Header)
	}
	c.Body, c.GetBody, c.ContentLength, c.TransferEncoding = http.NoBody, nil, 0, nil
	c.Form, c.PostForm, c.MultipartForm = nil, nil, nil
	return c
}

// refusalOf says what a refusal without an error means: providers answer the
// same to no credential and to a wrong one, and some name the user.
func refusalOf(user caddyauth.User) error {
	switch {
	case user.ID != "":
		return auth.InvalidFor(user.ID, auth.ReasonBadPassword, "the provider refused a user")
	case len(user.Metadata) > 0:
		return errAnonymous
	default:
		return auth.ErrNoCredentials
	}
}

func identityOf(user caddyauth.User) (*auth.Identity, error) {
	if user.ID == "" {
		return nil, errNoID
	}
	if strings.HasPrefix(user.ID, auth.APIKeyPrefix) {
		return nil, errReserved
	}
	object := make(map[string]any, len(user.Metadata))
	for name, value := range user.Metadata {
		object[name] = value
	}
	claims, err := auth.NewClaims(object)
	if err != nil {
		return nil, errMetadata
	}
	return &auth.Identity{ID: user.ID, Issuer: providerIssuer, Backend: providerBackend, Claims: claims}, nil
}

// Sources implements auth.SourceLister, for the one provider of which it is
// known where it looks.
func (p *Provider) Sources() []auth.Source {
	if _, ok := p.provider.(*caddyauth.HTTPBasicAuth); ok {
		return []auth.Source{{Header: "Authorization", Scheme: "Basic"}}
	}
	return nil
}

// UnmarshalCaddyfile parses
//
//	provider <name> ...  # what follows is the provider's own
func (p *Provider) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the module
	if !d.NextArg() {
		return d.Err("provider takes the name of an authentication provider")
	}
	name := d.Val()
	if module.Known(providersSpace, name) {
		info, err := caddy.GetModule(providersSpace + "." + name)
		if err != nil {
			return d.WrapErr(err)
		}
		if _, ok := info.New().(caddyfile.Unmarshaler); !ok {
			hint := "configure it in JSON"
			if name == "http_basic" {
				hint = "use basic"
			}
			return d.Errf("provider %q cannot be configured in a Caddyfile: %s", name, hint)
		}
	}
	raw, err := module.Parse(d, providersSpace, "provider", "provider")
	p.ProviderRaw = raw
	return err
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Provider)(nil)
	_ caddyfile.Unmarshaler = (*Provider)(nil)
	_ auth.Responder        = (*Provider)(nil)
	_ auth.SourceLister     = (*Provider)(nil)
)
