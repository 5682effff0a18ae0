// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"sync"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// maxSessions bounds the sessions in memory, which take about 110 MiB then.
const maxSessions = 250_000

// memorySessions are the sessions of the memory store.
type memorySessions struct {
	mu   sync.Mutex
	byID map[string]auth.Session
	max  int
}

func newMemorySessions() *memorySessions {
	return &memorySessions{byID: make(map[string]auth.Session), max: maxSessions}
}

// live returns a session that has not ended. The caller holds the lock.
func (m *memorySessions) live(id string, now time.Time) (auth.Session, bool) {
	s, ok := m.byID[id]
	if !ok || !s.Until.After(now) {
		return auth.Session{}, false
	}
	return s, true
}

func (m *memorySessions) create(s auth.Session, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.live(s.ID, now); ok {
		return errSessionTaken
	}
	if len(m.byID) >= m.max {
		return errSessionsFull
	}
	m.byID[s.ID] = ownSession(s)
	return nil
}

func (m *memorySessions) get(id string, now time.Time) (auth.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.live(id, now)
	if !ok {
		return auth.Session{}, auth.ErrSessionNotFound
	}
	return s, nil
}

func (m *memorySessions) rotate(current [32]byte, next auth.Session, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.live(next.ID, now)
	if !ok || s.Current != current {
		return false
	}
	m.byID[next.ID] = ownSession(next)
	return true
}

func (m *memorySessions) end(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byID, id)
}

// expire removes what ended until now.
func (m *memorySessions) expire(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, s := range m.byID {
		if !s.Until.After(now) {
			delete(m.byID, id)
		}
	}
}

// CreateSession implements auth.RefreshStore.
func (m *Memory) CreateSession(ctx context.Context, s auth.Session) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := m.clock.Now()
	if err := checkSession(s, now); err != nil {
		return err
	}
	return m.state.sessions.create(s, now)
}

// Session implements auth.RefreshStore.
func (m *Memory) Session(ctx context.Context, id string) (auth.Session, error) {
	if err := ctx.Err(); err != nil {
		return auth.Session{}, err
	}
	return m.state.sessions.get(id, m.clock.Now())
}

// Rotate implements auth.RefreshStore.
func (m *Memory) Rotate(ctx context.Context, current [32]byte, next auth.Session) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	now := m.clock.Now()
	if err := checkSession(next, now); err != nil {
		return false, err
	}
	return m.state.sessions.rotate(current, next, now), nil
}

// EndSession implements auth.RefreshStore.
func (m *Memory) EndSession(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.state.sessions.end(id)
	return nil
}

// Interface guards
var _ auth.RefreshStore = (*Memory)(nil)
