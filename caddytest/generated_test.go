// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// clusterSite is one node of several that share a storage.
const clusterSite = `
{
	storage file_system {$CADDYBOLT_STORAGE}
	auth {
		jwt {
			generated_key
			issuer https://id.example.com
			audience my-app
		}
		users static {
			user alice {env.CADDYBOLT_HASH}
		}
	}
}
http://:PORT {
	auth_token /auth/token
	auth_jwks
	auth
	respond "in {http.auth.user.id}"
}`

// cluster prepares the environment of nodes and returns where their storage is.
func cluster(t *testing.T) string {
	t.Helper()
	hash, err := caddyCommand(t, "", "hash-password", "--plaintext", "secret", "--bcrypt-cost", "4")
	if err != nil {
		t.Fatalf("%v %s", err, hash)
	}
	t.Setenv("CADDYBOLT_HASH", strings.TrimSpace(hash))
	storage := filepath.Join(t.TempDir(), "shared")
	t.Setenv("CADDYBOLT_STORAGE", storage)
	return storage
}

// storedKeys is the document of generated keys.
type storedKeys struct {
	file string
	t    *testing.T
}

func (s storedKeys) read() (text []byte, keys []map[string]any) {
	s.t.Helper()
	text, err := os.ReadFile(s.file)
	if err != nil {
		s.t.Fatal(err)
	}
	var doc struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		s.t.Fatal(err)
	}
	return text, doc.Keys
}

// age lets time pass for the keys: to each of them, everything was so much
// earlier.
func (s storedKeys) age(d time.Duration) {
	s.t.Helper()
	_, keys := s.read()
	for _, k := range keys {
		for _, name := range []string{"created", "signs_from", "signs_till"} {
			text, ok := k[name].(string)
			if !ok {
				continue
			}
			at, err := time.Parse(time.RFC3339Nano, text)
			if err != nil {
				s.t.Fatal(err)
			}
			k[name] = at.Add(-d).Format(time.RFC3339Nano)
		}
	}
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		s.t.Fatal(err)
	}
	// Nodes may be reading: put it in place in one go.
	if err := os.WriteFile(s.file+".new", text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(s.file+".new", s.file); err != nil {
		s.t.Fatal(err)
	}
}

// published returns how many keys a node publishes.
func published(t *testing.T, url string) int {
	t.Helper()
	_, body := do(t, http.MethodGet, url+"/.well-known/jwks.json")
	return strings.Count(body, `"kid"`)
}

// joseVerifier is npm jose, which fetches the keys from a node.
type joseVerifier struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Scanner
}

func newJoseVerifier(t *testing.T, address string) *joseVerifier {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		_, err := exec.LookPath(tool)
		needTool(t, tool, err)
	}
	dir := t.TempDir()
	for _, file := range []string{"package.json", "verify.mjs"} {
		text, err := os.ReadFile(filepath.Join("testdata", "jose", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	install := exec.Command("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefer-offline")
	install.Dir = dir
	needTool(t, "npm install", install.Run())
	cmd := exec.Command("node", "verify.mjs", address, "https://id.example.com", "my-app")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	return &joseVerifier{t, in, bufio.NewScanner(out)}
}

// verify returns what jose says of the token.
func (j *joseVerifier) verify(token string) string {
	j.t.Helper()
	if _, err := io.WriteString(j.in, token+"\n"); err != nil {
		j.t.Fatal(err)
	}
	if !j.out.Scan() {
		j.t.Fatalf("jose ended: %v", j.out.Err())
	}
	return j.out.Text()
}

// Two processes that share a folder have one key, made by one of them. What
// either signs the other accepts, and so does npm jose with what is published,
// while the key is exchanged; afterwards the former key is gone.
func TestGeneratedKeysAreSharedAndRotated(t *testing.T) {
	storage := cluster(t)
	var urls [2]string
	var nodes [2]*process
	for i := range nodes { // both start with the empty folder
		port := freePort(t)
		file := filepath.Join(t.TempDir(), "Caddyfile")
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(clusterSite, "PORT", port)), 0o600); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if out, err := caddyCommand(t, "", "validate", "--config", file, "--adapter", "caddyfile"); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if _, err := os.Stat(filepath.Join(storage, "auth")); !os.IsNotExist(err) {
				t.Fatal("caddy validate made a key")
			}
		}
		urls[i] = "http://127.0.0.1:" + port
		nodes[i] = startIn(t, t.TempDir(), file)
	}
	for i, p := range nodes {
		p.awaitPort(urls[i][strings.LastIndexByte(urls[i], ':')+1:])
	}
	stored := storedKeys{filepath.Join(storage, "auth", "generated_key.json"), t}
	if info, err := os.Stat(stored.file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	if _, keys := stored.read(); len(keys) != 1 {
		t.Fatalf("%d keys", len(keys))
	}
	jose := newJoseVerifier(t, urls[1]+"/.well-known/jwks.json")
	accepted := func(token string) string {
		t.Helper()
		for _, url := range urls {
			want(t, 200, "in alice", url, bearer(token))
		}
		verdict := jose.verify(token)
		kid, ok := strings.CutPrefix(verdict, "alice ")
		if !ok {
			t.Errorf("jose: %s", verdict)
		}
		return kid
	}
	old := login(t, urls[0])
	first := accepted(old)
	if kid := accepted(login(t, urls[1])); kid != first {
		t.Errorf("the nodes sign with %s and %s", first, kid)
	}
	want(t, 401, "", urls[0], bearer(old[:len(old)-8]+"AAAAAAAA"))
	if verdict := jose.verify(old[:len(old)-8] + "AAAAAAAA"); !strings.HasPrefix(verdict, "refused") {
		t.Errorf("jose accepts anything: %s", verdict)
	}

	// The next key is published, and does not sign.
	etag := want(t, 200, "*", urls[0]+"/.well-known/jwks.json").Header.Get("ETag")
	stored.age(30*24*time.Hour - 10*time.Minute)
	eventually(t, "the next key", func() bool { return published(t, urls[0]) == 2 && published(t, urls[1]) == 2 })
	if _, keys := stored.read(); len(keys) != 2 {
		t.Fatalf("each node made one: %d keys", len(keys))
	}
	want(t, 200, "*", urls[0]+"/.well-known/jwks.json", "If-None-Match: "+etag)
	resp := want(t, 200, "*", urls[0]+"/.well-known/jwks.json")
	want(t, 304, "", urls[1]+"/.well-known/jwks.json", "If-None-Match: "+resp.Header.Get("ETag"))
	if control := resp.Header.Get("Cache-Control"); control != "public, max-age=300" {
		t.Errorf("Cache-Control: %s", control)
	}
	if kid := accepted(login(t, urls[0])); kid != first {
		t.Error("the next key signs already")
	}

	// It signs ten minutes later; tokens of the former one are still good.
	stored.age(11 * time.Minute)
	var second string
	for i := range urls {
		eventually(t, "tokens of the next key", func() bool {
			second = login(t, urls[i])
			return accepted(second) != first
		})
	}
	accepted(old)

	// It is gone when its last token has expired, whatever is remembered.
	stored.age(25 * time.Hour)
	eventually(t, "the end of the former key", func() bool { return published(t, urls[0]) == 1 && published(t, urls[1]) == 1 })
	for _, url := range urls {
		want(t, 401, "", url, bearer(old))
		want(t, 200, "in alice", url, bearer(second))
	}
	accepted(login(t, urls[0]))

	// A reload and a restart go on with it.
	file, err := os.ReadFile(nodes[0].cmd.Args[3])
	if err != nil {
		t.Fatal(err)
	}
	if status := nodes[0].reload(strings.Replace(string(file), "respond ", "header X-Reloaded yes\n\trespond ", 1)); status != 200 {
		t.Fatal(status)
	}
	accepted(second)
	accepted(login(t, urls[0]))
	nodes[1].stop()
	nodes[1] = startIn(t, t.TempDir(), nodes[1].cmd.Args[3], urls[1][strings.LastIndexByte(urls[1], ':')+1:])
	accepted(second)

	config := []string{"--adapter", "caddyfile", "--config", nodes[0].cmd.Args[3]}
	before, _ := stored.read()
	minted, err := caddyCommand(t, "", append([]string{"auth", "token", "--user", "alice"}, config...)...)
	if err != nil {
		t.Errorf("%v\n%s", err, minted)
	} else {
		accepted(strings.TrimSpace(minted))
	}
	if out, err := caddyCommand(t, "", append([]string{"auth", "token", "--user", "alice", "--expires-in", "90d"}, config...)...); err == nil || !strings.Contains(out, "is for a running Caddy to make") {
		t.Errorf("%v\n%s", err, out)
	}
	if after, _ := stored.read(); string(after) != string(before) {
		t.Error("a command wrote into the storage")
	}
	inspected, err := caddyCommand(t, second, append([]string{"auth", "inspect"}, config...)...)
	if err != nil || !strings.Contains(inspected, "accepted") || strings.Contains(inspected, "refused") {
		t.Errorf("%v\n%s", err, inspected)
	}
	out, err := caddyCommand(t, "", "auth", "keys", "--address", nodes[0].Admin)
	if err != nil || !strings.Contains(out, "storage:auth/generated_key.json  1 ") {
		t.Errorf("%v\n%s", err, out)
	}
	text, _ := stored.read()
	_, secret, _ := strings.Cut(string(text), `PRIVATE KEY-----\n`)
	_, metrics := do(t, http.MethodGet, "http://"+nodes[0].Admin+"/metrics")
	for i, place := range []string{nodes[0].log.String(), nodes[1].log.String(), metrics, out} {
		if strings.Contains(place, secret[:40]) || strings.Contains(place, "PRIVATE") {
			t.Errorf("the private key is in the open (%d)", i)
		}
	}
}

// A stored key that is damaged keeps Caddy from starting, which says where it is
// and leaves it alone.
func TestADamagedGeneratedKeyKeepsCaddyFromStarting(t *testing.T) {
	storage := cluster(t)
	port := freePort(t)
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(clusterSite, "PORT", port)), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startFile(t, file, port)
	url := "http://127.0.0.1:" + port
	want(t, 200, "in alice", url, bearer(login(t, url)))
	p.stop()

	stored := filepath.Join(storage, "auth", "generated_key.json")
	good, err := os.ReadFile(stored)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stored, good[:len(good)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	p = startFile(t, file)
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		t.Fatalf("Caddy runs:\n%s", p.log)
	}
	if !strings.Contains(p.log.String(), "auth/generated_key.json") || !strings.Contains(p.log.String(), "is not a document of keys") {
		t.Errorf("the log does not say what is wrong:\n%s", p.log)
	}
	if now, err := os.ReadFile(stored); err != nil || len(now) != len(good)/2 {
		t.Errorf("%d bytes, %v", len(now), err)
	}

	if err := os.Remove(stored); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(stored, 0o700); err != nil {
		t.Fatal(err)
	}
	p = startFile(t, file)
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		t.Fatalf("Caddy runs:\n%s", p.log)
	}
	if !strings.Contains(p.log.String(), `reading \"auth/generated_key.json\"`) {
		t.Errorf("the log does not say what is wrong:\n%s", p.log)
	}

	if err := os.Remove(stored); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stored, good, 0o600); err != nil {
		t.Fatal(err)
	}
	startFile(t, file, port)
	want(t, 200, "in alice", url, bearer(login(t, url)))
}
