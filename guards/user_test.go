// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

// people is a user store that answers the same to everybody.
type people struct {
	user *auth.User
	err  error
}

func (p people) Verify(context.Context, string, string) (*auth.User, error) {
	return nil, errors.New("nobody asks for a password")
}
func (p people) Load(context.Context, auth.UserRef) (*auth.User, error) { return p.user, p.err }

// ann is the user of signedIn.
func ann() *auth.User {
	return &auth.User{
		UserRef: signedIn(`{}`).User(), Username: "ann", Staff: true, Permissions: auth.NewSet("reports.view"),
		Fields: auth.Object{
			"email": "ann@example.com", "level": 3, "ratio": float32(0.5), "groups": []string{"ops", "dev"},
			"raw": []byte("bytes"), "since": time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), "nothing": nil,
			"closed": false, "odd": make(chan int),
		},
	}
}

// askUser asks the guard about the user that the store knows.
func askUser(t *testing.T, text string, store auth.UserStore) error {
	t.Helper()
	id := signedIn(`{"email":"claim@example.com"}`)
	r := authtest.NewRequest(t, http.MethodGet, "https://app.example.com/")
	authtest.SignIn(r, id, authtest.Services{UserStore: store})
	return mustLoad(t, text).Check(r, id)
}

func TestUserKeepsTheContract(t *testing.T) {
	t.Parallel()
	other := signedIn(`{}`)
	other.ID = "8"
	authtest.TestGuard(t, authtest.GuardCase{
		New:      from("user email ann@example.com"),
		Pass:     ids{"ann": signedIn(`{}`)},
		Services: authtest.Services{UserStore: people{user: ann()}},
		Secrets:  []string{"ann@example.com"},
		Down:     from("user email ann@example.com"),
		DownRequest: func(tb testing.TB, id *auth.Identity) *http.Request {
			r := authtest.NewRequest(tb, http.MethodGet, "https://app.example.com/")
			authtest.SignIn(r, id, authtest.Services{UserStore: people{err: errors.New("no answer")}})
			return r
		},
	})
	authtest.TestGuard(t, authtest.GuardCase{
		New:      from("user email"),
		Pass:     ids{"ann": signedIn(`{}`)},
		Services: authtest.Services{UserStore: people{user: ann()}},
	})
	authtest.TestGuard(t, authtest.GuardCase{
		New:      from("any {\n\tuser email other@example.com\n\tclaim pass\n}"),
		Pass:     ids{"claim": signedIn(`{"pass":1}`)},
		Refuse:   ids{"ann": signedIn(`{}`)},
		Services: authtest.Services{UserStore: people{user: ann()}},
	})
}

func TestUserFieldsAreComparedLikeClaims(t *testing.T) {
	t.Parallel()
	store := people{user: ann()}
	for _, text := range []string{
		"user id 7", "user username ann bob", "user is_staff", "user is_staff true", "user is_superuser false",
		"user permissions reports.view", "user email ann@example.com", "user level", "user level 3", "user ratio 0.5",
		"user groups dev", "user raw bytes", "user since 2026-01-02T00:00:00Z", "user closed false",
	} {
		if err := askUser(t, text, store); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{
		"user id 8", "user username Ann", "user is_superuser", "user is_superuser true", "user permissions reports.edit",
		"user email claim@example.com", "user level 4", "user groups op", "user nothing", `user nothing ""`, "user closed",
		"user missing", "user missing x", "user email.x", "user odd", "user odd x",
	} {
		if err := askUser(t, text, store); !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestUserWhoIsGoneIsForbidden(t *testing.T) {
	t.Parallel()
	for what, store := range map[string]auth.UserStore{"not found": people{err: auth.ErrUserNotFound}, "no store": nil} {
		if err := askUser(t, "user id", store); !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Attack: wait for the database to be down, and be let in by "not", or be taken
// for the user of the request before.
func TestUserStoreThatDoesNotAnswerDecidesNothing(t *testing.T) {
	t.Parallel()
	other := ann()
	other.Issuer = "https://other.example.com"
	for what, store := range map[string]people{
		"error":                  {err: errors.New("no connection")},
		"cancelled":              {err: context.Canceled},
		"no user":                {},
		"another user":           {user: other},
		"answer of a guard":      {err: auth.Forbidden("the store forbids")},
		"wrapped guard's answer": {err: auth.Unavailable(auth.ReasonStoreUnavailable, auth.ErrForbidden)},
		"asks for a log-in":      {err: auth.ErrUnauthenticated},
		"not evaluated":          {err: auth.ErrEvaluation},
		"bad credentials":        {err: auth.ErrInvalidCredentials},
		"no credentials":         {err: auth.ErrNoCredentials},
	} {
		for _, text := range []string{"user email", "user email ann@example.com", "not user email x", "any {\n\tuser email x\n\tstaff\n}", "not any {\n\tuser email x\n\tstaff\n}"} {
			err := askUser(t, text, store)
			if outcomeOf(err) != notDecided {
				t.Errorf("%s: %s: %v", what, text, err)
			}
			for _, answer := range []error{auth.ErrForbidden, auth.ErrEvaluation, auth.ErrUnauthenticated} {
				if errors.Is(err, answer) {
					t.Errorf("%s: %s: is %v", what, text, answer)
				}
			}
		}
	}
	// control: the same guards about a store that answers
	if err := askUser(t, "not user email x", people{user: ann()}); err != nil {
		t.Errorf("control: %v", err)
	}
}

// A handler of somebody else may check a guard without a request of auth.
func TestUserWithoutTheHandlerDecidesNothing(t *testing.T) {
	t.Parallel()
	r := authtest.NewRequest(t, http.MethodGet, "https://app.example.com/")
	if err := mustLoad(t, "user id").Check(r, signedIn(`{}`)); outcomeOf(err) != notDecided {
		t.Errorf("%v", err)
	}
}

func TestUserInTheConfiguration(t *testing.T) {
	t.Parallel()
	adapts(t, map[string]string{
		"user email":         `{"field":"email","guard":"user"}`,
		"user groups ops qa": `{"field":"groups","guard":"user","values":["ops","qa"]}`,
	})
	refused(t, map[string]string{
		"user":             `guard "user" needs the name of a field`,
		`user ""`:          "a field is required",
		"user a {env.X}":   "holds a placeholder",
		`{"guard":"user"}`: "a field is required",
		`{"guard":"user","field":"a","values":[]}`: "values are an empty list",
	})
}
