// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// proxyServer sends on to one key server what it is asked for, whatever the name.
type proxyServer struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string // method and target of each request
}

func newProxyServer(tb testing.TB, plain http.Handler, secure string) *proxyServer {
	tb.Helper()
	p := new(proxyServer)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked = append(p.asked, r.Method+" "+r.RequestURI)
		p.mu.Unlock()
		if r.Method == http.MethodConnect {
			tunnel(w, secure)
			return
		}
		plain.ServeHTTP(w, r)
	}))
	tb.Cleanup(p.Close)
	return p
}

// tunnel joins the client to the address until one of them hangs up.
func tunnel(w http.ResponseWriter, address string) {
	far, err := net.Dial("tcp", address)
	if err != nil {
		http.Error(w, "no way", http.StatusBadGateway)
		return
	}
	defer far.Close()
	near, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer near.Close()
	_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
	var group sync.WaitGroup
	group.Go(func() {
		_, _ = io.Copy(far, near)
		far.Close()
	})
	_, _ = io.Copy(near, far)
	near.Close()
	group.Wait()
}

// What the child of TestTheProxyOfTheEnvironmentIsUsed is told.
const (
	proxyKeys  = "CADDYBOLT_TEST_PROXY_KEYS" // the address of the keys
	proxyCA    = "CADDYBOLT_TEST_PROXY_CA"
	proxyToken = "CADDYBOLT_TEST_PROXY_TOKEN"
)

// In many networks the proxy of the environment is the only way to the provider.
// Go looks at the environment once in a process, so each case is a process of its
// own; "example.com" is a name that only the proxy resolves, and that the
// certificate of the key server holds. Addresses of this machine are asked
// directly, as Go does everywhere.
func TestTheProxyOfTheEnvironmentIsUsed(t *testing.T) { //nolint:tparallel // the child has no other beside it
	if address := os.Getenv(proxyKeys); address != "" {
		f := remoteBlock(t, &JWT{JWKSURL: address, CA: os.Getenv(proxyCA), InsecureHTTP: strings.HasPrefix(address, "http:")})
		f.fetched(t)
		f.wantIn(t, os.Getenv(proxyToken))
		return
	}
	t.Parallel()
	keys := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, setOfRSA("a", testKeys().rsa))
	})
	plain, secure := httptest.NewServer(keys), httptest.NewTLSServer(keys)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	ca := writeFile(t, certificatePEM(secure.Certificate()))
	token := remoteToken(t, algRS256, testKeys().rsa, "a", longPayload)
	for name, c := range map[string]struct {
		address, ca string
		noProxy     string // NO_PROXY
		asked       []string
	}{
		"https":                     {address: "https://example.com/keys", ca: ca, asked: []string{"CONNECT example.com:443"}},
		"http":                      {address: "http://example.com/keys", asked: []string{"GET http://example.com/keys"}},
		"another name in NO_PROXY":  {address: "http://example.com/keys", noProxy: "example.org", asked: []string{"GET http://example.com/keys"}},
		"an address of the machine": {address: plain.URL + "/keys"},
		"the same over https":       {address: secure.URL + "/keys", ca: ca},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProxyServer(t, keys, secure.Listener.Addr().String())
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestTheProxyOfTheEnvironmentIsUsed$")
			child.Env = append(withoutProxies(os.Environ()), "HTTP_PROXY="+p.URL, "HTTPS_PROXY="+p.URL, "NO_PROXY="+c.noProxy,
				proxyKeys+"="+c.address, proxyCA+"="+c.ca, proxyToken+"="+token)
			if out, err := child.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			if !slices.Equal(p.asked, c.asked) {
				t.Errorf("the proxy was asked for %q, want %q", p.asked, c.asked)
			}
		})
	}
}

// withoutProxies returns the environment without what it says about proxies.
func withoutProxies(environment []string) []string {
	return slices.DeleteFunc(slices.Clone(environment), func(line string) bool {
		name, _, _ := strings.Cut(strings.ToUpper(line), "=")
		return strings.HasSuffix(name, "_PROXY") || name == "REQUEST_METHOD"
	})
}
