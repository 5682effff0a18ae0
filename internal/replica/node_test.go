// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package replica

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

// server is one that tests break. Sessions of many nodes share it.
type server struct {
	mu      sync.Mutex
	records map[key]Record
	down    bool
	refuses error
	over    chan struct{}   // closed when sessions end
	heard   []chan struct{} // of followers
}

func newServer() *server {
	return &server{records: make(map[key]Record), over: make(chan struct{})}
}

var errNotThere = errors.New("it is not there")

func (s *server) Connect(context.Context) (Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errNotThere
	}
	changed := make(chan struct{}, 1)
	s.heard = append(s.heard, changed)
	return &connection{server: s, over: s.over, changed: changed}, nil
}

// set takes the server down, or brings it back.
func (s *server) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if down && !s.down {
		close(s.over)
		s.over = make(chan struct{})
	}
	s.down = down
}

type connection struct {
	*server
	over    chan struct{}
	changed chan struct{}
	seen    map[key]Record // what was loaded or reported
}

func (c *connection) Load(_ context.Context, to *Loading) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = maps.Clone(c.records)
	for _, r := range c.records {
		to.Add(r)
	}
	return nil
}

func (c *connection) Follow(ctx context.Context, n *Node) error {
	for {
		n.Begin()
		at := time.Now()
		c.mu.Lock()
		list := make([]Record, 0, len(c.records))
		for k, r := range c.records {
			if c.seen[k] != r {
				list = append(list, r)
			}
		}
		c.seen = maps.Clone(c.records)
		c.mu.Unlock()
		for _, r := range list {
			n.Observe(r)
		}
		n.Heard(at)
		select {
		case <-c.changed:
		case <-time.After(50 * time.Millisecond):
		case <-c.over:
			return errNotThere
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *connection) Write(_ context.Context, changes []Change) []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	errs := make([]error, len(changes))
	for i, change := range changes {
		k := keyOf(change.Entry)
		old := c.records[k]
		switch {
		case c.down:
			errs[i] = errNotThere
		case c.refuses != nil:
			errs[i] = c.refuses
		case change.Op == Publish && old.Tombstone != "" && old.Tombstone != change.Tombstone:
		case change.Op == Forget:
			c.records[k] = Record{Entry: change.Entry, Tombstone: change.Tombstone}
		default:
			e := change.Entry
			if old.Tombstone == "" {
				e.Until, e.Cutoff = max(e.Until, old.Until), max(e.Cutoff, old.Cutoff)
			}
			c.records[k] = Record{Entry: e}
		}
	}
	for _, changed := range c.heard {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	return errs
}

func (c *connection) Close() {}

// start returns a node of the server.
func start(tb testing.TB, s *server) *Handle {
	tb.Helper()
	h, err := Acquire(caddy.NewUsagePool(), "key", false, func() (*Node, error) {
		return NewNode(Settings{Store: "fake", Server: "there", MaxStale: time.Second, Source: s, Logger: zap.NewNop()}), nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := h.Release(); err != nil {
			tb.Error(err)
		}
	})
	if err := h.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return h
}

func eventually(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	for end := time.Now().Add(30 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("it does not come about that %s", what)
		}
	}
}

func ref(id string) auth.TokenRef {
	return auth.TokenRef{ID: id, User: auth.UserRef{Issuer: "x", ID: "u"}, IssuedAt: time.Now()}
}

func is(tb testing.TB, h *Handle, id string) bool {
	tb.Helper()
	revoked, err := h.Revoked(tb.Context(), ref(id))
	return revoked && err == nil
}

func revoke(tb testing.TB, h *Handle, id string) error {
	tb.Helper()
	return h.Revoke(tb.Context(), ref(id), time.Now().Add(time.Hour))
}

func TestNothingIsTrustedBeforeTheFirstLoad(t *testing.T) {
	t.Parallel()
	s := newServer()
	s.set(true)
	h := start(t, s)
	if _, err := h.Revoked(t.Context(), ref("a")); err == nil {
		t.Error("a node that never heard from its server decides")
	}
	if _, err := h.List(t.Context()); err == nil {
		t.Error("it lists what it does not know")
	}
	s.set(false)
	eventually(t, "it decides", h.Node().Fresh)
}

// A revocation that the server did not take is refused here, and arrives later.
// What is written is as long and as late as the longest and latest of all.
func TestWhatCouldNotBeWrittenArrivesLater(t *testing.T) {
	t.Parallel()
	s := newServer()
	a, b := start(t, s), start(t, s)
	eventually(t, "both are there", func() bool { return a.Node().Fresh() && b.Node().Fresh() })
	s.mu.Lock()
	s.refuses = errors.New("read-only")
	s.mu.Unlock()
	for range 2 {
		if err := revoke(t, a, "a"); err == nil {
			t.Fatal("no error")
		}
	}
	if err := a.RevokeUser(t.Context(), auth.UserRef{Issuer: "x", ID: "other"}, time.Now(), time.Time{}); err == nil {
		t.Fatal("no error")
	}
	if !is(t, a, "a") || is(t, b, "a") {
		t.Error("not exactly the node that was asked refuses it")
	}
	if n := a.Node().backlog(); n != 2 {
		t.Errorf("%d are unwritten", n)
	}
	s.mu.Lock()
	s.refuses = nil
	s.mu.Unlock()
	eventually(t, "the other node refuses it", func() bool { return is(t, b, "a") })
	eventually(t, "nothing is unwritten", func() bool { return a.Node().backlog() == 0 })
	all, err := b.List(t.Context())
	if err != nil || len(all) != 2 {
		t.Errorf("%d are listed, %v", len(all), err)
	}
	page, count, err := b.Page(t.Context(), auth.Revocation{}, 1)
	if err != nil || count != 2 || len(page) != 1 || page[0] != all[0] {
		t.Errorf("the first page is %v of %d, %v", page, count, err)
	}
}

func TestServerThatLostEverythingIsToldAgain(t *testing.T) {
	t.Parallel()
	s := newServer()
	a := start(t, s)
	eventually(t, "it is there", a.Node().Fresh)
	const count = 2*maxBatch + 1
	for i := range count {
		if err := revoke(t, a, strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	s.set(true)
	s.mu.Lock()
	clear(s.records)
	s.mu.Unlock()
	s.set(false)
	b := start(t, s)
	for i := range count {
		eventually(t, "a new node refuses it", func() bool { return is(t, b, strconv.Itoa(i)) })
	}
}

// What somebody took back while this node was cut off stays taken back. What
// was revoked again after that stays revoked, also if the server went back to
// before it.
func TestTombstonesCountOnce(t *testing.T) {
	t.Parallel()
	s := newServer()
	a, b := start(t, s), start(t, s)
	eventually(t, "both are there", func() bool { return a.Node().Fresh() && b.Node().Fresh() })
	if err := revoke(t, a, "a"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both know", func() bool { return is(t, b, "a") })
	if err := a.Unrevoke(t.Context(), ref("a")); err != nil {
		t.Fatal(err)
	}
	if is(t, a, "a") {
		t.Error("still refused where it was taken back")
	}
	eventually(t, "it is taken back everywhere", func() bool { return !is(t, b, "a") })
	s.mu.Lock()
	snapshot := s.records[key{kind: revoked.Token, issuer: "x", id: "a"}]
	s.mu.Unlock()
	if snapshot.Tombstone == "" {
		t.Fatal("no tombstone")
	}
	if err := revoke(t, b, "a"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is revoked again", func() bool { return is(t, a, "a") })
	s.set(true)
	s.mu.Lock()
	s.records[keyOf(snapshot.Entry)] = snapshot
	s.mu.Unlock()
	s.set(false)
	eventually(t, "the server is told", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.records[keyOf(snapshot.Entry)].Tombstone == ""
	})
	if !is(t, a, "a") || !is(t, b, "a") {
		t.Error("a tombstone from before the second revocation makes the token valid")
	}
}

// Attack: another issuer's entry of the same ID changes just after the server
// went back to a tombstone from before the second revocation: the key is read
// before this node wrote what it knows.
func TestTombstoneThatTheServerWentBackToTakesNothingBack(t *testing.T) {
	t.Parallel()
	n := NewNode(Settings{MaxStale: time.Hour, Logger: zap.NewNop()})
	e := revoked.Entry{Kind: revoked.Token, ID: "a", Issuer: "x", Until: revoked.Nanoseconds(time.Now().Add(time.Hour))}
	isRevoked := func() bool {
		is, _ := n.Revoked(&auth.TokenRef{ID: "a", User: auth.UserRef{Issuer: "x"}})
		return is
	}
	old := Record{Entry: e, Tombstone: "old"}
	n.Observe(Record{Entry: e})
	n.Observe(old)
	if isRevoked() {
		t.Fatal("control: a tombstone takes nothing back")
	}
	n.Observe(Record{Entry: e})
	lacks, err := n.load(t.Context(), &scripted{load: func(to *Loading) { to.Add(old) }})
	if err != nil || len(lacks) != 1 || lacks[0].Tombstone != "old" {
		t.Fatalf("what the server lacks: %+v, %v", lacks, err)
	}
	n.Observe(old)
	if !isRevoked() {
		t.Error("the token is valid again")
	}
	if c := n.lost[keyOf(e)]; c.Op != Publish || c.Tombstone != "old" || c.Until != e.Until {
		t.Errorf("what is written again: %+v", c)
	}
	n.Observe(Record{Entry: e, Tombstone: "new"})
	if isRevoked() || len(n.lost) != 0 {
		t.Error("control: a new tombstone takes nothing back")
	}
}

// Two nodes revoke and take back at the same time: what the server holds at last
// counts, though a node sees it while what it wrote is not confirmed.
func TestWhatWasTakenBackAtTheSameTimeEndsAsTheServerSays(t *testing.T) {
	t.Parallel()
	e := revoked.Entry{Kind: revoked.Token, ID: "a", Issuer: "x", Until: revoked.Nanoseconds(time.Now().Add(time.Hour))}
	live, taken, later := Record{Entry: e}, Record{Entry: e, Tombstone: "t"}, Record{Entry: e, Tombstone: "u"}
	for name, c := range map[string]struct {
		before, during []Record // the write, as far as this node knows
		want           bool     // refused
	}{
		"revoked":                  {nil, []Record{live}, true},
		"taken back before":        {nil, []Record{taken, live}, true},
		"taken back after":         {nil, []Record{live, taken}, false},
		"seen as taken back alone": {nil, []Record{taken}, false},
		"seen twice":               {nil, []Record{taken, taken}, false},
		"taken back again":         {nil, []Record{live, taken, live, later}, false},
		"taken back long before":   {[]Record{taken}, []Record{taken, live}, true},
		"taken back for long":      {[]Record{taken}, []Record{live, later}, false},
	} {
		n := NewNode(Settings{MaxStale: time.Hour, Logger: zap.NewNop()})
		n.outage.start(n)
		t.Cleanup(n.outage.stop)
		for _, r := range c.before {
			n.Observe(r)
		}
		n.set.Apply(e)
		n.Begin()
		n.pending[keyOf(e)] = &pending{entry: e, written: true, confirmed: n.cycle}
		for _, r := range c.during {
			n.Observe(r)
		}
		if is, _ := n.Revoked(&auth.TokenRef{ID: "a"}); !is {
			t.Errorf("%s: valid before it is certain", name)
		}
		n.Begin()
		n.Heard(time.Now())
		if is, _ := n.Revoked(&auth.TokenRef{ID: "a"}); is != c.want || len(n.lost) != 0 || len(n.pending) != 0 {
			t.Errorf("%s: revoked is %t, to be written again %d", name, is, len(n.lost))
		}
	}
}

// Attack: the attacker's token is taken back on one node and revoked on another
// at once, and the first sees that before it knows that its own word was heard.
func TestWhatWasRevokedWhileItWasTakenBackEndsAsTheServerSays(t *testing.T) {
	t.Parallel()
	e := revoked.Entry{Kind: revoked.Token, ID: "a", Issuer: "x", Until: revoked.Nanoseconds(time.Now().Add(time.Hour))}
	live, old := Record{Entry: e}, Record{Entry: e, Tombstone: "old"}
	mine := Record{Entry: e, Tombstone: "mine"}
	for name, c := range map[string]struct {
		during, after []Record
		want          bool
	}{
		"nothing is seen":         {nil, nil, false},
		"it is seen later":        {nil, []Record{mine}, false},
		"revoked again":           {[]Record{mine, live}, nil, true},
		"revoked again, in short": {[]Record{live}, nil, true},
		"revoked again later":     {nil, []Record{mine, live}, true},
		"as it was before":        {[]Record{live}, []Record{mine}, false},
		"both at once":            {[]Record{live, mine}, nil, false},
		"long ago, and mine":      {[]Record{old}, []Record{mine}, false},
	} {
		for _, pended := range []bool{false, true} {
			for _, loading := range []bool{false, true} {
				n := NewNode(Settings{MaxStale: time.Hour, Logger: zap.NewNop()})
				n.outage.start(n)
				t.Cleanup(n.outage.stop)
				n.set.Apply(e)
				if pended {
					n.pending[keyOf(e)] = &pending{entry: e, written: true}
				}
				n.seq++
				session := &scripted{write: func([]Change) {
					for _, r := range c.during {
						if loading && r.Tombstone == "" {
							(&Loading{node: n}).Add(r)
						} else {
							n.Observe(r)
						}
					}
				}}
				n.commit(t.Context(), session, []Change{{Entry: e, Op: Forget, Tombstone: mine.Tombstone, seq: n.seq}})
				n.Begin()
				for _, r := range c.after {
					n.Observe(r)
				}
				n.Heard(time.Now())
				if is, _ := n.Revoked(&auth.TokenRef{ID: "a"}); is != c.want || len(n.lost) != 0 || len(n.pending) != 0 {
					t.Errorf("%s, pending %t, loading %t: revoked is %t, to be written again %d", name, pended, loading, is, len(n.lost))
				}
			}
		}
	}
}

// A session may come upon a key twice while it loads.
func TestLoadingEndsWithWhatWasReadLast(t *testing.T) {
	t.Parallel()
	e := revoked.Entry{Kind: revoked.Token, ID: "a", Issuer: "x", Until: revoked.Nanoseconds(time.Now().Add(time.Hour))}
	live, taken := Record{Entry: e}, Record{Entry: e, Tombstone: "t"}
	for name, c := range map[string]struct {
		records []Record
		want    bool
	}{
		"revoked again": {[]Record{taken, live}, true},
		"taken back":    {[]Record{live, taken}, false},
	} {
		n := NewNode(Settings{MaxStale: time.Hour, Logger: zap.NewNop()})
		if _, err := n.load(t.Context(), &scripted{load: func(to *Loading) {
			for _, r := range c.records {
				to.Add(r)
			}
		}}); err != nil {
			t.Fatal(err)
		}
		if got, _ := n.Revoked(&auth.TokenRef{ID: "a", User: auth.UserRef{Issuer: "x"}}); got != c.want {
			t.Errorf("%s: revoked is %t", name, got)
		}
	}
}

// scripted is a session that loads what a test says, and then lasts.
type scripted struct {
	Session
	load  func(to *Loading)
	write func(changes []Change)
}

func (s *scripted) Write(_ context.Context, changes []Change) []error {
	s.write(changes)
	return nil
}

func (s *scripted) Load(_ context.Context, to *Loading) error {
	s.load(to)
	return nil
}

func (s *scripted) Follow(ctx context.Context, n *Node) error {
	n.Begin()
	n.Heard(time.Now())
	<-ctx.Done()
	return ctx.Err()
}

func (*scripted) Close() {}

func (s *scripted) Connect(context.Context) (Session, error) { return s, nil }

// Attack: with "on_error allow", a token that was revoked is used while Caddy
// starts, before it knows what is revoked. A copy that is being filled is no
// outage, however long that takes.
func TestAllowDoesNotPassWhatIsNotLoadedYet(t *testing.T) {
	t.Parallel()
	e := revoked.Entry{Kind: revoked.Token, ID: "late", Until: revoked.Nanoseconds(time.Now().Add(time.Hour))}
	const stale = time.Second
	end := make(chan struct{})
	slow := &scripted{load: func(to *Loading) {
		for { // steadily, and for longer than max_stale
			select {
			case <-end:
				to.Add(Record{Entry: e})
				return
			default:
				to.Add(Record{Entry: revoked.Entry{Kind: revoked.Token, ID: "early", Until: e.Until}})
			}
		}
	}}
	acquire := func(s Source) *Handle {
		h, err := Acquire(caddy.NewUsagePool(), "key", true, func() (*Node, error) {
			return NewNode(Settings{Store: "fake", MaxStale: stale, Source: s, Logger: zap.NewNop()}), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = h.Release() })
		return h
	}
	h := acquire(slow)
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); time.Since(begun) < 2*stale; time.Sleep(10 * time.Millisecond) {
		if _, err := h.Revoked(t.Context(), ref("late")); err == nil {
			t.Fatalf("it passes %s after the start", time.Since(begun))
		}
	}
	if h.Node().outage.is() {
		t.Error("loading is taken for an outage")
	}
	close(end)
	eventually(t, "it is refused", func() bool { return is(t, h, "late") })

	down := newServer()
	down.set(true)
	h = acquire(down)
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Revoked(t.Context(), ref("late")); err == nil {
		t.Error("it passes before anybody asked the server")
	}
	eventually(t, "control: it passes in an outage", func() bool {
		_, err := h.Revoked(t.Context(), ref("late"))
		return err == nil && h.Node().outage.is()
	})
}

func TestWritesInAnOutageFailAtOnceAndAreBounded(t *testing.T) {
	t.Parallel()
	s := newServer()
	a := start(t, s)
	eventually(t, "it is there", a.Node().Fresh)
	s.set(true)
	eventually(t, "the outage is noticed", a.Node().outage.is)
	begun := time.Now()
	for i := range 1000 {
		if err := revoke(t, a, strconv.Itoa(i)); !errors.Is(err, errDown) {
			t.Fatalf("%v", err)
		}
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("1000 of them took %s", took)
	}
	for range maxWaiting {
		a.Node().queue.Add(1) // so many wait
	}
	s.set(false)
	eventually(t, "it is over", func() bool { return !a.Node().outage.is() })
	if err := revoke(t, a, "x"); !errors.Is(err, errBusy) {
		t.Errorf("%v", err)
	}
	a.Node().queue.Add(-maxWaiting)
	if err := revoke(t, a, "x"); err != nil {
		t.Errorf("control: %v", err)
	}
	eventually(t, "all arrive", func() bool { return a.Node().backlog() == 0 })
}

func TestEndedNodeAnswersAndWaitsForNothing(t *testing.T) {
	t.Parallel()
	s := newServer()
	a := start(t, s)
	eventually(t, "it is there", a.Node().Fresh)
	if err := revoke(t, a, "a"); err != nil {
		t.Fatal(err)
	}
	if err := a.Node().Destruct(); err != nil {
		t.Fatal(err)
	}
	if err := revoke(t, a, "b"); err == nil {
		t.Error("written after the end")
	}
	if !is(t, a, "a") || !is(t, a, "b") {
		t.Error("a request that outlives its configuration is let pass")
	}
	never := NewNode(Settings{MaxStale: time.Second, Source: s, Logger: zap.NewNop()})
	if err := never.Destruct(); err != nil {
		t.Error(err)
	}
	never.Start() // after the end: nothing
	if _, err := never.Revoked(&auth.TokenRef{ID: "a"}); err == nil {
		t.Error("a node that never connected decides")
	}
}

// Attack: the attacker's token is logged out while this machine sleeps, or is
// paused, and he comes as soon as it wakes.
func TestCopyIsNotTrustedAfterTheMachineSlept(t *testing.T) {
	t.Parallel()
	n := NewNode(Settings{MaxStale: time.Hour, Logger: zap.NewNop()})
	n.outage.start(n)
	t.Cleanup(n.outage.stop)
	n.Heard(time.Now())
	if !n.Fresh() {
		t.Fatal("control: the copy is not trusted")
	}
	// The monotonic clock stands still meanwhile, the other goes on: to it, what
	// was heard was heard long ago.
	n.wall.Add(-int64(2 * time.Hour))
	if _, err := n.Revoked(&auth.TokenRef{ID: "x"}); !errors.Is(err, errStale) {
		t.Error("the copy is trusted after two hours of sleep")
	}
	n.Heard(time.Now())
	if !n.Fresh() {
		t.Error("the copy is not trusted again")
	}
}

// Attack: the server evicts a key right after it was written.
func TestKeyThatIsGoneRightAfterItWasWrittenIsWrittenAgain(t *testing.T) {
	t.Parallel()
	n := NewNode(Settings{MaxStale: time.Hour, Logger: zap.NewNop()})
	n.outage.start(n)
	t.Cleanup(n.outage.stop)
	for id, gone := range map[string]bool{"gone": true, "there": false} {
		e := revoked.Entry{Kind: revoked.Token, ID: id, Until: revoked.Nanoseconds(time.Now().Add(time.Hour))}
		n.set.Apply(e)
		n.Begin()
		n.pending[keyOf(e)] = &pending{entry: e, written: true, confirmed: n.cycle}
		records := []Record{{Entry: e}}
		if gone {
			records = nil
		}
		n.ObserveID(revoked.Token, id, records)
		n.Begin()
		n.Heard(time.Now())
		if _, lost := n.lost[keyOf(e)]; lost != gone || len(n.pending) != 0 {
			t.Errorf("%s: to be written again: %t", id, lost)
		}
	}
}

func TestMaxStaleHasBounds(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]bool{
		0: true, time.Second: true, time.Hour: true, time.Second - 1: false, time.Hour + 1: false, -time.Second: false,
	} {
		if err := CheckMaxStale(d); (err == nil) != want {
			t.Errorf("%s: %v", d, err)
		}
	}
}
