// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/jsonfile"
	"github.com/caddybolt/caddy-bolt/internal/module"
	"github.com/caddybolt/caddy-bolt/internal/passhash"
	"github.com/caddybolt/caddy-bolt/internal/secret"
	"github.com/caddybolt/caddy-bolt/internal/watched"
)

// maxFileSize is room for some hundred thousand users.
const maxFileSize = 64 << 20

// File is a JSON file with users: {"users":[…]}, with the members that a user of
// the store static has. What stands in it is data: no placeholder is replaced.
//
// Passwords are hashed, as "caddy hash-password" prints them or as Django keeps
// them; a user without one is found, and cannot sign in with a password. A wrong
// password, a name that is not there and a user who is disabled are one answer,
// after the same time. Hashes are computed and remembered as by the store
// static.
//
// The file is read again within two seconds when it changes. While it cannot be
// read or is not well formed, the users that it had last stay, and a warning
// says so once; when it is deleted, there is nobody. It must be there and well
// formed when Caddy starts.
//
// The users are those of HTTP Basic log-ins on this server, and of the issuers
// that are named: the user 1 of another issuer is not the user 1 here.
type File struct {
	// The path of the file. Placeholders are replaced. Required.
	Path string `json:"path,omitempty"`

	// Issuers whose subjects are the IDs of these users, beside HTTP Basic
	// log-ins here. Default: those whose tokens auth_token issues here.
	Issuers []string `json:"issuers,omitempty"`

	// Whether the subjects of tokens that have no issuer ("iss") are the IDs of
	// these users as well, such as those of create_jwt_for_user of Django-Bolt.
	// Whoever can sign such a token that a jwt here accepts can name any user.
	// Default: only where auth_token issues such tokens here, and one jwt alone
	// accepts them.
	NoIssuer bool `json:"no_issuer,omitempty"`

	file    *watched.File
	users   atomic.Pointer[directory]
	served  served
	problem string // with the file, said already
	clock   clock.Clock
	logger  *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (*File) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.users.file",
		New: func() caddy.Module { return new(File) },
	}
}

// Provision reads the file and follows it.
func (f *File) Provision(ctx caddy.Context) error {
	f.logger = ctx.Logger()
	if f.Path == "" {
		return errors.New("path is required")
	}
	path, err := secret.Resolve(f.Path)
	if err != nil {
		return fmt.Errorf("path: %w", err)
	}
	if f.served, err = newServed(ctx, f.Issuers, f.NoIssuer); err != nil {
		return err
	}
	f.file = &watched.File{Path: path, Limit: maxFileSize, Clock: f.clock}
	users, err := f.read()
	if err != nil {
		return fmt.Errorf("file %q: %w", f.Path, err)
	}
	f.users.Store(users)
	go f.follow(ctx)
	return nil
}

// read returns the users of the file, or watched.ErrUnchanged if it would say
// again what it said last.
func (f *File) read() (*directory, error) {
	content, err := jsonfile.Content(f.file)
	if err != nil {
		return nil, err
	}
	return decodeUsers(content)
}

// decodeUsers reads {"users":[…]}. No error shows a hash.
func decodeUsers(content []byte) (*directory, error) {
	var list struct {
		Users *[]StaticUser `json:"users"`
	}
	if err := jsonfile.Decode(content, &list); err != nil {
		return nil, err
	}
	if list.Users == nil {
		return nil, errors.New(`it has no member "users"`)
	}
	users := newDirectory()
	for i := range *list.Users {
		a, err := (*list.Users)[i].accountAsWritten()
		if err == nil {
			err = users.add(a)
		}
		if err != nil {
			return nil, fmt.Errorf("users: position %d: %w", i, err)
		}
	}
	return users, nil
}

// accountAsWritten checks a user of a file.
func (u *StaticUser) accountAsWritten() (*account, error) {
	if u.Username == "" {
		return nil, errors.New("username is required")
	}
	if err := checkName(u.Username); err != nil {
		return nil, err
	}
	hash, err := passhash.ParseAny(u.Password)
	if err != nil && !errors.Is(err, passhash.ErrUnusable) {
		return nil, fmt.Errorf("user %q: password: %w", u.Username, err)
	}
	return u.accountOf(u.Username, hash)
}

// follow looks at the file until the configuration ends.
func (f *File) follow(ctx context.Context) {
	ticker := time.NewTicker(watched.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			f.look()
		case <-ctx.Done():
			return
		}
	}
}

// look reads the file again if it changed. What is wrong with it is said once.
func (f *File) look() {
	path := zap.String("file", f.Path)
	users, err := f.read()
	switch {
	case errors.Is(err, watched.ErrUnchanged):
	case errors.Is(err, fs.ErrNotExist):
		f.users.Store(newDirectory())
		f.problem = ""
		f.logger.Warn("the file of users was deleted: nobody can sign in", path)
	case err != nil:
		if problem := err.Error(); problem != f.problem {
			f.problem = problem
			f.logger.Warn("the file of users cannot be used: its last users stay", path, zap.Error(err))
		}
	default:
		f.users.Store(users)
		f.problem = ""
		f.logger.Info("the file of users was read again", path, zap.Int("users", len(users.byID)))
	}
}

// Verify implements auth.UserStore.
func (f *File) Verify(ctx context.Context, username, password string) (*auth.User, error) {
	return f.users.Load().verify(ctx, username, password)
}

// Serves reports whether the issuer's subjects are the IDs of these users.
func (f *File) Serves(issuer string) bool { return f.served.serves(issuer) }

// Load implements auth.UserStore.
func (f *File) Load(_ context.Context, ref auth.UserRef) (*auth.User, error) {
	if !f.served.serves(ref.Issuer) {
		return nil, auth.ErrUserNotFound
	}
	return f.users.Load().load(ref)
}

// UnmarshalCaddyfile parses
//
//	file <users.json> {
//		issuer <issuer...>
//		no_issuer
//	}
func (f *File) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the module
	if !d.NextArg() || d.Val() == "" {
		return d.Err("users file takes the path of a file")
	}
	f.Path = d.Val()
	if d.NextArg() {
		return d.Errf("users file takes one argument, not %q as well", d.Val())
	}
	options := module.NewOptions(d)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch d.Val() {
		case "issuer":
			if err := options.Words(&f.Issuers); err != nil {
				return err
			}
		case "no_issuer":
			if err := options.Flag(&f.NoIssuer); err != nil {
				return err
			}
		default:
			return options.Unknown("users file", "issuer", "no_issuer")
		}
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*File)(nil)
	_ caddyfile.Unmarshaler = (*File)(nil)
	_ auth.UserStore        = (*File)(nil)
)
