// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddybolt/caddy-bolt/internal/passhash"
)

// Attack: many log-ins at once make the server busy, well, busy, well, with two
// lines in the log each time.
func TestAnOutageIsLoggedOnceAMinute(t *testing.T) {
	t.Parallel()
	core, lines := observer.New(zapcore.InfoLevel)
	logger, o, ctx := zap.New(core), new(outage), context.Background()
	down := errors.New("down")

	o.begin(ctx, logger, "it fails", fmt.Errorf("asking: %w", passhash.ErrBusy))
	o.end(logger)
	if n := lines.Len(); n != 0 {
		t.Errorf("%d lines though it was only busy", n)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	o.begin(gone, logger, "it fails", down)
	if n := lines.Len(); n != 0 {
		t.Errorf("%d lines though the client went away", n)
	}
	for range 100 {
		o.begin(ctx, logger, "it fails", down)
		o.begin(ctx, logger, "it fails", down)
		o.end(logger)
		o.end(logger)
	}
	if n := lines.Len(); n != 2 {
		t.Errorf("%d lines, want one when it began and one when it ended", n)
	}
	o.last.Store(1) // long ago
	o.begin(ctx, logger, "it fails", down)
	if n := lines.Len(); n != 3 {
		t.Errorf("%d lines: the next outage was not logged", n)
	}
}
