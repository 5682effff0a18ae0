// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package jwtauth

import "testing"

func irregular(*testing.T) []string { return nil }
