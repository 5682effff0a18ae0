// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
)

const (
	goodKey = "the-good-key-0123456789"
	badKey  = "some-bad-key-9876543210"
)

// badge is an authenticator that keeps the contract; each function breaks it
// when it is set.
type badge struct {
	instead  func(r *http.Request, right func(*http.Request) (*auth.Identity, error)) (*auth.Identity, error)
	identity func(*auth.Identity)
	sources  []auth.Source
	scheme   string
}

func (b *badge) Authenticate(r *http.Request) (*auth.Identity, error) {
	if b.instead != nil {
		return b.instead(r, b.right)
	}
	return b.right(r)
}

func (b *badge) right(r *http.Request) (*auth.Identity, error) {
	switch r.Header.Get("X-Badge") {
	case "":
		return nil, auth.ErrNoCredentials
	case goodKey:
	default:
		return nil, auth.Invalid(auth.ReasonUnknownAPIKey, "no such badge")
	}
	id := &auth.Identity{ID: "badge:7", Issuer: auth.LocalIssuer + "badge", Backend: "badge"}
	if b.identity != nil {
		b.identity(id)
	}
	return id, nil
}

func (b *badge) Sources() []auth.Source {
	if b.sources != nil {
		return b.sources
	}
	return []auth.Source{{Header: "X-Badge"}}
}

func (b *badge) Challenge() string {
	if b.scheme != "" {
		return b.scheme
	}
	return "Badge"
}

// answering is a badge that answers by itself.
type answering struct{ badge }

func (a *answering) AuthenticateResponse(r *http.Request) (*auth.Identity, *auth.Response, error) {
	id, err := a.right(r)
	return id, &auth.Response{}, err
}

var errDown = auth.Unavailable(auth.ReasonStoreUnavailable, errors.New("the badge office is closed"))

func badgeCase(b *badge) AuthenticatorCase {
	return AuthenticatorCase{
		New:         func(testing.TB) auth.Authenticator { return b },
		Good:        func(r *http.Request) { r.Header.Set("X-Badge", goodKey) },
		Bad:         map[string]func(*http.Request){"unknown": func(r *http.Request) { r.Header.Set("X-Badge", badKey) }},
		Secrets:     []string{"hush hush"},
		WantBackend: "badge",
		Down:        func(testing.TB) auth.Authenticator { return undecided(errDown) },
	}
}

// undecided returns an authenticator that answers err to everything.
func undecided(err error) auth.Authenticator {
	return &badge{instead: func(*http.Request, func(*http.Request) (*auth.Identity, error)) (*auth.Identity, error) {
		return nil, err
	}}
}

func TestBrokenAuthenticatorsAreNoticed(t *testing.T) {
	t.Parallel()
	type right = func(*http.Request) (*auth.Identity, error)
	instead := func(f func(*http.Request, right) (*auth.Identity, error)) AuthenticatorCase {
		return badgeCase(&badge{instead: f})
	}
	identity := func(f func(*auth.Identity)) AuthenticatorCase { return badgeCase(&badge{identity: f}) }
	// onBad answers err to the bad credential alone.
	onBad := func(id *auth.Identity, err error) AuthenticatorCase {
		return instead(func(r *http.Request, right right) (*auth.Identity, error) {
			if r.Header.Get("X-Badge") == badKey {
				return id, err
			}
			return right(r)
		})
	}
	down := func(a auth.Authenticator) AuthenticatorCase {
		c := badgeCase(&badge{})
		c.Down = func(testing.TB) auth.Authenticator { return a }
		return c
	}
	incomplete := badgeCase(&badge{})
	incomplete.Bad = nil
	blind := badgeCase(&badge{})
	blind.Good = func(*http.Request) {}
	returning := AuthenticatorCase{
		New: func(testing.TB) auth.Authenticator { return nil }, Good: incomplete.Good,
		Bad: badgeCase(nil).Bad, WantBackend: "badge",
	}
	var calls atomic.Int64
	var shared auth.Identity
	var mu sync.Mutex
	var seen, failed atomic.Bool
	disagreeing := badgeCase(nil)
	disagreeing.New = func(testing.TB) auth.Authenticator {
		a := new(answering)
		a.instead = func(*http.Request, right) (*auth.Identity, error) { return nil, auth.ErrNoCredentials }
		return a
	}

	noticed(t, badgeCase(&badge{}), authenticatorChecks, []broken[AuthenticatorCase]{
		{"no bad credential to try", incomplete, "the case is complete"},
		{"no good credential to try", blind, "the case is complete"},
		{"New returns nil", returning, "the case is complete"},

		{"refuses everybody", onGood(auth.Invalid(auth.ReasonUnknownAPIKey, "")), "a good credential gives an identity"},
		{"no ID", identity(func(id *auth.Identity) { id.ID = "" }), "a good credential gives an identity"},
		{"another backend", identity(func(id *auth.Identity) { id.Backend = "api_key" }), "a good credential gives an identity"},
		{"no issuer", identity(func(id *auth.Identity) { id.Issuer = "" }), "a good credential gives an identity"},
		{"a foreign issuer without a token", identity(func(id *auth.Identity) { id.Issuer = "https://id.example" }), "a good credential gives an identity"},
		{"a local issuer without a name", identity(func(id *auth.Identity) { id.Issuer = auth.LocalIssuer }), "a good credential gives an identity"},
		{"a token with a local issuer", identity(func(id *auth.Identity) { id.TokenID = "1" }), "a good credential gives an identity"},
		{"a token that passes for a key", identity(func(id *auth.Identity) {
			id.TokenID, id.Issuer, id.ID = "1", "https://id.example", auth.APIKeyPrefix+"ci"
		}), "a good credential gives an identity"},
		{"a session without a token", identity(func(id *auth.Identity) { id.SessionID = "s" }), "a good credential gives an identity"},
		{"claims that are no object", identity(func(id *auth.Identity) { id.Claims = auth.TrustedClaims([]byte(`[1]`)) }), "a good credential gives an identity"},
		{"Authenticate and AuthenticateResponse disagree", disagreeing, "a good credential gives an identity"},
		{"an identity beside an error", instead(func(r *http.Request, right right) (*auth.Identity, error) {
			id, err := right(r)
			if id != nil {
				err = errDown
			}
			return id, err
		}), "a good credential gives an identity"},

		{"neither identity nor error", instead(func(r *http.Request, right right) (*auth.Identity, error) {
			id, err := right(r)
			if errors.Is(err, auth.ErrNoCredentials) {
				err = nil
			}
			return id, err
		}), "an empty request has no credentials"},
		{"nothing presented is bad", instead(func(r *http.Request, right right) (*auth.Identity, error) {
			id, err := right(r)
			if errors.Is(err, auth.ErrNoCredentials) {
				err = auth.Invalid(auth.ReasonMalformedToken, "")
			}
			return id, err
		}), "an empty request has no credentials"},
		{"claims what belongs to others", instead(func(r *http.Request, right right) (*auth.Identity, error) {
			if r.Header.Get("Authorization") != "" {
				return nil, auth.Invalid(auth.ReasonMalformedToken, "")
			}
			return right(r)
		}), "an empty request has no credentials"},

		{"a bad credential is none", onBad(nil, auth.ErrNoCredentials), "a bad credential is refused with a reason"},
		{"a bad credential is an outage", onBad(nil, errDown), "a bad credential is refused with a reason"},
		{"a bad credential is accepted", onBad(&auth.Identity{ID: "x"}, nil), "a bad credential is refused with a reason"},
		{"a bad credential is nothing", onBad(nil, nil), "a bad credential is refused with a reason"},
		{"an invented reason", onBad(nil, auth.Invalid("because", "")), "a bad credential is refused with a reason"},
		{"the reason of an outage", onBad(nil, auth.Invalid(auth.ReasonStoreUnavailable, "")), "a bad credential is refused with a reason"},
		{"an identity beside a refusal", onBad(&auth.Identity{ID: "x"}, auth.Invalid(auth.ReasonUnknownAPIKey, "")), "a bad credential is refused with a reason"},

		{"the credential in the error", onBad(nil, auth.Invalid(auth.ReasonUnknownAPIKey, "no badge "+badKey)), "no secret in an error or an identity"},
		{"the credential as candidate", onBad(nil, auth.InvalidFor(badKey, auth.ReasonUnknownAPIKey, "")), "no secret in an error or an identity"},
		{"the credential as ID", identity(func(id *auth.Identity) { id.ID = goodKey }), "no secret in an error or an identity"},
		{"the credential among the permissions", identity(func(id *auth.Identity) { id.Permissions = auth.NewSet(goodKey) }), "no secret in an error or an identity"},
		{"a secret in a claim", identity(func(id *auth.Identity) { id.Claims = auth.TrustedClaims([]byte(`{"a":["hush hush"]}`)) }), "no secret in an error or an identity"},
		{"a secret in a claim, escaped", identity(func(id *auth.Identity) { id.Claims = auth.TrustedClaims([]byte(`{"a":"\u0068ush hush"}`)) }), "no secret in an error or an identity"},

		{"removes the credential", instead(func(r *http.Request, right right) (*auth.Identity, error) {
			id, err := right(r)
			r.Header.Del("X-Badge")
			return id, err
		}), "the request stays as it was"},
		{"adds to a header", instead(func(r *http.Request, right right) (*auth.Identity, error) {
			r.Header.Add("Accept", "x")
			return right(r)
		}), "the request stays as it was"},
		{"changes the path", instead(func(r *http.Request, right right) (*auth.Identity, error) {
			r.URL.Path = "/other"
			return right(r)
		}), "the request stays as it was"},
		{"reads the body", instead(func(r *http.Request, right right) (*auth.Identity, error) {
			_, _ = io.ReadAll(r.Body)
			return right(r)
		}), "the request stays as it was"},
		{"parses the form", instead(func(r *http.Request, right right) (*auth.Identity, error) {
			_ = r.ParseForm()
			return right(r)
		}), "the request stays as it was"},

		{"gives up after some calls", instead(func(r *http.Request, right right) (*auth.Identity, error) {
			if calls.Add(1) > 20 {
				return nil, auth.ErrNoCredentials
			}
			return right(r)
		}), "many requests at once"},
		{"changes what it returned", instead(func(r *http.Request, right right) (*auth.Identity, error) {
			id, err := right(r)
			if id == nil {
				return id, err
			}
			mu.Lock()
			defer mu.Unlock()
			if shared.ID == "" {
				shared = *id
			}
			shared.Staff = !shared.Staff
			shared.Permissions = auth.NewSet(append(shared.Permissions.Words(), string(rune('a'+len(shared.Permissions.Words()))))...)
			return &shared, nil
		}), "many requests at once"},

		{"waits for ever", instead(func(r *http.Request, right right) (*auth.Identity, error) {
			if r.Context().Err() != nil {
				select {}
			}
			return right(r)
		}), "a cancelled context"},
		{"a cancelled context makes it bad", instead(func(r *http.Request, right right) (*auth.Identity, error) {
			if r.Context().Err() != nil {
				return nil, auth.Invalid(auth.ReasonUnknownAPIKey, "")
			}
			return right(r)
		}), "a cancelled context"},
		{"a cancelled context makes it good", instead(func(r *http.Request, right right) (*auth.Identity, error) {
			if r.Context().Err() != nil {
				return &auth.Identity{ID: "x"}, nil
			}
			return right(r)
		}), "a cancelled context"},
		{"a cancelled context gives an identity beside its error", instead(func(r *http.Request, right right) (*auth.Identity, error) {
			id, err := right(r)
			if err == nil {
				err = r.Context().Err()
			}
			return id, err
		}), "a cancelled context"},

		{"a success is remembered for everybody", instead(func(r *http.Request, right right) (*auth.Identity, error) {
			id, err := right(r)
			if id != nil {
				seen.Store(true)
			} else if seen.Load() {
				return &auth.Identity{ID: "badge:7"}, nil
			}
			return id, err
		}), "one request does not decide another"},
		{"a failure is remembered for everybody", instead(func(r *http.Request, right right) (*auth.Identity, error) {
			id, err := right(r)
			if id != nil && failed.Load() {
				return nil, auth.Invalid(auth.ReasonUnknownAPIKey, "")
			}
			failed.Store(errors.Is(err, auth.ErrInvalidCredentials))
			return id, err
		}), "one request does not decide another"},

		{"a source is not named", badgeCase(&badge{sources: []auth.Source{{Header: "X-Other"}}}), "the sources hold the credential"},
		{"a source of two places", badgeCase(&badge{sources: []auth.Source{{Header: "X-Badge", Query: "badge"}}}), "the sources hold the credential"},
		{"a challenge with parameters", badgeCase(&badge{scheme: `Badge realm="x"`}), "the challenge is a scheme"},
		{"an outage is a refusal", down(undecided(auth.Invalid(auth.ReasonUnknownAPIKey, ""))), "what could not be decided is not refused"},
		{"an outage is no credential", down(undecided(auth.ErrNoCredentials)), "what could not be decided is not refused"},
		{"an outage accepts", down(&badge{}), "what could not be decided is not refused"},
		{"an outage shows the credential", down(undecided(auth.Unavailable(auth.ReasonStoreUnavailable, errors.New(goodKey)))), "what could not be decided is not refused"},
	})
}

// onGood answers err to the good credential.
func onGood(err error) AuthenticatorCase {
	return badgeCase(&badge{instead: func(r *http.Request, right func(*http.Request) (*auth.Identity, error)) (*auth.Identity, error) {
		if r.Header.Get("X-Badge") == goodKey {
			return nil, err
		}
		return right(r)
	}})
}

// A Responder may confuse missing and bad, and nobody else may.
func TestResponderMayConfuseMissingAndBad(t *testing.T) {
	t.Parallel()
	c := badgeCase(nil)
	c.New = func(testing.TB) auth.Authenticator { return confused{} }
	for name, messages := range failures(t, c, authenticatorChecks) {
		t.Errorf("%s: %q", name, messages)
	}
}

// confused is a Responder that answers "nothing presented" to what is bad.
type confused struct{}

func (confused) Authenticate(r *http.Request) (*auth.Identity, error) {
	id, err := new(badge).right(r)
	if err != nil {
		return nil, auth.ErrNoCredentials
	}
	return id, nil
}

func (c confused) AuthenticateResponse(r *http.Request) (*auth.Identity, *auth.Response, error) {
	id, err := c.Authenticate(r)
	return id, nil, err
}

// A Caddy-prepared request knows variables and placeholders.
func TestSignInIsWhatFromContextFinds(t *testing.T) {
	t.Parallel()
	r := NewRequest(t, http.MethodGet, "https://app.example.com/x")
	if _, ok := auth.FromContext(r.Context()); ok {
		t.Error("somebody is signed in before SignIn")
	}
	id := &auth.Identity{ID: "1", Issuer: auth.LocalIssuer + "badge"}
	SignIn(r, id, nil)
	if got, ok := auth.FromContext(r.Context()); !ok || got != id {
		t.Errorf("FromContext returns %v, %t", got, ok)
	}
	if _, err := auth.UserFromContext(r.Context()); !errors.Is(err, auth.ErrUserNotFound) {
		t.Errorf("UserFromContext without a store: %v", err)
	}
	if err := auth.Revoke(r.Context(), id.Token()); !errors.Is(err, auth.ErrNoRevocation) {
		t.Errorf("Revoke without a store: %v", err)
	}
	users, revocations := newPeople(), newMemory(nil)
	SignIn(r, &auth.Identity{ID: "7", Issuer: peopleIssuer, TokenID: "t"}, Services{UserStore: users, RevocationStore: revocations})
	if u, err := auth.UserFromContext(r.Context()); err != nil || u.Username != "ann" {
		t.Errorf("UserFromContext: %v", err)
	}
	token := auth.TokenRef{ID: "t"}
	if err := auth.Revoke(r.Context(), token); err != nil {
		t.Errorf("Revoke: %v", err)
	}
	if revoked, err := revocations.Revoked(r.Context(), token); err != nil || !revoked {
		t.Errorf("the token is not revoked: %v", err)
	}
}

func TestContextFindsItsServices(t *testing.T) {
	t.Parallel()
	ctx, cancel := NewContext(t, Services{SecretBytes: []byte("s")})
	s, err := auth.ServicesOf(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if secret, ok := s.Secret(); !ok || string(secret) != "s" {
		t.Error("the secret is not found")
	}
	if _, err := s.Signer(""); err == nil {
		t.Error("a signer is found that nobody set")
	}
	cancel()
	cancel()
	if ctx.Err() == nil {
		t.Error("the context goes on after its end")
	}
	none, _ := NewContext(t, nil)
	if s, err = auth.ServicesOf(none); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Secret(); ok {
		t.Error("a secret is found that nobody set")
	}
}
