// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

func init() {
	caddy.RegisterModule(Admin{})
}

// Admin adds a route to Caddy's admin API:
//
//	GET /auth/status   {"keys":[{"source":"https://id.example.com","keys":2,...}]}
//
// It says how it stands with the keys that authenticators fetch from elsewhere or
// make for themselves.
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
	return []caddy.AdminRoute{{Pattern: "/auth/status", Handler: caddy.AdminHandlerFunc(serveStatus)}}
}

// status is what the route answers.
type status struct {
	Keys []auth.KeyStatus `json:"keys"`
}

func serveStatus(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("the method must be GET")}
	}
	app, err := activeApp()
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err}
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(app.status())
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

// status asks every authenticator, each source once.
func (a *App) status() status {
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
	return s
}

// Interface guards
var _ caddy.AdminRouter = Admin{}
