// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddybolt/caddy-bolt/internal/passhash"
)

// outage logs when something begins to fail and when it is well again, and
// nothing in between, at most once a minute: a flood of requests is not a flood
// of log lines, nor is something that comes and goes.
type outage struct {
	down atomic.Bool  // and somebody was told
	last atomic.Int64 // when
}

// logEvery bounds how often an outage is logged.
const logEvery = int64(time.Minute)

// begin notes that what failed. It is silent when the request's own context is
// done: a client that leaves is no outage. Nor is a flood of passwords, which
// anybody can send.
func (o *outage) begin(ctx context.Context, logger *zap.Logger, what string, err error) {
	if ctx.Err() != nil || errors.Is(err, passhash.ErrBusy) {
		return
	}
	now, last := time.Now().UnixNano(), o.last.Load()
	if (last == 0 || now-last >= logEvery) && o.down.CompareAndSwap(false, true) {
		o.last.Store(now)
		logger.Error(what+"; requests are answered with 503 until it is well again", zap.Error(err))
	}
}

// end notes that everything went well.
func (o *outage) end(logger *zap.Logger) {
	if o.down.Load() && o.down.CompareAndSwap(true, false) {
		logger.Info("well again")
	}
}

// warning is logged at most once a minute.
type warning struct{ last atomic.Int64 }

func (n *warning) log(logger *zap.Logger, what string, err error) {
	now, last := time.Now().UnixNano(), n.last.Load()
	if (last == 0 || now-last >= logEvery) && n.last.CompareAndSwap(last, now) {
		logger.Warn(what, zap.Error(err))
	}
}
