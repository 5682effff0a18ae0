// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/caddybolt/caddy-bolt/internal/replica"
)

// session is a connection to each master.
type session struct {
	source  *source
	masters []master
	links   []*link

	mu     sync.Mutex
	keys   map[string]*link // changed since they were read
	signal chan struct{}    // there are some

	ending sync.Once
	over   chan struct{} // closed when something may have been missed
}

// link is the connection to one master. What other connections change there is
// noticed on it, in the order of the answers.
type link struct {
	session *session
	address string
	dialer  *dialer
	client  rueidis.Client
}

func (l *link) connect(ctx context.Context) error {
	option := l.session.source.option(l.address)
	option.ClientTrackingOptions = []string{"BCAST"}
	for _, prefix := range l.session.source.keys.prefixes() {
		option.ClientTrackingOptions = append(option.ClientTrackingOptions, "PREFIX", prefix)
	}
	option.OnInvalidations = l.noticed
	l.session.mu.Lock()
	l.dialer = &dialer{tls: l.session.source.tls}
	l.session.mu.Unlock()
	option.DialCtxFn = l.dialer.dial
	if ctx.Err() != nil {
		return ctx.Err()
	}
	client, err := rueidis.NewClient(option)
	if err != nil {
		return fmt.Errorf("connecting to %s: %w", l.address, err)
	}
	l.client = client
	role, err := client.Do(ctx, client.B().Arbitrary("ROLE").Build()).ToArray()
	if err != nil {
		return fmt.Errorf("connecting to %s: %w", l.address, err)
	}
	// A server that is no longer the master lags behind the one that is.
	if l.session.source.sentinel != "" || l.session.source.cluster {
		if len(role) == 0 || role[0].String() == "" {
			return fmt.Errorf("%s: the answer to ROLE is not understood", l.address)
		}
		if name, _ := role[0].ToString(); name != "master" {
			return fmt.Errorf("%s is not a master", l.address)
		}
	}
	return nil
}

// noticed is told which keys changed; nil means that anything may have.
func (l *link) noticed(keys []rueidis.RedisMessage) {
	s := l.session
	if keys == nil {
		s.end()
		return
	}
	s.mu.Lock()
	if s.keys == nil {
		s.keys = make(map[string]*link)
	}
	for _, k := range keys {
		if name, err := k.ToString(); err == nil {
			s.keys[name] = l
		}
	}
	s.mu.Unlock()
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// end notes that the copy has to be filled anew.
func (s *session) end() { s.ending.Do(func() { close(s.over) }) }

// take returns the keys that changed.
func (s *session) take() map[string]*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := s.keys
	s.keys = nil
	return keys
}

// cut ends all connections.
func (s *session) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.links {
		if l.dialer != nil {
			l.dialer.cut()
		}
	}
}

// Close implements replica.Session.
func (s *session) Close() {
	s.source.current.Drop(s)
	s.cut() // closing a client would wait for what is under way
	for _, l := range s.links {
		if l.client != nil {
			l.client.Close()
		}
	}
}

// Follow implements replica.Session. A heartbeat is answered after all notices
// of what changed before it.
func (s *session) Follow(ctx context.Context, n *replica.Node) error {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	moved := make(chan error, 1)
	if s.source.sentinel != "" || s.source.cluster {
		watching.Go(func() { s.watch(ctx, moved) })
	}
	heartbeat := time.NewTicker(replica.Heartbeat)
	defer heartbeat.Stop()
	for ping := true; ; {
		n.Begin()
		at := time.Now()
		if ping {
			if err := s.ping(ctx); err != nil {
				return err
			}
		}
		if err := s.read(ctx, n, s.take()); err != nil {
			return err
		}
		select {
		case <-s.over:
			return errOver
		default:
		}
		if ping {
			n.Heard(at)
		}
		select {
		case <-heartbeat.C:
			ping = true
		case <-s.signal:
			ping = false
		case <-s.over:
			return errOver
		case err := <-moved:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ping asks every master whether it is there.
func (s *session) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, replica.Timeout)
	defer cancel()
	errs := make([]error, len(s.links))
	var wg sync.WaitGroup
	for i, l := range s.links {
		wg.Go(func() {
			if err := l.client.Do(ctx, l.client.B().Ping().Build()).Error(); err != nil {
				errs[i] = fmt.Errorf("asking %s: %w", l.address, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// watch asks who the masters are, and says when there are others.
func (s *session) watch(ctx context.Context, moved chan<- error) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		masters, err := s.source.topology(ctx, s.links)
		if err != nil {
			continue // the masters answer: nobody knows better
		}
		if !sameMasters(masters, s.masters) {
			moved <- errors.New("other servers are the masters now")
			return
		}
	}
}

// link returns the connection to the master of a key.
func (s *session) link(key string) *link {
	if len(s.links) == 1 {
		return s.links[0]
	}
	n := slot(key)
	for i, m := range s.masters {
		for _, r := range m.slots {
			if r[0] <= n && n <= r[1] {
				return s.links[i]
			}
		}
	}
	return s.links[0]
}

// Interface guards
var (
	_ replica.Session = (*session)(nil)
	_ replica.Asker   = (*session)(nil)
)
