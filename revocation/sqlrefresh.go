// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/replica"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
	"github.com/caddybolt/caddy-bolt/internal/sqldsn"
)

// CreateSession implements auth.RefreshStore.
func (s *SQL) CreateSession(ctx context.Context, session auth.Session) error {
	digest, text, err := s.encode(session)
	if err != nil {
		return sessionError(err)
	}
	until, now := revoked.Nanoseconds(session.Until), s.source.now()
	created, err := s.changed(ctx, func(ctx context.Context, q *sqlSession) (sql.Result, error) {
		if q.target.Dialect == sqldsn.PostgreSQL {
			return q.db.ExecContext(ctx, q.createSession, digest, session.Current[:], until, text, now)
		}
		if _, err := q.db.ExecContext(ctx, "DELETE FROM caddy_auth_sessions WHERE digest = ? AND until <= ?", digest, now); err != nil {
			return nil, err
		}
		return q.db.ExecContext(ctx, q.createSession, digest, session.Current[:], until, text)
	})
	if err == nil && !created {
		err = errSessionTaken
	}
	return sessionError(err)
}

// Session implements auth.RefreshStore.
func (s *SQL) Session(ctx context.Context, id string) (auth.Session, error) {
	if id == "" {
		return auth.Session{}, auth.ErrSessionNotFound
	}
	var text []byte
	err := s.ask(ctx, func(ctx context.Context, q *sqlSession) error {
		return q.db.QueryRowContext(ctx, q.readSession, sessionDigest(id), s.source.now()).Scan(&text)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return auth.Session{}, auth.ErrSessionNotFound
	}
	if err != nil {
		return auth.Session{}, sessionError(err)
	}
	session, err := decodeSession(id, text)
	return session, sessionError(err)
}

// Rotate implements auth.RefreshStore.
func (s *SQL) Rotate(ctx context.Context, current [32]byte, next auth.Session) (bool, error) {
	digest, text, err := s.encode(next)
	if errors.Is(err, errSessionPast) {
		return false, nil
	}
	if err != nil {
		return false, sessionError(err)
	}
	done, err := s.changed(ctx, func(ctx context.Context, q *sqlSession) (sql.Result, error) {
		return q.db.ExecContext(ctx, q.rotateSession, text, next.Current[:], revoked.Nanoseconds(next.Until), digest, current[:], s.source.now())
	})
	return done, sessionError(err)
}

// EndSession implements auth.RefreshStore.
func (s *SQL) EndSession(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	_, err := s.changed(ctx, func(ctx context.Context, q *sqlSession) (sql.Result, error) {
		return q.db.ExecContext(ctx, q.endSession, sessionDigest(id))
	})
	return sessionError(err)
}

// encode returns the key of a session and its text.
func (s *SQL) encode(session auth.Session) (digest, text []byte, err error) {
	if err := checkSession(session, s.Node().Now()); err != nil {
		return nil, nil, err
	}
	return sessionDigest(session.ID), encodeSession(session), nil
}

func sessionDigest(id string) []byte {
	sum := sha256.Sum256([]byte(id))
	return sum[:]
}

// changed reports whether a statement changed a row.
func (s *SQL) changed(ctx context.Context, do func(context.Context, *sqlSession) (sql.Result, error)) (bool, error) {
	var n int64
	err := s.ask(ctx, func(ctx context.Context, q *sqlSession) error {
		result, err := do(ctx, q)
		if err == nil {
			n, err = result.RowsAffected()
		}
		return err
	})
	return n > 0, err
}

// ask waits for the database no longer than a write does, and not at all in an
// outage.
func (s *SQL) ask(ctx context.Context, do func(context.Context, *sqlSession) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.Node().Enter(); err != nil {
		return err
	}
	defer s.Node().Leave()
	ctx, cancel := context.WithTimeout(ctx, replica.Timeout)
	defer cancel()
	q, err := s.source.current.Wait(ctx)
	if err != nil {
		return err
	}
	return withoutValues(do(ctx, q))
}

func sessionError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("session store sql: %w", err)
}
