// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package revocation

import (
	"os"
	"syscall"
)

// unlock lets go of the lock that bbolt has on the file. To close the file is
// not enough when bbolt broke off: its memory is still mapped to it, and the
// lock lives as long as either.
func unlock(file *os.File) { _ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN) }
