// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// exchangedPrefix begins the subject of every token that was exchanged for a
// credential: no user of the store has such an ID, or gets a token.
const exchangedPrefix = "exchanged:"

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
	subject := exchangedPrefix + issuerText.Replace(id.Issuer) + "|" + id.ID
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
