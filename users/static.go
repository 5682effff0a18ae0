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
	"hash/maphash"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/passhash"
	"github.com/caddybolt/caddy-bolt/internal/secret"
	"github.com/caddybolt/caddy-bolt/internal/text"
)

func init() {
	caddy.RegisterModule(Static{})
}

// localBasic is the issuer of who signs in with HTTP Basic.
const localBasic = auth.LocalIssuer + "basic"

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

	byName map[string]*account
	byID   map[string]*account
	hashes []passhash.Hash // one of each user
	seed   maphash.Seed
	issues auth.IssuerRegistry // nil where nobody knows
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

// account is a user who was found well formed.
type account struct {
	user     auth.User
	hash     passhash.Hash
	disabled bool
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
	if slices.Contains(s.Issuers, "") {
		return errors.New("issuers: an issuer is empty")
	}
	services, err := auth.ServicesOf(ctx)
	if err != nil {
		return err
	}
	s.issues, _ = services.(auth.IssuerRegistry)
	s.seed = maphash.MakeSeed()
	s.byName = make(map[string]*account, len(s.Users))
	s.byID = make(map[string]*account, len(s.Users))
	s.hashes = make([]passhash.Hash, 0, len(s.Users))
	for i := range s.Users {
		a, err := s.Users[i].account()
		if err != nil {
			return fmt.Errorf("users: position %d: %w", i, err)
		}
		if s.byName[a.user.Username] != nil {
			return fmt.Errorf("users: position %d: there are two users named %q", i, a.user.Username)
		}
		if other := s.byID[a.user.ID]; other != nil {
			return fmt.Errorf("users: position %d: users %q and %q have one ID", i, other.user.Username, a.user.Username)
		}
		s.byName[a.user.Username], s.byID[a.user.ID] = a, a
		s.hashes = append(s.hashes, a.hash)
	}
	return nil
}

// account checks the user. No error shows a hash.
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
	id := u.ID
	if id == "" {
		id = name
	}
	if err := checkID(id); err != nil {
		return nil, fmt.Errorf("user %q: %w", name, err)
	}
	if err := text.CheckWords("permissions", u.Permissions); err != nil {
		return nil, fmt.Errorf("user %q: %w", name, err)
	}
	fields, err := u.fields()
	if err != nil {
		return nil, fmt.Errorf("user %q: fields: %w", name, err)
	}
	return &account{
		user: auth.User{
			UserRef:     auth.UserRef{Issuer: localBasic, ID: id},
			Username:    name,
			Staff:       u.Staff,
			Superuser:   u.Superuser,
			Permissions: auth.NewSet(u.Permissions...),
			Fields:      fields,
		},
		hash:     hash,
		disabled: u.Disabled,
	}, nil
}

// checkName refuses a name that nobody can sign in with.
func checkName(name string) error {
	switch {
	case looksLikeHash(name):
		return errors.New("the name of a user is a hash")
	case strings.Contains(name, ":"): // it ends there (RFC 7617, section 2)
		return fmt.Errorf("user %q: a name holds no colon", name)
	case !text.IsPlain(name):
		return errors.New("the name of a user holds control characters or is not UTF-8")
	}
	return nil
}

// checkID refuses an ID that could pass for somebody else's.
func checkID(id string) error {
	if strings.HasPrefix(id, auth.APIKeyPrefix) {
		return fmt.Errorf("an ID that begins with %q is that of an API key", auth.APIKeyPrefix)
	}
	if !text.IsPlain(id) {
		return errors.New("the ID holds control characters or is not UTF-8")
	}
	return nil
}

func looksLikeHash(value string) bool {
	_, err := passhash.Parse(value)
	return err == nil
}

// fields reads the fields as claims are read: whole numbers stay whole.
func (u *StaticUser) fields() (auth.Object, error) {
	if len(u.Fields) == 0 {
		return nil, nil
	}
	claims, err := auth.ParseClaims(u.Fields)
	if err != nil {
		return nil, err
	}
	object := claims.Object()
	for name, value := range object {
		if err := checkField(name); err != nil {
			return nil, err
		}
		if v, ok := value.(string); ok && looksLikeHash(v) {
			return nil, fmt.Errorf("%q is the hash of a password, which is never a field", name)
		}
	}
	return object, nil
}

// taken are the fields that every user has.
var taken = []string{"id", "issuer", "username", "is_staff", "is_superuser", "permissions"}

func checkField(name string) error {
	switch {
	case name == "":
		return errors.New("a field has no name")
	case slices.Contains(taken, name):
		return fmt.Errorf("every user has %q: a field of that name would never be seen", name)
	case strings.EqualFold(name, "password"):
		return errors.New("a password or its hash is never a field")
	}
	return nil
}

// errRefused is the one answer to who may not sign in, for whatever reason.
var errRefused = auth.Invalid(auth.ReasonBadPassword, "")

// Verify implements auth.UserStore.
func (s *Static) Verify(ctx context.Context, username, password string) (*auth.User, error) {
	a, ok := s.byName[username]
	if !ok || a.disabled {
		hash := s.hashes[maphash.String(s.seed, username)%uint64(len(s.hashes))]
		if ok {
			hash = a.hash
		}
		if err := passhash.Shared.Pretend(ctx, username, hash, password); err != nil {
			return nil, auth.Unavailable(auth.ReasonStoreUnavailable, err)
		}
		return nil, errRefused
	}
	same, err := passhash.Shared.Verify(ctx, username, a.hash, password)
	if err != nil {
		return nil, auth.Unavailable(auth.ReasonStoreUnavailable, err)
	}
	if !same {
		return nil, errRefused
	}
	return &a.user, nil
}

// Load implements auth.UserStore.
func (s *Static) Load(_ context.Context, ref auth.UserRef) (*auth.User, error) {
	a := s.byID[ref.ID]
	if a == nil || a.disabled || !s.serves(ref.Issuer) {
		return nil, auth.ErrUserNotFound
	}
	if ref == a.user.UserRef {
		return &a.user, nil
	}
	user := a.user
	user.UserRef = ref
	return &user, nil
}

// serves reports whether the issuer's subjects are the users here.
func (s *Static) serves(issuer string) bool {
	if issuer == localBasic || slices.Contains(s.Issuers, issuer) {
		return true
	}
	return len(s.Issuers) == 0 && s.issues != nil && s.issues.Issues(issuer)
}
