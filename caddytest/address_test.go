// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"fmt"
	"strings"
	"testing"
)

// addressSite slows attempts to sign in. GLOBAL is where trusted_proxies stand.
const addressSite = `
{
	GLOBAL
	auth {
		secret {env.CADDYBOLT_SECRET}
		jwt
		users static {
			user alice {env.CADDYBOLT_HASH}
		}
	}
}
http://:PORT {
	auth_token /auth/token
}`

// Attack: somebody who guesses says that each guess is from another address. The
// guesses are of one user each, so that addresses alone slow them: 50 at once and
// one more each second, however long these take.
func TestOnlyTrustedProxiesSayWhereAnAttemptIsFrom(t *testing.T) {
	setPassword(t)
	try := func(url string, i int, headers ...string) int {
		t.Helper()
		status, body := post(t, url+"/auth/token", "application/x-www-form-urlencoded", fmt.Sprintf("username=nobody-%d&password=guess", i), headers...)
		if status != 400 && status != 429 {
			t.Fatalf("%d %s", status, body)
		}
		return status
	}
	// exhaust guesses until an address is slowed, and returns how many guesses were
	// let pass; never is for all of them.
	const never = 400
	exhaust := func(url string, headers func(i int) []string) int {
		t.Helper()
		for i := range never {
			if try(url, i, headers(i)...) == 429 {
				return i
			}
		}
		return never
	}
	client := func(address string) string { return "X-Forwarded-For: " + address }
	fixed := func(headers ...string) func(int) []string { return func(int) []string { return headers } }
	another := func(i int) []string { return []string{client(fmt.Sprintf("192.0.2.%d", i%250+1))} }

	t.Run("the proxy is trusted", func(t *testing.T) {
		_, url := gate(t, strings.Replace(addressSite, "GLOBAL", "servers {\n\t\ttrusted_proxies static 127.0.0.0/8\n\t}", 1))
		if n := exhaust(url, fixed(client("192.0.2.1"))); n < 50 || n == never {
			t.Errorf("%d guesses of one client were let pass", n)
		}
		if status := try(url, 1000, client("192.0.2.2")); status != 400 {
			t.Errorf("another client of the proxy: %d", status)
		}
		if status := try(url, 1001); status != 400 {
			t.Errorf("the proxy itself: %d", status)
		}
	})
	t.Run("what the client itself wrote in front is not trusted", func(t *testing.T) {
		_, url := gate(t, strings.Replace(addressSite, "GLOBAL", "servers {\n\t\ttrusted_proxies static 127.0.0.0/8\n\t\ttrusted_proxies_strict\n\t}", 1))
		invents := func(i int) []string { return []string{client(fmt.Sprintf("198.51.100.%d, 192.0.2.1", i%250+1))} }
		if n := exhaust(url, invents); n < 50 || n == never {
			t.Errorf("%d guesses of a client that invents addresses were let pass", n)
		}
		if status := try(url, 1000, client("192.0.2.2")); status != 400 {
			t.Errorf("control: another client: %d", status)
		}
	})
	for name, global := range map[string]string{
		"no proxy is trusted":      "",
		"another proxy is trusted": "servers {\n\t\ttrusted_proxies static 10.0.0.0/8\n\t}",
	} {
		t.Run(name, func(t *testing.T) {
			_, url := gate(t, strings.Replace(addressSite, "GLOBAL", global, 1))
			if n := exhaust(url, another); n < 50 || n == never {
				t.Errorf("%d guesses of a client that invents addresses were let pass", n)
			}
			for _, header := range []string{client("203.0.113.9"), "X-Real-IP: 203.0.113.9", "Forwarded: for=203.0.113.9", "CF-Connecting-IP: 203.0.113.9"} {
				if n := exhaust(url, fixed(header)); n >= 50 { // some seconds may have passed since
					t.Errorf("%s: %d more guesses were let pass", header, n)
				}
			}
		})
	}
}
