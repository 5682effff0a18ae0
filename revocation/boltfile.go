// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

var (
	errNotStarted = errors.New("revocation store bolt has not been started")
	errClosed     = errors.New("revocation store bolt is closed")
)

// boltFile is one file, what it holds in memory, and the one goroutine that
// writes it. All configurations that name the file share it.
type boltFile struct {
	path  string
	clock clock.Clock

	// set is nil until the file was read.
	set atomic.Pointer[revoked.Set]

	mu      sync.Mutex // of starting and of ending
	running bool
	before  revoked.State // what the file takes over when it is started

	succession *revoked.Succession

	changes chan change
	stop    chan struct{}
	done    chan struct{}

	// Of the writing goroutine alone.
	db     *boltDB
	opened os.FileInfo
	bad    os.FileInfo // the file as it was when it was found damaged
	badErr error
	failed bool
	swept  []byte // the session up to which expired ones were removed last
}

// change is something to write, or to read in its turn. Entries are added, or
// forgotten; the error of sessions is that of this change alone.
type change struct {
	entries  []revoked.Entry
	forget   bool
	sessions func(*boltSessions) error
	readOnly bool
	outcome  error
	answer   chan error
}

func newBoltFile(path string, c clock.Clock) *boltFile {
	return &boltFile{
		path:    path,
		clock:   c,
		changes: make(chan change),
		stop:    make(chan struct{}),
		done:    make(chan struct{}),

		succession: new(revoked.Succession),
	}
}

// start opens and reads the file, once, and adds what it takes over.
func (f *boltFile) start(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.running {
		s := revoked.New()
		if err := f.open(s); err != nil {
			return err
		}
		f.set.Store(s)
		f.running = true
		go f.run(s)
	}
	before := f.before
	f.before = nil
	if before == nil {
		return nil
	}
	for list := range before.Held().Live(revoked.Nanoseconds(f.clock.Now())) {
		if err := f.write(ctx, change{entries: list}); err != nil {
			return fmt.Errorf("taking over what was revoked: %w", err)
		}
	}
	return nil
}

// Held implements revoked.State.
func (f *boltFile) Held() *revoked.Set { return f.set.Load() }

// TakeOver implements revoked.State.
func (f *boltFile) TakeOver(before revoked.State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = before
}

// Adopt implements revoked.State. That the disk fails is in the log.
func (f *boltFile) Adopt(ctx context.Context, list []revoked.Entry) {
	_ = f.write(ctx, change{entries: list})
}

// Following implements revoked.State.
func (f *boltFile) Following() *revoked.Succession { return f.succession }

// open opens the file, makes it if there is none, and adds what it holds to s.
func (f *boltFile) open(s *revoked.Set) error {
	there, _ := os.Stat(f.path)
	if f.bad != nil && there != nil && os.SameFile(there, f.bad) &&
		there.Size() == f.bad.Size() && there.ModTime().Equal(f.bad.ModTime()) {
		return f.badErr // each try to read it may cost memory that nobody gives back
	}
	db, err := openBolt(f.path, s)
	if errors.Is(err, errDamaged) {
		f.bad, f.badErr = there, err
	}
	if err != nil {
		return err
	}
	f.bad, f.badErr = nil, nil
	info, err := db.file.Stat()
	if err != nil {
		return errors.Join(err, db.close())
	}
	f.db, f.opened = db, info
	return nil
}

// Destruct ends the writing goroutine, which closes the file.
func (f *boltFile) Destruct() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.running {
		return nil
	}
	f.running = false
	close(f.stop)
	select {
	case <-f.done:
		return nil
	case <-time.After(writeTimeout): // the disk hangs; a reload must not
		return fmt.Errorf("closing %q: %w", f.path, context.DeadlineExceeded)
	}
}

// write hands a change to the writing goroutine and waits until it is on the
// disk. What is revoked is refused from the first moment, and also if the disk
// fails; what is forgotten is so only when the disk says so.
func (f *boltFile) write(ctx context.Context, c change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s := f.set.Load()
	if s == nil {
		return errNotStarted
	}
	if !c.forget {
		for _, e := range c.entries {
			s.Apply(e)
		}
		f.succession.Tell(ctx, c.entries)
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	c.answer = make(chan error, 1)
	select {
	case f.changes <- c:
	case <-f.done:
		return errClosed
	case <-ctx.Done():
		return fmt.Errorf("writing %q: %w", f.path, ctx.Err())
	}
	select {
	case err := <-c.answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("writing %q: %w", f.path, ctx.Err())
	}
}

// run writes changes, as many as are waiting in one transaction: each costs a
// wait for the disk.
func (f *boltFile) run(s *revoked.Set) {
	debug.SetPanicOnFault(true) // a file that was cut short: an error, not the end of the server
	defer close(f.done)
	defer f.close()
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case c := <-f.changes:
			batch := f.waiting([]change{c})
			err := f.commit(s, batch)
			for _, c := range batch {
				c.answer <- cmp.Or(err, c.outcome)
			}
		case <-ticker.C:
			f.expire(s)
		case <-f.stop:
			return
		}
	}
}

// waiting adds the changes that others are trying to hand over.
func (f *boltFile) waiting(batch []change) []change {
	for len(batch) < 1000 {
		select {
		case c := <-f.changes:
			batch = append(batch, c)
		default:
			return batch
		}
	}
	return batch
}

// commit writes changes. What each of them found out by itself is its outcome.
func (f *boltFile) commit(s *revoked.Set, batch []change) error {
	reading := !slices.ContainsFunc(batch, func(c change) bool { return !c.readOnly })
	err := f.verify(s)
	if err == nil {
		err = f.transact(!reading, func(tx *bbolt.Tx) error { return apply(tx, batch) })
	}
	if err != nil || !reading {
		f.note(err)
	}
	if err != nil {
		return fmt.Errorf("writing %q: %w", f.path, err)
	}
	for _, c := range batch {
		for _, e := range c.entries {
			if c.forget {
				s.Remove(e, math.MaxInt64)
			} else {
				s.Apply(e) // again: somebody may have forgotten it meanwhile
			}
		}
	}
	return nil
}

// apply does what the changes want in one transaction.
func apply(tx *bbolt.Tx, batch []change) error {
	w, err := newBoltWriter(tx)
	if err != nil {
		return err
	}
	var bs *boltSessions
	for i, c := range batch {
		if c.sessions != nil {
			if bs == nil {
				if bs, err = sessionsOf(tx); err != nil {
					return err
				}
			}
			batch[i].outcome = c.sessions(bs)
		}
		for _, e := range c.entries {
			if c.forget {
				err = w.remove(e, math.MaxInt64)
			} else {
				err = w.put(e)
			}
			if err != nil {
				return err
			}
		}
	}
	if !tx.Writable() {
		return nil
	}
	return errors.Join(w.finish(), bs.finish())
}

// expire removes what ended, from the disk and from memory.
func (f *boltFile) expire(s *revoked.Set) {
	now := revoked.Nanoseconds(f.clock.Now())
	if f.db == nil {
		return // the next change opens it
	}
	err := s.Sweep(now, func(ended []revoked.Entry) error {
		err := f.update(func(w *boltWriter) error {
			for _, e := range ended {
				if err := w.remove(e, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			s.Drop(ended, now)
		}
		return err
	})
	if err == nil && f.db != nil {
		err = f.expireSessions()
	}
	f.note(err)
}

// verify makes sure that what is written is found at the next start: a file
// that was deleted or replaced is opened anew and gets all that is in memory.
// Sessions are not there. Those that another file brings are forgotten: it may
// be an older copy, in which refresh tokens are good that were used since, and
// sessions that were ended.
func (f *boltFile) verify(s *revoked.Set) error {
	info, err := os.Stat(f.path)
	if f.db != nil && err == nil && os.SameFile(info, f.opened) {
		return nil
	}
	f.close()
	if err := f.open(s); err != nil {
		return err
	}
	if err := f.transact(true, dropSessions); err != nil {
		f.close() // the next change begins again
		return err
	}
	now := revoked.Nanoseconds(f.clock.Now())
	for i := range revoked.Shards {
		var part []revoked.Entry
		s.EachOf(i, func(e revoked.Entry) {
			if e.Until > now {
				part = append(part, e)
			}
		})
		if len(part) == 0 {
			continue
		}
		err := f.update(func(w *boltWriter) error {
			for _, e := range part {
				if err := w.put(e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			f.close() // the next change begins again
			return err
		}
	}
	return nil
}

// update changes entries in one transaction.
func (f *boltFile) update(do func(*boltWriter) error) error {
	return f.transact(true, func(tx *bbolt.Tx) error {
		w, err := newBoltWriter(tx)
		if err != nil {
			return err
		}
		if err := do(w); err != nil {
			return err
		}
		return w.finish()
	})
}

// transact runs one transaction. Its error leaves the file as it was.
func (f *boltFile) transact(writing bool, do func(*bbolt.Tx) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = damaged(f.path, r)
			f.db.abandon() // a transaction that broke off may have left it locked
			f.db = nil     // the next change opens it anew, and finds out what it is
		}
	}()
	if writing {
		return f.db.Update(do)
	}
	return f.db.View(do)
}

// note logs when writing begins to fail, and when it is well again.
func (f *boltFile) note(err error) {
	switch {
	case err != nil && !f.failed:
		logger().Error("revocations cannot be written; log-outs are answered with 503",
			zap.String("path", f.path), zap.Error(err))
	case err == nil && f.failed:
		logger().Info("revocations can be written again", zap.String("path", f.path))
	}
	f.failed = err != nil
}

// close closes the file.
func (f *boltFile) close() {
	if f.db == nil {
		return
	}
	db := f.db
	f.db = nil
	if err := db.close(); err != nil {
		logger().Warn("closing the file of revocations", zap.String("path", f.path), zap.Error(err))
	}
}

// Interface guards
var _ caddy.Destructor = (*boltFile)(nil)
