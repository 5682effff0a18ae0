// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package users has the stores of users: the modules http.auth.users.*, one
// file each.
package users

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/passhash"
	"github.com/caddybolt/caddy-bolt/internal/secret"
)

func init() {
	caddy.RegisterModule(Static{})
	caddy.RegisterModule(new(File))
	caddy.RegisterModule(new(SQL))
}

// Static is a list of users that stands in the configuration.
//
// Passwords are hashed, as "caddy hash-password" prints them: bcrypt or
// argon2id. A wrong password, a name that is not there and a user who is
// disabled are one answer, after the same time. As many hashes are computed at
// once as the machine has processors; who waits for more than a second is
// refused with 503. A password that was right is remembered for five minutes,
// as a keyed digest and only for its user and hash, so that a page with its
// images costs one hash.
//
// The users are those of HTTP Basic log-ins on this server, and of the issuers
// that are named: the user 1 of another issuer is not the user 1 here.
type Static struct {
	// The users, at least one.
	Users []StaticUser `json:"users,omitempty"`

	// Issuers whose subjects are the IDs of these users, beside HTTP Basic
	// log-ins here. Default: those whose tokens auth_token issues here.
	Issuers []string `json:"issuers,omitempty"`

	// Whether the subjects of tokens that have no issuer ("iss") are the IDs of
	// these users as well, such as those of create_jwt_for_user of Django-Bolt.
	// Whoever can sign such a token that a jwt here accepts can name any user.
	// Default: only where auth_token issues such tokens here, and one jwt alone
	// accepts them.
	NoIssuer bool `json:"no_issuer,omitempty"`

	users  *directory
	served served
}

// StaticUser is a user of Static.
type StaticUser struct {
	// The name to sign in with, of any letters, compared to the letter.
	// Required. Placeholders such as {env.ADMIN_NAME} are replaced.
	Username string `json:"username,omitempty"`

	// The hash of the password, as "caddy hash-password" prints it. Required.
	// Placeholders such as {env.ADMIN_HASH} are replaced.
	Password string `json:"password,omitempty"`

	// What identifies the user to applications and in tokens. Default: the
	// name.
	ID string `json:"id,omitempty"`

	// Whether the user is staff, and a superuser. Default: false.
	Staff     bool `json:"staff,omitempty"`
	Superuser bool `json:"superuser,omitempty"`

	// What the user may do. Default: nothing.
	Permissions []string `json:"permissions,omitempty"`

	// Whether the user may not sign in. Default: false.
	Disabled bool `json:"disabled,omitempty"`

	// Whatever else is known of the user, a JSON object:
	// {http.auth.user.<name>}. Text in it is data: no placeholder is replaced.
	Fields json.RawMessage `json:"fields,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Static) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.users.static",
		New: func() caddy.Module { return new(Static) },
	}
}

// Provision prepares the users.
func (s *Static) Provision(ctx caddy.Context) error {
	if len(s.Users) == 0 {
		return errors.New("users: at least one user is required")
	}
	var err error
	if s.served, err = newServed(ctx, s.Issuers, s.NoIssuer); err != nil {
		return err
	}
	s.users = newDirectory()
	for i := range s.Users {
		a, err := s.Users[i].account()
		if err == nil {
			err = s.users.add(a)
		}
		if err != nil {
			return fmt.Errorf("users: position %d: %w", i, err)
		}
	}
	return nil
}

// account resolves and checks the user. No error shows a hash.
func (u *StaticUser) account() (*account, error) {
	name, err := secret.Resolve(u.Username)
	if err != nil {
		return nil, fmt.Errorf("username: %w", err)
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	encoded, err := secret.Resolve(u.Password)
	if err != nil {
		if secret.IsInline(u.Password) { // what it names may be a piece of a password
			err = passhash.ErrFormat
		}
		return nil, fmt.Errorf("user %q: password: %w", name, err)
	}
	hash, err := passhash.Parse(encoded)
	if err != nil {
		return nil, fmt.Errorf("user %q: password: %w", name, err)
	}
	return u.accountOf(name, hash)
}

// Verify implements auth.UserStore.
func (s *Static) Verify(ctx context.Context, username, password string) (*auth.User, error) {
	return s.users.verify(ctx, username, password)
}

// Serves reports whether the issuer's subjects are the IDs of these users.
func (s *Static) Serves(issuer string) bool { return s.served.serves(issuer) }

// Load implements auth.UserStore.
func (s *Static) Load(_ context.Context, ref auth.UserRef) (*auth.User, error) {
	if !s.served.serves(ref.Issuer) {
		return nil, auth.ErrUserNotFound
	}
	return s.users.load(ref)
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Static)(nil)
	_ caddyfile.Unmarshaler = (*Static)(nil)
	_ auth.UserStore        = (*Static)(nil)
)
