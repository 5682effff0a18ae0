// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/module"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

func init() {
	caddy.RegisterModule(Memory{})
}

// DefaultLifetime is how long an entry is kept that nobody gave an end: the
// cut-off of a user, and a token that never expires.
const DefaultLifetime = revoked.DefaultLifetime

// sweepEvery is how often expired entries are removed.
const sweepEvery = time.Minute

// Memory remembers revoked tokens in the memory of this process. It keeps them
// when Caddy reloads its configuration, and loses them when Caddy ends: a token
// that was revoked and has not expired is then valid again. Use it for
// development, for tokens that live for minutes, or where nothing may be written.
//
// A million revoked tokens take about 110 MiB. Entries are removed within a
// minute of their end.
//
// It keeps 250,000 sessions of refresh tokens, which take about as much; when
// there are more, log-ins that would begin one are answered with 503.
type Memory struct {
	clock    clock.Clock
	pool     *caddy.UsagePool
	state    *memoryState
	acquired bool
}

// memories holds the one state that all configurations of the process share.
var memories = caddy.NewUsagePool()

// memoryKey is the key of the state. The store has no options, so there is one.
const memoryKey = "memory"

// CaddyModule returns the Caddy module information.
func (Memory) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.revocation.memory",
		New: func() caddy.Module { return new(Memory) },
	}
}

// Provision finds the state that an earlier configuration left, or makes one.
func (m *Memory) Provision(caddy.Context) error {
	if m.pool == nil {
		m.pool = memories
	}
	state, _, err := m.pool.LoadOrNew(memoryKey, func() (caddy.Destructor, error) {
		return newMemoryState(m.clock), nil
	})
	if err != nil {
		return err
	}
	m.state, m.acquired = state.(*memoryState), true
	return nil
}

// Cleanup gives the state away. It ends with the last configuration that uses
// it. Requests that outlive their configuration are still answered.
func (m *Memory) Cleanup() error {
	if !m.acquired {
		return nil
	}
	m.acquired = false
	_, err := m.pool.Delete(memoryKey)
	return err
}

// Revoked implements auth.RevocationStore.
func (m *Memory) Revoked(_ context.Context, token auth.TokenRef) (bool, error) {
	return m.state.set.Revoked(&token, m.now), nil
}

// Revoke implements auth.RevocationStore.
func (m *Memory) Revoke(ctx context.Context, token auth.TokenRef, until time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	list, err := revoked.TokenEntries(token, until, m.clock.Now())
	if err != nil {
		return err
	}
	m.state.Adopt(ctx, list)
	return nil
}

// RevokeUser implements auth.RevocationStore.
func (m *Memory) RevokeUser(ctx context.Context, user auth.UserRef, issuedBefore, until time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e, err := revoked.UserEntry(user, issuedBefore, until, m.clock.Now())
	if err != nil {
		return err
	}
	m.state.Adopt(ctx, []revoked.Entry{e})
	return nil
}

// List implements auth.RevocationLister.
func (m *Memory) List(ctx context.Context) ([]auth.Revocation, error) {
	return m.state.set.List(ctx, m.now())
}

// Page implements auth.RevocationPager.
func (m *Memory) Page(ctx context.Context, from auth.Revocation, limit int) ([]auth.Revocation, int, error) {
	return m.state.set.Page(ctx, m.now(), from, limit)
}

// Unrevoke implements auth.RevocationLister.
func (m *Memory) Unrevoke(ctx context.Context, token auth.TokenRef) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	list, err := revoked.UnrevokeEntries(token)
	if err != nil {
		return err
	}
	for _, e := range list {
		m.state.set.Remove(e, math.MaxInt64)
	}
	return nil
}

// State returns what lasts longer than the configuration.
func (m *Memory) State() revoked.State { return m.state }

func (m *Memory) now() int64 { return revoked.Nanoseconds(m.clock.Now()) }

// UnmarshalCaddyfile sets up the store. Syntax:
//
//	memory
func (m *Memory) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name
	if d.NextArg() {
		return d.Errf("memory takes no argument, not %q", d.Val())
	}
	for d.NextBlock(0) {
		return module.NewOptions(d).Unknown("memory", "none")
	}
	return nil
}

// memoryState is the set, the sessions, and the goroutine that removes what
// expired.
type memoryState struct {
	clock      clock.Clock
	set        *revoked.Set
	sessions   *memorySessions
	succession *revoked.Succession
	stop       chan struct{}
	done       sync.WaitGroup
}

func newMemoryState(c clock.Clock) *memoryState {
	s := &memoryState{clock: c, set: revoked.New(), sessions: newMemorySessions(), succession: new(revoked.Succession), stop: make(chan struct{})}
	s.done.Go(func() {
		ticker := time.NewTicker(sweepEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				s.set.Expire(revoked.Nanoseconds(c.Now()))
				s.sessions.expire(c.Now())
			case <-s.stop:
				return
			}
		}
	})
	return s
}

// Held implements revoked.State.
func (s *memoryState) Held() *revoked.Set { return s.set }

// TakeOver implements revoked.State.
func (s *memoryState) TakeOver(before revoked.State) {
	s.set.Merge(before.Held(), revoked.Nanoseconds(s.clock.Now()))
}

// Adopt implements revoked.State.
func (s *memoryState) Adopt(ctx context.Context, list []revoked.Entry) {
	for _, e := range list {
		s.set.Apply(e)
	}
	s.succession.Tell(ctx, list)
}

// Following implements revoked.State.
func (s *memoryState) Following() *revoked.Succession { return s.succession }

// Destruct ends the goroutine.
func (s *memoryState) Destruct() error {
	close(s.stop)
	s.done.Wait()
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Memory)(nil)
	_ caddy.CleanerUpper    = (*Memory)(nil)
	_ caddyfile.Unmarshaler = (*Memory)(nil)
	_ auth.RevocationPager  = (*Memory)(nil)
	_ caddy.Destructor      = (*memoryState)(nil)
	_ revoked.State         = (*memoryState)(nil)
)
