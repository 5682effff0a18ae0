// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

//go:build race

package redis

const underRace = true
