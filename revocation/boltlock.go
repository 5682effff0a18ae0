// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package revocation

import "os"

// unlock does nothing: the lock goes with the file.
func unlock(*os.File) {}
