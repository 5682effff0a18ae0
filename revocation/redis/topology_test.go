// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

func TestNodesFollowTheMasterThatSentinelsChoose(t *testing.T) {
	t.Parallel()
	first, second := own(t), own(t)
	second.CLI(t, "REPLICAOF", "127.0.0.1", first.Port)
	var sentinels []string
	for range 3 {
		s := testservers.OwnRedis(t, testservers.RedisOptions{Sentinel: "sentinel monitor mymaster 127.0.0.1 " + first.Port + " 2\n" +
			"sentinel down-after-milliseconds mymaster 1000\nsentinel failover-timeout mymaster 5000\n"})
		sentinels = append(sentinels, s.Address())
		eventually(t, "the sentinel knows the replica", func() bool {
			return strings.Contains(s.CLI(t, "SENTINEL", "REPLICAS", "mymaster"), second.Port)
		})
	}
	eventually(t, "the replica is in step", func() bool {
		return strings.Contains(second.CLI(t, "INFO", "replication"), "master_link_status:up")
	})
	start := func() *Redis { return connected(t, &Redis{Addresses: sentinels, Sentinel: "mymaster"}) }
	a := start()
	revoke(t, a, token("before"))
	eventually(t, "the replica has it", func() bool { return second.CLI(t, "EXISTS", DefaultKeyPrefix+"before") == "1" })

	first.Freeze(t)
	eventually(t, "the outage is noticed", func() bool { return unknown(t, a, token("x")) })
	if !is(t, a, token("before")) {
		t.Error("a revoked token is valid while no master is there")
	}
	fails(t, a, token("during"))
	eventually(t, "the node uses the other master", func() bool { return !unknown(t, a, token("x")) })
	revoke(t, a, token("after"))
	for _, id := range []string{"before", "during", "after"} {
		eventually(t, id+" is on the other master", func() bool { return second.CLI(t, "EXISTS", DefaultKeyPrefix+id) == "1" })
	}
	// The old one comes back, and is no master any more.
	first.Thaw(t)
	b := start()
	for _, id := range []string{"before", "during", "after"} {
		eventually(t, id+" is known", func() bool { return refused(b, token(id), t) })
	}
}

// clusterOf returns a cluster of so many masters.
func clusterOf(tb testing.TB, n int) []*testservers.Server {
	tb.Helper()
	list := make([]*testservers.Server, n)
	args := []string{"--cluster", "create"}
	for i := range list {
		list[i] = own(tb, "--cluster-enabled", "yes", "--cluster-port", freePort(tb), "--cluster-node-timeout", "2000",
			"--cluster-require-full-coverage", "yes")
		args = append(args, list[i].Address())
	}
	cli, err := exec.LookPath(testservers.RedisProgram("cli"))
	testservers.Need(tb, "Redis", err)
	args = append(args, "--cluster-replicas", "0", "--cluster-yes")
	if out, err := exec.Command(cli, args...).CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	eventually(tb, "the cluster is complete", func() bool {
		for _, s := range list {
			if !strings.Contains(s.CLI(tb, "CLUSTER", "INFO"), "cluster_state:ok") {
				return false
			}
		}
		return true
	})
	return list
}

func freePort(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func TestClusterKeepsTheContract(t *testing.T) {
	servers := clusterOf(t, 3)
	addresses := []string{servers[0].Address(), servers[1].Address()}
	start := func(tb testing.TB) *Redis { return connected(tb, &Redis{Addresses: addresses, Cluster: true}) }
	authtest.TestRevocationStore(t, authtest.RevocationStoreCase{
		New: func(tb testing.TB) auth.RevocationStore { return start(tb) },
		NewAt: func(tb testing.TB, now func() time.Time) auth.RevocationStore {
			return connected(tb, &Redis{Addresses: addresses, Cluster: true, clock: at(now)})
		},
		Peer: func(tb testing.TB, _ auth.RevocationStore) auth.RevocationStore { return start(tb) },
	})
	authtest.TestRefreshStore(t, authtest.RefreshStoreCase{
		New: func(tb testing.TB) auth.RefreshStore { return start(tb) },
		NewAt: func(tb testing.TB, now func() time.Time) auth.RefreshStore {
			return connected(tb, &Redis{Addresses: addresses, Cluster: true, clock: at(now)})
		},
		Peer: func(tb testing.TB, _ auth.RefreshStore) auth.RefreshStore { return start(tb) },
	})
}

func TestClusterMayMoveItsSlots(t *testing.T) {
	t.Parallel()
	servers := clusterOf(t, 3)
	start := func() *Redis { return connected(t, &Redis{Addresses: []string{servers[0].Address()}, Cluster: true}) }
	a, b := start(), start()
	const count = 60
	name := func(i int) string { return "token-" + strconv.Itoa(i) }
	for i := range count {
		revoke(t, a, token(name(i)))
	}
	for _, s := range servers {
		if s.CLI(t, "DBSIZE") == "0" {
			t.Fatal("the keys are not on all servers")
		}
	}
	for i := range count {
		eventually(t, "the other node knows all", func() bool { return refused(b, token(name(i)), t) })
	}
	moving := make(chan error, 1)
	go func() {
		from, to := servers[0].CLI(t, "CLUSTER", "MYID"), servers[1].CLI(t, "CLUSTER", "MYID")
		out, err := exec.Command(testservers.RedisProgram("cli"), "--cluster", "reshard", servers[0].Address(), "--cluster-from", from,
			"--cluster-to", to, "--cluster-slots", "400", "--cluster-yes").CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, out)
		}
		moving <- err
	}()
	for i := count; ; i++ {
		// While slots move, a log-out may fail; it may not be lost.
		_ = a.Revoke(t.Context(), token(name(i)), hour())
		for j := range count {
			if !stopped(t, a, token(name(j))) || !stopped(t, b, token(name(j))) {
				t.Fatal("a revoked token is valid while slots move")
			}
		}
		select {
		case err := <-moving:
			if err != nil {
				t.Fatal(err)
			}
			c := start()
			for j := range i + 1 {
				eventually(t, name(j)+" is known everywhere", func() bool {
					return refused(a, token(name(j)), t) && refused(b, token(name(j)), t) && refused(c, token(name(j)), t)
				})
			}
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stopped reports whether a token does not pass.
func stopped(tb testing.TB, s auth.RevocationStore, token auth.TokenRef) bool {
	tb.Helper()
	revoked, err := s.Revoked(tb.Context(), token)
	return revoked || err != nil
}

func TestClusterThatLosesAServer(t *testing.T) {
	t.Parallel()
	servers := clusterOf(t, 3)
	a := connected(t, &Redis{Addresses: []string{servers[0].Address(), servers[1].Address()}, Cluster: true})
	for i := range 20 {
		revoke(t, a, token(strconv.Itoa(i)))
	}
	servers[2].Freeze(t)
	eventually(t, "the outage is noticed", func() bool { return unknown(t, a, token("x")) })
	for i := range 20 {
		if !is(t, a, token(strconv.Itoa(i))) {
			t.Error("a revoked token is valid in the outage")
		}
	}
	servers[2].Thaw(t)
	eventually(t, "the node uses the cluster again", func() bool { return !unknown(t, a, token("x")) })
}

func TestSlotsAreThoseOfRedis(t *testing.T) {
	t.Parallel()
	// of the specification, and of CLUSTER KEYSLOT
	for key, want := range map[string]int64{
		"123456789": 0x31C3 % slotCount, "": 0, "foo": 12182, "{user1000}.following": slot("user1000"),
		"foo{}{bar}": slot("foo{}{bar}"), "foo{{bar}}zap": slot("{bar"), "foo{bar}{zap}": slot("bar"),
	} {
		if got := slot(key); got != want {
			t.Errorf("%q: %d, want %d", key, got, want)
		}
	}
}

// silent returns the address of a server that takes connections and says nothing,
// as a machine does that hangs.
func silent(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestSentinelsThatHangAreNotAskedFirstForEver(t *testing.T) {
	t.Parallel()
	master := own(t)
	sentinel := testservers.OwnRedis(t, testservers.RedisOptions{Sentinel: "sentinel monitor mymaster 127.0.0.1 " + master.Port + " 1\n"})
	a := connected(t, &Redis{Addresses: []string{silent(t), silent(t), silent(t), sentinel.Address()}, Sentinel: "mymaster"})
	revoke(t, a, token("a"))
	if master.CLI(t, "EXISTS", DefaultKeyPrefix+"a") != "1" {
		t.Error("it is not on the master")
	}
}

// Attack: the attacker holds a token that was logged out, and comes to a node
// that starts while the first slots move to a server that had none.
func TestNodeThatStartsWhileSlotsMoveToANewServerKnowsAll(t *testing.T) {
	t.Parallel()
	servers := clusterOf(t, 3)
	start := func() *Redis { return connected(t, &Redis{Addresses: []string{servers[0].Address()}, Cluster: true}) }
	a := start()
	revoke(t, a, token("moved"))
	key := DefaultKeyPrefix + "moved"
	var from *testservers.Server
	for _, s := range servers {
		if s.CLI(t, "DBSIZE") == "1" {
			from = s
		}
	}
	added := own(t, "--cluster-enabled", "yes", "--cluster-port", freePort(t))
	if out, err := exec.Command(testservers.RedisProgram("cli"), "--cluster", "add-node", added.Address(), servers[0].Address()).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	id := added.CLI(t, "CLUSTER", "MYID")
	for _, s := range servers {
		eventually(t, "the new server is known", func() bool {
			return strings.Contains(s.CLI(t, "CLUSTER", "NODES"), id) && !strings.Contains(s.CLI(t, "CLUSTER", "NODES"), "handshake")
		})
	}
	number := from.CLI(t, "CLUSTER", "KEYSLOT", key)
	eventually(t, "the new server knows the others", func() bool {
		return strings.Contains(added.CLI(t, "CLUSTER", "INFO"), "cluster_state:ok")
	})
	added.CLI(t, "CLUSTER", "SETSLOT", number, "IMPORTING", from.CLI(t, "CLUSTER", "MYID"))
	from.CLI(t, "CLUSTER", "SETSLOT", number, "MIGRATING", id)
	from.CLI(t, "MIGRATE", "127.0.0.1", added.Port, key, "0", "5000")
	if added.CLI(t, "DBSIZE") != "1" || from.CLI(t, "DBSIZE") != "0" {
		t.Fatal("the key has not moved")
	}
	b := start()
	if !stopped(t, b, token("moved")) {
		t.Error("a revoked token is valid on a node that starts while its key moves")
	}
	if !stopped(t, a, token("moved")) {
		t.Error("a revoked token is valid while its key moves")
	}
	eventually(t, "control: another token is valid", func() bool { return !unknown(t, b, token("x")) && !is(t, b, token("x")) })
	eventually(t, "it is known", func() bool { return refused(b, token("moved"), t) })
	revoke(t, b, token("moved")) // where the key is now
}

func TestServersWithoutSlotsAreFoundInWhatTheClusterSays(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"id 127.0.0.1:7000@17000 master - 0 1 2 connected":               "127.0.0.1:7000",
		"id 127.0.0.1:7000@17000,name master - 0 1 2 connected":          "127.0.0.1:7000",
		"id :7000@17000 myself,master - 0 1 2 connected [5-<-other]":     "10.0.0.1:7000",
		"id fe80::1:7000@17000 master - 0 1 2 connected":                 "[fe80::1]:7000",
		"id 127.0.0.1:7000@17000 master - 0 1 2 connected 0-100":         "",
		"id 127.0.0.1:7000@17000 master - 0 1 2 connected 7 [5-<-other]": "",
		"id 127.0.0.1:7000@17000 slave other 0 1 2 connected":            "",
		"id 127.0.0.1:7000@17000 master,fail - 0 1 2 disconnected":       "",
		"id 127.0.0.1:7000@17000 master,fail? - 0 1 2 disconnected":      "",
		"id 127.0.0.1:7000@17000 handshake - 0 1 2 connected":            "",
		"id :0@0 master,noaddr - 0 1 2 disconnected":                     "",
		"id nonsense master - 0 1 2 connected":                           "",
		"id 127.0.0.1:7000@17000 master":                                 "",
		"":                                                               "",
	} {
		if got, ok := slotless(line, "10.0.0.1:7001"); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %t", line, got, ok)
		}
	}
}
