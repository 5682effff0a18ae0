// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"time"

	"github.com/caddybolt/caddy-bolt/internal/replica"
)

const (
	// tidyEvery is how often rows that ended are removed.
	tidyEvery = 5 * time.Minute

	// keptAfterEnd is for how long a row is kept after its end: the clock of
	// whoever removes it may be ahead, and to others it has not ended.
	keptAfterEnd = time.Hour

	// removedAtOnce is how many rows one statement removes at most.
	removedAtOnce = 10_000
)

// keepTidy removes rows that ended, until the context ends. It works beside
// what follows: with many rows it takes longer than the copy is trusted.
func (s *sqlSession) keepTidy(ctx context.Context) {
	ticker := time.NewTicker(s.tidy)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.expire(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// expire removes rows that ended. That it fails is no harm: they revoke nothing.
func (s *sqlSession) expire(ctx context.Context) {
	ended := s.now() - int64(keptAfterEnd)
	for _, statement := range s.remove {
		for more := true; more; {
			more = s.removeSome(ctx, statement, ended)
		}
	}
}

// removeSome reports whether there may be more to remove.
func (s *sqlSession) removeSome(ctx context.Context, statement string, ended int64) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*replica.Timeout)
	defer cancel()
	result, err := s.db.ExecContext(ctx, statement, ended)
	if err != nil {
		return false
	}
	n, err := result.RowsAffected()
	return err == nil && n == removedAtOnce
}
