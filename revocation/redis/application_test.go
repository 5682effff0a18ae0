// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

func TestApplicationRevokesByItselfWithRedisCLI(t *testing.T) {
	t.Parallel()
	server := own(t)
	server.CLI(t, "SET", "revoked_tokens:there-before", "1", "EX", "3600")
	server.CLI(t, "RPUSH", "revoked_tokens:no-text-before", "1")
	r := node(t, server)
	if !is(t, r, token("there-before")) || !is(t, r, token("no-text-before")) {
		t.Error("what was there before the node is valid")
	}
	for key, set := range map[string][]string{
		"plain":    {"SET", "revoked_tokens:plain", "1", "EX", "3600"},
		"for-ever": {"SET", "revoked_tokens:for-ever", ""},
		"bytes":    {"SET", "revoked_tokens:bytes", "\x80\x05\x88."},
		"no-text":  {"SADD", "revoked_tokens:no-text", "1"},
	} {
		if is(t, r, token(key)) {
			t.Fatal("revoked before it was")
		}
		server.CLI(t, set...)
		eventually(t, key+" is refused", func() bool { return is(t, r, token(key)) })
		anybody := token(key)
		anybody.User.Issuer = "https://another.example"
		if !is(t, r, anybody) {
			t.Errorf("%s: an entry that names no issuer does not count for all", key)
		}
	}
	server.CLI(t, "SET", "revoked_tokens:short", "1", "PX", "50")
	eventually(t, "it ends when the key does", func() bool {
		return server.CLI(t, "EXISTS", "revoked_tokens:short") == "0" && !is(t, r, token("short"))
	})
	if is(t, r, token("plai")) || is(t, r, token("plain2")) || is(t, r, token("")) {
		t.Error("control: another token is revoked")
	}
}

// An application and Caddy may revoke one token, in either order.
func TestEntriesOfAnApplicationAndOfCaddyAreJoined(t *testing.T) {
	t.Parallel()
	server := own(t)
	a := node(t, server)
	anybody := func(id string) auth.TokenRef {
		return auth.TokenRef{ID: id, User: auth.UserRef{Issuer: "https://another.example", ID: "1"}}
	}
	server.CLI(t, "SET", "revoked_tokens:first", "1", "EX", "7200")
	eventually(t, "it is known", func() bool { return is(t, a, token("first")) })
	revoke(t, a, token("first")) // for an hour, and one issuer
	revoke(t, a, token("last"))
	server.CLI(t, "SET", "revoked_tokens:last", "1", "EX", "60")
	b := node(t, server)
	for _, id := range []string{"first", "last"} {
		for _, s := range []*Redis{a, b} {
			eventually(t, id+" is refused for everybody", func() bool { return is(t, s, anybody(id)) && is(t, s, token(id)) })
		}
	}
	if ttl := server.CLI(t, "TTL", "revoked_tokens:first"); len(ttl) != 4 || ttl < "7000" {
		t.Errorf("the longer one was shortened to %s seconds", ttl)
	}
	// What is no text is taken for one.
	server.CLI(t, "HSET", "revoked_tokens:hash", "of", "something")
	revoke(t, a, token("hash"))
	if kind := server.CLI(t, "TYPE", "revoked_tokens:hash"); kind != "string" || !is(t, a, anybody("hash")) {
		t.Errorf("a key of another type is %q after a log-out", kind)
	}
	// The application overwrote the longer entry; the nodes that know it say so again.
	server.CLI(t, "DEL", "revoked_tokens:last")
	eventually(t, "it is written again", func() bool { return server.CLI(t, "EXISTS", "revoked_tokens:last") == "1" })
}

func TestApplicationRevokesByItselfWithDjangosCache(t *testing.T) {
	t.Parallel()
	python := "/usr/bin/python3"
	testservers.Need(t, "Django and django-redis", exec.Command(python, "-c", "import django, django_redis").Run())
	server := own(t)
	django := func(action, jti string) string {
		t.Helper()
		out, err := exec.Command(python, "testdata/django_cache.py", server.Port, action, jti).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	r := connected(t, &Redis{Addresses: []string{server.Address()}, KeyPrefix: ":1:revoked_tokens:"})
	if is(t, r, token("by-django")) || django("get", "by-caddy") != "valid" {
		t.Fatal("control: something is revoked at first")
	}
	django("set", "by-django")
	eventually(t, "what Django revoked is refused", func() bool { return is(t, r, token("by-django")) })
	revoke(t, r, token("by-caddy"))
	if got := django("get", "by-caddy"); got != "revoked" {
		t.Errorf("Django sees what Caddy revoked as %q", got)
	}
}

// Attack: a client that can choose its "jti" logs out, and the key that this
// makes is that of somebody else's session or user, or of Caddy's refresh tokens.
func TestNoTokenReachesTheKeysOfOthers(t *testing.T) {
	t.Parallel()
	server := own(t)
	a, b := node(t, server), node(t, server)
	sessionRoundTrip(t, a)
	if err := a.CreateSession(t.Context(), auth.Session{ID: "s9", Until: hour()}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{
		"sessions@revoked_tokens:s1", "users@revoked_tokens:1", "refresh@revoked_tokens:s9", "@revoked_tokens:1",
		"\nusers@revoked_tokens:1", "revoked_tokens:x", "*", "?", "{a}b", "a b\r\nc", "\x00", "%41",
	} {
		revoke(t, a, token(id))
		eventually(t, "both refuse it", func() bool { return is(t, b, token(id)) })
	}
	if _, err := a.Session(t.Context(), "s9"); err != nil {
		t.Errorf("a refresh token is gone: %v", err)
	}
	for _, s := range []*Redis{a, b} {
		if is(t, s, auth.TokenRef{ID: "free", SessionID: "s1", User: auth.UserRef{Issuer: "https://id.example", ID: "1"}, IssuedAt: time.Now()}) {
			t.Error("a session or a user is revoked, too")
		}
		if is(t, s, token("x")) || is(t, s, token("A")) {
			t.Error("another token is revoked, too")
		}
	}
}
