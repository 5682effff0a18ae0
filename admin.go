// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

func init() {
	caddy.RegisterModule(Admin{})
}

// Admin adds routes to Caddy's admin API:
//
//	GET    /auth/status             how it stands with keys that are fetched or made here, and with the revocation store
//	GET    /auth/revocations        {"count":2,"revocations":[{"jti":"...","until":"..."},...]}
//	POST   /auth/revocations        {"jti":"...","until":"..."}, or by "sid" or "user"
//	DELETE /auth/revocations/<jti>  forgets it; ?jti=, ?sid= and ?user= do so too
//
// Whoever can reach the admin API can change the whole configuration: what
// protects it protects these routes.
//
// It holds nothing: after a rejected reload, its configuration would be the
// rejected one.
type Admin struct{}

// CaddyModule returns the Caddy module information.
func (Admin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.auth",
		New: func() caddy.Module { return new(Admin) },
	}
}

// Routes implements caddy.AdminRouter.
func (Admin) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "/auth/status", Handler: caddy.AdminHandlerFunc(serveStatus)},
		{Pattern: revocationsPath, Handler: caddy.AdminHandlerFunc(serveRevocations)},
		{Pattern: revocationsPath + "/", Handler: caddy.AdminHandlerFunc(serveRevocations)},
	}
}

// status is what /auth/status answers.
type status struct {
	Keys       []auth.KeyStatus  `json:"keys"`
	Revocation *revocationStatus `json:"revocation,omitempty"`
}

// revocationStatus is how it stands with the revocation store.
type revocationStatus struct {
	Store    string `json:"store"`
	Deciding bool   `json:"deciding"`        // whether it answers; if not, requests get 503 or pass, as it is configured
	Count    *int   `json:"count,omitempty"` // unless it cannot be listed
	Error    string `json:"error,omitempty"`
}

func serveStatus(w http.ResponseWriter, r *http.Request) error {
	if err := checkMethod(w, r, http.MethodGet); err != nil {
		return err
	}
	app, err := activeApp()
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err}
	}
	return writeAdmin(w, app.status(r.Context()))
}

// activeApp returns the app of the configuration that is running; an empty one
// if that has none.
func activeApp() (*App, error) {
	ctx := caddy.ActiveContext()
	mod, err := ctx.AppIfConfigured("auth")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return new(App), nil
	}
	if err != nil {
		return nil, err
	}
	app, ok := mod.(*App)
	if !ok {
		return nil, fmt.Errorf("app \"auth\" is a %T", mod)
	}
	return app, nil
}

// status asks every authenticator, each source once, and the revocation store.
func (a *App) status(ctx context.Context) status {
	s := status{Keys: []auth.KeyStatus{}}
	seen := make(map[string]bool)
	for _, r := range a.reporters {
		for _, k := range r.KeyStatus() {
			if !seen[k.Source] {
				seen[k.Source] = true
				s.Keys = append(s.Keys, k)
			}
		}
	}
	if a.revocation != nil {
		s.Revocation = a.revocationStatus(ctx)
	}
	return s
}

func (a *App) revocationStatus(ctx context.Context) *revocationStatus {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	s := new(revocationStatus)
	if mod, ok := a.revocation.(caddy.Module); ok {
		s.Store = mod.CaddyModule().ID.Name()
	}
	// No token has this ID: it is a path.
	if _, err := a.revocation.Revoked(ctx, auth.TokenRef{ID: "/auth/status"}); err != nil {
		s.Error = err.Error()
		return s
	}
	s.Deciding = true
	if _, count, err := listPage(ctx, a.revocation, auth.Revocation{}, 0); err == nil {
		s.Count = &count
	}
	return s
}

// Interface guards
var _ caddy.AdminRouter = Admin{}
