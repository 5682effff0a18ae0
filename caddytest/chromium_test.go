// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// newChromium returns a folder with the scripts of testdata/chromium and what
// they need, and the path of the browser.
func newChromium(t *testing.T) (dir, browser string) {
	t.Helper()
	for _, tool := range []string{"node", "npm", "chromium"} {
		path, err := exec.LookPath(tool)
		needTool(t, tool, err)
		browser = path
	}
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/chromium")); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), "npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefer-offline")
	install.Dir = dir
	needTool(t, "npm install", install.Run())
	return dir, browser
}

// A person with a real browser that runs no scripts sees a form, a wrong
// password, the page that was asked for, and nothing of it after the log-out.
func TestChromiumLogsInWithoutAScript(t *testing.T) {
	dir, browser := newChromium(t)
	content, err := os.ReadFile(filepath.Join(repository, "examples/login-page/Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	start(t, regexp.MustCompile(`\b8080\b`).ReplaceAllString(string(content), port), port)

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	visit := exec.CommandContext(ctx, "node", "login-page.mjs", browser, "http://localhost:"+port)
	visit.Dir = dir
	visit.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_CACHE_HOME="+dir)
	out, err := visit.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := strings.Join([]string{
		"the form", "a wrong password", "the page that was asked for", "cookies that no script can read",
		"a protected file", "a session that goes on", "other sites that can do nothing", "a log-out that lasts", "",
	}, "\n")
	if string(out) != want {
		t.Errorf("it saw\n%s\nwant\n%s", out, want)
	}
}
