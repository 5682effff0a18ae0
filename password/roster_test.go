// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package password

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
)

func init() {
	caddy.RegisterModule(new(roster))
	caddy.RegisterModule(new(noStore))
}

// roster is a user store for tests, under the name of the one that keeps users
// in the configuration: names, and passwords in clear.
type roster struct {
	Users  []rosterUser `json:"users,omitempty"`
	answer func(ctx context.Context, username, password string) (*auth.User, error)
	calls  atomic.Int64
}

type rosterUser struct {
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	Staff    bool   `json:"staff,omitempty"`
}

func (*roster) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.auth.users.static", New: func() caddy.Module { return new(roster) }}
}

// UnmarshalCaddyfile parses static { user <name> <password> { staff } }.
func (s *roster) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() != "user" {
			return d.Errf("unrecognized roster option %q", d.Val())
		}
		var u rosterUser
		if !d.AllArgs(&u.Username, &u.Password) {
			return d.Err("user takes a name and a password")
		}
		for nesting := d.Nesting(); d.NextBlock(nesting); {
			if d.Val() != "staff" || d.NextArg() {
				return d.Errf("unrecognized user option %q", d.Val())
			}
			u.Staff = true
		}
		s.Users = append(s.Users, u)
	}
	return nil
}

func (s *roster) Verify(ctx context.Context, username, password string) (*auth.User, error) {
	s.calls.Add(1)
	if s.answer != nil {
		return s.answer(ctx, username, password)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, u := range s.Users {
		if u.Username == username && u.Password == password {
			return &auth.User{
				UserRef: auth.UserRef{Issuer: "https://elsewhere.example.com", ID: "id-of-" + username}, Username: username,
				Staff: u.Staff, Superuser: strings.HasPrefix(username, "root"), Permissions: auth.NewSet("a.read"), Fields: auth.Object{"email": "x"},
			}, nil
		}
	}
	return nil, auth.Invalid(auth.ReasonBadPassword, "no such user "+username+" or password "+password) // which stores must not say
}

func (s *roster) Load(context.Context, auth.UserRef) (*auth.User, error) {
	return nil, auth.ErrUserNotFound
}

// answering is a store that gives one answer.
func answering(user *auth.User, err error) *roster {
	return &roster{answer: func(context.Context, string, string) (*auth.User, error) { return user, err }}
}

var errDown = errors.New("connection refused")

// noStore stands among the user stores and is none.
type noStore struct{}

func (*noStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.auth.users.not_a_store", New: func() caddy.Module { return new(noStore) }}
}
