// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"
	"fmt"
	"hash/maphash"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/passhash"
)

// directory is a list of users in memory. It does not change once it is full.
type directory struct {
	byName map[string]*account
	byID   map[string]*account
	hashes []passhash.Hash // one of each user who has one
	seed   maphash.Seed
}

// account is a user who was found well formed.
type account struct {
	user     auth.User
	hash     passhash.Hash // zero: no password opens
	disabled bool
}

func newDirectory() *directory {
	return &directory{byName: make(map[string]*account), byID: make(map[string]*account), seed: maphash.MakeSeed()}
}

// add adds a user whose name and ID nobody has.
func (d *directory) add(a *account) error {
	if d.byName[a.user.Username] != nil {
		return fmt.Errorf("there are two users named %q", a.user.Username)
	}
	if other := d.byID[a.user.ID]; other != nil {
		return fmt.Errorf("users %q and %q have one ID", other.user.Username, a.user.Username)
	}
	d.byName[a.user.Username], d.byID[a.user.ID] = a, a
	if !a.hash.IsZero() {
		d.hashes = append(d.hashes, a.hash)
	}
	return nil
}

// errRefused is the one answer to who may not sign in, for whatever reason.
var errRefused = auth.Invalid(auth.ReasonBadPassword, "")

// verify returns the user who signs in with this name and password.
func (d *directory) verify(ctx context.Context, username, password string) (*auth.User, error) {
	a, ok := d.byName[username]
	if !ok || a.disabled || a.hash.IsZero() {
		hash := d.decoy(username)
		if ok && !a.hash.IsZero() {
			hash = a.hash
		}
		return nil, refuse(ctx, username, hash, password)
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

// decoy returns the hash that is computed for who is not there: for one name
// always that of the same user.
func (d *directory) decoy(username string) passhash.Hash {
	if len(d.hashes) == 0 {
		return passhash.Hash{}
	}
	return d.hashes[maphash.String(d.seed, username)%uint64(len(d.hashes))]
}

// refuse refuses after the time that the hash takes. Without a hash there is
// nobody to be told apart from.
func refuse(ctx context.Context, username string, hash passhash.Hash, password string) error {
	if hash.IsZero() {
		if err := ctx.Err(); err != nil {
			return auth.Unavailable(auth.ReasonStoreUnavailable, err)
		}
		return errRefused
	}
	if err := passhash.Shared.Pretend(ctx, username, hash, password); err != nil {
		return auth.Unavailable(auth.ReasonStoreUnavailable, err)
	}
	return errRefused
}

// load returns a user of an issuer that is served.
func (d *directory) load(ref auth.UserRef) (*auth.User, error) {
	a := d.byID[ref.ID]
	if a == nil || a.disabled {
		return nil, auth.ErrUserNotFound
	}
	if ref == a.user.UserRef {
		return &a.user, nil
	}
	user := a.user
	user.UserRef = ref
	return &user, nil
}
