// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// built is the binary of cmd/caddy, made once.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "caddytest")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "caddy")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/caddy")
	cmd.Dir = repository
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building cmd/caddy: %w\n%s", err, out)
	}
	return path, nil
})

// repository is the root of the repository.
const repository = ".."

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := built(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// binary returns the path of the built Caddy.
func binary(t *testing.T) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// process is a running Caddy.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	log   *buffer
	done  chan struct{}
	Admin string
	home  string
}

// buffer is a log that is written and read at once.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// freePort returns a port of the loopback interface that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// start runs Caddy with a Caddyfile, from the root of the repository, and waits
// until it listens on the ports.
func start(t *testing.T, caddyfile string, ports ...string) *process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(caddyfile), 0o600); err != nil {
		t.Fatal(err)
	}
	return startFile(t, file, ports...)
}

func startFile(t *testing.T, file string, ports ...string) *process {
	t.Helper()
	return startIn(t, t.TempDir(), file, ports...)
}

// startIn is startFile with a data folder.
func startIn(t *testing.T, home, file string, ports ...string) *process {
	t.Helper()
	p := &process{t: t, log: new(buffer), done: make(chan struct{}), Admin: "127.0.0.1:" + freePort(t)}
	p.home = home
	p.cmd = exec.Command(binary(t), "run", "--config", file)
	if !strings.HasSuffix(file, ".json") {
		p.cmd.Args = append(p.cmd.Args, "--adapter", "caddyfile")
	}
	p.cmd.Dir = repository
	p.cmd.Env = append(os.Environ(), "CADDY_ADMIN="+p.Admin, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(p.stop)
	for _, port := range ports {
		p.awaitPort(port)
	}
	return p
}

// awaitPort waits until somebody listens there.
func (p *process) awaitPort(port string) {
	p.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case <-p.done:
			p.t.Fatalf("Caddy ended:\n%s", p.log)
		default:
		}
		conn, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
		if err == nil {
			conn.Close()
			if p.ready() {
				return
			}
		}
	}
	p.t.Fatalf("nobody listens on port %s:\n%s", port, p.log)
}

// ready reports whether the configuration is running: an app that is not
// started yet answers 503.
func (p *process) ready() bool {
	return strings.Contains(p.log.String(), "serving initial configuration")
}

// saidNothing fails the test if something was logged above debug since Caddy
// began to serve. What Caddy itself may say some time after its start is not ours.
func (p *process) saidNothing() {
	p.t.Helper()
	_, since, found := strings.Cut(p.log.String(), "serving initial configuration")
	_, since, _ = strings.Cut(since, "\n") // the rest of that line
	if !found {
		p.t.Fatalf("not served:\n%s", p.log)
	}
	for line := range strings.Lines(since) {
		if !strings.Contains(line, `"level":"debug"`) && !strings.Contains(line, `"logger":"tls`) {
			p.t.Errorf("logged: %s", line)
		}
	}
}

// stop ends Caddy.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// do sends a request and returns the answer with its body.
func do(t *testing.T, method, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	client := &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// want sends a request and compares status and body; "*" is any body.
func want(t *testing.T, status int, body, url string, headers ...string) *http.Response {
	t.Helper()
	resp, got := do(t, http.MethodGet, url, headers...)
	if resp.StatusCode != status || (body != "*" && got != body) {
		t.Errorf("%s %q: got %d %q, want %d %q", url, headers, resp.StatusCode, got, status, body)
	}
	return resp
}

// raw sends text as it is and returns the status line.
func raw(t *testing.T, port, text string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+port, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(io.LimitReader(conn, 64))
	if err != nil && len(answer) == 0 {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(answer), "\r\n")
	return line
}

// caddyCommand runs a command of the built Caddy and returns what it prints.
func caddyCommand(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	return runCaddy(t, t.TempDir(), stdin, args...)
}

// caddyCommandIn is caddyCommand with the data folder of another process.
func caddyCommandIn(t *testing.T, home string, args ...string) (string, error) {
	t.Helper()
	return runCaddy(t, home, "", args...)
}

func runCaddy(t *testing.T, home, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(binary(t), args...)
	cmd.Dir = repository
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
