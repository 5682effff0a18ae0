// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
)

var errNothingToExchange = &failure{
	status: http.StatusUnauthorized, code: codeInvalidRequest, description: "nobody is signed in",
}

// exchange makes a token for whoever an auth further out has accepted.
func (t *Token) exchange(r *http.Request) (*grant, error) {
	id, ok := auth.FromContext(r.Context())
	if !ok {
		return nil, errNothingToExchange
	}
	if id.TokenID != "" && id.Issuer == t.signer.Issuer() {
		// A token of ours would live on and on, past its end and its revocation.
		return nil, &failure{status: http.StatusBadRequest, code: codeInvalidGrant, description: "the credential is a token of this issuer already"}
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	user := t.userOf(id)
	s := stamp{id: identify(), lifetime: time.Duration(t.ExpiresIn)}
	var err error
	if s.issued, err = t.issuedAt(ctx, user.ID, s.id); err != nil {
		return nil, err
	}
	if !id.ExpiresAt.IsZero() { // what it is exchanged for must not outlive it
		s.lifetime = min(s.lifetime, id.ExpiresAt.Sub(s.issued).Truncate(time.Second))
	}
	if s.lifetime < time.Second { // accepted within the leeway
		return nil, &failure{status: http.StatusBadRequest, code: codeInvalidGrant, description: "the credential ends at this moment"}
	}
	return t.sign(ctx, r, user, s)
}

// userOf returns the user that an identity becomes. Its ID is made of the issuer
// and the ID there, so that neither another issuer's "1" nor a key's name is a
// user of the store, or another issuer's user. Flags come with permissions alone.
func (t *Token) userOf(id *auth.Identity) *auth.User {
	subject := auth.ExchangedPrefix + issuerText.Replace(id.Issuer) + "|" + id.ID
	user := &auth.User{
		UserRef:  auth.UserRef{Issuer: t.signer.Issuer(), ID: subject},
		Username: subject,
		Fields:   auth.Object{},
	}
	for _, name := range t.Include {
		if name == "permissions" {
			user.Permissions, user.Staff, user.Superuser = id.Permissions, id.Staff, id.Superuser
			continue
		}
		if value, ok := id.Claims.Lookup(name); ok && value != nil {
			user.Fields[name] = value
		}
	}
	return user
}

// issuerText writes an issuer so that it ends at the first "|".
var issuerText = strings.NewReplacer("%", "%25", "|", "%7C")

// checkPlace refuses an endpoint that runs before the auth of its own block, as
// it does wherever Caddy sorts directives, and behind no other: it would never
// issue anything.
func checkPlace(ctx caddy.Context) error {
	late := false // whether an auth comes after the endpoint in its block
	innermost := true
	for _, m := range slices.Backward(ctx.Modules()) {
		block, ok := m.(*caddyhttp.Subroute)
		if !ok {
			continue
		}
		early, after := authsOf(block)
		if early {
			return nil
		}
		late = late || innermost && after
		innermost = false
	}
	if late {
		return errors.New("exchange issues a token for whom an auth has accepted, and auth_token runs before the auth of its block: write both into route, the auth first")
	}
	return nil
}

// authsOf reports whether an auth stands before the handler of the block that is
// being provisioned, and whether one stands after it.
func authsOf(block *caddyhttp.Subroute) (early, late bool) {
	current := false // whether it was passed
	for _, route := range block.Routes {
		for _, h := range route.Handlers { // of a route that is provisioned
			m, ok := h.(caddy.Module)
			early = early || ok && m.CaddyModule().ID == "http.handlers.auth"
		}
		for _, raw := range route.HandlersRaw { // of the others
			var handler struct {
				Name string `json:"handler"`
			}
			switch _ = json.Unmarshal(raw, &handler); {
			case handler.Name == "auth_token" || handler.Name == "subroute":
				current = true
			case handler.Name == "auth":
				early, late = early || !current, late || current
			}
		}
	}
	return early, late
}
