// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package replica

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

const (
	// DefaultMaxStale is for how long a copy is trusted.
	DefaultMaxStale = 2 * time.Second

	// Heartbeat is how often a session asks whether the server is there.
	Heartbeat = 500 * time.Millisecond

	// Timeout bounds each wait for the server: of connecting, of one step of
	// loading, of a write.
	Timeout = 2 * time.Second

	// maxWaiting bounds the callers that wait for a server which does not
	// answer. The others are told so at once.
	maxWaiting = 256

	// maxBatch is how many changes are written together.
	maxBatch = 500

	// sweepEvery is how often what ended is removed from the copy.
	sweepEvery = time.Minute
)

var (
	errStale   = errors.New("the revocation store has not heard from its server")
	errDown    = errors.New("the server of the revocation store does not answer")
	errBusy    = errors.New("too many requests wait for the server of the revocation store")
	errStopped = errors.New("the revocation store has ended")
)

// CheckMaxStale judges how long a copy may be trusted; zero stands for the default.
func CheckMaxStale(d time.Duration) error {
	if d != 0 && (d < 2*Heartbeat || d > time.Hour) {
		return errors.New("max_stale: is a duration from 1s to 1h")
	}
	return nil
}

// Settings are what a node is made from.
type Settings struct {
	// Store names the store in logs and metrics.
	Store string

	// Server says in logs which server it is, without anything secret.
	Server string

	// MaxStale is for how long the copy is trusted after the server was heard.
	MaxStale time.Duration

	// ForeignName is what the source fills Foreign from, if it does: a node that
	// follows another with the same goes on with what was there.
	ForeignName string

	Source Source
	Clock  clock.Clock
	Logger *zap.Logger
}

// Node keeps a copy of what is revoked on a server.
type Node struct {
	Settings

	// set is the copy. Foreign holds what the server says in a place of which
	// nothing is published again: what is removed there is forgotten.
	set     *revoked.Set
	Foreign *revoked.Set

	base   time.Time     // what good counts from; its clock never goes back
	good   atomic.Int64  // until when the copy is trusted, after base
	wall   atomic.Int64  // the same by the other clock, which goes on while the machine sleeps
	stop   chan struct{} // closed by the end of all configurations
	writes chan *write
	queue  atomic.Int64 // callers that wait to write

	started sync.Once
	ended   sync.Once
	running sync.WaitGroup
	context context.Context
	cancel  context.CancelFunc

	mu      sync.Mutex
	cycle   uint64
	seq     uint64
	pending map[key]*pending
	lost    map[key]Change // the server lost them, and no caller waits
	tombs   map[key]tomb

	forgetting map[key]bool // what is being taken back, and whether the server was seen to hold it at last
	watching   atomic.Bool  // there is such

	refusing bool // the server did not take the last write

	succession *revoked.Succession

	outage  outage
	loaded  atomic.Bool           // once
	loading atomic.Pointer[Asker] // while the copy is being filled, if it can be asked
	asking  atomic.Int64          // checks that ask it
}

// pending is a revocation that somebody asked for and that the server may not
// hold yet. What the server says meanwhile does not count against it.
type pending struct {
	entry     revoked.Entry
	asked     time.Time
	seq       uint64
	written   bool
	confirmed uint64 // the cycle in which it was
	gone      bool   // the server did not hold it, before or after
	tombstone string // what the server was seen to hold instead at last, before or after
}

// tomb is a tombstone that the node has seen.
type tomb struct {
	id    string
	until int64
}

// write is a change that somebody waits for.
type write struct {
	Change
	answer chan error
}

// NewNode returns a node that has not been started.
func NewNode(s Settings) *Node {
	n := &Node{
		Settings: s,
		set:      revoked.New(),
		Foreign:  revoked.New(),
		base:     time.Now(),
		stop:     make(chan struct{}),
		writes:   make(chan *write),
		pending:  make(map[key]*pending),
		lost:     make(map[key]Change),
		tombs:    make(map[key]tomb),

		succession: new(revoked.Succession),
	}
	n.context, n.cancel = context.WithCancel(context.Background()) //nolint:forbidigo // it outlives configurations, and ends with the last that uses it
	return n
}

// Start begins to connect, once. It does not wait for the server.
func (n *Node) Start() {
	n.started.Do(func() {
		n.outage.start(n)
		n.running.Go(n.keep)
		n.running.Go(n.sweep)
	})
}

// Destruct ends the node: it is the caddy.Destructor of its pool.
func (n *Node) Destruct() error {
	n.started.Do(func() {}) // and never starts
	n.ended.Do(func() {
		close(n.stop)
		n.cancel()
		n.outage.stop()
	})
	done := make(chan struct{})
	go func() {
		n.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-time.After(2 * Timeout):
		return fmt.Errorf("closing the connection to %s: %w", n.Server, context.DeadlineExceeded)
	}
}

// Revoked answers from the copy. It waits for nothing and allocates nothing.
func (n *Node) Revoked(token *auth.TokenRef) (bool, error) {
	if n.set.Revoked(token, n.now) || n.Foreign.Revoked(token, n.now) {
		return true, nil
	}
	if n.Fresh() {
		return false, nil
	}
	return false, errStale
}

// Fresh reports whether the copy is trusted in what it does not hold.
func (n *Node) Fresh() bool {
	now := time.Now()
	return int64(now.Sub(n.base)) < n.good.Load() && now.UnixNano() < n.wall.Load()
}

// mayAllow reports whether on_error says what becomes of a token: it does in
// an outage. A node that has only just started soon knows better.
func (n *Node) mayAllow() bool { return n.loaded.Load() || n.outage.is() }

// Page returns a part of what is revoked, and how much there is.
func (n *Node) Page(ctx context.Context, from auth.Revocation, limit int) ([]auth.Revocation, int, error) {
	if !n.Fresh() {
		return nil, 0, errStale
	}
	return revoked.PageOf(ctx, n.now(), from, limit, n.set, n.Foreign)
}

// List returns what is revoked.
func (n *Node) List(ctx context.Context) ([]auth.Revocation, error) {
	if !n.Fresh() {
		return nil, errStale
	}
	list, err := n.set.List(ctx, n.now())
	if err != nil {
		return nil, err
	}
	foreign, err := n.Foreign.List(ctx, n.now())
	if err != nil {
		return nil, err
	}
	return append(list, foreign...), nil
}

// Revoke refuses from now on what is in the list, and returns when the server
// holds it. What the server does not take within Timeout is an error, and
// written as soon as it does.
func (n *Node) Revoke(ctx context.Context, list []revoked.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	changes := make([]Change, len(list))
	n.mu.Lock()
	for i, e := range list {
		changes[i] = Change{Entry: n.owe(e, time.Now())}
	}
	n.mu.Unlock()
	n.succession.Tell(ctx, list)
	return n.write(ctx, changes)
}

// owe refuses an entry that the server has to be told of, and returns what to
// tell it.
func (n *Node) owe(e revoked.Entry, asked time.Time) revoked.Entry {
	n.set.Apply(e)
	if p := n.pending[keyOf(e)]; p != nil {
		e.Until, e.Cutoff = max(e.Until, p.entry.Until), max(e.Cutoff, p.entry.Cutoff)
	}
	n.seq++
	n.pending[keyOf(e)] = &pending{entry: e, asked: asked, seq: n.seq}
	return e
}

// Forget takes back what is in the list, which the server must confirm first.
// What the node does not know of is left out: there is nothing to take back.
func (n *Node) Forget(ctx context.Context, list []revoked.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n.mu.Lock()
	n.seq++
	seq := n.seq
	n.mu.Unlock()
	var changes []Change
	for _, e := range list {
		until, ok := n.until(e)
		switch {
		case ok:
			e.Until = until
		case n.Fresh():
			continue
		default:
			e.Until = revoked.Nanoseconds(n.Now().Add(revoked.DefaultLifetime))
		}
		changes = append(changes, Change{Entry: e, Op: Forget, Tombstone: newTombstone(), seq: seq})
	}
	return n.write(ctx, changes)
}

// until returns when an entry of the copy ends.
func (n *Node) until(e revoked.Entry) (int64, bool) {
	for _, set := range []*revoked.Set{n.set, n.Foreign} {
		for _, there := range set.Entries(e.Kind, e.ID) {
			if there.Issuer == e.Issuer && there.Until > n.now() {
				return there.Until, true
			}
		}
	}
	return 0, false
}

// write hands changes to the writing goroutine.
func (n *Node) write(ctx context.Context, changes []Change) error {
	if len(changes) == 0 {
		return nil
	}
	if err := n.Enter(); err != nil {
		return err
	}
	defer n.Leave()
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	answers := make(chan error, len(changes))
	for _, c := range changes {
		select {
		case n.writes <- &write{Change: c, answer: answers}:
		case <-n.stop:
			return errStopped
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errDown, ctx.Err())
		}
	}
	var failed error
	for range changes {
		select {
		case err := <-answers:
			failed = errors.Join(failed, err)
		case <-n.stop:
			return errStopped
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errDown, ctx.Err())
		}
	}
	return failed
}

// Enter is called before a caller waits for the server, and Leave after it. An
// error means that it must not: the server does not answer, or too many wait.
func (n *Node) Enter() error {
	if n.outage.is() && n.loading.Load() == nil {
		return errDown
	}
	if n.queue.Add(1) > maxWaiting {
		n.queue.Add(-1)
		return errBusy
	}
	return nil
}

// Leave ends what Enter began.
func (n *Node) Leave() { n.queue.Add(-1) }

func (n *Node) now() int64 { return revoked.Nanoseconds(n.Clock.Now()) }

// Now is the time by the clock of the node.
func (n *Node) Now() time.Time { return n.Clock.Now() }

// sweep removes what ended.
func (n *Node) sweep() {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			n.expire()
		case <-n.stop:
			return
		}
	}
}

func (n *Node) expire() {
	now := n.now()
	n.set.Expire(now)
	n.mu.Lock()
	defer n.mu.Unlock()
	for k, t := range n.tombs {
		if t.until <= now {
			delete(n.tombs, k)
		}
	}
	for k, p := range n.pending {
		if p.entry.Until <= now {
			delete(n.pending, k)
		}
	}
	for k, c := range n.lost {
		if c.Until <= now {
			delete(n.lost, k)
		}
	}
}
