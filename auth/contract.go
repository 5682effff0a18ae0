// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// Authenticator finds out who a request comes from.
//
// Authenticate is called for many requests at once. It changes nothing of the
// request, not its headers either, and writes nothing. It returns
//
//   - an identity and nil: proven;
//   - nil and ErrNoCredentials: the request holds nothing that is mine;
//   - nil and an error made with Invalid: it holds something of mine, and it
//     is bad;
//   - nil and any other error: could not decide, such as a store that is down.
//
// Never an identity beside an error. It honours the request's context and
// keeps every wait short: a visitor is waiting. No error holds any part of the
// credential.
type Authenticator interface {
	Authenticate(*http.Request) (*Identity, error)
}

// Guard says whether a request may pass.
//
// Check is called for many requests at once, with the identity that the
// request was proven to come from, or nil when nobody is signed in. It changes
// neither. It returns nil to let pass, ErrUnauthenticated when it needs an
// identity and there is none, an error made with Forbidden, ErrEvaluation, or
// any other error when it could not decide.
//
// A list of guards passes when all of its guards do.
type Guard interface {
	Check(*http.Request, *Identity) error
}

// Admission is what a list of guards does with a request that nobody is
// signed in for.
type Admission int

const (
	// RequireIdentity is what every list does that holds no Admitter.
	RequireIdentity Admission = iota

	// AdmitMissing lets pass what presents no credential, and refuses a
	// credential that nobody accepts.
	AdmitMissing

	// AdmitAnyone lets everything pass. A bad credential makes an anonymous
	// request of it.
	AdmitAnyone
)

// Admitter is a Guard that opens the list it stands in, at its top level, to
// requests that nobody is signed in for. Within another guard it has no effect.
type Admitter interface {
	Guard
	Admission() Admission
}

// Challenger is an Authenticator that tells clients how to sign in. Challenge
// returns a scheme of WWW-Authenticate: "Bearer", "Basic", "ApiKey" (RFC 9110,
// section 11.6.1). The handler adds the realm.
type Challenger interface {
	Challenge() (scheme string)
}

// Tolerant is an Authenticator that accepts tokens for a while after they have
// expired, since clocks differ. A revocation must last as much longer.
type Tolerant interface {
	Tolerance() time.Duration
}

// KeyReporter is an Authenticator whose keys come from elsewhere, and that says
// how it stands with them. It is what "caddy auth keys" shows.
type KeyReporter interface {
	KeyStatus() []KeyStatus
}

// KeyStatus is how it stands with the keys of one source.
type KeyStatus struct {
	// Source is where they come from, without user, password and query; "storage:"
	// and the place for keys that are made here.
	Source string `json:"source"`

	// Keys is how many there are. 0: tokens are answered with 503.
	Keys int `json:"keys"`

	// Confirmed is when the source last said that these are its keys.
	Confirmed time.Time `json:"confirmed,omitzero"`

	// Fetches and Failures count since the first configuration that names the
	// source.
	Fetches  uint64 `json:"fetches"`
	Failures uint64 `json:"failures"`

	// LastError is what was wrong with the last fetch; empty if nothing was.
	LastError string `json:"last_error,omitempty"`
}

// SourceLister is an Authenticator that says where in a request it looks. The
// handler uses the answer to strip credentials, to keep them out of logs and
// out of redirects; an authenticator without it is trusted to have no source.
type SourceLister interface {
	Sources() []Source
}

// Responder is an Authenticator that answers by itself, such as a provider that
// redirects to a log-in page or begins a session with a cookie, and that
// cannot tell a missing credential from a bad one. The guard "optional" is
// refused beside it.
//
// The handler calls AuthenticateResponse in place of Authenticate. The response
// is used only if it decides the outcome: its header when the credential was
// accepted, all of it when nobody accepted the request and no other
// authenticator found a credential of its own in it.
type Responder interface {
	Authenticator
	AuthenticateResponse(*http.Request) (*Identity, *Response, error)
}

// Response is what a Responder would like to answer.
type Response struct {
	Header http.Header
	Status int // 0 when it wrote none
	Body   []byte
}

// Signer is an Authenticator that can make tokens which it accepts itself.
type Signer interface {
	Authenticator

	// Name is the name that the configuration gives the authenticator, or "".
	Name() string

	// CanSign returns nil, or an error that says which key is missing.
	CanSign() error

	// Sign returns a token with the payload, a JSON object. The error wraps
	// ErrInvalidCredentials if it would refuse the token whoever made it.
	Sign(ctx context.Context, payload []byte) (string, error)

	// Issuer and Audience are the first "iss" and "aud" that it accepts; empty
	// when it asks for none.
	Issuer() string
	Audience() string

	// PublicKeys returns the JWK set (RFC 7517, section 5) with which others
	// verify what it signs. The set is empty for a secret.
	PublicKeys() ([]byte, error)
}

// PayloadChecker is a Signer that says beforehand what it would make of a token.
type PayloadChecker interface {
	// CheckPayload returns the identity that a token with the payload, a JSON
	// object, would be accepted as at that time, or the error that it would be
	// refused with. It touches no key.
	CheckPayload(payload []byte, at time.Time) (*Identity, error)
}

// ClaimReader is a Signer that says what it makes of a claim beforehand, so that
// clients cannot give themselves what they may do.
type ClaimReader interface {
	// ClaimUse returns what a claim of that name is read as.
	ClaimUse(name string) ClaimUse
}

// ClaimUse is what a claim says of somebody.
type ClaimUse int

const (
	// ClaimOther is a claim that decides nothing by itself.
	ClaimOther ClaimUse = iota

	// ClaimPermissions holds permissions.
	ClaimPermissions

	// ClaimIdentity is who somebody is, or one of their flags.
	ClaimIdentity
)

// Minter is an endpoint that issues tokens, and makes one without asking for a
// password. It is what "caddy auth token --user" calls.
type Minter interface {
	// Mint returns a token of the user with this ID, as the endpoint would issue
	// it, for the lifetime given; 0 means that of the endpoint. It is called
	// without a running app: it starts the user store and the keys itself, and
	// does not look at revocation.
	Mint(ctx caddy.Context, userID string, lifetime time.Duration) (string, error)
}

// Source is a place in a request where a credential may stand. Exactly one of
// Header, Cookie and Query is set.
type Source struct {
	// Header is the name of a header. Names with "_" or "." are refused:
	// Caddy drops such headers.
	Header string `json:"header,omitempty"`

	// Scheme is the authentication scheme that stands before the credential
	// in the header, without regard to case: "Bearer". Empty: the whole value
	// is the credential.
	Scheme string `json:"scheme,omitempty"`

	// Cookie is the name of a cookie.
	Cookie string `json:"cookie,omitempty"`

	// Query is the name of a parameter of the query.
	Query string `json:"query,omitempty"`
}

// User is a user of a UserStore. Like an Identity it is immutable once it was
// returned, and holds no secret.
type User struct {
	UserRef

	// Username is what the user signs in with.
	Username string

	Staff       bool
	Superuser   bool
	Permissions Set

	// Fields are whatever else the store knows, such as "email". They are what
	// {http.auth.user.<field>} shows.
	Fields Object
}

// UserStore knows users.
//
// Methods are called for many requests at once and honour their context.
type UserStore interface {
	// Verify returns the user who signs in with this name and password. An
	// unknown user, a wrong password and a user who may not sign in are one
	// answer, ErrInvalidCredentials, after the same time. Any other error means
	// that the store could not decide.
	Verify(ctx context.Context, username, password string) (*User, error)

	// Load returns the user. It returns ErrUserNotFound for a user who is not
	// there, who may not sign in, or whose issuer the store does not serve.
	Load(ctx context.Context, user UserRef) (*User, error)
}

// RevocationStore remembers which tokens were ended before their time.
//
// Methods are called for many requests at once and honour their context.
// Revoked is on the path of every request: it is answered from memory.
type RevocationStore interface {
	// Revoked reports whether the token was revoked: by its ID, by its session,
	// or with all tokens of its user issued until a cut-off, which a token
	// without an IssuedAt is always before. An error means that the store
	// could not decide.
	Revoked(ctx context.Context, token TokenRef) (bool, error)

	// Revoke ends the token with this ID and, if it has a SessionID, the
	// session. The entry is kept until the time given; zero means the default
	// of the store. When Revoke returns nil, Revoked answers true from then on,
	// on this node at once.
	Revoke(ctx context.Context, token TokenRef, until time.Time) error

	// RevokeUser ends every token of the user that was issued at issuedBefore
	// or earlier. A later cut-off replaces an earlier one, never the reverse.
	RevokeUser(ctx context.Context, user UserRef, issuedBefore, until time.Time) error
}
