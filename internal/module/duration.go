// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// CheckUnit refuses a duration that nobody means: in JSON a bare number is one of
// nanoseconds, and whoever writes 30 means seconds. Zero, and what is negative, are left to the caller.
func CheckUnit(option string, d caddy.Duration) error {
	if d <= 0 || time.Duration(d) >= time.Millisecond {
		return nil
	}
	return fmt.Errorf("%s: %s is too short: a duration is text such as \"30s\", or a number of nanoseconds", option, time.Duration(d))
}
