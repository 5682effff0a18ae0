// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/redis/rueidis"
)

// askCluster returns the masters of the cluster.
func (s *source) askCluster(ctx context.Context, links []*link) ([]master, error) {
	var failed error
	for _, l := range links {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		masters, err := mastersOf(ctx, l.client, l.address)
		cancel()
		if err == nil {
			return masters, nil
		}
		failed = errors.Join(failed, fmt.Errorf("%s: %w", l.address, err))
	}
	for range s.addresses {
		if ctx.Err() != nil {
			break // the others come the next time
		}
		address := s.addresses[s.next]
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		masters, err := s.ask(ctx, address, false, func(client rueidis.Client) ([]master, error) {
			return mastersOf(ctx, client, address)
		})
		cancel()
		if err == nil {
			return masters, nil
		}
		s.next = (s.next + 1) % len(s.addresses)
		failed = errors.Join(failed, fmt.Errorf("%s: %w", address, err))
	}
	return nil, failed
}

// mastersOf asks a server of a cluster for all masters, in the order of their
// addresses. One without slots is among them: while the first slot moves there,
// it holds keys that no other has.
func mastersOf(ctx context.Context, client rueidis.Client, asked string) ([]master, error) {
	masters, err := slots(ctx, client, asked)
	if err != nil {
		return nil, err
	}
	text, err := client.Do(ctx, client.B().Arbitrary("CLUSTER", "NODES").Build()).ToString()
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(text) {
		if address, ok := slotless(line, asked); ok {
			masters = append(masters, master{address: address})
		}
	}
	slices.SortStableFunc(masters, func(a, b master) int { return strings.Compare(a.address, b.address) })
	return slices.CompactFunc(masters, func(a, b master) bool { return a.address == b.address }), nil
}

// slotless returns the address of a master that is there and has no slots, of
// which a line of CLUSTER NODES tells:
//
//	<id> <host>:<port>@<port>[,<name>] <flags> <master> <ping> <pong> <epoch> <state> <slots...>
//
// Slots that are on the move stand in brackets.
func slotless(line, asked string) (address string, ok bool) {
	const beforeSlots = 8
	fields := strings.Fields(line)
	if len(fields) < beforeSlots {
		return "", false
	}
	flags := strings.Split(fields[2], ",")
	for _, bad := range []string{"fail", "fail?", "handshake", "noaddr"} {
		if slices.Contains(flags, bad) {
			return "", false
		}
	}
	if !slices.Contains(flags, "master") || slices.ContainsFunc(fields[beforeSlots:], func(slot string) bool { return slot[0] != '[' }) {
		return "", false
	}
	where, _, _ := strings.Cut(fields[1], "@")
	colon := strings.LastIndexByte(where, ':')
	if colon < 0 {
		return "", false
	}
	host := where[:colon]
	if host == "" { // as in slots
		host, _, _ = net.SplitHostPort(asked)
	}
	return net.JoinHostPort(host, where[colon+1:]), true
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
	return masters, nil
}

var errBadSlots = errors.New("the cluster's answer to CLUSTER SLOTS is not understood")

func sameMasters(a, b []master) bool {
	return slices.EqualFunc(a, b, func(a, b master) bool {
		return a.address == b.address && slices.Equal(a.slots, b.slots)
	})
}
