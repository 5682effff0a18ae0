// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
)

// door is a guard that lets staff pass; instead breaks it.
type door struct {
	instead func(r *http.Request, id *auth.Identity, right func(*auth.Identity) error) error
}

func (d door) Check(r *http.Request, id *auth.Identity) error {
	if d.instead != nil {
		return d.instead(r, id, rightDoor)
	}
	return rightDoor(id)
}

func rightDoor(id *auth.Identity) error {
	switch {
	case id == nil:
		return auth.ErrUnauthenticated
	case !id.Staff:
		return auth.Forbidden("not staff")
	default:
		return nil
	}
}

// openDoor is an Admitter.
type openDoor struct {
	admission auth.Admission
	err       error
}

func (o openDoor) Check(_ *http.Request, id *auth.Identity) error {
	if id == nil {
		return o.err
	}
	return nil
}
func (o openDoor) Admission() auth.Admission { return o.admission }

func doorCase(g auth.Guard) GuardCase {
	return GuardCase{
		New:     func(testing.TB) auth.Guard { return g },
		Pass:    map[string]*auth.Identity{"staff": {ID: "1", Staff: true, Permissions: auth.NewSet("a")}},
		Refuse:  map[string]*auth.Identity{"visitor": {ID: "2", Claims: auth.TrustedClaims([]byte(`{"tenant":"acme-secret"}`))}},
		Secrets: []string{"acme-secret"},
		Down: func(testing.TB) auth.Guard {
			return door{func(*http.Request, *auth.Identity, func(*auth.Identity) error) error { return errDown }}
		},
	}
}

func TestBrokenGuardsAreNoticed(t *testing.T) {
	t.Parallel()
	instead := func(f func(*http.Request, *auth.Identity, func(*auth.Identity) error) error) GuardCase {
		return doorCase(door{f})
	}
	// onVisitor answers err to the one who is refused.
	onVisitor := func(err error) GuardCase {
		return instead(func(_ *http.Request, id *auth.Identity, right func(*auth.Identity) error) error {
			if id != nil && !id.Staff {
				return err
			}
			return right(id)
		})
	}
	onNobody := func(err error) GuardCase {
		return instead(func(_ *http.Request, id *auth.Identity, right func(*auth.Identity) error) error {
			if id == nil {
				return err
			}
			return right(id)
		})
	}
	open := func(o openDoor) GuardCase {
		c := doorCase(o)
		c.Refuse = nil
		return c
	}
	down := func(err error) GuardCase {
		c := doorCase(door{})
		c.Down = func(testing.TB) auth.Guard {
			return door{func(*http.Request, *auth.Identity, func(*auth.Identity) error) error { return err }}
		}
		return c
	}
	var calls atomic.Int64
	incomplete := doorCase(door{})
	incomplete.Pass = nil
	unnamed := doorCase(door{})
	unnamed.Refuse = map[string]*auth.Identity{"nobody": nil}
	missing := doorCase(nil)
	missing.New = func(testing.TB) auth.Guard { return nil }

	noticed(t, doorCase(door{}), guardChecks, []broken[GuardCase]{
		{"nobody to let pass", incomplete, "the case is complete"},
		{"nobody among the refused", unnamed, "the case is complete"},
		{"New returns nil", missing, "the case is complete"},

		{"lets nobody pass", instead(func(*http.Request, *auth.Identity, func(*auth.Identity) error) error {
			return auth.Forbidden("")
		}), "who may pass passes"},

		{"lets everybody pass", onVisitor(nil), "who may not pass is forbidden"},
		{"tells who is signed in to sign in", onVisitor(auth.ErrUnauthenticated), "who may not pass is forbidden"},
		{"a refusal is an outage", onVisitor(errDown), "who may not pass is forbidden"},
		{"a refusal is a bad credential", onVisitor(auth.Invalid(auth.ReasonTokenExpired, "")), "who may not pass is forbidden"},

		{"lets the anonymous pass", onNobody(nil), "nobody is not signed in"},
		{"the anonymous is forbidden", onNobody(auth.Forbidden("")), "nobody is not signed in"},
		{"the anonymous is both", onNobody(errors.Join(auth.ErrUnauthenticated, auth.ErrForbidden)), "nobody is not signed in"},
		{"an Admitter that refuses", open(openDoor{auth.AdmitMissing, auth.ErrUnauthenticated}), "nobody is not signed in"},
		{"an Admitter that admits nobody and lets pass", open(openDoor{auth.RequireIdentity, nil}), "nobody is not signed in"},
		{"an Admitter of an unknown kind", open(openDoor{auth.Admission(7), auth.ErrUnauthenticated}), "nobody is not signed in"},

		{"a claim in the error", onVisitor(auth.Forbidden("tenant is acme-secret")), "no secret in an error"},
		{"a claim among the scopes", onVisitor(auth.ForbiddenScope("acme-secret", "")), "no secret in an error"},

		{"sets a header", instead(func(r *http.Request, id *auth.Identity, right func(*auth.Identity) error) error {
			r.Header.Set("X-User", "x")
			return right(id)
		}), "request and identity stay as they were"},
		{"adds a permission", instead(func(_ *http.Request, id *auth.Identity, right func(*auth.Identity) error) error {
			if id != nil {
				id.Permissions = auth.NewSet(append(id.Permissions.Words(), "x"+id.Permissions.String())...)
			}
			return right(id)
		}), "request and identity stay as they were"},

		{"lets pass after some calls", instead(func(_ *http.Request, id *auth.Identity, right func(*auth.Identity) error) error {
			if calls.Add(1) > 10 {
				return nil
			}
			return right(id)
		}), "many requests at once"},

		{"lets pass when the visitor has gone", instead(func(r *http.Request, id *auth.Identity, right func(*auth.Identity) error) error {
			if r.Context().Err() != nil {
				return nil
			}
			return right(id)
		}), "a cancelled context"},
		{"forbids when the visitor has gone", instead(func(r *http.Request, id *auth.Identity, right func(*auth.Identity) error) error {
			if r.Context().Err() != nil {
				return auth.Forbidden("")
			}
			return right(id)
		}), "a cancelled context"},
		{"waits for ever", instead(func(r *http.Request, id *auth.Identity, right func(*auth.Identity) error) error {
			if r.Context().Err() != nil {
				select {}
			}
			return right(id)
		}), "a cancelled context"},

		{"an outage lets pass", down(nil), "what could not be decided does not pass"},
		{"an outage forbids", down(auth.Forbidden("")), "what could not be decided does not pass"},
		{"an outage shows a claim", down(errors.New("tenant acme-secret")), "what could not be decided does not pass"},
	})
}

func TestAdmittersKeepTheContract(t *testing.T) {
	t.Parallel()
	for _, a := range []auth.Admission{auth.AdmitMissing, auth.AdmitAnyone} {
		c := doorCase(openDoor{admission: a})
		c.Refuse = nil
		for name, messages := range failures(t, c, guardChecks) {
			t.Errorf("%s: %q", name, messages)
		}
	}
}
