// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package apikey

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestFileThatCannotBeReadKeepsItsKeys(t *testing.T) {
	t.Parallel()
	f := follow(t, list(entry("ci", keyCI)))
	if err := f.open(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(f.path, 0o600); err != nil { // whoever reads it waits for ever
		t.Skipf("no pipes here: %v", err)
	}
	for range 3 {
		f.look()
		f.accepts(keyCI)
	}
	if n := strings.Count(f.log.String(), "not a regular file"); n != 1 {
		t.Errorf("said %d times what is wrong:\n%s", n, f.log)
	}
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(f.path, 0o700); err != nil {
		t.Fatal(err)
	}
	f.look()
	f.accepts(keyCI)
}
