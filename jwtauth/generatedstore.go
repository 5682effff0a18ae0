// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Times that are not for configuration.
const (
	pollEvery   = 10 * time.Second // how often the storage is looked at
	lockTimeout = 30 * time.Second // a lock that somebody left behind ends before
	failPause   = 5 * time.Second  // between two attempts of those who sign
)

// keyStorage is what is needed of Caddy's storage (certmagic.Storage).
type keyStorage interface {
	storage
	Lock(ctx context.Context, name string) error
	Unlock(ctx context.Context, name string) error
}

// generated keeps the keys of one name in one storage, for all blocks of all
// configurations that name it, and for all nodes that share the storage. Only
// who holds the lock of the storage writes; everybody looks at it now and then.
type generated struct {
	generatedPlace
	now    func() time.Time
	logger func() *zap.Logger // the process's: a configuration's ends with it
	ctx    context.Context    // of the process; ends with the last user
	cancel context.CancelFunc
	begun  sync.Once

	// asking has room for one: whoever of this process asks the storage. It is not
	// a mutex, since a request that waits for it may end.
	asking  chan struct{}
	looking bool      // and never writing
	failing bool      // said already
	tried   time.Time // when somebody who signs last asked the storage in vain

	mu          sync.Mutex // never held while the storage is asked
	store       keyStorage
	subscribers map[*generatedKeys]struct{}
	lastError   error

	current       atomic.Pointer[confirmedSet]
	reads, failed atomic.Uint64
}

// confirmedSet is a set, and when the storage last said that it is the one.
type confirmedSet struct {
	*generatedSet
	at time.Time
}

// generatedPlace is where keys are kept. It is the key of the pool.
type generatedPlace struct {
	storage string // which one it is
	name    string // of the jwt block
}

// key is where the storage keeps them.
func (p generatedPlace) key() string {
	if p.name == "" {
		return "auth/generated_key.json"
	}
	return "auth/generated_key/" + p.name + ".json"
}

// lock is what the lock of the storage is called.
func (p generatedPlace) lock() string { return "auth_generated_key_" + p.name }

func newGenerated(place generatedPlace) *generated {
	g := &generated{
		generatedPlace: place,
		now:            time.Now,
		logger:         remoteLogger,
		asking:         make(chan struct{}, 1),
		subscribers:    make(map[*generatedKeys]struct{}),
	}
	g.ctx, g.cancel = context.WithCancel(context.Background()) //nolint:forbidigo // it outlives configurations, and ends with the last that uses it
	return g
}

// Destruct implements caddy.Destructor. It ends the goroutine.
func (g *generated) Destruct() error {
	g.cancel()
	return nil
}

// open reads the keys, and makes the first one where there is none. What is
// there and cannot be read is never replaced.
func (g *generated) open(ctx context.Context, store keyStorage) error {
	g.mu.Lock()
	g.store = store
	g.mu.Unlock()
	if err := g.begin(ctx); err != nil {
		return err
	}
	defer g.end()
	err := g.read(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		err = g.change(ctx, func(set *generatedSet) (*generatedSet, error) {
			if set != nil {
				return set, nil // another node was faster
			}
			now := g.now()
			k, err := newGeneratedKey(now, now)
			if err != nil {
				return nil, err
			}
			return &generatedSet{keys: []*generatedKey{k}}, nil
		})
	}
	if err != nil {
		return err
	}
	g.looking = false
	g.begun.Do(func() { go g.run() })
	return nil
}

// look reads the keys, and does nothing else ever.
func (g *generated) look(ctx context.Context, store keyStorage) error {
	g.mu.Lock()
	g.store = store
	g.mu.Unlock()
	if err := g.begin(ctx); err != nil {
		return err
	}
	defer g.end()
	g.looking = true
	if err := g.read(ctx); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("storage: %q is not there: Caddy makes it when it starts", g.key())
	} else if err != nil {
		return err
	}
	return nil
}

// run looks at the storage until the last user is gone.
func (g *generated) run() {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		g.maintain()
		select {
		case <-g.ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// maintain takes over what other nodes did, and makes the next key when it is
// due. What fails is one warning, however long; keys that are known stay in
// force.
func (g *generated) maintain() {
	if g.begin(g.ctx) != nil {
		return // nobody is left
	}
	defer g.end()
	err := g.read(g.ctx)
	if err == nil {
		rotate, leeway := g.wishes()
		if set := g.current.Load(); rotate != 0 && !g.now().Before(set.due(rotate)) {
			err = g.change(g.ctx, func(set *generatedSet) (*generatedSet, error) {
				if set == nil {
					return nil, removedError(g.key())
				}
				return set.rotated(g.now(), rotate, leeway)
			})
		}
	}
	g.tell() // keys end by themselves, too
	if g.ctx.Err() != nil {
		return
	}
	switch {
	case err == nil && g.failing:
		g.failing = false
		g.logger().Info("generated keys are in order again", zap.String("storage_key", g.key()))
	case err != nil && !g.failing:
		g.failing = true
		g.logger().Warn("generated keys cannot be read or rotated; the known ones stay in force for now",
			zap.String("storage_key", g.key()), zap.Error(err))
	}
}

// begin waits until nobody else of this process asks the storage.
func (g *generated) begin(ctx context.Context) error {
	select {
	case g.asking <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *generated) end() { <-g.asking }

// wishes returns what the blocks ask for: the shortest rotation, where one is
// asked for, and the largest leeway.
func (g *generated) wishes() (rotate, leeway time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for s := range g.subscribers {
		if s.rotate != 0 && (rotate == 0 || s.rotate < rotate) {
			rotate = s.rotate
		}
		leeway = max(leeway, s.leeway)
	}
	return rotate, leeway
}

// read takes the set from the storage. It is called between begin and end.
func (g *generated) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	set, err := g.load(ctx)
	return g.note(set, err)
}

func (g *generated) load(ctx context.Context) (*confirmedSet, error) {
	at := g.now()
	text, err := g.use().Load(ctx, g.key())
	if err != nil {
		return nil, fmt.Errorf("storage: reading %q: %w", g.key(), err)
	}
	if known := g.current.Load(); known != nil && bytes.Equal(known.text, text) {
		return &confirmedSet{known.generatedSet, at}, nil
	}
	set, err := parseGenerated(text)
	if err != nil {
		return nil, fmt.Errorf("storage: %q %w", g.key(), err)
	}
	return &confirmedSet{set, at}, nil
}

// note publishes what was read, or keeps what went wrong.
func (g *generated) note(set *confirmedSet, err error) error {
	g.reads.Add(1)
	if errors.Is(err, fs.ErrNotExist) {
		if g.current.Load() == nil {
			return err // nothing is wrong before the first key is made
		}
		err = removedError(g.key())
	}
	g.mu.Lock()
	g.lastError = err
	g.mu.Unlock()
	if err != nil {
		g.failed.Add(1)
		return err
	}
	former := g.current.Swap(set)
	if former == nil || former.generatedSet != set.generatedSet {
		g.tell()
	}
	return nil
}

// removedError is that of an entry that was there. A running Caddy does not make
// another key: it could not know whether somebody is about to restore this one.
type removedError string

func (e removedError) Error() string {
	return fmt.Sprintf("storage: %q was removed; restart or reload with --force to make a new key", string(e))
}

// Is makes it one of what does not exist, for those who start.
func (removedError) Is(target error) bool { return target == fs.ErrNotExist }

// change exchanges the set of the storage for what f makes of it, nil where
// there is none. It is called between begin and end. What counts is what the storage
// holds in the end: two nodes that both believed to have the lock agree.
func (g *generated) change(ctx context.Context, f func(*generatedSet) (*generatedSet, error)) error {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	store := g.use()
	if err := store.Lock(ctx, g.lock()); err != nil {
		return g.note(nil, fmt.Errorf("storage: locking %q: %w", g.key(), err))
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		defer cancel()
		if err := store.Unlock(ctx, g.lock()); err != nil {
			g.logger().Warn("a lock of the storage cannot be given back", zap.String("storage_key", g.key()), zap.Error(err))
		}
	}()
	before, err := g.load(ctx)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return g.note(nil, err)
	}
	var set *generatedSet
	if before != nil {
		set = before.generatedSet
	}
	next, err := f(set)
	switch {
	case err != nil:
		return err
	case next == set:
		return g.note(before, nil)
	}
	text, err := next.encode()
	if err != nil {
		return err
	}
	if err := store.Store(ctx, g.key(), text); err != nil {
		return g.note(nil, fmt.Errorf("storage: writing %q: %w", g.key(), err))
	}
	after, err := g.load(ctx)
	if err == nil && bytes.Equal(after.text, text) {
		if newest := next.keys[len(next.keys)-1]; set == nil || newest.kid != set.keys[len(set.keys)-1].kid {
			g.logger().Info("a signing key was made", zap.String("storage_key", g.key()),
				zap.String("kid", newest.kid), zap.Time("signs_from", newest.signsFrom))
		}
	}
	return g.note(after, err)
}

func (g *generated) use() keyStorage {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.store
}

// subscribe tells a block of the present keys and of every change.
func (g *generated) subscribe(s *generatedKeys) (end func()) {
	g.mu.Lock()
	g.subscribers[s] = struct{}{}
	g.mu.Unlock()
	g.tell()
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.subscribers, s)
	}
}

// tell gives the blocks the keys that are in force now.
func (g *generated) tell() {
	set := g.current.Load()
	if set == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	for s := range g.subscribers {
		s.take(set.kept(now, s.leeway))
	}
}
