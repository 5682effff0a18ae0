// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"database/sql"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/caddybolt/caddy-bolt/internal/replica"
)

// pooler is a source whose first session goes on as another server takes over:
// a pooler in between keeps the connections.
type pooler struct {
	*sqlSource // of the server that takes over
	first      *sqlSource
	to         *sql.DB
	over       chan struct{} // closed when it takes over
	sessions   atomic.Int32
}

func (p *pooler) Connect(ctx context.Context) (replica.Session, error) {
	if p.sessions.Add(1) > 1 {
		return p.sqlSource.Connect(ctx)
	}
	session, err := p.first.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &pooled{sqlSession: session.(*sqlSession), pooler: p}, nil
}

type pooled struct {
	*sqlSession
	pooler *pooler
}

func (p *pooled) Follow(ctx context.Context, n *replica.Node) error {
	before, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-p.pooler.over:
		case <-ctx.Done():
		}
		cancel()
	}()
	_ = p.sqlSession.Follow(before, n)
	conn, err := p.pooler.to.Conn(ctx)
	if err != nil {
		return err
	}
	p.follower, p.listener, p.lost = conn, nil, make(chan error, 1)
	return p.sqlSession.Follow(ctx, n)
}

// Attack: the attacker's token is logged out while the database falls back on a
// copy that lags. What it counts begins again below what a node has read, and
// passes that before the node asks the next time.
func TestServerThatTakesOverIsReadFromTheBeginning(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			old, next := m.own(t), m.own(t)
			oldDSN, nextDSN := old.DSN(old.NewDatabase(t)), next.DSN(next.NewDatabase(t))
			far := provisionSQL(t, &SQL{DSN: nextDSN})
			p := &pooler{
				sqlSource: far.source, first: provisionSQL(t, &SQL{DSN: oldDSN}).source,
				to: open(t, nextDSN), over: make(chan struct{}),
			}
			far.Node().Source = p
			if err := far.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the node is connected", far.Node().Fresh)
			for _, id := range []string{"lost-1", "lost-2"} {
				inTime(t, far, token(id)) // the copy did not get them
			}
			near := sqlNode(t, &SQL{DSN: nextDSN})
			const count = 5
			for i := range count {
				inTime(t, near, token("late-"+strconv.Itoa(i)))
			}
			close(p.over)
			for i := range count {
				eventually(t, "the node knows all that the other server holds", func() bool { return isRevoked(t, far, token("late-"+strconv.Itoa(i))) })
			}
			for _, id := range []string{"lost-1", "lost-2"} {
				eventually(t, "the other server is told what it lacks", func() bool { return isRevoked(t, near, token(id)) })
			}
			if isRevoked(t, far, token("x")) || p.sessions.Load() != 2 {
				t.Errorf("control: %d sessions", p.sessions.Load())
			}
		})
	}
}
