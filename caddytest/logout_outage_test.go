// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// outageSite issues tokens with sessions, and ends them. The log-out is public:
// it is reached when nobody can say whether a token is revoked.
const outageSite = `
{
	auth {
		secret {env.CADDYBOLT_SECRET}
		jwt {
			issuer https://app.example.com
			header Authorization Bearer
			cookie session
		}
		users static {
			user alice {env.CADDYBOLT_HASH} {
				id 7
			}
		}
		revocation STORE
	}
}
http://:PORT {
	auth_token /auth/token {
		refresh 30d
	}
	auth_token /auth/login {
		refresh 30d
		cookie session
	}
	auth_logout /auth/logout
	auth_logout /auth/everywhere {
		all
	}
	auth {
		public /auth/logout /auth/everywhere
	}
	respond "{http.auth.user.id}"
}`

// leavers are who logs out in an outage: with the token alone, with both cookies,
// and everywhere.
type leavers struct {
	t                         *testing.T
	url                       string
	alone, cookies, all, also tokens
	visitor                   string // the header Cookie
}

func newLeavers(t *testing.T, url string) *leavers {
	t.Helper()
	l := &leavers{t: t, url: url}
	eventually(t, "the store", func() bool {
		status, _ := ask(t, url+"/auth/token", "username", "alice", "password", "secret")
		return status == 200
	})
	for _, who := range []*tokens{&l.alone, &l.cookies, &l.all, &l.also} {
		*who = logsIn(t, url+"/auth/token")
		want(t, 200, "7", url, bearer(who.Access))
	}
	l.visitor = "Cookie: session=" + l.cookies.Access + "; session_refresh=" + l.cookies.Refresh
	return l
}

// leave logs out, which the store does not take.
func (l *leavers) leave(path string, headers ...string) {
	l.t.Helper()
	resp, body := do(l.t, "POST", l.url+path, headers...)
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		l.t.Errorf("%s: %d %s", path, resp.StatusCode, body)
	}
	if strings.HasPrefix(headers[0], "Cookie") {
		for _, name := range []string{"session=;", "session_refresh=;"} {
			if !strings.Contains(strings.Join(resp.Header.Values("Set-Cookie"), "\n"), name) {
				l.t.Errorf("%s: not deleted: %s", path, name)
			}
		}
	}
}

// gone waits until nothing that was ended is good at a node.
func (l *leavers) gone(url string, ended ...tokens) {
	l.t.Helper()
	for _, e := range ended {
		eventually(l.t, "the end of the access token", func() bool {
			resp, _ := do(l.t, "GET", url, bearer(e.Access))
			return resp.StatusCode == 401
		})
		eventually(l.t, "the end of the refresh token", func() bool {
			status, answer := ask(l.t, url+"/auth/token", "grant_type", "refresh_token", "refresh_token", e.Refresh)
			if status == 200 {
				l.t.Fatalf("a session that was ended goes on: %+v", answer)
			}
			return status == 400
		})
	}
}

// Attack: whoever holds a stolen refresh token keeps the store from taking the
// log-out, by whatever means, and goes on when it is well again.
func TestALogOutThatTheStoreDoesNotTakeEndsEverythingAllTheSame(t *testing.T) {
	setPassword(t)
	for name, c := range map[string]struct {
		options     string
		break_, fix func(*testservers.Server)
	}{
		"frozen": {
			"max_stale 1h",
			func(s *testservers.Server) { s.Freeze(t) },
			func(s *testservers.Server) { s.Thaw(t) },
		},
		"read-only": {
			"max_stale 1h",
			func(s *testservers.Server) { s.CLI(t, "config", "set", "min-replicas-to-write", "1") },
			func(s *testservers.Server) { s.CLI(t, "config", "set", "min-replicas-to-write", "0") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := testservers.OwnRedis(t, testservers.RedisOptions{})
			var sites [2]string
			for i := range sites {
				port := freePort(t)
				start(t, strings.NewReplacer("PORT", port, "STORE", "redis "+server.Address()+" {\n"+c.options+"\n}").Replace(outageSite), port)
				sites[i] = "http://127.0.0.1:" + port
			}
			l := newLeavers(t, sites[0])
			newLeavers(t, sites[1]) // it is connected
			c.break_(server)
			l.leave("/auth/logout", bearer(l.alone.Access))
			l.leave("/auth/logout", l.visitor)
			l.leave("/auth/everywhere", bearer(l.all.Access))
			c.fix(server)
			for _, site := range sites {
				l.gone(site, l.alone, l.cookies, l.all, l.also)
			}
			eventually(t, "the control", func() bool {
				status, again := ask(t, sites[1]+"/auth/token", "username", "alice", "password", "secret")
				if status != 200 {
					return false
				}
				want(t, 200, "7", sites[0], bearer(again.Access))
				return true
			})
		})
	}
}

// The disk fails, and is well again.
func TestALogOutThatTheDiskDoesNotTakeEndsEverythingAllTheSame(t *testing.T) {
	setPassword(t)
	port, file := freePort(t), filepath.Join(t.TempDir(), "revocations.db")
	start(t, strings.NewReplacer("PORT", port, "STORE", "bolt {\npath "+file+"\n}").Replace(outageSite), port)
	l := newLeavers(t, "http://127.0.0.1:"+port)
	if err := os.Rename(file, file+".aside"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file, 0o700); err != nil {
		t.Fatal(err)
	}
	l.leave("/auth/logout", bearer(l.alone.Access))
	l.leave("/auth/logout", l.visitor)
	l.leave("/auth/everywhere", bearer(l.all.Access))
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".aside", file); err != nil {
		t.Fatal(err)
	}
	l.gone(l.url, l.alone, l.cookies, l.all, l.also)
	want(t, 200, "7", l.url, bearer(logsIn(t, l.url+"/auth/token").Access)) // the control
}

// Attack: the store has not been heard for longer than max_stale, so that auth
// takes everybody for nobody on a public path: a log-out that remembers nothing
// leaves a stolen token valid when the store is back.
func TestALogOutOnAPublicPathInAnOutageIsRemembered(t *testing.T) {
	setPassword(t)
	server := testservers.OwnRedis(t, testservers.RedisOptions{})
	port := freePort(t)
	start(t, strings.NewReplacer("PORT", port, "STORE", "redis "+server.Address()+" {\nmax_stale 1s\n}").Replace(outageSite), port)
	l := newLeavers(t, "http://127.0.0.1:"+port)
	other := logsIn(t, l.url+"/auth/token")
	server.Freeze(t)
	eventually(t, "the outage", func() bool {
		resp, _ := do(t, "GET", l.url, bearer(l.alone.Access))
		return resp.StatusCode == 503
	})
	l.leave("/auth/logout", bearer(l.alone.Access))
	l.leave("/auth/logout", l.visitor)
	server.Thaw(t)
	l.gone(l.url, l.alone, l.cookies)
	want(t, 200, "7", l.url, bearer(other.Access)) // the control

	server.Freeze(t)
	eventually(t, "the outage", func() bool {
		resp, _ := do(t, "GET", l.url, bearer(other.Access))
		return resp.StatusCode == 503
	})
	l.leave("/auth/everywhere", bearer(l.all.Access))
	server.Thaw(t)
	l.gone(l.url, l.all, l.also, other)
}
