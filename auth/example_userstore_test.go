// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"github.com/caddybolt/caddy-bolt/auth"
)

// Team is a user store of a few people who are known by name.
type Team struct {
	cost    int // of a hash, in iterations
	members map[string]member
	decoy   member // is checked when there is no such member
}

type member struct {
	id       string
	salt     []byte
	hash     []byte
	inactive bool
}

const teamIssuer = auth.LocalIssuer + "team"

func (t *Team) hash(password string, salt []byte) []byte {
	key, err := pbkdf2.Key(sha256.New, password, salt, t.cost, 32)
	if err != nil {
		return nil
	}
	return key
}

// errWrong is the one answer to whoever may not sign in.
var errWrong = auth.Invalid(auth.ReasonBadPassword, "")

// Verify hashes the password for unknown users too: the time it takes does not
// tell who there is.
func (t *Team) Verify(_ context.Context, username, password string) (*auth.User, error) {
	m, known := t.members[username]
	if !known {
		m = t.decoy
	}
	hash := t.hash(password, m.salt)
	right := len(hash) > 0 && !strings.Contains(password, "\x00") && // HMAC takes a NUL at the end for none
		subtle.ConstantTimeCompare(hash, m.hash) == 1
	if !known || !right || m.inactive {
		return nil, errWrong
	}
	return t.user(username, m), nil
}

// Load serves its own issuer alone: another provider's "1" is somebody else.
func (t *Team) Load(_ context.Context, ref auth.UserRef) (*auth.User, error) {
	for name, m := range t.members {
		if ref.Issuer == teamIssuer && ref.ID == m.id && !m.inactive {
			return t.user(name, m), nil
		}
	}
	return nil, auth.ErrUserNotFound
}

// user returns a user, without anything of the password.
func (t *Team) user(name string, m member) *auth.User {
	return &auth.User{
		UserRef:  auth.UserRef{Issuer: teamIssuer, ID: m.id},
		Username: name,
		Fields:   auth.Object{"team": "blue"},
	}
}

// newTeam returns a team of ann, and of bob, who has left.
func newTeam(cost int) *Team {
	t := &Team{cost: cost, members: make(map[string]member)}
	for i, name := range []string{"ann", "bob", ""} {
		salt := []byte("salt of " + name)
		m := member{id: fmt.Sprint(i + 1), salt: salt, hash: t.hash("correct horse of "+name, salt), inactive: name == "bob"}
		if name == "" {
			t.decoy = m
		} else {
			t.members[name] = m
		}
	}
	return t
}

// A user store of your own imports package auth alone.
func Example_userStore() {
	store := newTeam(600_000)
	ctx := context.Background()
	user, err := store.Verify(ctx, "ann", "correct horse of ann")
	fmt.Println(user.Username, err)
	_, err = store.Verify(ctx, "ann", "battery staple")
	fmt.Println(errors.Is(err, auth.ErrInvalidCredentials))
	_, err = store.Load(ctx, auth.UserRef{Issuer: "https://id.example.com", ID: "1"})
	fmt.Println(err)

	// Output:
	// ann <nil>
	// true
	// user not found
}

// Interface guards
var _ auth.UserStore = (*Team)(nil)
