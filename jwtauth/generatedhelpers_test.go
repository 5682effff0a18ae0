// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// disk is a storage that nodes share.
type disk struct {
	locked chan struct{}

	mu      sync.Mutex
	files   map[string][]byte
	written int
}

func newDisk() *disk {
	return &disk{locked: make(chan struct{}, 1), files: make(map[string][]byte)}
}

func (d *disk) set(key string, text []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[key] = text
}

func (d *disk) remove(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, key)
}

func (d *disk) get(key string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.files[key]
}

func (d *disk) writes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.written
}

// errDisk is what a node says whose way to the storage is broken.
var errDisk = errors.New("the disk is on fire")

// mount is how one node sees the disk.
type mount struct {
	*disk
	mu     sync.Mutex
	broken bool // for reading
	frozen bool // for writing and locking
	asked  int
}

func (m *mount) set(broken, frozen bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken, m.frozen = broken, frozen
}

func (m *mount) ask(write bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	if m.broken && !write || m.frozen && write {
		return errDisk
	}
	return nil
}

func (m *mount) times() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked
}

func (m *mount) Load(_ context.Context, key string) ([]byte, error) {
	if err := m.ask(false); err != nil {
		return nil, err
	}
	if text := m.get(key); text != nil {
		return bytes.Clone(text), nil
	}
	return nil, fmt.Errorf("%q: %w", key, fs.ErrNotExist)
}

func (m *mount) Store(_ context.Context, key string, text []byte) error {
	if err := m.ask(true); err != nil {
		return err
	}
	m.disk.set(key, bytes.Clone(text))
	m.disk.mu.Lock()
	m.disk.written++
	m.disk.mu.Unlock()
	return nil
}

func (m *mount) Lock(ctx context.Context, _ string) error {
	if err := m.ask(true); err != nil {
		return err
	}
	select {
	case m.locked <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *mount) Unlock(context.Context, string) error {
	<-m.locked
	return nil
}

// hands is a clock that the test moves.
type hands struct {
	mu  sync.Mutex
	now time.Time
}

func newHands() *hands { return &hands{now: testNow} }

func (h *hands) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hands) move(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func rotateOf(d time.Duration) *caddy.Duration { return (*caddy.Duration)(&d) }

// node is a block with a generated key in one process; it looks at the storage
// when the test says so.
type node struct {
	*JWT
	*mount
	t testing.TB
}

// newNode loads a block; Start is left to the test.
func newNode(tb testing.TB, d *disk, h *hands, j *JWT) *node {
	tb.Helper()
	n := &node{j, &mount{disk: d}, tb}
	j.Generated, j.storage = true, n.mount
	if err := load(tb, j); err != nil {
		tb.Fatal(err)
	}
	j.clock = clock.Func(h.Now)
	g := j.generated.generated
	g.now = h.Now
	g.begun.Do(func() {})
	return n
}

// startNode is newNode, started.
func startNode(tb testing.TB, d *disk, h *hands, j *JWT) *node {
	tb.Helper()
	n := newNode(tb, d, h, j)
	if err := n.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return n
}

func (n *node) look() { n.generated.generated.maintain() }

// token signs one that is valid for so long.
func (n *node) token(lifetime time.Duration) (string, error) {
	return n.Sign(n.t.Context(), fmt.Appendf(nil, `{"sub":"alice","exp":%d}`, n.clock.Now().Add(lifetime).Unix()))
}

func (n *node) mustToken(lifetime time.Duration) string {
	n.t.Helper()
	token, err := n.token(lifetime)
	if err != nil {
		n.t.Fatal(err)
	}
	return token
}

// kids returns the names of the published keys.
func (n *node) kids() []string {
	n.t.Helper()
	set, err := n.PublicKeys()
	if err != nil {
		n.t.Fatal(err)
	}
	var kids []string
	for _, part := range strings.Split(string(set), `"kid":"`)[1:] {
		kids = append(kids, part[:strings.IndexByte(part, '"')])
	}
	return kids
}

// kidOf returns the name of the key of a token.
func kidOf(tb testing.TB, token string) string {
	tb.Helper()
	header, err := decode(nil, token[:strings.IndexByte(token, '.')])
	if err != nil {
		tb.Fatal(err)
	}
	_, kid, _ := strings.Cut(string(header), `"kid":"`)
	return kid[:strings.IndexByte(kid, '"')]
}
