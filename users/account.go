// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/passhash"
	"github.com/caddybolt/caddy-bolt/internal/text"
)

// accountOf checks the rest of a user whose name and hash were checked.
func (u *StaticUser) accountOf(name string, hash passhash.Hash) (*account, error) {
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
	if strings.HasPrefix(id, auth.ExchangedPrefix) {
		return fmt.Errorf("an ID that begins with %q is that of a token that was exchanged", auth.ExchangedPrefix)
	}
	if !text.IsPlain(id) {
		return errors.New("the ID holds control characters or is not UTF-8")
	}
	return nil
}

func looksLikeHash(value string) bool {
	_, err := passhash.ParseAny(value)
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
