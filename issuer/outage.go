// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"sync/atomic"

	"go.uber.org/zap"
)

// outage logs when something begins to fail and when it is well again, and
// nothing in between: a flood of requests is not a flood of log lines.
type outage struct{ down atomic.Bool }

// begin notes that what failed. It is silent when the request's own context is
// done: a client that leaves is no outage.
func (o *outage) begin(ctx context.Context, logger *zap.Logger, what string, err error) {
	if ctx.Err() == nil && o.down.CompareAndSwap(false, true) {
		logger.Error(what+"; requests are answered with 503 until it is well again", zap.Error(err))
	}
}

// end notes that everything went well.
func (o *outage) end(logger *zap.Logger) {
	if o.down.Load() && o.down.CompareAndSwap(true, false) {
		logger.Info("well again")
	}
}
