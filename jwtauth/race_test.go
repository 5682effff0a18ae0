// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

//go:build race

package jwtauth

// raceEnabled: the race detector makes pools forget at random, so that nothing
// can be said about allocations.
const raceEnabled = true
