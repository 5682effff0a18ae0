// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// Tolerance implements auth.Tolerant.
func (j *JWT) Tolerance() time.Duration { return j.limits.leeway }

// Interface guards
var _ auth.Tolerant = (*JWT)(nil)
