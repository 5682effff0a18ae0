// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package testservers

import (
	"errors"
	"os/exec"
)

func giveTo(string, string) error { return nil }

func become(*exec.Cmd, string) {}

func pause(int, bool) error { return errors.ErrUnsupported }
