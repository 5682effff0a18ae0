// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/replica"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// What the server says of single IDs is what a copy of it would hold.
func TestServerCanBeAskedAboutSingleTokens(t *testing.T) {
	t.Parallel()
	cluster := clusterOf(t, 3)
	for name, c := range map[string]struct {
		servers []*testservers.Server
		redis   *Redis
	}{
		"alone":   {[]*testservers.Server{own(t)}, &Redis{}},
		"cluster": {cluster, &Redis{Cluster: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.redis.Addresses = []string{c.servers[0].Address()}
			r := connected(t, c.redis)
			full := token("full")
			full.SessionID = "s"
			revoke(t, r, full)
			revoke(t, r, token("back"))
			if err := r.RevokeUser(t.Context(), auth.UserRef{Issuer: "https://id.example", ID: "u"}, time.Now(), hour()); err != nil {
				t.Fatal(err)
			}
			if err := r.Unrevoke(t.Context(), token("back")); err != nil {
				t.Fatal(err)
			}
			c.servers[0].CLI(t, "-c", "SET", "revoked_tokens:foreign", "1") // wherever in the cluster
			c.servers[0].CLI(t, "-c", "SADD", "revoked_tokens:no-text", "1")
			connection, err := r.source.Connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			for _, q := range []struct {
				ids        map[revoked.Kind]string
				want, back int
			}{
				{map[revoked.Kind]string{revoked.Token: "full", revoked.Session: "s", revoked.User: "u"}, 3, 0},
				{map[revoked.Kind]string{revoked.Token: "full", revoked.Session: "full", revoked.User: "full"}, 1, 0},
				{map[revoked.Kind]string{revoked.Token: "back"}, 0, 1},
				{map[revoked.Kind]string{revoked.Token: "foreign", revoked.User: "1"}, 1, 0},
				{map[revoked.Kind]string{revoked.Token: "no-text"}, 1, 0},
				{map[revoked.Kind]string{revoked.Token: "x", revoked.Session: "y", revoked.User: "z"}, 0, 0},
				{map[revoked.Kind]string{revoked.Token: string(make([]byte, revoked.MaxName+1))}, 0, 0},
				{nil, 0, 0},
			} {
				list, err := connection.(replica.Asker).Ask(t.Context(), q.ids)
				if err != nil {
					t.Errorf("%v: %v", q.ids, err)
				}
				back := len(slices.DeleteFunc(slices.Clone(list), func(r replica.Record) bool { return r.Tombstone == "" }))
				if len(list)-back != q.want || back != q.back {
					t.Errorf("%v: %+v", q.ids, list)
				}
			}
		})
	}
}

// A node that starts decides before its copy is filled, and as if it were.
func TestNodeDecidesWhileItsCopyIsFilled(t *testing.T) {
	const count = 200_000
	server := own(t)
	fill(t, server.Address(), count)
	r := begin(t, &Redis{Addresses: []string{server.Address()}})
	begun, early, decided := time.Now(), 0, time.Duration(0)
	for i := 0; !r.Node().Fresh(); i++ {
		revoked, err1 := r.Revoked(t.Context(), token(jti(i*7919%count)))
		other, err2 := r.Revoked(t.Context(), token("other-"+strconv.Itoa(i)))
		if err1 == nil && !revoked || err2 == nil && other {
			t.Fatalf("a revoked token: %t; another one: %t", revoked, other)
		}
		if err1 == nil && err2 == nil && !r.Node().Fresh() {
			if early++; early == 1 {
				decided = time.Since(begun)
			}
		}
		if time.Since(begun) > patience {
			t.Fatal("the copy is not filled")
		}
	}
	t.Logf("the first decision after %s, the copy filled after %s, %d decisions before", decided, time.Since(begun), early)
	if early == 0 {
		t.Error("it decided nothing before its copy was filled")
	}
}
