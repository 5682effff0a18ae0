// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// LocalIssuer is the prefix of the issuers that this module keeps for itself:
// an API key, a password and a provider have no issuer of their own and carry
// "local:" and the name of their backend. No token may claim one.
const LocalIssuer = "local:"

// APIKeyPrefix begins the ID of every API key's identity. A token whose
// subject begins with it is refused, so that no token can pass for a key.
const APIKeyPrefix = "apikey:"

// ExchangedPrefix begins the ID of who exchanged another credential for a token:
// another issuer's user, an API key. No user of a store has such an ID.
const ExchangedPrefix = "exchanged:"

// Identity is who a request was proven to come from.
//
// An authenticator fills it in and gives it away: from then on it is immutable,
// shared between requests and goroutines, and may be cached. Nothing in it is
// a secret: no token, key, password or hash.
type Identity struct {
	// ID names the user or client among those of its Issuer: a token's
	// subject, "apikey:" and the name of a key, the ID of a user. Never empty.
	ID string

	// Issuer says whose ID it is. Two identities are the same user only when
	// Issuer and ID are equal. Never empty for an identity that no token
	// brought: see LocalIssuer. A token without "iss" has the empty issuer.
	Issuer string

	// Backend is the word of the authenticator that accepted the credential:
	// "jwt", "api_key", "basic".
	Backend string

	// Staff and Superuser are the two flags that guards of these names ask for.
	Staff     bool
	Superuser bool

	// Permissions are what the credential may do. A superuser has no
	// permission that is not listed here.
	Permissions Set

	// Claims are the claims of the token, or the metadata of the key.
	Claims Claims

	// TokenID identifies the token for revocation: its "jti", or, for a token
	// without one, the SHA-256 of its decoded payload in hexadecimal. Empty
	// for a credential that is not a token.
	TokenID string

	// SessionID is the "sid" of the token: the family of tokens that one
	// log-in began. Empty when there is none.
	SessionID string

	// IssuedAt and ExpiresAt are "iat" and "exp". Zero when unknown.
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// String returns the ID, so that an identity that is printed by accident
// shows no claim.
func (id *Identity) String() string {
	if id == nil {
		return ""
	}
	return id.ID
}

// User returns the reference of the user that the identity belongs to.
func (id *Identity) User() UserRef { return UserRef{Issuer: id.Issuer, ID: id.ID} }

// Token returns the reference of the token that brought the identity. Its ID
// is empty when no token did.
func (id *Identity) Token() TokenRef {
	return TokenRef{
		ID:        id.TokenID,
		SessionID: id.SessionID,
		User:      id.User(),
		IssuedAt:  id.IssuedAt,
		ExpiresAt: id.ExpiresAt,
	}
}

// UserRef names a user. A bare ID is never enough: another provider's "1" is
// not the local user "1".
type UserRef struct {
	Issuer string
	ID     string
}

// IsLocal reports whether the issuer is one of those that LocalIssuer keeps.
func (u UserRef) IsLocal() bool { return strings.HasPrefix(u.Issuer, LocalIssuer) }

// TokenRef names a token, never by its text.
type TokenRef struct {
	// ID is the "jti" or, without one, the digest of the payload.
	ID string

	// SessionID is the "sid", the family of the token; it may be empty.
	SessionID string

	// User is whose token it is.
	User UserRef

	// IssuedAt is zero when the token does not say; such a token counts as
	// issued before any cut-off.
	IssuedAt time.Time

	// ExpiresAt is zero when the token does not say.
	ExpiresAt time.Time
}

// RequestVar is the name of the request variable of Caddy in which the
// auth handler keeps what it found out.
const RequestVar = "caddybolt.auth"

// Request is what the auth handler keeps in RequestVar.
type Request interface {
	// Identity returns who the request comes from, or nil when nobody is
	// signed in.
	Identity() *Identity

	// Revoke ends the token.
	Revoke(context.Context, TokenRef) error

	// User loads the user of the identity, once per request.
	User(context.Context) (*User, error)
}

// FromContext returns the identity of the request that ctx belongs to, for
// handlers that run behind the auth directive. It returns false when nobody is
// signed in: on public routes, with the guard "optional", without auth.
func FromContext(ctx context.Context) (*Identity, bool) {
	req, ok := caddyhttp.GetVar(ctx, RequestVar).(Request)
	if !ok {
		return nil, false
	}
	id := req.Identity()
	return id, id != nil
}

// UserFromContext loads the user of the identity from the user store, once per
// request. It returns ErrNoCredentials when nobody is signed in, and
// ErrUserNotFound when no configured store serves the issuer or the user is
// gone.
func UserFromContext(ctx context.Context) (*User, error) {
	req, ok := caddyhttp.GetVar(ctx, RequestVar).(Request)
	if !ok || req.Identity() == nil {
		return nil, ErrNoCredentials
	}
	return req.User(ctx)
}

// Revoke ends the token, for handlers that run behind the auth directive. It
// fails when no revocation store is configured.
func Revoke(ctx context.Context, token TokenRef) error {
	req, ok := caddyhttp.GetVar(ctx, RequestVar).(Request)
	if !ok {
		return ErrNoRevocation
	}
	return req.Revoke(ctx, token)
}
