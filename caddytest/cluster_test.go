// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// sharedSite is one of several Caddys that share a store.
const sharedSite = `
{
	auth {
		secret {env.CADDYBOLT_SECRET}
		jwt
		revocation STORE
	}
}
http://:PORT {
	auth_logout /auth/logout
	auth
	respond "hello {http.auth.user.id}"
}`

// startNode starts one of them and waits until it knows what is revoked.
func startNode(t *testing.T, store string) (url string, p *process) {
	t.Helper()
	t.Setenv("CADDYBOLT_SECRET", hmacSecret)
	port := freePort(t)
	p = start(t, strings.NewReplacer("STORE", store, "PORT", port).Replace(sharedSite), port)
	url = "http://127.0.0.1:" + port
	await(t, "the node knows what is revoked", func() bool { return get(t, url, sharedToken(t, "anybody")) == 200 })
	return url, p
}

func sharedToken(t *testing.T, jti string) string {
	t.Helper()
	return hs256(t, jwt.MapClaims{"sub": "alice", "jti": jti, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()})
}

func get(t *testing.T, url, token string) int {
	t.Helper()
	resp, _ := do(t, http.MethodGet, url, bearer(token))
	return resp.StatusCode
}

// await waits until the condition holds, on a machine that may be busy.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not come about that %s", what)
		}
	}
}

func TestWhatOneCaddyRevokesTheOtherRefuses(t *testing.T) {
	redis := testservers.OwnRedis(t, testservers.RedisOptions{})
	postgres := testservers.PostgreSQL(t)
	for name, store := range map[string]string{
		"redis": "redis " + redis.Address(),
		"sql":   "sql " + postgres.DSN(postgres.NewDatabase(t)),
	} {
		t.Run(name, func(t *testing.T) {
			first, _ := startNode(t, store)
			second, _ := startNode(t, store)
			var took []time.Duration
			for range 50 {
				token := sharedToken(t, rand.Text())
				if one, two := get(t, first, token), get(t, second, token); one != 200 || two != 200 {
					t.Fatalf("before the log-out: %d and %d", one, two)
				}
				status, body := post(t, first+"/auth/logout", "", "", bearer(token))
				if status != 200 {
					t.Fatalf("%d %s", status, body)
				}
				begun := time.Now()
				if get(t, first, token) != 401 {
					t.Fatal("the node that revoked it accepts it")
				}
				await(t, "the other node refuses it", func() bool { return get(t, second, token) == 401 })
				took = append(took, time.Since(begun))
			}
			slices.Sort(took)
			t.Logf("refused by the other node after: median %s, 99th percentile %s", took[len(took)/2], took[len(took)-1])
			if worst := took[len(took)-1]; worst > 5*time.Second { // 100 ms where nobody else uses the processor
				t.Errorf("it took up to %s", worst)
			}
		})
	}
}

// Attack: the attacker holds a token that was logged out, and brings the server
// of the revocations down.
func TestOutageOfTheStoreIs503AndNothingRevokedPasses(t *testing.T) {
	redis := testservers.OwnRedis(t, testservers.RedisOptions{})
	deny, p := startNode(t, "redis "+redis.Address())
	allow, pAllow := startNode(t, "redis "+redis.Address()+" {\n\t\t\ton_error allow\n\t\t}")
	revoked, good, late, last := sharedToken(t, rand.Text()), sharedToken(t, rand.Text()), sharedToken(t, rand.Text()), sharedToken(t, rand.Text())
	if status, _ := post(t, deny+"/auth/logout", "", "", bearer(revoked)); status != 200 {
		t.Fatalf("log-out: %d", status)
	}
	await(t, "both refuse it", func() bool { return get(t, allow, revoked) == 401 })

	redis.Freeze(t)
	if status, _ := post(t, deny+"/auth/logout", "", "", bearer(late)); status != 503 {
		t.Errorf("a log-out that is not written: %d", status)
	}
	if status := get(t, deny, late); status != 401 {
		t.Errorf("a token after a log-out that was not written: %d", status)
	}
	await(t, "the outage is noticed", func() bool { return get(t, deny, good) == 503 })
	resp, _ := do(t, http.MethodGet, deny, bearer(good))
	if resp.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	await(t, "the other one notices it, too", func() bool {
		_, text := do(t, http.MethodGet, "http://"+pAllow.Admin+"/metrics")
		return strings.Contains(text, `caddy_auth_revocation_up{store="redis"} 0`)
	})
	if status := get(t, allow, good); status != 200 {
		t.Errorf("on_error allow: %d", status)
	}
	if _, text := do(t, http.MethodGet, "http://"+pAllow.Admin+"/metrics"); !strings.Contains(text, `caddy_auth_revocation_allowed_total{store="redis"} `) ||
		strings.Contains(text, `caddy_auth_revocation_allowed_total{store="redis"} 0`) {
		t.Error("the metric does not say that somebody passed")
	}
	for _, url := range []string{deny, allow} {
		if status := get(t, url, revoked); status != 401 {
			t.Errorf("a revoked token in the outage: %d", status)
		}
	}
	// auth itself, which stands in front, cannot tell whose token this is.
	if status, _ := post(t, deny+"/auth/logout", "", "", bearer(last)); status != 503 {
		t.Errorf("a log-out in the outage: %d", status)
	}
	if status := get(t, deny, last); status != 401 {
		t.Errorf("a token after a log-out in the outage: %d", status)
	}

	redis.Thaw(t)
	await(t, "the store is used again", func() bool { return get(t, deny, good) == 200 })
	await(t, "the log-outs of the outage arrive", func() bool { return get(t, allow, late) == 401 && get(t, allow, last) == 401 })
	for _, url := range []string{deny, allow} {
		if status := get(t, url, revoked); status != 401 {
			t.Errorf("a revoked token after the outage: %d", status)
		}
	}
	if n := strings.Count(p.log.String(), "does not answer; what it would say"); n != 1 {
		t.Errorf("%d lines about one outage", n)
	}
}
