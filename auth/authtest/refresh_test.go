// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// refresher is a store of sessions that keeps the contract; each field breaks
// it when it is set.
type refresher struct {
	mu       sync.Mutex
	now      func() time.Time
	sessions map[string]auth.Session

	create  func(ctx context.Context, s auth.Session, right func(auth.Session) error) error
	session func(ctx context.Context, id string, right func(string) (auth.Session, error)) (auth.Session, error)
	rotate  func(ctx context.Context, current [32]byte, next auth.Session, right func([32]byte, auth.Session) bool) (bool, error)
	end     func(ctx context.Context, id string, right func(string)) error
}

var errTaken = errors.New("there is a session of this ID")

func newRefresher(now func() time.Time) *refresher {
	if now == nil {
		now = time.Now
	}
	return &refresher{now: now, sessions: make(map[string]auth.Session)}
}

func (r *refresher) CreateSession(ctx context.Context, s auth.Session) error {
	if r.create != nil {
		return r.create(ctx, s, r.rightCreate)
	}
	return r.rightCreate(s)
}

func (r *refresher) rightCreate(s auth.Session) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.ID == "" {
		return errors.New("no ID")
	}
	if _, ok := r.live(s.ID); ok {
		return errTaken
	}
	r.sessions[s.ID] = s
	return nil
}

// live returns a session that has not ended.
func (r *refresher) live(id string) (auth.Session, bool) {
	s, ok := r.sessions[id]
	if !ok || !r.now().Before(s.Until) {
		return auth.Session{}, false
	}
	return s, true
}

func (r *refresher) Session(ctx context.Context, id string) (auth.Session, error) {
	if r.session != nil {
		return r.session(ctx, id, r.rightSession)
	}
	return r.rightSession(id)
}

func (r *refresher) rightSession(id string) (auth.Session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.live(id)
	if !ok {
		return auth.Session{}, auth.ErrSessionNotFound
	}
	return s, nil
}

func (r *refresher) Rotate(ctx context.Context, current [32]byte, next auth.Session) (bool, error) {
	if r.rotate != nil {
		return r.rotate(ctx, current, next, r.rightRotate)
	}
	return r.rightRotate(current, next), nil
}

func (r *refresher) rightRotate(current [32]byte, next auth.Session) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.live(next.ID)
	if !ok || s.Current != current {
		return false
	}
	r.sessions[next.ID] = next
	return true
}

func (r *refresher) EndSession(ctx context.Context, id string) error {
	if r.end != nil {
		return r.end(ctx, id, r.rightEnd)
	}
	r.rightEnd(id)
	return nil
}

func (r *refresher) rightEnd(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sessions, id)
}

// put writes without looking.
func (r *refresher) put(s auth.Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions[s.ID] = s
}

// refresherCase is the case of a store that alter breaks.
func refresherCase(alter func(*refresher)) RefreshStoreCase {
	make := func(now func() time.Time) *refresher {
		r := newRefresher(now)
		if alter != nil {
			alter(r)
		}
		return r
	}
	return RefreshStoreCase{
		New:    func(testing.TB) auth.RefreshStore { return make(nil) },
		NewAt:  func(_ testing.TB, now func() time.Time) auth.RefreshStore { return make(now) },
		Reopen: func(_ testing.TB, old auth.RefreshStore) auth.RefreshStore { return old },
		Peer:   func(_ testing.TB, first auth.RefreshStore) auth.RefreshStore { return first },
		Down:   func(testing.TB) auth.RefreshStore { return downRefresher(errors.New("no answer")) },
	}
}

// downRefresher answers err to everything.
func downRefresher(err error) *refresher {
	r := newRefresher(nil)
	r.create = func(context.Context, auth.Session, func(auth.Session) error) error { return err }
	r.session = func(context.Context, string, func(string) (auth.Session, error)) (auth.Session, error) {
		return auth.Session{}, err
	}
	r.rotate = func(context.Context, [32]byte, auth.Session, func([32]byte, auth.Session) bool) (bool, error) {
		return false, err
	}
	r.end = func(context.Context, string, func(string)) error { return err }
	return r
}

func TestBrokenRefreshStoresAreNoticed(t *testing.T) {
	t.Parallel()
	none := refresherCase(nil)
	none.New = nil
	missing := refresherCase(nil)
	missing.New = func(testing.TB) auth.RefreshStore { return nil }
	// stored changes what CreateSession and Rotate write.
	stored := func(f func(*auth.Session)) RefreshStoreCase {
		return refresherCase(func(r *refresher) {
			r.create = func(_ context.Context, s auth.Session, right func(auth.Session) error) error {
				f(&s)
				return right(s)
			}
			r.rotate = func(_ context.Context, current [32]byte, next auth.Session, right func([32]byte, auth.Session) bool) (bool, error) {
				f(&next)
				return right(current, next), nil
			}
		})
	}
	rotating := func(f func(r *refresher, current [32]byte, next auth.Session, right func([32]byte, auth.Session) bool) bool) RefreshStoreCase {
		return refresherCase(func(r *refresher) {
			r.rotate = func(_ context.Context, current [32]byte, next auth.Session, right func([32]byte, auth.Session) bool) (bool, error) {
				return f(r, current, next, right), nil
			}
		})
	}
	// keyed changes the ID that everything is found by.
	keyed := func(f func(string) string) RefreshStoreCase {
		return refresherCase(func(r *refresher) {
			ids := make(map[string]string)
			var mu sync.Mutex
			key := func(id string) string {
				mu.Lock()
				defer mu.Unlock()
				ids[f(id)] = id
				return f(id)
			}
			r.create = func(_ context.Context, s auth.Session, right func(auth.Session) error) error {
				s.ID = key(s.ID)
				return right(s)
			}
			r.session = func(_ context.Context, id string, right func(string) (auth.Session, error)) (auth.Session, error) {
				s, err := right(key(id))
				if err == nil {
					s.ID = id
				}
				return s, err
			}
			r.rotate = func(_ context.Context, current [32]byte, next auth.Session, right func([32]byte, auth.Session) bool) (bool, error) {
				next.ID = key(next.ID)
				return right(current, next), nil
			}
			r.end = func(_ context.Context, id string, right func(string)) error {
				right(key(id))
				return nil
			}
		})
	}
	unlocked := refresherCase(func(r *refresher) {
		r.rotate = func(_ context.Context, current [32]byte, next auth.Session, _ func([32]byte, auth.Session) bool) (bool, error) {
			s, err := r.rightSession(next.ID)
			if err != nil || s.Current != current {
				return false, nil
			}
			time.Sleep(10 * time.Millisecond) // as long as a server takes
			r.put(next)
			return true, nil
		}
	})
	unlockedCreate := refresherCase(func(r *refresher) {
		r.create = func(_ context.Context, s auth.Session, _ func(auth.Session) error) error {
			if _, err := r.rightSession(s.ID); err == nil {
				return errTaken
			}
			time.Sleep(10 * time.Millisecond)
			r.put(s)
			return nil
		}
	})
	reopen := refresherCase(nil)
	reopen.Reopen = func(testing.TB, auth.RefreshStore) auth.RefreshStore { return newRefresher(nil) }
	stale := refresherCase(nil)
	stale.Reopen = func(_ testing.TB, old auth.RefreshStore) auth.RefreshStore {
		r := old.(*refresher)
		for id, s := range r.sessions { // the last transaction is lost
			s.Current = s.Previous
			r.sessions[id] = s
		}
		return r
	}
	peer := refresherCase(nil)
	peer.Peer = func(testing.TB, auth.RefreshStore) auth.RefreshStore { return newRefresher(nil) }
	unlockedPeer := unlocked
	unlockedPeer.Peer = func(_ testing.TB, first auth.RefreshStore) auth.RefreshStore { return first }
	down := func(r *refresher) RefreshStoreCase {
		c := refresherCase(nil)
		c.Down = func(testing.TB) auth.RefreshStore { return r }
		return c
	}
	quiet := downRefresher(errors.New("no answer"))
	quiet.end = nil
	realTime := stored(func(s *auth.Session) { s.Until = s.Until.Add(time.Hour) })
	realTime.NewAt = nil

	noticed(t, refresherCase(nil), refreshChecks, []broken[RefreshStoreCase]{
		{"no New", none, "the case is complete"},
		{"New returns nil", missing, "the case is complete"},

		{"no session is an empty one", refresherCase(func(r *refresher) {
			r.session = func(_ context.Context, id string, right func(string) (auth.Session, error)) (auth.Session, error) {
				s, _ := right(id)
				return s, nil
			}
		}), "there is nothing at first"},
		{"another error for no session", refresherCase(func(r *refresher) {
			r.session = func(_ context.Context, id string, right func(string) (auth.Session, error)) (auth.Session, error) {
				s, err := right(id)
				if err != nil {
					err = errors.New("no rows")
				}
				return s, err
			}
		}), "there is nothing at first"},
		{"rotates what is not there", rotating(func(r *refresher, current [32]byte, next auth.Session, right func([32]byte, auth.Session) bool) bool {
			if _, err := r.rightSession(next.ID); err != nil {
				r.put(next)
				return true
			}
			return right(current, next)
		}), "there is nothing at first"},
		{"ending nothing is an error", refresherCase(func(r *refresher) {
			r.end = func(_ context.Context, id string, right func(string)) error {
				_, err := r.rightSession(id)
				right(id)
				return err
			}
		}), "there is nothing at first"},

		{"forgets the nonce", stored(func(s *auth.Session) { s.Nonce = [32]byte{} }), "a session is kept whole"},
		{"forgets the family", stored(func(s *auth.Session) { s.Family = [32]byte{} }), "a session is kept whole"},
		{"forgets the issuer", stored(func(s *auth.Session) { s.User.Issuer = "" }), "a session is kept whole"},
		{"forgets the limit", stored(func(s *auth.Session) { s.Limit = time.Time{} }), "a session is kept whole"},
		{"keeps whole seconds", stored(func(s *auth.Session) { s.Rotated = s.Rotated.Truncate(time.Second) }), "a session is kept whole"},
		{"no time is the epoch", stored(func(s *auth.Session) {
			if s.Rotated.IsZero() {
				s.Rotated = time.Unix(0, 0)
			}
		}), "a session is kept whole"},
		{"spoils text that is not ASCII", stored(func(s *auth.Session) { s.User.ID = strings.ToValidUTF8(strings.ReplaceAll(s.User.ID, "日", "?"), "?") }), "a session is kept whole"},
		{"rotates the digest alone", rotating(func(r *refresher, current [32]byte, next auth.Session, right func([32]byte, auth.Session) bool) bool {
			s, err := r.rightSession(next.ID)
			if err != nil {
				return false
			}
			s.Current = next.Current
			return right(current, s)
		}), "a session is kept whole"},

		{"overwrites", refresherCase(func(r *refresher) {
			r.create = func(_ context.Context, s auth.Session, _ func(auth.Session) error) error {
				r.put(s)
				return nil
			}
		}), "an ID is taken once"},
		{"overwrites and complains", refresherCase(func(r *refresher) {
			r.create = func(_ context.Context, s auth.Session, right func(auth.Session) error) error {
				err := right(s)
				r.put(s)
				return err
			}
		}), "an ID is taken once"},

		{"does not compare", rotating(func(r *refresher, _ [32]byte, next auth.Session, _ func([32]byte, auth.Session) bool) bool {
			r.put(next)
			return true
		}), "only who knows the current one rotates"},
		{"compares 31 bytes", rotating(func(r *refresher, current [32]byte, next auth.Session, right func([32]byte, auth.Session) bool) bool {
			s, _ := r.rightSession(next.ID)
			current[31] = s.Current[31]
			return right(current, next)
		}), "only who knows the current one rotates"},
		{"the previous one is good too", rotating(func(r *refresher, current [32]byte, next auth.Session, right func([32]byte, auth.Session) bool) bool {
			if s, err := r.rightSession(next.ID); err == nil && s.Previous == current {
				current = s.Current
			}
			return right(current, next)
		}), "only who knows the current one rotates"},
		{"nothing is a wildcard", rotating(func(r *refresher, current [32]byte, next auth.Session, right func([32]byte, auth.Session) bool) bool {
			if s, err := r.rightSession(next.ID); err == nil && current == [32]byte{} {
				current = s.Current
			}
			return right(current, next)
		}), "only who knows the current one rotates"},
		{"writes and says no", rotating(func(r *refresher, _ [32]byte, next auth.Session, _ func([32]byte, auth.Session) bool) bool {
			r.put(next)
			return false
		}), "only who knows the current one rotates"},

		{"folds the case of IDs", keyed(strings.ToUpper), "sessions are apart"},
		{"cuts IDs", keyed(func(id string) string { return id[:min(len(id), 36)] }), "sessions are apart"},
		{"takes a blank for an underscore", keyed(func(id string) string { return strings.NewReplacer("_", "1", "*", "1").Replace(id) }), "names with separators are apart"},
		{"an empty ID is one", refresherCase(func(r *refresher) {
			r.create = func(_ context.Context, s auth.Session, right func(auth.Session) error) error {
				if s.ID == "" {
					r.put(s)
					return nil
				}
				return right(s)
			}
		}), "an empty ID is no session"},
		{"an empty ID ends all", refresherCase(func(r *refresher) {
			r.end = func(_ context.Context, id string, right func(string)) error {
				if id == "" {
					r.mu.Lock()
					clear(r.sessions)
					r.mu.Unlock()
				}
				right(id)
				return nil
			}
		}), "an empty ID is no session"},

		{"does not end", refresherCase(func(r *refresher) {
			r.end = func(context.Context, string, func(string)) error { return nil }
		}), "an ended session is gone"},
		{"a rotation brings it back", rotating(func(r *refresher, current [32]byte, next auth.Session, right func([32]byte, auth.Session) bool) bool {
			if right(current, next) {
				return true
			}
			if _, err := r.rightSession(next.ID); err != nil {
				r.put(next)
			}
			return false
		}), "an ended session is gone"},

		{"does not expire", stored(func(s *auth.Session) { s.Until = s.Until.AddDate(1, 0, 0) }), "sessions end by themselves"},
		{"does not expire in real time", realTime, "sessions end by themselves"},
		{"ends early", refresherCase(func(r *refresher) {
			r.session = func(_ context.Context, id string, right func(string) (auth.Session, error)) (auth.Session, error) {
				s, err := right(id)
				if err == nil && r.now().After(s.Until.Add(-time.Minute)) {
					return auth.Session{}, auth.ErrSessionNotFound
				}
				return s, err
			}
		}), "sessions end by themselves"},
		{"ends at its limit", refresherCase(func(r *refresher) {
			r.session = func(_ context.Context, id string, right func(string) (auth.Session, error)) (auth.Session, error) {
				s, err := right(id)
				if err == nil && r.now().After(s.Limit) {
					return auth.Session{}, auth.ErrSessionNotFound
				}
				return s, err
			}
		}), "sessions end by themselves"},
		{"rotates what has ended", rotating(func(r *refresher, current [32]byte, next auth.Session, _ func([32]byte, auth.Session) bool) bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			if s, ok := r.sessions[next.ID]; !ok || s.Current != current {
				return false
			}
			r.sessions[next.ID] = next
			return true
		}), "sessions end by themselves"},
		{"is never shortened", rotating(func(r *refresher, current [32]byte, next auth.Session, right func([32]byte, auth.Session) bool) bool {
			if s, err := r.rightSession(next.ID); err == nil && s.Until.After(next.Until) {
				next.Until = s.Until
			}
			return right(current, next)
		}), "sessions end by themselves"},

		{"looks, then writes", unlocked, "of many rotations one wins"},
		{"none wins", rotating(func(_ *refresher, current [32]byte, next auth.Session, right func([32]byte, auth.Session) bool) bool {
			right(current, next)
			return false
		}), "of many rotations one wins"},
		{"looks, then creates", unlockedCreate, "of many creations one wins"},
		{"a rotation overtakes an end", unlocked, "an end wins over rotations"},
		{"holds ten sessions", refresherCase(func(r *refresher) {
			r.create = func(_ context.Context, s auth.Session, right func(auth.Session) error) error {
				r.mu.Lock()
				full := len(r.sessions) >= 10
				r.mu.Unlock()
				if full {
					return nil
				}
				return right(s)
			}
		}), "many sessions at once"},

		{"who hangs up has no session", refresherCase(func(r *refresher) {
			r.session = func(ctx context.Context, id string, right func(string) (auth.Session, error)) (auth.Session, error) {
				if ctx.Err() != nil {
					return auth.Session{}, auth.ErrSessionNotFound
				}
				return right(id)
			}
		}), "a cancelled context"},
		{"who hangs up used it twice", refresherCase(func(r *refresher) {
			r.rotate = func(ctx context.Context, current [32]byte, next auth.Session, right func([32]byte, auth.Session) bool) (bool, error) {
				return ctx.Err() == nil && right(current, next), nil
			}
		}), "a cancelled context"},
		{"who hangs up rotates nothing", refresherCase(func(r *refresher) {
			r.rotate = func(ctx context.Context, current [32]byte, next auth.Session, right func([32]byte, auth.Session) bool) (bool, error) {
				return ctx.Err() != nil || right(current, next), nil
			}
		}), "a cancelled context"},
		{"who hangs up stays signed in", refresherCase(func(r *refresher) {
			r.end = func(ctx context.Context, id string, right func(string)) error {
				if ctx.Err() == nil {
					right(id)
				}
				return nil
			}
		}), "a cancelled context"},
		{"waits for ever", refresherCase(func(r *refresher) {
			r.session = func(ctx context.Context, id string, right func(string) (auth.Session, error)) (auth.Session, error) {
				if ctx.Err() != nil {
					select {}
				}
				return right(id)
			}
		}), "a cancelled context"},

		{"everything is lost at a restart", reopen, "after a restart"},
		{"the last rotation is lost at a restart", stale, "after a restart"},
		{"the other node knows nothing", peer, "on another node"},
		{"the nodes both win", unlockedPeer, "on another node"},

		{"an outage is no session", down(downRefresher(auth.ErrSessionNotFound)), "what could not be decided is neither there nor gone"},
		{"an outage is a success", down(downRefresher(nil)), "what could not be decided is neither there nor gone"},
		{"an outage loses log-outs", down(quiet), "what could not be decided is neither there nor gone"},
	})
}

// A store without a clock of its own is checked in real time.
func TestEndOfSessionsIsCheckedInRealTimeWithoutAClock(t *testing.T) {
	t.Parallel()
	c := refresherCase(nil)
	c.NewAt = nil
	for name, messages := range failures(t, c, refreshChecks) {
		t.Errorf("%s: %q", name, messages)
	}
}

// A field that somebody adds to auth.Session must be kept by stores too.
func TestEveryFieldOfASessionIsChecked(t *testing.T) {
	t.Parallel()
	s := refreshing(t, newRefresher(nil)).session("a")
	for i := range reflect.TypeFor[auth.Session]().NumField() {
		if reflect.ValueOf(s).Field(i).IsZero() {
			t.Errorf("the suite does not set %s", reflect.TypeFor[auth.Session]().Field(i).Name)
		}
	}
}
