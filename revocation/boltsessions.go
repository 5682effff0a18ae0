// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

// Sessions stand in a bucket of their own, which is made with the first of them:
// a file of before sessions is a file without any. It maps IDs to what
// encodeSession writes, with a checksum. "about" says how many there are.
//
// They are read from the file when somebody asks, and held nowhere else.
var (
	sessionsBucket   = []byte("sessions")
	sessionsCountKey = []byte("sessions")
)

// sweptSessions is how many sessions are looked at each time that expired ones
// are removed. Who asks for one that has ended does not get it in any case.
const sweptSessions = 10_000

// boltSessions are the sessions within one transaction.
type boltSessions struct {
	bucket  *bbolt.Bucket // nil when there are none
	about   *bbolt.Bucket
	count   uint64
	changed bool
}

// sessionsOf finds the sessions. Whoever writes has their bucket made.
func sessionsOf(tx *bbolt.Tx) (*boltSessions, error) {
	bs := &boltSessions{bucket: tx.Bucket(sessionsBucket), about: tx.Bucket(aboutBucket)}
	if bs.about == nil {
		return nil, errDamaged
	}
	sum := bs.about.Get(sessionsCountKey)
	if (bs.bucket == nil) != (sum == nil) {
		return nil, fmt.Errorf("%w: sessions without their number, or the reverse", errDamaged)
	}
	if bs.bucket == nil {
		if !tx.Writable() {
			return bs, nil
		}
		var err error
		bs.bucket, err = tx.CreateBucket(sessionsBucket)
		bs.changed = true
		return bs, err
	}
	count, err := unsealed(sessionsCountKey, sum)
	if err != nil || len(count) != 8 {
		return nil, fmt.Errorf("%w: number of sessions", errDamaged)
	}
	bs.count = binary.BigEndian.Uint64(count)
	return bs, nil
}

// finish writes how many there are.
func (bs *boltSessions) finish() error {
	if bs == nil || !bs.changed {
		return nil
	}
	return bs.about.Put(sessionsCountKey, sealed(sessionsCountKey, binary.BigEndian.AppendUint64(nil, bs.count)))
}

// get returns a session, ended or not.
func (bs *boltSessions) get(id string) (auth.Session, error) {
	if bs.bucket == nil || id == "" {
		return auth.Session{}, auth.ErrSessionNotFound
	}
	value := bs.bucket.Get([]byte(id))
	if value == nil {
		return auth.Session{}, auth.ErrSessionNotFound
	}
	value, err := unsealed([]byte(id), value)
	if err != nil {
		return auth.Session{}, fmt.Errorf("session: %w", err)
	}
	return decodeSession(id, value)
}

// live returns a session that has not ended.
func (bs *boltSessions) live(id string, now time.Time) (auth.Session, error) {
	s, err := bs.get(id)
	if err != nil {
		return auth.Session{}, err
	}
	if !s.Until.After(now) {
		return auth.Session{}, auth.ErrSessionNotFound
	}
	return s, nil
}

func (bs *boltSessions) put(s auth.Session) error {
	key := []byte(s.ID)
	added := bs.bucket.Get(key) == nil
	if err := bs.bucket.Put(key, sealed(key, encodeSession(s))); err != nil {
		return err
	}
	if added {
		bs.count++
		bs.changed = true
	}
	return nil
}

func (bs *boltSessions) remove(id string) error {
	key := []byte(id)
	if id == "" || bs.bucket.Get(key) == nil {
		return nil
	}
	if err := bs.bucket.Delete(key); err != nil {
		return err
	}
	bs.count--
	bs.changed = true
	return nil
}

// checkSessions reads all sessions: a file that lost some is damaged.
func checkSessions(tx *bbolt.Tx) error {
	bs, err := sessionsOf(tx)
	if err != nil || bs.bucket == nil {
		return err
	}
	found := uint64(0)
	var last []byte
	err = bs.bucket.ForEach(func(k, v []byte) error {
		found++
		if bytes.Compare(last, k) >= 0 {
			return fmt.Errorf("session %d: order", found)
		}
		last = append(last[:0], k...)
		if _, err := unsealed(k, v); err != nil {
			return fmt.Errorf("session %d: %w", found, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if found != bs.count {
		return fmt.Errorf("%d of %d sessions", found, bs.count)
	}
	return nil
}

// dropSessions forgets all sessions.
func dropSessions(tx *bbolt.Tx) error {
	if tx.Bucket(sessionsBucket) == nil {
		return nil
	}
	return errors.Join(tx.DeleteBucket(sessionsBucket), tx.Bucket(aboutBucket).Delete(sessionsCountKey))
}

// endedSessions looks at some sessions after the one given, and returns those
// that have ended and where to go on; nil at the end.
func endedSessions(tx *bbolt.Tx, after []byte, now int64) (ended []string, next []byte) {
	bucket := tx.Bucket(sessionsBucket)
	if bucket == nil {
		return nil, nil
	}
	c := bucket.Cursor()
	k, v := c.First()
	if after != nil {
		if k, v = c.Seek(after); bytes.Equal(k, after) {
			k, v = c.Next()
		}
	}
	for range sweptSessions {
		if k == nil {
			return ended, nil
		}
		if len(v) >= 8 && int64(binary.BigEndian.Uint64(v)) <= now {
			ended = append(ended, string(k))
		}
		next = append(next[:0], k...)
		k, v = c.Next()
	}
	return ended, next
}

// CreateSession implements auth.RefreshStore.
func (b *Bolt) CreateSession(ctx context.Context, s auth.Session) error {
	now := b.clock.Now()
	if err := checkSession(s, now); err != nil {
		return err
	}
	return b.file.write(ctx, change{sessions: func(bs *boltSessions) error {
		switch _, err := bs.live(s.ID, now); {
		case err == nil:
			return errSessionTaken
		case !errors.Is(err, auth.ErrSessionNotFound):
			return err
		}
		return bs.put(s)
	}})
}

// Session implements auth.RefreshStore.
func (b *Bolt) Session(ctx context.Context, id string) (auth.Session, error) {
	now := b.clock.Now()
	answer := make(chan auth.Session, 1) // nobody reads it when this gives up
	err := b.file.write(ctx, change{readOnly: true, sessions: func(bs *boltSessions) error {
		s, err := bs.live(id, now)
		answer <- s
		return err
	}})
	if err != nil {
		return auth.Session{}, err
	}
	return <-answer, nil
}

// Rotate implements auth.RefreshStore.
func (b *Bolt) Rotate(ctx context.Context, current [32]byte, next auth.Session) (bool, error) {
	now := b.clock.Now()
	if err := checkSession(next, now); err != nil {
		return false, err
	}
	err := b.file.write(ctx, change{sessions: func(bs *boltSessions) error {
		s, err := bs.live(next.ID, now)
		if err != nil {
			return err
		}
		if s.Current != current {
			return errOtherCurrent
		}
		return bs.put(next)
	}})
	if errors.Is(err, errOtherCurrent) || errors.Is(err, auth.ErrSessionNotFound) {
		return false, nil
	}
	return err == nil, err
}

// errOtherCurrent says that a session is there, and its current one another.
var errOtherCurrent = errors.New("another refresh token is good")

// EndSession implements auth.RefreshStore.
func (b *Bolt) EndSession(ctx context.Context, id string) error {
	return b.file.write(ctx, change{sessions: func(bs *boltSessions) error { return bs.remove(id) }})
}

// expireSessions removes sessions that ended, of a part of them at a time.
func (f *boltFile) expireSessions() error {
	now := revoked.Nanoseconds(f.clock.Now())
	var ended []string
	var next []byte
	err := f.transact(false, func(tx *bbolt.Tx) error {
		ended, next = endedSessions(tx, f.swept, now)
		return nil
	})
	for err == nil && len(ended) > 0 {
		n := min(len(ended), 1000)
		err = f.transact(true, func(tx *bbolt.Tx) error {
			bs, err := sessionsOf(tx)
			if err != nil {
				return err
			}
			for _, id := range ended[:n] {
				if err := bs.remove(id); err != nil {
					return err
				}
			}
			return bs.finish()
		})
		ended = ended[n:]
	}
	f.swept = next
	return err
}

// Interface guards
var _ auth.RefreshStore = (*Bolt)(nil)
