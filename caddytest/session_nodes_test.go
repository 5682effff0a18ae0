// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"strings"
	"sync"
	"testing"

	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// Two Caddys that share a Redis share their sessions: a refresh token is good at
// both, once; tabs that reach different ones get the same answer; what one ends
// is over at the other.
func TestNodesShareSessions(t *testing.T) {
	setPassword(t)
	server := testservers.OwnRedis(t, testservers.RedisOptions{})
	var endpoints, sites [2]string
	for i := range endpoints {
		port := freePort(t)
		start(t, strings.NewReplacer("PORT", port, "REDIS", server.Address()).Replace(`
{
	auth {
		secret {env.CADDYBOLT_SECRET}
		jwt {
			issuer https://app.example.com
		}
		users static {
			user alice {env.CADDYBOLT_HASH} {
				id 7
			}
		}
		revocation redis REDIS {
			max_stale 30s
		}
	}
}
http://:PORT {
	auth_token /auth/token {
		refresh 30d
	}
	auth_logout /auth/logout
	auth
	respond "{http.auth.user.id}"
}`), port)
		sites[i] = "http://127.0.0.1:" + port
		endpoints[i] = sites[i] + "/auth/token"
	}
	for _, endpoint := range endpoints {
		eventually(t, "the store", func() bool {
			status, _ := ask(t, endpoint, "username", "alice", "password", "secret")
			return status == 200
		})
	}
	first := logsIn(t, endpoints[0])
	want(t, 200, "7", sites[1], bearer(first.Access))

	answers := make([]tokens, 10)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			_, answers[i] = ask(t, endpoints[i%2], "grant_type", "refresh_token", "refresh_token", first.Refresh)
		})
	}
	wg.Wait()
	for _, a := range answers {
		if a != answers[0] || a.Refresh == "" {
			t.Errorf("%+v and %+v", a, answers[0])
		}
	}
	second := refreshes(t, endpoints[1], answers[0].Refresh)

	// Attack: an older token at another node than the last.
	refusesRefresh(t, endpoints[0], first.Refresh)
	refusesRefresh(t, endpoints[1], second.Refresh)
	eventually(t, "the end of its access tokens at the other node", func() bool {
		resp, _ := do(t, "GET", sites[1], bearer(second.Access))
		return resp.StatusCode == 401
	})

	third := logsIn(t, endpoints[1])
	if status, body := post(t, sites[0]+"/auth/logout", "text/plain", "", bearer(third.Access)); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	refusesRefresh(t, endpoints[1], third.Refresh)
}
