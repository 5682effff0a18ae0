// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/replica"
)

// source is a server, a group of servers that sentinels watch, or a cluster.
type source struct {
	addresses []string
	username  string
	password  string
	database  int
	tls       *tls.Config

	sentinel         string // the name of the master
	sentinelUsername string
	sentinelPassword string

	cluster bool
	clock   clock.Clock
	keys    keys

	// next is the address to ask first where the masters are: one that did not
	// answer is asked last the next time. Whoever connects and whoever watches
	// take turns.
	next int

	current replica.Current[*session]
}

// Connect implements replica.Source.
func (s *source) Connect(ctx context.Context) (replica.Session, error) {
	masters, err := s.topology(ctx, nil)
	if err != nil {
		return nil, err
	}
	session := &session{source: s, masters: masters, signal: make(chan struct{}, 1), over: make(chan struct{})}
	for _, m := range masters {
		session.links = append(session.links, &link{session: session, address: m.address})
	}
	// One that does not answer is let go when the context ends.
	stop := context.AfterFunc(ctx, session.cut)
	defer stop()
	for _, l := range session.links {
		if err := l.connect(ctx); err != nil {
			session.Close()
			return nil, err
		}
	}
	if !stop() {
		session.Close()
		return nil, ctx.Err()
	}
	s.current.Set(session)
	return session, nil
}

// master is a server that writes are sent to, with the hash slots that are its.
type master struct {
	address string
	slots   [][2]int64
}

// topology returns the masters: the one address, what the sentinels say, or
// what the cluster says. It asks the links, if there are any, else addresses.
func (s *source) topology(ctx context.Context, links []*link) ([]master, error) {
	switch {
	case s.sentinel != "":
		return s.askSentinels(ctx)
	case s.cluster:
		return s.askCluster(ctx, links)
	default:
		return []master{{address: s.addresses[0]}}, nil
	}
}

// askSentinels returns the master that the first sentinel which answers names.
func (s *source) askSentinels(ctx context.Context) ([]master, error) {
	var failed error
	for range s.addresses {
		if ctx.Err() != nil {
			break // the others come the next time
		}
		address := s.addresses[s.next]
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		where, err := s.ask(ctx, address, true, func(client rueidis.Client) ([]master, error) {
			command := client.B().Arbitrary("SENTINEL", "GET-MASTER-ADDR-BY-NAME", s.sentinel).Build()
			reply, err := client.Do(ctx, command).AsStrSlice()
			switch {
			case rueidis.IsRedisNil(err):
				return nil, fmt.Errorf("the sentinel does not know the master %q", s.sentinel)
			case err != nil:
				return nil, err
			case len(reply) != 2:
				return nil, errors.New("the sentinel's answer is no address")
			}
			return []master{{address: net.JoinHostPort(reply[0], reply[1])}}, nil
		})
		cancel()
		if err == nil {
			return where, nil
		}
		s.next = (s.next + 1) % len(s.addresses)
		failed = errors.Join(failed, fmt.Errorf("sentinel %s: %w", address, err))
	}
	return nil, failed
}

// askTimeout bounds asking one server where the others are.
const askTimeout = time.Second

// ask connects to a server for one question.
func (s *source) ask(ctx context.Context, address string, sentinel bool, question func(rueidis.Client) ([]master, error)) ([]master, error) {
	option := s.option(address)
	option.DisableCache = true
	if sentinel {
		option.Username, option.Password, option.SelectDB = s.sentinelUsername, s.sentinelPassword, 0
	}
	d := &dialer{tls: s.tls}
	option.DialCtxFn = d.dial
	stop := context.AfterFunc(ctx, d.cut)
	defer stop()
	client, err := rueidis.NewClient(option)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	defer d.cut() // closing would wait for what is under way
	return question(client)
}

// option returns how to connect to one server.
func (s *source) option(address string) rueidis.ClientOption {
	return rueidis.ClientOption{
		InitAddress:         []string{address},
		Username:            s.username,
		Password:            s.password,
		SelectDB:            s.database,
		ClientName:          "caddy-auth",
		ClientSetInfo:       rueidis.DisableClientSetInfo,
		ForceSingleClient:   true,
		DisableRetry:        true,
		PipelineMultiplex:   -1,      // one connection, on which answers and notices have an order
		BlockingPipeline:    1 << 20, // never another
		CacheSizeEachConn:   1 << 10, // the cache of the client is not used
		RingScaleEachConn:   8,
		ReadBufferEachConn:  64 << 10,
		WriteBufferEachConn: 64 << 10,
		ConnWriteTimeout:    replica.Timeout,
		Dialer:              net.Dialer{Timeout: replica.Timeout, KeepAlive: time.Second},
	}
}

// dialer opens one connection and no second: a session ends with its connection.
type dialer struct {
	tls *tls.Config

	mu     sync.Mutex
	cancel context.CancelFunc // of dialing, once that began
	closed bool
	conn   net.Conn
}

var errOver = errors.New("the connection has ended")

// dial is called by the client with a context that never ends.
func (d *dialer) dial(ctx context.Context, address string, nd *net.Dialer, _ *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.mu.Lock()
	if d.cancel != nil || d.closed {
		d.mu.Unlock()
		return nil, errOver
	}
	d.cancel = cancel
	d.mu.Unlock()
	network := "tcp"
	if path, ok := cutUnix(address); ok {
		network, address = "unix", path
	}
	conn, err := nd.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if d.tls != nil {
		config := d.tls.Clone()
		if config.ServerName == "" {
			config.ServerName, _, _ = net.SplitHostPort(address)
		}
		secured := tls.Client(conn, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		conn = secured
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = conn.Close()
		return nil, errOver
	}
	d.conn = conn
	return conn, nil
}

// cut ends the connection, whatever waits for it, or the attempt to make it.
func (d *dialer) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.cancel != nil {
		d.cancel()
	}
	if d.conn != nil {
		_ = d.conn.Close()
	}
}

// Interface guards
var _ replica.Source = (*source)(nil)
