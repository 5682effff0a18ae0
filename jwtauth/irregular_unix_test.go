// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package jwtauth

import (
	"path/filepath"
	"syscall"
	"testing"
)

// irregular returns the paths of a pipe and a device.
func irregular(t *testing.T) []string {
	t.Helper()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skipf("no pipes here: %v", err)
	}
	return []string{pipe, "/dev/zero"}
}
