// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/rueidis"

	"github.com/caddybolt/caddy-bolt/internal/replica"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

const (
	// scanCount is how many keys the server looks at in one step of loading. It
	// finds what they hold sooner while they are in the cache of its processor:
	// with 5000 keys loading takes it a quarter longer.
	scanCount = 1000

	// readAhead is how many parts are read while another is taken in.
	readAhead = 4

	// readBatch is how many keys are read together.
	readBatch = 5000

	// maxHops bounds how often a cluster may send a command elsewhere.
	maxHops = 3
)

// command is one that has a key.
type command struct {
	link    *link
	key     string
	args    []string // without the key, which follows that at keyAt
	keyAt   int
	program script // if it runs one
}

// Load implements replica.Session.
func (s *session) Load(ctx context.Context, to *replica.Loading) error {
	for _, l := range s.links {
		if err := l.load(ctx, to); err != nil {
			return fmt.Errorf("reading from %s: %w", l.address, err)
		}
	}
	return nil
}

// part are some keys, and what they hold.
type part struct {
	names  []string
	values []value
	err    error
}

// load reads all keys of one master. The server looks for names, reads what
// they hold, and this node takes it in, all at the same time.
func (l *link) load(ctx context.Context, to *replica.Loading) error {
	ctx, cancel := context.WithCancel(ctx)
	parts, scanned := make(chan (<-chan part), readAhead), make(chan error, 1)
	var working sync.WaitGroup
	defer working.Wait()
	defer cancel()
	working.Go(func() {
		defer close(parts)
		scanned <- l.scan(ctx, func(names []string) {
			values := make(chan part, 1)
			working.Go(func() { values <- l.part(ctx, names) })
			select {
			case parts <- values:
			case <-ctx.Done():
			}
		})
	})
	expected := false
	for values := range parts {
		p := <-values
		if p.err != nil {
			return p.err
		}
		step, done := context.WithTimeout(ctx, replica.Timeout)
		if !expected {
			expected = true
			l.expect(step, to, p.names)
		}
		err := l.session.interpret(step, l, p.names, p.values, func(_ revoked.Kind, _ string, records []replica.Record) {
			for _, r := range records {
				to.Add(r)
			}
		})
		done()
		if err != nil {
			return err
		}
	}
	return <-scanned
}

// part reads what some keys hold.
func (l *link) part(ctx context.Context, names []string) part {
	ctx, cancel := context.WithTimeout(ctx, replica.Timeout)
	defer cancel()
	values, err := l.session.values(ctx, l, names)
	return part{names: names, values: values, err: err}
}

// expect estimates how many tokens there are, from those among the first keys:
// the database may hold much besides. An account that may not ask does without.
func (l *link) expect(ctx context.Context, to *replica.Loading, first []string) {
	all, err := l.client.Do(ctx, l.client.B().Dbsize().Build()).AsInt64()
	if err != nil {
		return
	}
	tokens := 0
	for _, name := range first {
		if kind, _, _ := l.session.source.keys.parse(name); kind == revoked.Token {
			tokens++
		}
	}
	if n := int(all) * min(tokens, scanCount) / scanCount * len(l.session.links); n > scanCount {
		to.Expect(n)
	}
}

// scan calls f with the names of all keys.
func (l *link) scan(ctx context.Context, f func(names []string)) error {
	keys := l.session.source.keys
	for cursor := "0"; ; {
		step, done := context.WithTimeout(ctx, replica.Timeout)
		entry, err := l.client.Do(step, l.client.B().Arbitrary("SCAN", cursor, "MATCH", keys.pattern(), "COUNT", strconv.Itoa(scanCount)).Build()).AsScanEntry()
		done()
		if err != nil {
			return err
		}
		names := entry.Elements[:0]
		for _, name := range entry.Elements {
			if _, _, ok := keys.parse(name); ok {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			f(names)
		}
		if entry.Cursor == 0 {
			return ctx.Err()
		}
		cursor = strconv.FormatUint(entry.Cursor, 10)
	}
}

// Ask implements replica.Asker.
func (s *session) Ask(ctx context.Context, ids map[revoked.Kind]string) ([]replica.Record, error) {
	byLink := make(map[*link][]string)
	for kind, id := range ids {
		name := s.source.keys.of(revoked.Entry{Kind: kind, ID: id})
		if _, _, ok := s.source.keys.parse(name); ok { // else no key can be that long
			l := s.link(name)
			byLink[l] = append(byLink[l], name)
		}
	}
	var list []replica.Record
	for l, names := range byLink {
		err := s.readKeys(ctx, l, names, func(_ revoked.Kind, _ string, records []replica.Record) {
			list = append(list, records...)
		})
		if err != nil {
			return nil, fmt.Errorf("reading from %s: %w", l.address, err)
		}
	}
	return list, nil
}

// read reads keys that changed, and tells the node.
func (s *session) read(ctx context.Context, n *replica.Node, changed map[string]*link) error {
	byLink := make(map[*link][]string)
	for name, l := range changed {
		if _, _, ok := s.source.keys.parse(name); ok {
			byLink[l] = append(byLink[l], name)
		}
	}
	for l, names := range byLink {
		for len(names) > 0 {
			batch := names[:min(len(names), readBatch)]
			names = names[len(batch):]
			step, cancel := context.WithTimeout(ctx, replica.Timeout)
			err := s.readKeys(step, l, batch, n.ObserveID)
			cancel()
			if err != nil {
				return fmt.Errorf("reading from %s: %w", l.address, err)
			}
		}
	}
	return nil
}

// readKeys calls f with what keys hold, as seen by one master.
func (s *session) readKeys(ctx context.Context, l *link, names []string, f func(revoked.Kind, string, []replica.Record)) error {
	if len(names) == 0 {
		return nil
	}
	values, err := s.values(ctx, l, names)
	if err != nil {
		return err
	}
	return s.interpret(ctx, l, names, values, f)
}

// interpret calls f with what the values mean.
func (s *session) interpret(ctx context.Context, l *link, names []string, values []value, f func(revoked.Kind, string, []replica.Record)) error {
	var foreign []command
	var texts reader
	for i, name := range names {
		kind, id, _ := s.source.keys.parse(name)
		if !values[i].there {
			f(kind, id, nil)
			continue
		}
		if records, own := texts.value(kind, id, values[i].text); own {
			f(kind, id, live(records, s.now()))
			continue
		}
		// Somebody else's, of whatever type. It counts for every issuer, for as long
		// as the key lives. Of a user it says nothing: what stood there is lost.
		if kind == revoked.User {
			f(kind, id, nil)
		} else {
			foreign = append(foreign, command{link: l, key: name, args: []string{"PTTL"}})
		}
	}
	ttls, err := s.do(ctx, foreign)
	if err != nil {
		return err
	}
	for i, c := range foreign {
		kind, id, _ := s.source.keys.parse(c.key)
		ttl, err := ttls[i].AsInt64()
		if err != nil {
			return err
		}
		r := replica.Record{Entry: revoked.Entry{Kind: kind, ID: id, Until: math.MaxInt64}}
		switch {
		case ttl == -2: // it ended meanwhile
			f(kind, id, nil)
			continue
		case ttl >= 0 && ttl < never:
			r.Until = s.now() + (ttl+1)*millisecond
		}
		f(kind, id, []replica.Record{r})
	}
	return nil
}

// live leaves out what has ended: beside it, the key holds something that has not.
func live(records []replica.Record, now int64) []replica.Record {
	list := records[:0]
	for _, r := range records {
		if r.Until > now {
			list = append(list, r)
		}
	}
	return list
}

// value is what a key holds: no text if it is of another type.
type value struct {
	text  string
	there bool
}

// values returns what keys hold.
func (s *session) values(ctx context.Context, l *link, names []string) ([]value, error) {
	values := make([]value, len(names))
	var list []command // that say of one key why it has no text
	var at []int
	for i, name := range names {
		if s.source.cluster {
			list, at = append(list, get(l, name)), append(at, i)
		}
	}
	if !s.source.cluster {
		replies, err := l.client.Do(ctx, l.client.B().Mget().Key(names...).Build()).ToArray()
		if err != nil {
			return nil, err
		}
		for i, reply := range replies {
			text, err := reply.ToString()
			if err != nil {
				list, at = append(list, get(l, names[i])), append(at, i)
				continue
			}
			values[i] = value{text: text, there: true}
		}
	}
	replies, err := s.do(ctx, list)
	if err != nil {
		return nil, err
	}
	for n, reply := range replies {
		text, err := reply.ToString()
		switch {
		case err == nil, strings.HasPrefix(err.Error(), "WRONGTYPE"):
			values[at[n]] = value{text: text, there: true}
		case !rueidis.IsRedisNil(err):
			return nil, err
		}
	}
	return values, nil
}

func get(l *link, name string) command { return command{link: l, key: name, args: []string{"GET"}} }

// do runs commands, those of one master in one go. What the cluster sends
// elsewhere is sent there. An error of a command is in its result; one that is
// returned is of the connection.
func (s *session) do(ctx context.Context, list []command) ([]rueidis.RedisResult, error) {
	results := make([]rueidis.RedisResult, len(list))
	open := make([]int, 0, len(list))
	asking := make(map[int]bool)
	for i := range list {
		open = append(open, i)
	}
	for hop := 0; len(open) > 0; hop++ {
		byLink := make(map[*link][]int)
		for _, i := range open {
			byLink[list[i].link] = append(byLink[list[i].link], i)
		}
		open = nil
		for l, indexes := range byLink {
			var commands rueidis.Commands
			var at []int
			for _, i := range indexes {
				if asking[i] {
					commands = append(commands, l.client.B().Asking().Build())
				}
				at = append(at, len(commands))
				commands = append(commands, list[i].build(l))
			}
			replies := l.client.DoMulti(ctx, commands...)
			for n, i := range indexes {
				results[i] = replies[at[n]]
				err := results[i].Error()
				if err == nil || rueidis.IsRedisNil(err) {
					continue
				}
				e, ok := rueidis.IsRedisErr(err)
				if !ok {
					return nil, err
				}
				to, ask := s.redirect(e)
				if to == nil || hop >= maxHops {
					continue
				}
				list[i].link, asking[i] = to, ask
				open = append(open, i)
			}
		}
	}
	return results, nil
}

// redirect returns where a cluster sends a command. A server that the session
// has no connection to means that the session is out of date.
func (s *session) redirect(e *rueidis.RedisError) (to *link, ask bool) {
	address, moved := e.IsMoved()
	if !moved {
		if address, ask = e.IsAsk(); !ask {
			return nil, false
		}
	}
	for _, l := range s.links {
		if l.address == address {
			return l, ask
		}
	}
	s.end()
	return nil, false
}

func (c command) build(l *link) rueidis.Completed {
	b := l.client.B().Arbitrary(c.args[:c.keyAt+1]...).Keys(c.key)
	return b.Args(c.args[c.keyAt+1:]...).Build()
}

func (s *session) now() int64 { return revoked.Nanoseconds(s.source.clock.Now()) }
