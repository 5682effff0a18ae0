// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// unknown reports whether the store cannot decide about a token.
func unknown(tb testing.TB, s auth.RevocationStore, token auth.TokenRef) bool {
	tb.Helper()
	_, err := s.Revoked(tb.Context(), token)
	return err != nil
}

// fails fails the test if the token can be revoked.
func fails(tb testing.TB, s auth.RevocationStore, token auth.TokenRef) {
	tb.Helper()
	begun := time.Now()
	if err := s.Revoke(tb.Context(), token, hour()); err == nil {
		tb.Fatal("a log-out that was not written is no error")
	}
	if took := time.Since(begun); took > patience/2 {
		tb.Errorf("the log-out took %s", took)
	}
	if !is(tb, s, token) {
		tb.Error("this node does not refuse what it could not write")
	}
}

// Attack: the attacker holds a token that was logged out, and makes the server
// of the revocations fail in any way there is.
func TestRevokedTokenStaysRefusedHoweverTheServerFails(t *testing.T) {
	t.Parallel()
	type failure struct {
		options []string
		fail    func(testing.TB, *testservers.Server)
		mend    func(testing.TB, *testservers.Server)
		there   bool // the server answers, and takes nothing
	}
	cli := func(args ...string) func(testing.TB, *testservers.Server) {
		return func(tb testing.TB, s *testservers.Server) { tb.Helper(); s.CLI(tb, args...) }
	}
	for name, f := range map[string]failure{
		"frozen": {
			fail: func(tb testing.TB, s *testservers.Server) { s.Freeze(tb) },
			mend: func(tb testing.TB, s *testservers.Server) { s.Thaw(tb) },
		},
		"crashed": {
			options: []string{"--appendonly", "yes", "--appendfsync", "always"},
			fail:    func(_ testing.TB, s *testservers.Server) { s.Stop() },
			mend:    func(tb testing.TB, s *testservers.Server) { s.Start(tb) },
		},
		"empty after a crash": {
			fail: func(_ testing.TB, s *testservers.Server) { s.Stop() },
			mend: func(tb testing.TB, s *testservers.Server) { s.Start(tb) },
		},
		"read-only":     {fail: cli("REPLICAOF", "127.0.0.1", "1"), mend: cli("REPLICAOF", "NO", "ONE"), there: true},
		"out of memory": {fail: cli("CONFIG", "SET", "maxmemory", "1"), mend: cli("CONFIG", "SET", "maxmemory", "0"), there: true},
		"a new password": {
			fail: func(tb testing.TB, s *testservers.Server) {
				s.CLI(tb, "CONFIG", "SET", "requirepass", "x")
				s.CLI(tb, "-a", "x", "CLIENT", "KILL", "TYPE", "normal")
			},
			mend: func(tb testing.TB, s *testservers.Server) { s.CLI(tb, "-a", "x", "CONFIG", "SET", "requirepass", "") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := own(t, f.options...)
			a := node(t, server)
			before, during := token("before"), token("during")
			before.SessionID = "s"
			revoke(t, a, before)
			if err := a.RevokeUser(t.Context(), auth.UserRef{Issuer: "x", ID: "u"}, time.Now(), hour()); err != nil {
				t.Fatal(err)
			}
			ofUser := auth.TokenRef{ID: "any", User: auth.UserRef{Issuer: "x", ID: "u"}}

			f.fail(t, server)
			for _, revoked := range []auth.TokenRef{before, {ID: "other", SessionID: "s"}, ofUser} {
				if !is(t, a, revoked) {
					t.Error("a revoked token is valid as soon as the server fails")
				}
			}
			if !f.there {
				eventually(t, "the copy is not trusted any more", func() bool { return unknown(t, a, token("never seen")) })
			} else if is(t, a, token("never seen")) {
				t.Error("everything is refused though the server can be read")
			}
			fails(t, a, during)
			for _, revoked := range []auth.TokenRef{before, during, ofUser} {
				if !is(t, a, revoked) {
					t.Error("a revoked token is valid in the outage")
				}
			}

			f.mend(t, server)
			used(t, a, time.Now())
			revoke(t, a, token("after"))
			b := node(t, server)
			for _, revoked := range []auth.TokenRef{before, during, ofUser, token("after")} {
				eventually(t, "another node refuses what the first one knows", func() bool { return refused(b, revoked, t) })
				if !is(t, a, revoked) {
					t.Error("a revoked token is valid after the outage")
				}
			}
			if is(t, b, token("never seen")) || is(t, a, token("never seen")) {
				t.Error("control: what nobody revoked is refused")
			}
		})
	}
}

func TestServerThatIsLoadingIsWaitedFor(t *testing.T) {
	t.Parallel()
	// 100 keys at 150 ms each: time enough for a busy machine to see it loading
	server := own(t, "--dbfilename", "dump.rdb", "--key-load-delay", "150000", "--loading-process-events-interval-bytes", "1024")
	a := node(t, server)
	for i := range 100 {
		revoke(t, a, token(strconv.Itoa(i)))
	}
	server.CLI(t, "SAVE")
	server.Stop()
	var started sync.WaitGroup
	started.Go(func() { server.Start(t) })
	eventually(t, "the copy is not trusted while the server loads", func() bool { return unknown(t, a, token("never seen")) })
	if !is(t, a, token("1")) {
		t.Error("a revoked token is valid")
	}
	fails(t, a, token("during"))
	started.Wait()
	eventually(t, "the node uses the server again", func() bool { return !unknown(t, a, token("never seen")) })
	b := node(t, server)
	eventually(t, "what was revoked meanwhile is there", func() bool { return refused(b, token("during"), t) })
}

func TestRestoredServerGetsWhatItLacksAndNoMore(t *testing.T) {
	t.Parallel()
	server := own(t, "--dbfilename", "dump.rdb")
	a := node(t, server)
	unrevoke := func(id string) {
		t.Helper()
		if err := a.Unrevoke(t.Context(), token(id)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is taken back", func() bool { return !is(t, a, token(id)) })
	}
	revoke(t, a, token("old"))
	revoke(t, a, token("twice"))
	unrevoke("twice") // its tombstone is in what is restored
	server.CLI(t, "SAVE")
	revoke(t, a, token("new"))
	revoke(t, a, token("twice"))
	revoke(t, a, token("back"))
	unrevoke("back")
	// The node may still be reading what "back" was before. Notices come in
	// order: when it has read two that came later, one after the other, it has
	// read that one.
	for _, id := range []string{"first", "second"} {
		server.CLI(t, "SET", DefaultKeyPrefix+id, "1", "EX", "1000")
		eventually(t, "the node reads on", func() bool { return is(t, a, token(id)) })
	}
	server.Stop()
	server.Start(t)
	b := node(t, server)
	for _, id := range []string{"old", "new", "twice"} {
		eventually(t, id+" is refused on a new node", func() bool { return refused(b, token(id), t) })
	}
	if is(t, a, token("back")) || is(t, b, token("back")) {
		t.Error("what was taken back is revoked again")
	}
}

// A node that was cut off holds what somebody took back meanwhile. It must not
// bring that back.
func TestNodeThatWasCutOffLearnsWhatWasTakenBack(t *testing.T) {
	t.Parallel()
	server := own(t)
	proxy := testservers.NewProxy(t, server.Port)
	far := connected(t, &Redis{Addresses: []string{"127.0.0.1:" + proxy.Port}})
	near := node(t, server)
	for _, id := range []string{"back", "kept"} {
		revoke(t, near, token(id))
		eventually(t, "both know", func() bool { return is(t, far, token(id)) })
	}
	proxy.Cut()
	eventually(t, "the node is cut off", func() bool { return unknown(t, far, token("never seen")) })
	if err := near.Unrevoke(t.Context(), token("back")); err != nil {
		t.Fatal(err)
	}
	fails(t, far, token("meanwhile"))
	if !is(t, far, token("back")) {
		t.Error("the node that is cut off forgets")
	}
	proxy.Restore()
	eventually(t, "it is taken back there, too", func() bool { return !unknown(t, far, token("never seen")) && !is(t, far, token("back")) })
	eventually(t, "what it could not write is known", func() bool { return is(t, near, token("meanwhile")) })
	if is(t, near, token("back")) || !is(t, near, token("kept")) || !is(t, far, token("kept")) {
		t.Error("not exactly what was taken back is valid")
	}
}

// Attack: somebody who may delete keys, or fill the memory of a server that
// evicts, makes a revoked token valid again.
func TestKeysThatVanishAreWrittenAgain(t *testing.T) {
	t.Parallel()
	server := own(t)
	a, b := node(t, server), node(t, server)
	for _, id := range []string{"1", "2", "3"} {
		revoke(t, a, token(id))
		eventually(t, "both know", func() bool { return is(t, b, token(id)) })
	}
	for _, vanish := range [][]string{{"DEL", DefaultKeyPrefix + "1"}, {"FLUSHALL"}, {"FLUSHDB"}} {
		server.CLI(t, vanish...)
		for _, id := range []string{"1", "2", "3"} {
			eventually(t, "the key is back", func() bool { return server.CLI(t, "EXISTS", DefaultKeyPrefix+id) == "1" })
			if refusedA, refusedB := refused(a, token(id), t), refused(b, token(id), t); !refusedA || !refusedB {
				t.Errorf("%s: valid after %q", id, vanish)
			}
		}
		eventually(t, "the nodes go on", func() bool { return !unknown(t, a, token("x")) && !unknown(t, b, token("x")) })
	}
}

// Attack: the server loses everything, and takes nothing for a while after it.
func TestWhatTheServerLostIsWrittenWhenItTakesItAgain(t *testing.T) {
	t.Parallel()
	server := own(t)
	a := node(t, server)
	user := auth.TokenRef{ID: "any", User: auth.UserRef{Issuer: "x", ID: "u"}}
	revoke(t, a, token("lost"))
	if err := a.RevokeUser(t.Context(), user.User, time.Now(), hour()); err != nil {
		t.Fatal(err)
	}
	server.CLI(t, "CONFIG", "SET", "maxmemory", "1")
	server.CLI(t, "FLUSHALL")
	fails(t, a, token("refused")) // so the node has connected anew
	eventually(t, "it tried to write what was lost", func() bool {
		return strings.Contains(server.CLI(t, "INFO", "errorstats"), "OOM:count=") && !unknown(t, a, token("x"))
	})
	server.CLI(t, "CONFIG", "SET", "maxmemory", "0")
	for _, key := range []string{DefaultKeyPrefix + "lost", DefaultKeyPrefix + "refused", "users@" + DefaultKeyPrefix + "u"} {
		eventually(t, key+" is written", func() bool { return server.CLI(t, "EXISTS", key) == "1" })
	}
	b := node(t, server)
	for _, revoked := range []auth.TokenRef{token("lost"), token("refused"), user} {
		if !is(t, b, revoked) {
			t.Error("a revoked token is valid on a new node")
		}
	}
}

// Attack: the key of a user is overwritten with what says nothing of him.
func TestUserIsRevokedThoughHisKeyIsOverwritten(t *testing.T) {
	t.Parallel()
	server := own(t)
	a := node(t, server)
	user := auth.TokenRef{ID: "any", User: auth.UserRef{Issuer: "x", ID: "u"}, IssuedAt: time.Now().Add(-time.Minute)}
	if err := a.RevokeUser(t.Context(), user.User, time.Now(), hour()); err != nil {
		t.Fatal(err)
	}
	server.CLI(t, "SET", "users@"+DefaultKeyPrefix+"u", "1", "EX", "1000")
	eventually(t, "it is written again", func() bool {
		return strings.HasPrefix(server.CLI(t, "GET", "users@"+DefaultKeyPrefix+"u"), magic)
	})
	b := node(t, server)
	if !is(t, b, user) {
		t.Error("a revoked user is valid on a new node")
	}
	user.User.ID, user.User.Issuer = "u", "other"
	if is(t, b, user) {
		t.Error("control: another user is revoked")
	}
}

// Attack: a flood of log-outs and of requests while the server hangs takes all
// memory, or holds every request.
func TestNothingPilesUpWhileTheServerHangs(t *testing.T) {
	server := own(t)
	a := node(t, server)
	revoke(t, a, token("revoked"))
	base := runtime.NumGoroutine()
	server.Freeze(t)
	var callers sync.WaitGroup
	for i := range 2000 {
		callers.Go(func() {
			if err := a.Revoke(t.Context(), token("flood"+strconv.Itoa(i)), hour()); err == nil {
				t.Error("written to a server that hangs")
			}
		})
	}
	for range 100_000 {
		if !is(t, a, token("revoked")) {
			t.Fatal("a revoked token is valid")
		}
	}
	callers.Wait()
	eventually(t, "the outage is noticed", func() bool { return unknown(t, a, token("x")) })
	for range 1000 { // none waits
		fails(t, a, token("later"))
	}
	if n := runtime.NumGoroutine(); n > base+20 {
		t.Errorf("%d goroutines, before the outage %d", n, base)
	}
	server.Thaw(t)
	eventually(t, "the node uses the server again", func() bool { return !unknown(t, a, token("x")) })
	b := node(t, server)
	for i := range 2000 {
		id := "flood" + strconv.Itoa(i)
		eventually(t, id+" is written in the end", func() bool { return refused(b, token(id), t) })
	}
}

// A reload that leaves a server which hangs must not hang itself.
func TestReloadIsNotHeldUpByAServerThatHangs(t *testing.T) {
	t.Parallel()
	server := own(t)
	r := node(t, server)
	server.Freeze(t)
	_ = r.Revoke(t.Context(), token("b"), hour()) // something is under way
	begun := time.Now()
	if err := r.Cleanup(); err != nil {
		t.Error(err)
	}
	took := time.Since(begun)
	t.Logf("it took %s", took)
	if took > patience/2 {
		t.Errorf("it took %s", took)
	}
}

func TestGoroutinesAndConnectionsEndWithTheNode(t *testing.T) {
	server := own(t)
	clients := func() int { return strings.Count(server.CLI(t, "CLIENT", "LIST"), "name=caddy-auth") }
	base := runtime.NumGoroutine()
	list := []*Redis{node(t, server), node(t, server)}
	if n := clients(); n != 2 {
		t.Fatalf("%d connections of 2 nodes", n)
	}
	for _, r := range list {
		if err := r.Cleanup(); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "the connections are closed", func() bool { return clients() == 0 })
	eventually(t, "the goroutines end", func() bool { return runtime.NumGoroutine() <= base })
}
