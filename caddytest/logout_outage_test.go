// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

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

// manyTokensSite reads tokens in several places, and of two issuers one behind
// the other.
const manyTokensSite = `
{
	auth {
		secret {env.CADDYBOLT_SECRET}
		jwt {
			header Authorization Bearer
			cookie session
			cookie session2
		}
		revocation redis STORE
	}
}
http://:PORT {
	handle /a* {
		auth
		auth_logout /a/logout
		respond ok
	}
	handle /p* {
		auth {
			public /p/logout
		}
		auth_logout /p/logout
		respond ok
	}
	handle /two* {
		auth {
			jwt {
				secret gatewaygatewaygatewaygatewaygateway
				header X-Gateway
			}
		}
		route {
			auth
			auth_logout /two/logout
			respond ok
		}
	}
}`

// A log-out ends one token and deletes its cookie, in an outage as well: of
// several that came with the request it is the one that it would be otherwise.
func TestALogOutEndsTheSameTokenInAnOutage(t *testing.T) {
	t.Setenv("CADDYBOLT_SECRET", hmacSecret)
	server := testservers.OwnRedis(t, testservers.RedisOptions{})
	port := freePort(t)
	start(t, strings.NewReplacer("PORT", port, "STORE", server.Address()).Replace(manyTokensSite), port)
	url := "http://127.0.0.1:" + port
	gateway := func() string {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "gateway", "jti": rand.Text(), "exp": time.Now().Add(time.Hour).Unix()}).
			SignedString([]byte("gatewaygatewaygatewaygatewaygateway"))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	service := gateway()
	good := func() bool { return get(t, url+"/a", sharedToken(t, rand.Text())) == 200 }
	await(t, "the node knows what is revoked", good)
	for name, c := range map[string]struct {
		path    string
		headers func(first, second string) []string // the first is ended
		deleted string
	}{
		"two cookies":         {"/a/logout", func(a, b string) []string { return []string{"Cookie: session=" + a + "; session2=" + b} }, "session"},
		"two cookies, public": {"/p/logout", func(a, b string) []string { return []string{"Cookie: session=" + a + "; session2=" + b} }, "session"},
		"one cookie":          {"/a/logout", func(a, _ string) []string { return []string{"Cookie: session2=" + a} }, "session2"},
		"a header before it":  {"/a/logout", func(a, b string) []string { return []string{bearer(a), "Cookie: session=" + b} }, ""},
		"and on a public one": {"/p/logout", func(a, b string) []string { return []string{bearer(a), "Cookie: session=" + b} }, ""},
		"behind a gateway": {"/two/logout", func(a, b string) []string {
			return []string{bearer(a), "Cookie: session=" + b, "X-Gateway: " + service}
		}, ""},
	} {
		for _, outage := range []bool{false, true} {
			first, second, want := sharedToken(t, rand.Text()), sharedToken(t, rand.Text()), 200
			if outage {
				server.Freeze(t)
				await(t, "the outage is noticed", func() bool { return get(t, url+"/a", second) == 503 })
				want = 503
			}
			resp, body := do(t, "POST", url+c.path, c.headers(first, second)...)
			if resp.StatusCode != want {
				t.Errorf("%s, outage %t: %d %s", name, outage, resp.StatusCode, body)
			}
			var deleted []string
			for _, cookie := range resp.Cookies() {
				deleted = append(deleted, cookie.Name)
			}
			if got := strings.Join(deleted, " "); got != c.deleted {
				t.Errorf("%s, outage %t: deleted are %q", name, outage, got)
			}
			if outage {
				server.Thaw(t)
				await(t, "the outage is over", good)
			}
			if one, two := get(t, url+"/a", first), get(t, url+"/a", second); one != 401 || two != 200 {
				t.Errorf("%s, outage %t: afterwards the tokens are %d and %d", name, outage, one, two)
			}
		}
	}
	want(t, 200, "ok", url+"/two", bearer(sharedToken(t, rand.Text())), "X-Gateway: "+service)
	server.Freeze(t)
	await(t, "the outage is noticed", func() bool { return !good() })
	other := gateway()
	for _, headers := range [][]string{{"X-Gateway: " + other}, {"X-Gateway: " + other, bearer("x.y.z")}} {
		if resp, _ := do(t, "POST", url+"/two/logout", headers...); resp.StatusCode != 503 {
			t.Errorf("without a user: %d", resp.StatusCode)
		}
	}
	server.Thaw(t)
	await(t, "the outage is over", good)
	want(t, 200, "ok", url+"/two", bearer(sharedToken(t, rand.Text())), "X-Gateway: "+other)
}
