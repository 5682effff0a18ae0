// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import "testing"

// On a public path, a store that is down makes nobody of everybody. Who logs out
// then must not be told that they are logged out.
func TestLogOutOnAPublicPathTellsWhenNobodyCanSayWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	s := site(t, `
{
	auth {
		fake
		revocation fake
	}
}
:80 {
	auth_logout /logout {
		redirect /bye
	}
	auth {
		public /logout
	}
}`)
	browser := []string{"POST", "Sec-Fetch-Mode: navigate", "Accept: text/html"}
	resp := s.expect(503, "", "/logout", append(browser, "X-Fake: down token:t1")...)
	if resp.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	s.expect(503, "", "/logout", "POST", "X-Fake: down token:t1")
	s.expect(303, "", "/logout", append(browser, "X-Fake: ended token:t2")...) // out already
	s.expect(303, "", "/logout", append(browser, "X-Fake: alice token:t3")...)
	s.expect(303, "", "/logout", browser...)
	s.expect(401, "", "/logout", "POST")
}
