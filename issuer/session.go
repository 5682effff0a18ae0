// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddybolt/caddy-bolt/auth"
)

const (
	// refreshGrace is how long the predecessor of a refresh token gets the same
	// answer again: two tabs of a browser, an answer that got lost.
	refreshGrace = 10 * time.Second

	// maxRaces is how often a session is read again because somebody else
	// changed it in between.
	maxRaces = 8
)

var (
	// errRefreshToken is the one answer to a refresh token that is not good,
	// whatever is wrong with it (RFC 6749, section 5.2).
	errRefreshToken = &failure{status: http.StatusBadRequest, code: codeInvalidGrant, description: "the refresh token is not valid"}

	// errJustRotated: the token is good and was made a moment ago.
	errJustRotated = errors.New("the session was prolonged a moment ago")
)

// beginSession adds the session of a user who has just signed in, and returns
// its first refresh token.
func (t *Token) beginSession(ctx context.Context, token *refreshToken, user auth.UserRef, issued time.Time) (auth.Session, error) {
	now := t.clock.Now()
	s := auth.Session{
		ID:      token.sessionID(),
		User:    user,
		For:     t.sessionsFor(),
		Family:  sha256.Sum256(token.family[:]),
		Current: token.digest(),
		Rotated: now,
		Started: issued,
		Limit:   now.Add(time.Duration(t.Refresh.Lifetime)),
	}
	s.Until = t.untilIdle(&s, now)
	if err := t.sessions.CreateSession(ctx, s); err != nil {
		return s, fmt.Errorf("beginning a session: %w", err)
	}
	return s, nil
}

// untilIdle is when the session ends unless it is used before.
func (t *Token) untilIdle(s *auth.Session, now time.Time) time.Time {
	if idle := now.Add(time.Duration(t.Refresh.Idle)); t.Refresh.Idle > 0 && idle.Before(s.Limit) {
		return idle
	}
	return s.Limit
}

// sessionsFor is what the sessions of this endpoint are for: a refresh token of
// another endpoint is good here if its tokens are those of the same jwt.
func (t *Token) sessionsFor() string { return t.signer.Name() + " " + t.signer.Audience() }

// renew answers a refresh token with its successor and an access token. With
// fresh, a token that was made a moment ago is not exchanged.
func (t *Token) renew(ctx context.Context, r *http.Request, text string, fresh bool) (*grant, error) {
	token, ok := parseRefreshToken(text)
	if !ok {
		return nil, errRefreshToken
	}
	for range maxRaces {
		s, err := t.sessions.Session(ctx, token.sessionID())
		switch {
		case errors.Is(err, auth.ErrSessionNotFound):
			return nil, errRefreshToken
		case err != nil:
			return nil, fmt.Errorf("asking for a session: %w", err)
		}
		now := t.clock.Now()
		// Who knows no more than the ID of the session changes nothing.
		if !token.isOfFamily(s.Family) || s.For != t.sessionsFor() || s.User.Issuer != t.signer.Issuer() ||
			!now.Before(s.Until) || !now.Before(s.Limit) || !now.Before(s.Started.Add(time.Duration(t.Refresh.Lifetime))) {
			return nil, errRefreshToken
		}
		next, again := s, false
		switch {
		case token.is(s.Current):
			if fresh && now.Before(s.Rotated.Add(refreshGrace)) {
				return nil, errJustRotated
			}
			_, _ = rand.Read(next.Nonce[:]) // never fails: it ends the process instead
			next.Previous, next.Current = s.Current, token.successor(next.Nonce).digest()
			next.Rotated, next.Until = now, t.untilIdle(&s, now)
		case token.is(s.Previous) && now.Before(s.Rotated.Add(refreshGrace)) && token.successor(s.Nonce).is(s.Current):
			again = true
		default:
			return nil, t.reused(ctx, &s)
		}
		g, err := t.prolong(ctx, r, token, &next)
		if err != nil || again {
			return g, err
		}
		swapped, err := t.sessions.Rotate(ctx, s.Current, next)
		switch {
		case err != nil:
			return nil, fmt.Errorf("prolonging a session: %w", err)
		case swapped:
			return g, nil
		}
	}
	return nil, errors.New("prolonging a session: others change it all the time")
}

// prolong makes the tokens that follow from the token and the session, for the
// user as the store knows them now.
func (t *Token) prolong(ctx context.Context, r *http.Request, token *refreshToken, s *auth.Session) (*grant, error) {
	id := token.tokenID(s.Nonce)
	revoked, err := t.services.Revocation().Revoked(ctx, auth.TokenRef{
		ID: id, SessionID: s.ID, User: s.User, IssuedAt: s.Started,
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("asking the revocation store: %w", err)
	case revoked:
		return nil, t.over(ctx, s)
	}
	user, err := t.users.Load(ctx, s.User)
	switch {
	case errors.Is(err, auth.ErrUserNotFound):
		return nil, t.over(ctx, s)
	case err != nil:
		return nil, fmt.Errorf("asking the user store: %w", err)
	}
	if err := checkUser(user); err != nil {
		return nil, err
	}
	if user.ID != s.User.ID {
		return nil, errors.New("the user store returned another user")
	}
	g, err := t.sign(ctx, r, user, stamp{
		id: id, session: s.ID, issued: s.Rotated.Truncate(time.Second), lifetime: time.Duration(t.ExpiresIn),
	})
	if err != nil {
		return nil, err
	}
	g.refresh, g.refreshUntil = token.successor(s.Nonce), s.Until
	return g, nil
}

// over ends a session whose user may not sign in any more, for good: whoever
// gets the user back does not get back who had stolen a token of theirs.
func (t *Token) over(ctx context.Context, s *auth.Session) error {
	if err := t.sessions.EndSession(ctx, s.ID); err != nil {
		return fmt.Errorf("ending a session: %w", err)
	}
	return errRefreshToken
}

// reused ends the session of a refresh token that was used before: there are
// two who have it, and nobody can tell which of them is the user (RFC 9700,
// section 4.14.2). It goes on when the client hangs up.
func (t *Token) reused(ctx context.Context, s *auth.Session) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	if err := endSession(ctx, t.services.Revocation(), t.sessions, s); err != nil {
		return fmt.Errorf("ending a session: %w", err)
	}
	t.logger.Info("refresh token used again; its session was ended",
		zap.String("session", s.ID), zap.String("user_id", s.User.ID))
	return errRefreshToken
}

// endSession ends the session and its access tokens. Each is tried whatever
// becomes of the other: a store that cannot write remembers by itself what is
// revoked, and refresh tokens must not outlive that.
func endSession(ctx context.Context, revocation auth.RevocationStore, sessions auth.RefreshStore, s *auth.Session) error {
	var revoking error
	var revoked sync.WaitGroup
	revoked.Go(func() {
		revoking = auth.RevokeIn(ctx, revocation, auth.TokenRef{SessionID: s.ID, User: s.User}, 0)
	})
	ending := sessions.EndSession(ctx, s.ID)
	revoked.Wait()
	return errors.Join(revoking, ending)
}
