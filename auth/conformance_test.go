// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

// The examples keep the contract that they show: what their readers copy is
// what the suites accept.

func TestExampleAuthenticatorKeepsTheContract(t *testing.T) {
	t.Parallel()
	services := authtest.Services{SecretBytes: []byte("a secret of the house")}
	provision := func(tb testing.TB) *Ticket {
		tb.Helper()
		ctx, _ := authtest.NewContext(tb, services)
		ticket := new(Ticket)
		if err := ticket.Provision(ctx); err != nil {
			tb.Fatal(err)
		}
		return ticket
	}
	signer := provision(t)
	put := func(name, expires, signedName string) func(*http.Request) {
		return func(r *http.Request) {
			q := r.URL.Query()
			q.Add("ticket", name+"."+expires+"."+signer.sign(signedName, expires))
			r.URL.RawQuery = q.Encode()
		}
	}
	authtest.TestAuthenticator(t, authtest.AuthenticatorCase{
		New:  func(tb testing.TB) auth.Authenticator { return provision(tb) },
		Good: put("alice", "4102444800", "alice"),
		Bad: map[string]func(*http.Request){
			"of somebody else": put("root", "4102444800", "alice"),
			"expired":          put("alice", "1600000000", "alice"),
			"no number":        put("alice", "never", "alice"),
			"nameless":         put("", "4102444800", ""),
			"twice": func(r *http.Request) {
				put("alice", "4102444800", "alice")(r)
				put("alice", "4102444800", "alice")(r)
			},
		},
		Secrets:     []string{"a secret of the house"},
		WantBackend: "ticket",
	})
}

func TestExampleGuardKeepsTheContract(t *testing.T) {
	t.Parallel()
	authtest.TestGuard(t, authtest.GuardCase{
		New: func(testing.TB) auth.Guard {
			return &Weekdays{now: func() time.Time { return time.Date(2026, 8, 2, 12, 0, 0, 0, time.UTC) }}
		},
		Pass:   map[string]*auth.Identity{"staff": {ID: "bob", Staff: true}},
		Refuse: map[string]*auth.Identity{"alice": {ID: "alice"}},
	})
}

func TestExampleUserStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	authtest.TestUserStore(t, authtest.UserStoreCase{
		New:           func(testing.TB) auth.UserStore { return newTeam(10_000) },
		User:          auth.UserRef{Issuer: teamIssuer, ID: "1"},
		Login:         authtest.Login{Username: "ann", Password: "correct horse of ann"},
		Inactive:      auth.UserRef{Issuer: teamIssuer, ID: "2"},
		InactiveLogin: authtest.Login{Username: "bob", Password: "correct horse of bob"},
	})
}

func TestExampleRevocationStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	authtest.TestRevocationStore(t, authtest.RevocationStoreCase{
		New:   func(testing.TB) auth.RevocationStore { return newBlocklist(time.Now) },
		NewAt: func(_ testing.TB, now func() time.Time) auth.RevocationStore { return newBlocklist(now) },
	})
}

// A handler that runs behind the auth directive asks who is there.
func ExampleFromContext() {
	var handler http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) {
		id, ok := auth.FromContext(r.Context())
		if !ok {
			_, _ = fmt.Fprintln(w, "hello, whoever you are")
			return
		}
		tenant, _ := id.Claims.Text("tenant")
		_, _ = fmt.Fprintf(w, "hello %s of %s\n", id.ID, tenant)
	}
	t := new(testing.T) // in a test, the one it was given
	r := authtest.NewRequest(t, http.MethodGet, "https://app.example.com/")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	authtest.SignIn(r, &auth.Identity{ID: "alice", Claims: auth.TrustedClaims([]byte(`{"tenant":"acme"}`))}, nil)
	handler.ServeHTTP(w, r)
	fmt.Print(w.Body.String())

	// Output:
	// hello, whoever you are
	// hello alice of acme
}

func ExampleUserFromContext() {
	t := new(testing.T) // in a test, the one it was given
	r := authtest.NewRequest(t, http.MethodGet, "https://app.example.com/")
	authtest.SignIn(r, &auth.Identity{ID: "1", Issuer: teamIssuer}, authtest.Services{UserStore: newTeam(600_000)})
	user, err := auth.UserFromContext(r.Context())
	switch {
	case errors.Is(err, auth.ErrNoCredentials):
		fmt.Println("nobody is signed in")
	case errors.Is(err, auth.ErrUserNotFound):
		fmt.Println("gone")
	case err != nil:
		fmt.Println("ask again later")
	default:
		fmt.Println(user.Username, "of team", user.Fields["team"])
	}

	// Output:
	// ann of team blue
}

func ExampleClaims_Lookup() {
	claims, err := auth.ParseClaims([]byte(`{
		"sub": "alice",
		"account": 9007199254740993,
		"realm_access": {"roles": ["ops", "dev"]},
		"https://acme.com/roles": ["admin"]
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, path := range []string{"sub", "account", "realm_access.roles", "realm_access.roles.1", "https://acme.com/roles.0", "nothing"} {
		value, ok := claims.Lookup(path)
		fmt.Println(path, value, ok)
	}

	// Output:
	// sub alice true
	// account 9007199254740993 true
	// realm_access.roles ["ops","dev"] true
	// realm_access.roles.1 dev true
	// https://acme.com/roles.0 admin true
	// nothing <nil> false
}

func ExampleReasonOf() {
	expired := auth.InvalidFor("alice", auth.ReasonTokenExpired, "5 s ago")
	outage := auth.Unavailable(auth.ReasonStoreUnavailable, context.DeadlineExceeded)
	for _, err := range []error{auth.ErrNoCredentials, expired, outage, auth.Forbidden("not staff")} {
		fmt.Println(auth.ReasonOf(err))
	}

	// Output:
	// missing_credentials
	// token_expired
	// store_unavailable
	// forbidden
}
