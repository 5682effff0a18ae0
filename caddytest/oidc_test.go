// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// needTool ends the test when a tool is missing: as a failure where the tools
// are required, else by skipping it.
func needTool(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("CADDYBOLT_REQUIRE_TOOLS") == "1" {
		t.Fatalf("%s: %v", what, err)
	}
	t.Skipf("%s: %v", what, err)
}

// provider is a running node-oidc-provider, that of examples/oidc.
type provider struct {
	t      *testing.T
	dir    string
	port   string
	issuer string
	cmd    *exec.Cmd
	done   chan struct{}
	log    *buffer
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		_, err := exec.LookPath(tool)
		needTool(t, tool, err)
	}
	p := &provider{t: t, dir: t.TempDir(), port: freePort(t)}
	p.issuer = "http://localhost:" + p.port
	for _, file := range []string{"package.json", "provider.mjs"} {
		text, err := os.ReadFile(filepath.Join(repository, "examples/oidc", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p.dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	install := exec.Command("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefer-offline")
	install.Dir = p.dir
	needTool(t, "npm install", install.Run())
	t.Cleanup(p.stop)
	p.start()
	return p
}

func (p *provider) start() {
	p.t.Helper()
	p.log, p.done = new(buffer), make(chan struct{})
	p.cmd = exec.Command("node", "provider.mjs", p.port, "keys.json")
	p.cmd.Dir = p.dir
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait()
		close(done)
	}(p.cmd, p.done)
	p.await("issuer " + p.issuer)
}

// await waits until the provider says so.
func (p *provider) await(text string) {
	p.t.Helper()
	eventually(p.t, "the provider says "+text, func() bool { return strings.Contains(p.log.String(), text) })
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func (p *provider) stop() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	<-p.done
}

func (p *provider) signal(s syscall.Signal, answer string) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
	p.await(answer)
}

// post sends a form to the token endpoint and returns a member of the answer.
func (p *provider) post(user, password string, form url.Values, member string) string {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(user, password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		p.t.Fatal(err)
	}
	token, ok := answer[member].(string)
	if !ok {
		p.t.Fatalf("the provider answers %v", answer)
	}
	return token
}

// accessToken returns a token of the client credentials grant.
func (p *provider) accessToken() string {
	p.t.Helper()
	return p.post("worker", "worker-secret", url.Values{"grant_type": {"client_credentials"}}, "access_token")
}

// idToken signs alice in, as a browser does, and returns the ID token.
func (p *provider) idToken() string {
	p.t.Helper()
	const callback = "https://app.example.com/callback"
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	client := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), callback) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	follow := func(method, address string, form url.Values) *http.Response {
		p.t.Helper()
		req, err := http.NewRequestWithContext(p.t.Context(), method, address, strings.NewReader(form.Encode()))
		if err != nil {
			p.t.Fatal(err)
		}
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := client.Do(req)
		if err != nil {
			p.t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode >= 400 {
			p.t.Fatalf("%s %s: %d %s", method, address, resp.StatusCode, body)
		}
		return resp
	}
	resp := follow(http.MethodGet, p.issuer+"/auth?"+url.Values{
		"client_id": {"browser"}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {callback},
	}.Encode(), nil)
	for _, form := range []url.Values{{"prompt": {"login"}, "login": {"alice"}, "password": {"any"}}, {"prompt": {"consent"}}} {
		resp = follow(http.MethodPost, resp.Request.URL.String(), form)
	}
	location, err := resp.Location()
	if err != nil {
		p.t.Fatal(err)
	}
	return p.post("browser", "browser-secret", url.Values{
		"grant_type": {"authorization_code"}, "code": {location.Query().Get("code")}, "redirect_uri": {callback},
	}, "id_token")
}

// One line makes a real provider's tokens good, and keeps them so through
// rotation, an outage, and a start of Caddy in the middle of it.
func TestTokensOfARealProviderAreAccepted(t *testing.T) {
	id := newProvider(t)
	port := freePort(t)
	home, file := t.TempDir(), filepath.Join(t.TempDir(), "Caddyfile")
	text := `
http://:` + port + ` {
	auth {
		jwt {
			oidc ` + id.issuer + `
			audience https://api.example.com browser
			min_refresh 1s
			refresh 2s 2s
		}
	}
	respond "in {http.auth.user.id}"
}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := caddyCommand(t, "", "validate", "--config", file, "--adapter", "caddyfile"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	caddy := startIn(t, home, file, port)
	target := "http://127.0.0.1:" + port
	status := func(token string) int {
		t.Helper()
		resp, _ := do(t, http.MethodGet, target, bearer(token))
		if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
		return resp.StatusCode
	}

	first := id.accessToken()
	eventually(t, "the first keys", func() bool { return status(first) == 200 })
	want(t, 200, "in worker", target, bearer(first))
	want(t, 200, "in alice", target, bearer(id.idToken()))
	want(t, 401, "", target)
	want(t, 401, "", target, bearer(first[:len(first)-8]+"AAAAAAAA"))

	// A new key is good at once, or within min_refresh.
	id.signal(syscall.SIGHUP, "rotated")
	second := id.accessToken()
	begun := time.Now()
	for code := status(second); code != 200; code = status(second) {
		if code != 503 || time.Since(begun) > 3*time.Second {
			t.Fatalf("the new key: %d after %s", code, time.Since(begun))
		}
		time.Sleep(20 * time.Millisecond)
	}
	want(t, 200, "in worker", target, bearer(first))

	// A key that was taken out ends with the next fetch, the cache
	// notwithstanding.
	id.signal(syscall.SIGUSR2, "dropped")
	eventually(t, "the end of the former key", func() bool { code := status(first); return code == 401 || code == 503 })
	eventually(t, "that it is known to be gone", func() bool { return status(first) == 401 })
	want(t, 200, "in worker", target, bearer(second))

	// An outage, over several refreshes.
	id.stop()
	eventually(t, "the warning", func() bool { return strings.Contains(caddy.log.String(), "keys cannot be fetched") })
	time.Sleep(3 * time.Second)
	want(t, 200, "in worker", target, bearer(second))
	if n := strings.Count(caddy.log.String(), "keys cannot be fetched"); n != 1 {
		t.Errorf("%d warnings", n)
	}
	if n := strings.Count(caddy.log.String(), `"level":"error"`); n != 0 {
		t.Errorf("%d errors:\n%s", n, caddy.log)
	}
	_, metrics := do(t, http.MethodGet, "http://"+caddy.Admin+"/metrics")
	for _, name := range []string{"caddy_auth_jwks_keys", "caddy_auth_jwks_age_seconds", "caddy_auth_jwks_fetches_total", "caddy_auth_jwks_failures_total"} {
		if !strings.Contains(metrics, name+`{source="`+id.issuer+`"}`) {
			t.Errorf("no metric %s", name)
		}
	}

	// A start during the outage: the storage knows the keys. Without them nobody
	// is let in, and nobody is refused for good.
	caddy.stop()
	caddy = startIn(t, home, file, port)
	eventually(t, "keys of the storage", func() bool { return status(second) == 200 })
	caddy.stop()
	caddy = startIn(t, t.TempDir(), file, port)
	if code := status(second); code != 503 {
		t.Errorf("without keys: %d", code)
	}
	want(t, 401, "", target)
	id.start()
	eventually(t, "the keys after the outage", func() bool { return status(second) == 200 })
	want(t, 200, "in worker", target, bearer(id.accessToken()))
	if !strings.Contains(caddy.log.String(), "keys can be fetched again") {
		t.Errorf("no word of the end of the outage:\n%s", caddy.log)
	}
}

// Reloads under load go on with the keys there are: one fetcher, no wrong answer,
// nothing left behind.
func TestReloadsShareTheKeyServer(t *testing.T) {
	id := newProvider(t)
	port := freePort(t)
	text := func(n string) string {
		return `
http://:` + port + ` {
	auth {
		jwt {
			oidc ` + id.issuer + `
			audience https://api.example.com
		}
	}
	respond "in ` + n + `"
}`
	}
	p := start(t, text("0"), port)
	target := "http://127.0.0.1:" + port
	good := bearer(id.accessToken())
	eventually(t, "the first keys", func() bool { resp, _ := do(t, http.MethodGet, target, good); return resp.StatusCode == 200 })
	if status := p.reload(text("1")); status != 200 {
		t.Fatal(status)
	}
	before := p.goroutines()
	stop := make(chan struct{})
	wrong := make(chan int, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
			if err != nil {
				return
			}
			req.Header.Set("Authorization", strings.TrimPrefix(good, "Authorization: "))
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				continue // a connection that the old server closed
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 200 {
				select {
				case wrong <- resp.StatusCode:
				default:
				}
			}
		}
	}()
	for n := range 20 {
		if status := p.reload(text(string(rune('a' + n)))); status != 200 {
			t.Errorf("reload %d: %d", n, status)
		}
	}
	close(stop)
	<-ended
	select {
	case status := <-wrong:
		t.Errorf("a good token was answered with %d", status)
	default:
	}
	http.DefaultClient.CloseIdleConnections()
	_, metrics := do(t, http.MethodGet, "http://"+p.Admin+"/metrics")
	if !strings.Contains(metrics, `caddy_auth_jwks_fetches_total{source="`+id.issuer+`"} 1`+"\n") {
		t.Error("the keys were fetched more than once")
	}
	eventually(t, "goroutines back to what they were", func() bool { return p.goroutines() <= before+2 })
}
