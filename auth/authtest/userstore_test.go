// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

const peopleIssuer = auth.LocalIssuer + "people"

// person is a user and a password.
type person struct {
	user     auth.User
	password string
	inactive bool
}

// people is a user store that keeps the contract; each function breaks it when
// it is set. Its passwords are not hashed: no store of passwords, but fast.
type people struct {
	byName map[string]person
	verify func(ctx context.Context, username, password string, right func(username, password string) (*auth.User, error)) (*auth.User, error)
	load   func(ctx context.Context, ref auth.UserRef, right func(auth.UserRef) (*auth.User, error)) (*auth.User, error)
}

func newPeople() *people {
	return &people{byName: map[string]person{
		"ann": {user: auth.User{
			UserRef: auth.UserRef{Issuer: peopleIssuer, ID: "7"}, Username: "ann",
			Fields: auth.Object{"email": "ann@example.com"},
		}, password: "correct horse"},
		"bob": {user: auth.User{UserRef: auth.UserRef{Issuer: peopleIssuer, ID: "8"}, Username: "bob"}, password: "battery staple", inactive: true},
	}}
}

func (p *people) Verify(ctx context.Context, username, password string) (*auth.User, error) {
	if p.verify != nil {
		return p.verify(ctx, username, password, p.rightVerify)
	}
	return p.rightVerify(username, password)
}

func (p *people) rightVerify(username, password string) (*auth.User, error) {
	found, ok := p.byName[username]
	if !ok || found.inactive || found.password != password {
		return nil, auth.Invalid(auth.ReasonBadPassword, "")
	}
	u := found.user
	return &u, nil
}

func (p *people) Load(ctx context.Context, ref auth.UserRef) (*auth.User, error) {
	if p.load != nil {
		return p.load(ctx, ref, p.rightLoad)
	}
	return p.rightLoad(ref)
}

func (p *people) rightLoad(ref auth.UserRef) (*auth.User, error) {
	for _, found := range p.byName {
		if found.user.UserRef == ref && !found.inactive {
			u := found.user
			return &u, nil
		}
	}
	return nil, auth.ErrUserNotFound
}

// errBad is the one answer of a store that refuses.
var errBad = auth.Invalid(auth.ReasonBadPassword, "")

func peopleCase(p *people) UserStoreCase {
	closed := errors.New("the registry is closed")
	return UserStoreCase{
		New:           func(testing.TB) auth.UserStore { return p },
		User:          auth.UserRef{Issuer: peopleIssuer, ID: "7"},
		Login:         Login{"ann", "correct horse"},
		Inactive:      auth.UserRef{Issuer: peopleIssuer, ID: "8"},
		InactiveLogin: Login{"bob", "battery staple"},
		Secrets:       []string{"pepper-of-the-house"},
		Down:          func(testing.TB) auth.UserStore { return downPeople(nil, closed, nil, closed) },
	}
}

// downPeople answers the same to everybody.
func downPeople(verified *auth.User, verifyErr error, loaded *auth.User, loadErr error) *people {
	return &people{
		verify: func(context.Context, string, string, func(string, string) (*auth.User, error)) (*auth.User, error) {
			return verified, verifyErr
		},
		load: func(context.Context, auth.UserRef, func(auth.UserRef) (*auth.User, error)) (*auth.User, error) {
			return loaded, loadErr
		},
	}
}

func TestBrokenUserStoresAreNoticed(t *testing.T) {
	t.Parallel()
	type (
		rightVerify = func(string, string) (*auth.User, error)
		rightLoad   = func(auth.UserRef) (*auth.User, error)
	)
	verify := func(f func(ctx context.Context, username, password string, right rightVerify) (*auth.User, error)) UserStoreCase {
		p := newPeople()
		p.verify = f
		return peopleCase(p)
	}
	load := func(f func(ctx context.Context, ref auth.UserRef, right rightLoad) (*auth.User, error)) UserStoreCase {
		p := newPeople()
		p.load = f
		return peopleCase(p)
	}
	// refuse answers err where the login is refused and fits.
	refuse := func(fits func(username, password string) bool, err error) UserStoreCase {
		return verify(func(_ context.Context, username, password string, right rightVerify) (*auth.User, error) {
			if fits(username, password) {
				return nil, err
			}
			return right(username, password)
		})
	}
	user := func(f func(*auth.User)) UserStoreCase {
		p := newPeople()
		ann := p.byName["ann"]
		f(&ann.user)
		p.byName["ann"] = ann
		return peopleCase(p)
	}
	down := func(p *people) UserStoreCase {
		c := peopleCase(newPeople())
		c.Down = func(testing.TB) auth.UserStore { return p }
		return c
	}
	closed := errors.New("the registry is closed")
	lenient := func(match func(have, given string) bool) UserStoreCase {
		p := newPeople()
		return verify(func(_ context.Context, username, password string, right rightVerify) (*auth.User, error) {
			if found, ok := p.byName[username]; ok && !found.inactive && match(found.password, password) {
				return right(username, found.password)
			}
			return nil, errBad
		})
	}
	incomplete := peopleCase(newPeople())
	incomplete.Login.Password = ""
	half := peopleCase(newPeople())
	half.InactiveLogin = Login{}
	missing := peopleCase(nil)
	missing.New = func(testing.TB) auth.UserStore { return nil }
	var calls atomic.Int64
	var mu sync.Mutex
	shared := auth.Object{}

	noticed(t, peopleCase(newPeople()), userStoreChecks, []broken[UserStoreCase]{
		{"no password to try", incomplete, "the case is complete"},
		{"half an inactive user", half, "the case is complete"},
		{"New returns nil", missing, "the case is complete"},

		{"refuses everybody", verify(func(context.Context, string, string, rightVerify) (*auth.User, error) { return nil, errBad }), "the right password gives the user"},
		{"a user beside an error", verify(func(_ context.Context, username, password string, right rightVerify) (*auth.User, error) {
			u, err := right(username, password)
			if err == nil {
				err = closed
			}
			return u, err
		}), "the right password gives the user"},
		{"another ID than asked for", user(func(u *auth.User) { u.ID = "ann" }), "the right password gives the user"},
		{"no username", user(func(u *auth.User) { u.Username = "" }), "the right password gives the user"},

		{"accepts what only begins right", lenient(func(have, given string) bool { return strings.HasPrefix(given, have) }), "wrong, unknown and inactive are one answer"},
		{"accepts the beginning", lenient(func(have, given string) bool { return given != "" && strings.HasPrefix(have, given) }), "wrong, unknown and inactive are one answer"},
		{"accepts the empty password", lenient(func(have, given string) bool { return given == "" || have == given }), "wrong, unknown and inactive are one answer"},
		{"ends at a NUL", lenient(func(have, given string) bool { before, _, _ := strings.Cut(given, "\x00"); return have == before }), "wrong, unknown and inactive are one answer"},
		{"an unknown user is not found", refuse(func(username, _ string) bool { return username == nobody }, auth.ErrUserNotFound), "wrong, unknown and inactive are one answer"},
		{"an unknown user is told apart", refuse(func(username, _ string) bool { return username == nobody }, auth.Invalid(auth.ReasonBadPassword, "no such user")), "wrong, unknown and inactive are one answer"},
		{"an unknown user has another reason", refuse(func(username, _ string) bool { return username == nobody }, auth.Invalid(auth.ReasonMalformedToken, "")), "wrong, unknown and inactive are one answer"},
		{"an inactive user is told apart", refuse(func(username, password string) bool { return username == "bob" && password == "battery staple" }, auth.InvalidFor("8", auth.ReasonBadPassword, "")), "wrong, unknown and inactive are one answer"},
		{"an inactive user is accepted", verify(func(_ context.Context, username, password string, right rightVerify) (*auth.User, error) {
			if username == "bob" && password == "battery staple" {
				return &auth.User{UserRef: auth.UserRef{Issuer: peopleIssuer, ID: "8"}, Username: "bob"}, nil
			}
			return right(username, password)
		}), "wrong, unknown and inactive are one answer"},
		{"the reason of an outage", verify(func(_ context.Context, username, password string, right rightVerify) (*auth.User, error) {
			u, err := right(username, password)
			if err != nil {
				err = auth.Invalid(auth.ReasonStoreUnavailable, "")
			}
			return u, err
		}), "wrong, unknown and inactive are one answer"},

		{"a NUL is an outage", refuse(func(username, _ string) bool { return strings.Contains(username, "\x00") }, closed), "what a client shapes is never an outage"},
		{"bad UTF-8 in an ID is an outage", load(func(_ context.Context, ref auth.UserRef, right rightLoad) (*auth.User, error) {
			if strings.Contains(ref.ID, "\xff") {
				return nil, closed
			}
			return right(ref)
		}), "what a client shapes is never an outage"},
		{"a pattern finds anybody", load(func(_ context.Context, ref auth.UserRef, right rightLoad) (*auth.User, error) {
			if ref.ID == "%" {
				ref.ID = "7"
			}
			return right(ref)
		}), "what a client shapes is never an outage"},

		{"only known users cost time", verify(func(_ context.Context, username, password string, right rightVerify) (*auth.User, error) {
			if username == "ann" {
				for start := time.Now(); time.Since(start) < 5*time.Millisecond; {
				}
			}
			return right(username, password)
		}), "an unknown user takes as long as a wrong password"},

		{"every issuer's user 7 is ann", load(func(_ context.Context, ref auth.UserRef, right rightLoad) (*auth.User, error) {
			return right(auth.UserRef{Issuer: peopleIssuer, ID: ref.ID})
		}), "a user is loaded by issuer and ID"},
		{"an empty issuer is any", load(func(_ context.Context, ref auth.UserRef, right rightLoad) (*auth.User, error) {
			if ref.Issuer == "" {
				ref.Issuer = peopleIssuer
			}
			return right(ref)
		}), "a user is loaded by issuer and ID"},
		{"an unknown ID is an outage", load(func(_ context.Context, ref auth.UserRef, right rightLoad) (*auth.User, error) {
			if ref.ID == nobody {
				return nil, closed
			}
			return right(ref)
		}), "a user is loaded by issuer and ID"},
		{"an inactive user is loaded", load(func(_ context.Context, ref auth.UserRef, right rightLoad) (*auth.User, error) {
			if ref.ID == "8" {
				return &auth.User{UserRef: ref, Username: "bob"}, nil
			}
			return right(ref)
		}), "a user is loaded by issuer and ID"},
		{"neither user nor error", load(func(_ context.Context, ref auth.UserRef, right rightLoad) (*auth.User, error) {
			u, _ := right(ref)
			return u, nil
		}), "a user is loaded by issuer and ID"},
		{"Load forgets who is staff", load(func(_ context.Context, ref auth.UserRef, right rightLoad) (*auth.User, error) {
			u, err := right(ref)
			if u != nil {
				u.Staff = true
			}
			return u, err
		}), "a user is loaded by issuer and ID"},

		{"the password is a field", user(func(u *auth.User) { u.Fields = auth.Object{"secret": "correct horse"} }), "no password and no hash in a user"},
		{"the hash is a field", user(func(u *auth.User) { u.Fields = auth.Object{"x": auth.Object{"y": "pbkdf2_sha256$1$a$b"}} }), "no password and no hash in a user"},
		{"a field for the password", user(func(u *auth.User) { u.Fields = auth.Object{"Password": nil} }), "no password and no hash in a user"},
		{"the password in the error", verify(func(_ context.Context, username, password string, right rightVerify) (*auth.User, error) {
			u, err := right(username, password)
			if err != nil && password != "" {
				err = auth.Invalid(auth.ReasonBadPassword, "not "+password)
			}
			return u, err
		}), "no password and no hash in a user"},
		{"a secret of the house in a field", user(func(u *auth.User) { u.Fields = auth.Object{"x": "pepper-of-the-house"} }), "no password and no hash in a user"},

		{"gives up after some calls", verify(func(_ context.Context, username, password string, right rightVerify) (*auth.User, error) {
			if calls.Add(1) > 5 {
				return nil, closed
			}
			return right(username, password)
		}), "many requests at once"},
		{"changes what it returned", load(func(_ context.Context, ref auth.UserRef, right rightLoad) (*auth.User, error) {
			u, err := right(ref)
			mu.Lock()
			defer mu.Unlock()
			shared["calls"] = len(shared) + calls2(shared)
			if u != nil {
				u.Fields = shared
			}
			return u, err
		}), "many requests at once"},

		{"a cancelled context makes the password wrong", verify(func(ctx context.Context, username, password string, right rightVerify) (*auth.User, error) {
			if ctx.Err() != nil {
				return nil, errBad
			}
			return right(username, password)
		}), "a cancelled context"},
		{"a cancelled context makes the password right", verify(func(ctx context.Context, username, password string, right rightVerify) (*auth.User, error) {
			if ctx.Err() != nil {
				return right(username, "correct horse")
			}
			return right(username, password)
		}), "a cancelled context"},
		{"a cancelled context makes the user unknown", load(func(ctx context.Context, ref auth.UserRef, right rightLoad) (*auth.User, error) {
			if ctx.Err() != nil {
				return nil, auth.ErrUserNotFound
			}
			return right(ref)
		}), "a cancelled context"},
		{"waits for ever", load(func(ctx context.Context, ref auth.UserRef, right rightLoad) (*auth.User, error) {
			if ctx.Err() != nil {
				select {}
			}
			return right(ref)
		}), "a cancelled context"},

		{"an outage makes the password wrong", down(downPeople(nil, errBad, nil, closed)), "what could not be decided is not refused"},
		{"an outage makes the user unknown", down(downPeople(nil, closed, nil, auth.ErrUserNotFound)), "what could not be decided is not refused"},
		{"an outage accepts", down(newPeople()), "what could not be decided is not refused"},
		{"an outage shows the password", down(downPeople(nil, errors.New("correct horse"), nil, closed)), "what could not be decided is not refused"},
	})
}

// calls2 is the number that the object holds.
func calls2(o auth.Object) int {
	n, _ := o["calls"].(int)
	return n
}
