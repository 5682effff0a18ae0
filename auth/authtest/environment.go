// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
)

// Services are services for tests; what is not set is not configured.
type Services struct {
	SecretBytes     []byte
	UserStore       auth.UserStore
	RevocationStore auth.RevocationStore
	SignerFunc      func(name string) (auth.Signer, error)
}

// Secret returns SecretBytes.
func (s Services) Secret() ([]byte, bool) { return s.SecretBytes, len(s.SecretBytes) > 0 }

// Users returns UserStore.
func (s Services) Users() auth.UserStore { return s.UserStore }

// Revocation returns RevocationStore.
func (s Services) Revocation() auth.RevocationStore { return s.RevocationStore }

// Signer calls SignerFunc.
func (s Services) Signer(name string) (auth.Signer, error) {
	if s.SignerFunc == nil {
		return nil, errors.New("no signer is configured")
	}
	return s.SignerFunc(name)
}

// NewContext returns a context to provision modules with, which finds the
// services; nil stands for Services{}. The function ends the context and cleans
// up the modules that were loaded with it, once; the end of the test calls it
// too. The context belongs to no configuration: it has no storage and no apps.
func NewContext(tb testing.TB, s auth.Services) (caddy.Context, context.CancelFunc) {
	tb.Helper()
	if s == nil {
		s = Services{}
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	var once sync.Once
	end := func() { once.Do(cancel) }
	tb.Cleanup(end)
	return auth.WithServices(ctx, s), end
}

// NewRequest returns a request that is prepared as a server of Caddy does it:
// it has variables and a replacer. Nobody is signed in.
func NewRequest(tb testing.TB, method, target string) *http.Request {
	tb.Helper()
	r := httptest.NewRequestWithContext(context.Background(), method, target, nil)
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), &caddyhttp.Server{})
}

// SignIn makes r a request that comes from id, as the auth handler does: for
// auth.FromContext and its like. The user store and the revocation store are
// those of s, which may be nil.
func SignIn(r *http.Request, id *auth.Identity, s auth.Services) {
	if s == nil {
		s = Services{}
	}
	caddyhttp.SetVar(r.Context(), auth.RequestVar, &request{id: id, services: s})
}

// request is what the auth handler keeps for a request.
type request struct {
	id       *auth.Identity
	services auth.Services
}

func (r *request) Identity() *auth.Identity { return r.id }

func (r *request) Revoke(ctx context.Context, token auth.TokenRef) error {
	store := r.services.Revocation()
	if store == nil {
		return auth.ErrNoRevocation
	}
	return store.Revoke(ctx, token, token.ExpiresAt)
}

func (r *request) User(ctx context.Context) (*auth.User, error) {
	store := r.services.Users()
	if store == nil {
		return nil, auth.ErrUserNotFound
	}
	return store.Load(ctx, r.id.User())
}

// Interface guards
var (
	_ auth.Services = Services{}
	_ auth.Request  = (*request)(nil)
)
