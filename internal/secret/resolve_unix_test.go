// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package secret

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Attack: a pipe that nobody writes to keeps Caddy from starting, without a word.
// Links to files, as Kubernetes makes them for secrets, are followed.
func TestPipeIsNoSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skipf("no pipes here: %v", err)
	}
	for link, target := range map[string]string{"..data": "..2026_01_01", "key": "..data/key", "pipelink": "pipe"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "..2026_01_01"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "..2026_01_01", "key"), []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, filepath.Join(dir, "pipelink"), "/dev/zero"} {
		text := "{file." + path + "}"
		if got, err := Resolve(text); got != "" || err == nil || !strings.Contains(err.Error(), text+" is empty: is not a regular file") {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if got, err := Resolve("a-{file." + filepath.Join(dir, "key") + "}"); err != nil || got != "a-hunter2" {
		t.Errorf("control: %q, %v", got, err)
	}
}
