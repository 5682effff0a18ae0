// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
)

// leeway is a request of the auth handler that says how long after its end a
// token may still be accepted.
type leeway interface{ Leeway() time.Duration }

// lookTimeout bounds how long a log-out looks for a session: what it finds last
// must be revoked in time, too.
const lookTimeout = revokeTimeout - 200*time.Millisecond

var errManyCookies = errors.New("the request holds more cookies with refresh tokens than a log-out tries")

// ending is a log-out under way. Each part of it is tried at once and whatever
// becomes of the others: a store that cannot write remembers by itself what is
// revoked, if it was asked.
type ending struct {
	*Logout
	ctx  context.Context
	look context.Context // for what is asked before anything can be ended

	parts sync.WaitGroup
	mu    sync.Mutex
	ended bool
	errs  error
}

// end ends the tokens and the sessions, and reports whether there was any. It
// goes on when the client hangs up: whoever closes the window wants to be logged
// out.
func (l *Logout) end(r *http.Request, who presented) (ended bool, err error) {
	e := &ending{Logout: l}
	var cancel, cancelLook context.CancelFunc
	e.ctx, cancel = context.WithTimeout(context.WithoutCancel(r.Context()), revokeTimeout)
	defer cancel()
	e.look, cancelLook = context.WithTimeout(e.ctx, lookTimeout)
	defer cancelLook()

	var late time.Duration
	if from, ok := caddyhttp.GetVar(r.Context(), auth.RequestVar).(leeway); ok {
		late = from.Leeway()
	}
	for _, id := range []*auth.Identity{who.id, who.undecided} {
		if id != nil {
			e.token(id.Token(), late)
		}
	}
	for _, c := range who.refreshes {
		if c.more { // nobody may believe that they are logged out
			e.part(func() error { return errManyCookies })
		}
		for _, token := range c.tokens {
			e.part(func() error { return e.refreshToken(token) })
		}
	}
	e.parts.Wait()
	return e.ended, e.errs
}

// part does something beside the other parts.
func (e *ending) part(do func() error) {
	e.parts.Go(func() {
		if err := do(); err != nil {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.errs = errors.Join(e.errs, err)
		}
	})
}

// found notes that there is something to end.
func (e *ending) found() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = true
}

// token ends the token with its session, or all tokens of its user. The token is
// accepted so late after its end.
func (e *ending) token(token auth.TokenRef, late time.Duration) {
	e.found()
	e.part(func() error { return auth.RevokeIn(e.ctx, e.revocation, token, late) })
	if e.sessions != nil && token.SessionID != "" {
		e.part(func() error { return e.sessionOf(token) })
	}
	if e.All {
		// A token of another issuer may be dated ahead, as far as leeway allows.
		now := e.clock.Now()
		if token.IssuedAt.After(now) {
			now = token.IssuedAt
		}
		e.part(func() error { return e.revocation.RevokeUser(e.ctx, token.User, now, time.Time{}) })
	}
}

// sessionOf forgets the session that the token names. Another issuer's token may
// name any: it ends that of its own user alone.
func (e *ending) sessionOf(token auth.TokenRef) error {
	s, err := e.sessions.Session(e.look, token.SessionID)
	switch {
	case errors.Is(err, auth.ErrSessionNotFound):
		return nil
	case err != nil:
		return err
	case s.User != token.User:
		return nil
	}
	return e.sessions.EndSession(e.ctx, s.ID)
}

// refreshToken ends the session of the token. Any token of the session will do,
// used or not.
func (e *ending) refreshToken(token *refreshToken) error {
	s, err := e.sessions.Session(e.look, token.sessionID())
	switch {
	case errors.Is(err, auth.ErrSessionNotFound):
		return nil
	case err != nil:
		return err
	case !token.isOfFamily(s.Family):
		return nil
	}
	e.found()
	if e.All {
		e.part(func() error { return e.revocation.RevokeUser(e.ctx, s.User, e.clock.Now(), time.Time{}) })
	}
	return endSession(e.ctx, e.revocation, e.sessions, &s)
}
