// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"crypto/rand"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// changing is a Caddy whose revocation store changes.
type changing struct {
	*process
	url, port string
	ended     []string // the tokens that were logged out
}

func changingNode(t *testing.T, store string) *changing {
	t.Helper()
	url, p := startNode(t, store)
	return &changing{process: p, url: url, port: url[strings.LastIndexByte(url, ':')+1:]}
}

// to reloads with another store.
func (c *changing) to(store string) {
	c.t.Helper()
	if status := c.reload(c.site(store)); status != 200 {
		c.t.Fatalf("%s: %d\n%s", store, status, c.log)
	}
}

func (c *changing) site(store string) string {
	return strings.NewReplacer("STORE", store, "PORT", c.port).Replace(sharedSite)
}

// logOut logs out a new token, and wants that status.
func (c *changing) logOut(want int) (jti string) {
	c.t.Helper()
	jti = rand.Text()
	token := sharedToken(c.t, jti)
	if status, body := post(c.t, c.url+"/auth/logout", "", "", bearer(token)); status != want {
		c.t.Fatalf("log-out: %d %s", status, body)
	}
	c.ended = append(c.ended, token)
	return jti
}

// refuses wants everything to be refused that was logged out, and nothing else.
func (c *changing) refuses(where string) {
	c.t.Helper()
	check := func() {
		c.t.Helper()
		for i, token := range c.ended {
			if status := get(c.t, c.url, token); status != 401 {
				c.t.Errorf("%s: token %d after its log-out: %d", where, i, status)
			}
		}
	}
	check()
	await(c.t, where+": others pass", func() bool { return get(c.t, c.url, sharedToken(c.t, "good")) == 200 })
	check()
}

// Attack: the attacker's token was logged out, and the operator changes where
// that is remembered.
func TestWhatWasRevokedStaysSoWithAnotherStore(t *testing.T) {
	redis, other := testservers.OwnRedis(t, testservers.RedisOptions{}), testservers.OwnRedis(t, testservers.RedisOptions{})
	postgres, maria := testservers.PostgreSQL(t), testservers.MariaDB(t)
	postgresDSN, mariaDSN := postgres.DSN(postgres.NewDatabase(t)), maria.DSN(maria.NewDatabase(t))
	bolt := func(name string) string { return "bolt {\n\t\t\tpath " + filepath.Join(t.TempDir(), name) + "\n\t\t}" }
	last := bolt("last")
	c := changingNode(t, "memory")
	for _, store := range []string{
		bolt("one"), bolt("two"), "memory",
		"redis " + redis.Address(), "redis " + redis.Address() + " {\n\t\t\tmax_stale 3s\n\t\t}", "redis " + other.Address(),
		"sql " + postgresDSN, "sql " + postgresDSN + "&application_name=caddy", "sql " + mariaDSN, last,
	} {
		c.logOut(200)
		c.to(store)
		c.refuses(store)
		if store == "redis "+other.Address() {
			await(t, "the other server holds it all", func() bool { return other.CLI(t, "dbsize") == strconv.Itoa(len(c.ended)) })
		}
	}
	next, _ := startNode(t, "sql "+mariaDSN)
	for i, token := range c.ended {
		if status := get(t, next, token); status != 401 {
			t.Errorf("another node: token %d after its log-out: %d", i, status)
		}
	}
	c.stop()
	again := changingNode(t, last)
	again.ended = c.ended
	again.refuses("after a restart")
}

// Attack: the attacker's token was logged out while the server did not take it,
// and the operator changes an option, or the password, to help that.
func TestLogOutThatIsNotWrittenOutlivesAChangeOfTheStore(t *testing.T) {
	redis := testservers.OwnRedis(t, testservers.RedisOptions{})
	store := "redis " + redis.Address()
	withPassword := store + " {\n\t\t\tpassword pw2\n\t\t}"

	t.Run("the password changes", func(t *testing.T) {
		c := changingNode(t, store)
		redis.CLI(t, "config", "set", "requirepass", "pw2")
		redis.CLI(t, "-a", "pw2", "--no-auth-warning", "client", "kill", "type", "normal")
		await(t, "the outage is noticed", func() bool { return get(t, c.url, sharedToken(t, "good")) == 503 })
		jti := c.logOut(503)
		c.to(withPassword)
		c.refuses("with the other password")
		await(t, "it is written", func() bool {
			return redis.CLI(t, "-a", "pw2", "--no-auth-warning", "exists", "revoked_tokens:"+jti) == "1"
		})
		redis.CLI(t, "-a", "pw2", "--no-auth-warning", "config", "set", "requirepass", "")
	})
	t.Run("an option changes, and the server comes back empty", func(t *testing.T) {
		c := changingNode(t, store)
		confirmed := c.logOut(200)
		redis.Freeze(t)
		jti := c.logOut(503)
		c.to(store + " {\n\t\t\tmax_stale 3s\n\t\t\ton_error allow\n\t\t}")
		for i, token := range c.ended {
			if status := get(t, c.url, token); status != 401 {
				t.Errorf("token %d in the outage: %d", i, status)
			}
		}
		redis.Stop()
		redis.Start(t)
		c.refuses("after the outage")
		for _, id := range []string{confirmed, jti} {
			await(t, id+" is written", func() bool { return redis.CLI(t, "exists", "revoked_tokens:"+id) == "1" })
		}
	})
	t.Run("a rejected reload changes nothing", func(t *testing.T) {
		c := changingNode(t, "memory")
		c.logOut(200)
		text := strings.ReplaceAll(c.site(store), "http://:"+c.port, "http://192.0.2.1:1") // none of this machine's
		if !strings.Contains(text, "192.0.2.1") {
			t.Fatal("control: the address is not replaced")
		}
		if status := c.reload("{\n\tdefault_bind 192.0.2.1\n" + strings.TrimPrefix(strings.TrimSpace(text), "{")); status < 400 {
			t.Fatalf("control: %d", status)
		}
		c.logOut(200)
		c.refuses("after it")
	})
}
