// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"errors"
	"runtime"
	"time"
)

// Elsewhere nothing is measured: there is no clock for the CPU time of another
// process.
var errLinux = errors.New("bench needs Linux")

func processTime(int) (time.Duration, error) { return 0, errLinux }

func twoCPUs() (first, second int, ok bool) { return 0, 0, false }

func pin(int, ...int) error { return errLinux }

func pinSelf() error { return errLinux }

func kernel() string { return runtime.GOOS }

func installedMemory() int64 { return 0 }
