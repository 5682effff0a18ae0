// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
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
	for _, address := range s.addresses {
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
		failed = errors.Join(failed, fmt.Errorf("sentinel %s: %w", address, err))
	}
	return nil, failed
}

// askCluster returns the masters of the cluster.
func (s *source) askCluster(ctx context.Context, links []*link) ([]master, error) {
	var failed error
	for _, l := range links {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		masters, err := slots(ctx, l.client, l.address)
		cancel()
		if err == nil {
			return masters, nil
		}
		failed = errors.Join(failed, fmt.Errorf("%s: %w", l.address, err))
	}
	for _, address := range s.addresses {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		masters, err := s.ask(ctx, address, false, func(client rueidis.Client) ([]master, error) {
			return slots(ctx, client, address)
		})
		cancel()
		if err == nil {
			return masters, nil
		}
		failed = errors.Join(failed, fmt.Errorf("%s: %w", address, err))
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

// slots asks a server of a cluster which master has which slots.
func slots(ctx context.Context, client rueidis.Client, asked string) ([]master, error) {
	ranges, err := client.Do(ctx, client.B().Arbitrary("CLUSTER", "SLOTS").Build()).ToArray()
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(asked)
	byAddress := make(map[string]*master)
	total := int64(0)
	for _, entry := range ranges {
		fields, err := entry.ToArray()
		if err != nil || len(fields) < 3 {
			return nil, errBadSlots
		}
		first, err1 := fields[0].ToInt64()
		last, err2 := fields[1].ToInt64()
		server, err3 := fields[2].ToArray()
		if errors.Join(err1, err2, err3) != nil || len(server) < 2 {
			return nil, errBadSlots
		}
		name, err := server[0].ToString()
		if err != nil || name == "" {
			name = host // it does not know its own address: the one that was asked
		}
		port, err := server[1].ToInt64()
		if err != nil {
			return nil, errBadSlots
		}
		address := net.JoinHostPort(name, fmt.Sprint(port))
		m := byAddress[address]
		if m == nil {
			m = &master{address: address}
			byAddress[address] = m
		}
		m.slots = append(m.slots, [2]int64{first, last})
		total += last - first + 1
	}
	if total < slotCount {
		return nil, fmt.Errorf("the cluster serves %d of %d slots", total, slotCount)
	}
	masters := make([]master, 0, len(byAddress))
	for _, m := range byAddress {
		slices.SortFunc(m.slots, func(a, b [2]int64) int { return int(a[0] - b[0]) })
		masters = append(masters, *m)
	}
	slices.SortFunc(masters, func(a, b master) int { return int(a.slots[0][0] - b.slots[0][0]) })
	return masters, nil
}

var errBadSlots = errors.New("the cluster's answer to CLUSTER SLOTS is not understood")

func sameMasters(a, b []master) bool {
	return slices.EqualFunc(a, b, func(a, b master) bool {
		return a.address == b.address && slices.Equal(a.slots, b.slots)
	})
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
	dialed bool
	closed bool
	conn   net.Conn
}

var errOver = errors.New("the connection has ended")

func (d *dialer) dial(ctx context.Context, address string, nd *net.Dialer, _ *tls.Config) (net.Conn, error) {
	d.mu.Lock()
	if d.dialed || d.closed {
		d.mu.Unlock()
		return nil, errOver
	}
	d.dialed = true
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

// cut ends the connection, whatever waits for it.
func (d *dialer) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.conn != nil {
		_ = d.conn.Close()
	}
}

// Interface guards
var _ replica.Source = (*source)(nil)
