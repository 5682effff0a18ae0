// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/module"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
	"github.com/caddybolt/caddy-bolt/internal/secret"
)

func init() {
	caddy.RegisterModule(Bolt{})
}

// writeTimeout bounds how long a revocation waits for the disk.
const writeTimeout = 2 * time.Second

// Bolt remembers revoked tokens in a file, and so over a restart. All of them
// are in memory as well, where they are looked up; a revocation is on the disk
// before it is confirmed.
//
// The file belongs to one process: a second one that is started on it fails and
// says so. It is opened when Caddy starts, not when a configuration is validated.
// A file that is damaged is refused with an error that names it: to start
// without it would make revoked tokens valid again.
//
// A revocation that cannot be written within two seconds is reported as failed;
// this process refuses the token all the same until it ends. A file that is
// deleted or replaced while Caddy runs is written again from memory at the next
// revocation. Entries are removed within a minute of their end.
//
// Sessions of refresh tokens are in the file alone. They are lost when it is
// deleted or replaced while Caddy runs: whoever has one logs in again.
type Bolt struct {
	// The file. Placeholders such as {env.STATE_DIRECTORY} are replaced.
	// Default: auth/revocations.db in Caddy's data folder.
	Path string `json:"path,omitempty"`

	clock    clock.Clock
	pool     *caddy.UsagePool
	file     *boltFile
	acquired bool
	key      string
}

// boltFiles holds the open files of the process by their canonical paths, and
// by nothing else: a file that was opened twice would wait for itself.
var boltFiles = caddy.NewUsagePool()

// CaddyModule returns the Caddy module information.
func (Bolt) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.revocation.bolt",
		New: func() caddy.Module { return new(Bolt) },
	}
}

// Provision finds the file that an earlier configuration has open, or notes
// which one to open. It touches no file.
func (b *Bolt) Provision(caddy.Context) error {
	path := b.Path
	if path == "" {
		path = filepath.Join(caddy.AppDataDir(), "auth", "revocations.db")
	} else {
		resolved, err := secret.Resolve(path)
		if err != nil {
			return fmt.Errorf("path %q: %w", path, err)
		}
		path = resolved
	}
	key, err := canonical(path)
	if err != nil {
		return fmt.Errorf("path %q: %w", path, err)
	}
	if b.pool == nil {
		b.pool = boltFiles
	}
	file, _, err := b.pool.LoadOrNew(key, func() (caddy.Destructor, error) {
		return newBoltFile(key, b.clock), nil
	})
	if err != nil {
		return err
	}
	b.file, b.key, b.acquired = file.(*boltFile), key, true
	return nil
}

// Start opens the file unless it is open already.
func (b *Bolt) Start(ctx context.Context) error {
	if err := b.file.start(ctx); err != nil {
		return fmt.Errorf("revocation store bolt: %w", err)
	}
	return nil
}

// Cleanup gives the file away. It is closed with the last configuration that
// uses it.
func (b *Bolt) Cleanup() error {
	if !b.acquired {
		return nil
	}
	b.acquired = false
	_, err := b.pool.Delete(b.key)
	return err
}

// Revoked implements auth.RevocationStore.
func (b *Bolt) Revoked(_ context.Context, token auth.TokenRef) (bool, error) {
	s := b.file.set.Load()
	if s == nil {
		return false, errNotStarted
	}
	return s.Revoked(&token, b.now), nil
}

// Revoke implements auth.RevocationStore.
func (b *Bolt) Revoke(ctx context.Context, token auth.TokenRef, until time.Time) error {
	list, err := revoked.TokenEntries(token, until, b.clock.Now())
	if err != nil {
		return err
	}
	return b.file.write(ctx, change{entries: list})
}

// RevokeUser implements auth.RevocationStore.
func (b *Bolt) RevokeUser(ctx context.Context, user auth.UserRef, issuedBefore, until time.Time) error {
	e, err := revoked.UserEntry(user, issuedBefore, until, b.clock.Now())
	if err != nil {
		return err
	}
	return b.file.write(ctx, change{entries: []revoked.Entry{e}})
}

// List implements auth.RevocationLister.
func (b *Bolt) List(ctx context.Context) ([]auth.Revocation, error) {
	s := b.file.set.Load()
	if s == nil {
		return nil, errNotStarted
	}
	return s.List(ctx, b.now())
}

// Page implements auth.RevocationPager.
func (b *Bolt) Page(ctx context.Context, from auth.Revocation, limit int) ([]auth.Revocation, int, error) {
	s := b.file.set.Load()
	if s == nil {
		return nil, 0, errNotStarted
	}
	return s.Page(ctx, b.now(), from, limit)
}

// Unrevoke implements auth.RevocationLister.
func (b *Bolt) Unrevoke(ctx context.Context, token auth.TokenRef) error {
	list, err := revoked.UnrevokeEntries(token)
	if err != nil {
		return err
	}
	return b.file.write(ctx, change{entries: list, forget: true})
}

// State returns what lasts longer than the configuration.
func (b *Bolt) State() revoked.State { return b.file }

func (b *Bolt) now() int64 { return revoked.Nanoseconds(b.clock.Now()) }

// UnmarshalCaddyfile sets up the store. Syntax:
//
//	bolt {
//	    path <file>
//	}
func (b *Bolt) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name
	if d.NextArg() {
		return d.Errf("bolt takes no argument, not %q; the file is its option \"path\"", d.Val())
	}
	options := module.NewOptions(d)
	for d.NextBlock(0) {
		switch d.Val() {
		case "path":
			if err := options.Text(&b.Path); err != nil {
				return err
			}
		default:
			return options.Unknown("bolt", "path")
		}
	}
	return nil
}

// canonical returns the one path of a file that need not exist yet. Folders
// that do not exist yet are taken as they are written: making them changes
// nothing of the result.
func canonical(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for head, tail := path, ""; ; {
		resolved, err := filepath.EvalSymlinks(head)
		if err == nil {
			return filepath.Join(resolved, tail), nil
		}
		parent := filepath.Dir(head)
		if parent == head {
			return path, nil
		}
		head, tail = parent, filepath.Join(filepath.Base(head), tail)
	}
}

// logger is where a file that several configurations share reports: none of
// their own loggers lives as long as it does.
func logger() *zap.Logger { return caddy.Log().Named("http.auth.revocation.bolt") }

// Interface guards
var (
	_ caddy.Provisioner     = (*Bolt)(nil)
	_ caddy.CleanerUpper    = (*Bolt)(nil)
	_ caddyfile.Unmarshaler = (*Bolt)(nil)
	_ auth.RevocationPager  = (*Bolt)(nil)
)
