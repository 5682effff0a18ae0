// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/replica"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
	"github.com/caddybolt/caddy-bolt/internal/sqldsn"
)

// maxConnections bounds the connections of one Caddy to the database: to follow,
// to write, and for sessions.
const maxConnections = 6

// pollLimit is how many rows one question returns at most. A transaction writes
// fewer.
const pollLimit = 5000

var (
	errReset = errors.New("the table of revocations is not the one that was read")
	errMoved = errors.New("another server of the database answers than before, or its table was made anew: a pooler or balancer in between has to lead to one, the primary")
	errCopy  = errors.New("the server of the database is a standby, a replica or read-only, and what it holds may be old: the dsn has to lead to the primary")
)

// sqlSource is a database.
type sqlSource struct {
	target  *sqldsn.Target
	clock   clock.Clock
	foreign *foreignTable
	tidy    time.Duration // how often rows that ended are removed
	current replica.Current[*sqlSession]
}

// sqlSession is a pool of connections that lasts as long as the one does on
// which the node follows.
type sqlSession struct {
	*sqlSource
	*statements
	db       *sql.DB
	follower *sql.Conn
	listener *sql.Conn // of PostgreSQL
	server   string    // the one that takes what is written; all that is read must come from it
	last     int64     // the version up to which all is known
	lost     chan error
}

// Connect implements replica.Source.
func (s *sqlSource) Connect(ctx context.Context) (replica.Session, error) {
	db := sql.OpenDB(s.target.Connector)
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)
	session := &sqlSession{sqlSource: s, statements: statementsOf(s.target.Dialect), db: db, lost: make(chan error, 1)}
	if err := session.open(ctx); err != nil {
		session.Close()
		return nil, err
	}
	s.current.Set(session)
	return session, nil
}

func (s *sqlSession) open(ctx context.Context) (err error) {
	if s.follower, err = s.db.Conn(ctx); err != nil {
		return err
	}
	if s.settle != "" {
		if _, err = s.follower.ExecContext(ctx, s.settle); err != nil {
			return err
		}
	}
	// To make a table needs a right that the account need not have when the
	// table is there.
	if err = s.meet(ctx); err != nil {
		for _, create := range s.create {
			if _, createErr := s.follower.ExecContext(ctx, create); createErr != nil {
				return fmt.Errorf("%w; making it: %w", err, createErr)
			}
		}
		if err = s.meet(ctx); err != nil {
			return err
		}
	}
	if s.server == "" {
		return errCopy
	}
	if s.foreign != nil {
		if err := s.foreign.probe(ctx, s.follower); err != nil {
			return err
		}
	}
	if s.listen == "" {
		return nil
	}
	if s.listener, err = s.db.Conn(ctx); err != nil {
		return err
	}
	_, err = s.listener.ExecContext(ctx, s.listen)
	return err
}

// meet finds the tables, and asks for the name of the server that takes what is
// written: poolers that read elsewhere lead a transaction, which may write, to the
// primary.
func (s *sqlSession) meet(ctx context.Context) error {
	tx, err := s.follower.BeginTx(ctx, s.isolation)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, s.server, err = s.version(ctx, tx); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, s.probeSessions)
	return err
}

// check judges the name of a server that answered.
func (s *sqlSession) check(server string) error {
	switch server {
	case s.server:
		return nil
	case "":
		return errCopy
	default:
		return errMoved
	}
}

// version returns the number of the last change, and the name of the server.
func (s *sqlSession) version(ctx context.Context, tx *sql.Tx) (version int64, server string, err error) {
	err = tx.QueryRowContext(ctx, s.readVersion, counterDigest[:]).Scan(&version, &server)
	return version, server, err
}

// end ends Follow with that error.
func (s *sqlSession) end(err error) {
	select {
	case s.lost <- err:
	default:
	}
}

// Close implements replica.Session.
func (s *sqlSession) Close() {
	s.current.Drop(s)
	for _, conn := range []*sql.Conn{s.follower, s.listener} {
		if conn != nil {
			_ = conn.Close()
		}
	}
	_ = s.db.Close()
}

// Load implements replica.Session. Changes from now on have a higher version
// than the counter, which is read with the rest.
func (s *sqlSession) Load(ctx context.Context, to *replica.Loading) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The first row may take long, with many; from then on they come steadily.
	patience := time.AfterFunc(5*replica.Timeout, cancel)
	defer patience.Stop()
	rows, err := s.follower.QueryContext(ctx, s.load, s.now())
	if err != nil {
		return err
	}
	defer rows.Close()
	counted := false
	for i := 0; rows.Next(); i++ {
		if i%1000 == 0 {
			patience.Reset(replica.Timeout)
		}
		r, version, err := scanRecord(rows)
		if err != nil {
			return err
		}
		if r.Kind == counterKind {
			if err := s.check(r.ID); err != nil {
				return err
			}
			s.last, counted = version, true
			continue
		}
		to.Add(r)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if !counted {
		return errReset
	}
	return nil
}

// Follow implements replica.Session.
func (s *sqlSession) Follow(ctx context.Context, n *replica.Node) error {
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel()
	notified := make(chan struct{}, 1)
	if s.listener != nil {
		beside.Go(func() { s.end(s.listenTo(ctx, notified)) })
	}
	beside.Go(func() { s.keepTidy(ctx) })
	heartbeat := time.NewTicker(replica.Heartbeat)
	defer heartbeat.Stop()
	for {
		n.Begin()
		at := time.Now()
		for more := true; more; {
			var err error
			if more, err = s.poll(ctx, n); err != nil {
				return err
			}
		}
		if s.foreign != nil {
			if err := s.foreign.poll(ctx, s, n); err != nil {
				return err
			}
		}
		n.Heard(at)
		select {
		case <-heartbeat.C:
		case <-notified:
		case err := <-s.lost:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// poll reads what changed. It reports whether there is more.
func (s *sqlSession) poll(ctx context.Context, n *replica.Node) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, replica.Timeout)
	defer cancel()
	rows, err := s.follower.QueryContext(ctx, s.changes, counterDigest[:], s.last, counterDigest[:], pollLimit)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	counter, latest, count := int64(-1), s.last, 0
	for rows.Next() {
		r, version, err := scanRecord(rows)
		if err != nil {
			return false, err
		}
		if r.Kind == counterKind {
			if err := s.check(r.ID); err != nil {
				return false, err
			}
			counter = version
			continue
		}
		count++
		latest = max(latest, version)
		n.Observe(r)
	}
	if err := rows.Err(); err != nil {
		return false, err
	}
	if counter < s.last {
		return false, errReset
	}
	if count < pollLimit {
		s.last = counter
		return false, nil
	}
	s.last = latest - 1 // others of that version may be left
	return true, nil
}

// listenTo waits for notices of PostgreSQL.
func (s *sqlSession) listenTo(ctx context.Context, notified chan<- struct{}) error {
	return s.listener.Raw(func(conn any) error {
		c, ok := conn.(*stdlib.Conn)
		if !ok {
			return errors.New("the driver gives no notices")
		}
		for {
			if _, err := c.Conn().WaitForNotification(ctx); err != nil {
				return err
			}
			select {
			case notified <- struct{}{}:
			default:
			}
		}
	})
}

// Write implements replica.Session.
func (s *sqlSession) Write(ctx context.Context, changes []replica.Change) []error {
	err := s.commit(ctx, changes)
	if err == nil {
		return nil
	}
	errs := make([]error, len(changes))
	alone := len(changes) > 1 && !errors.Is(err, errMoved) && !errors.Is(err, errCopy)
	for i := range changes {
		errs[i] = withoutValues(err)
		if alone && ctx.Err() == nil { // one of them may be the trouble
			errs[i] = withoutValues(s.commit(ctx, changes[i:i+1]))
		}
	}
	return errs
}

// commit writes changes in one transaction. All transactions wait for the
// counter, so that versions become visible in their order.
func (s *sqlSession) commit(ctx context.Context, changes []replica.Change) error {
	tx, err := s.db.BeginTx(ctx, s.isolation)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, s.count, counterDigest[:]); err != nil {
		return err
	}
	version, server, err := s.version(ctx, tx)
	if err != nil {
		return err
	}
	if err := s.check(server); err != nil {
		s.end(err) // others read what this server does not hold
		return err
	}
	for _, c := range changes {
		if err := s.change(ctx, tx, c, version); err != nil {
			return err
		}
	}
	if s.notify != "" {
		if _, err := tx.ExecContext(ctx, s.notify); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	if s.foreign != nil {
		return s.foreign.write(ctx, s.db, changes)
	}
	return nil
}

func (s *sqlSession) change(ctx context.Context, tx *sql.Tx, c replica.Change, version int64) error {
	digest := digestOf(c.Entry)
	if c.Op == replica.Publish {
		var tombstone string
		err := tx.QueryRowContext(ctx, s.readTombstone, digest).Scan(&tombstone)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if tombstone != "" && tombstone != c.Tombstone {
			return nil // somebody took it back
		}
	}
	statement, tombstone := s.revoke, ""
	if c.Op == replica.Forget {
		statement, tombstone = s.forget, c.Tombstone
	}
	_, err := tx.ExecContext(ctx, statement, digest, string(rune(c.Kind)), []byte(c.Issuer), []byte(c.ID), c.Cutoff, c.Until, tombstone, version)
	return err
}

func (s *sqlSource) now() int64 { return revoked.Nanoseconds(s.clock.Now()) }

// Interface guards
var (
	_ replica.Source  = (*sqlSource)(nil)
	_ replica.Session = (*sqlSession)(nil)
)
