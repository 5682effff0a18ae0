// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

// Attack: whoever holds the old authority's key had Caddy keep a set; a new "ca"
// must not go on with it, from the storage either.
func TestKeysAreKeptForTheirAuthorityAlone(t *testing.T) {
	t.Parallel()
	base := remoteSettings{address: "https://id.example.com", discovery: true, ca: "one"}
	key := func(change func(*remoteSettings)) string {
		s := base
		change(&s)
		return (&remote{remoteSettings: s}).storageKey()
	}
	same := key(func(*remoteSettings) {})
	for name, change := range map[string]func(*remoteSettings){
		"ca":            func(s *remoteSettings) { s.ca = "two" },
		"no ca":         func(s *remoteSettings) { s.ca = "" },
		"address":       func(s *remoteSettings) { s.address += "/" },
		"discovery":     func(s *remoteSettings) { s.discovery = false },
		"insecure_http": func(s *remoteSettings) { s.insecureHTTP = true },
		"template":      func(s *remoteSettings) { s.template = "x" },
	} {
		if key(change) == same {
			t.Errorf("%s: the same place", name)
		}
	}
	if key(func(s *remoteSettings) { s.timeout = time.Second }) != same {
		t.Error("control: how long to wait decides nothing about trust")
	}
}

// Attack: a key that the provider publishes for another tenant signs for ours
// (Microsoft, 2023).
func TestKeysOfAnotherIssuerAreNotUsed(t *testing.T) {
	t.Parallel()
	const consumers = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"
	const ours = "https://login.microsoftonline.com/00000000-1111-2222-3333-444444444444/v2.0"
	const every = "https://login.microsoftonline.com/{tenantid}/v2.0"
	for name, c := range map[string]struct {
		issuers []string
		bound   string
		want    bool
	}{
		"ours":                 {[]string{ours}, ours, true},
		"another's":            {[]string{ours}, consumers, false},
		"one of two":           {[]string{ours, consumers}, ours, false},
		"every tenant's":       {[]string{ours, consumers}, every, true},
		"no tenant":            {[]string{"https://id.example.com"}, every, false},
		"nobody is configured": {nil, consumers, false},
	} {
		s := &remoteKeys{remote: &remote{}, rules: keyRules{}, issuers: c.issuers}
		data := strings.Replace(setOfRSA("a", testKeys().rsa), `"kid":"a"`, `"kid":"a","issuer":"`+c.bound+`"`, 1)
		if got := len(s.of(&remoteSet{data: []byte(data)})) == 1; got != c.want {
			t.Errorf("%s: used: %v", name, got)
		}
	}
}

// Three servers that hang are not three times the wait.
func TestARequestWaitsOnceForAllKeyServers(t *testing.T) {
	t.Parallel()
	token := remoteToken(t, algRS256, testKeys().rsa, "a", longPayload)
	r := authtest.NewRequest(t, http.MethodGet, "/")
	r.Header.Set("Authorization", "Bearer "+token)
	begun := time.Now()
	for range 3 {
		s := newKeyServer(t, "")
		s.set(faults(t)["hangs"])
		f := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys", Timeout: caddy.Duration(10 * time.Second)})
		if _, err := f.Authenticate(r); auth.ReasonOf(err) != auth.ReasonKeysUnavailable {
			t.Errorf("%v", err)
		}
	}
	if took := time.Since(begun); took > 3*maxWait-maxWait/2 {
		t.Errorf("waited %s", took)
	}
}

// Attack: a server that reflects the query of its address puts it into the log.
func TestErrorsOfFetchesQuoteNothing(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"a redirect that is no URL": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Location"] = []string{"http://127.0.0.1/%zz?private"}
			w.WriteHeader(http.StatusFound)
		},
		"a redirect elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "gopher://private/", http.StatusFound)
		},
		"no HTTP": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = conn.Write([]byte("private\r\n\r\n"))
				conn.Close()
			}
		},
	} {
		s := newKeyServer(t, "")
		s.set(answer)
		f := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys?private", Timeout: caddy.Duration(time.Second)})
		f.wantOut(t, remoteToken(t, algRS256, testKeys().rsa, "a", longPayload), auth.ReasonKeysUnavailable)
		f.idle(t)
		last := f.KeyStatus()[0].LastError
		if last == "" || strings.Contains(last, "private") {
			t.Errorf("%s: %q", name, last)
		}
	}
}
