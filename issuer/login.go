// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/attempts"
)

// ServeHTTP answers the request. Behind it is the log-in page, if cookies are
// set here, and nothing else.
func (t *Token) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if t.Cookie != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		return t.servePage(w, r, next)
	}
	g, in, err := t.answer(w, r)
	var f *failure
	if err != nil {
		f = t.failureOf(r, err)
	}
	switch {
	case t.Cookie != nil:
		return t.deliver(w, r, in, g, f)
	case f != nil:
		return f.write(w)
	default:
		return writeJSON(w, http.StatusOK, g.tokens())
	}
}

// failureOf returns what the client is told of the error.
func (t *Token) failureOf(r *http.Request, err error) *failure {
	var f *failure
	if !errors.As(err, &f) {
		t.outage.begin(r.Context(), t.logger, "tokens cannot be issued", err)
		return &failure{
			status: http.StatusServiceUnavailable, code: codeUnavailable,
			description: "signing in is not possible at the moment", retryAfter: retryAfter,
		}
	}
	if c := t.logger.Check(zapcore.DebugLevel, "log-in refused"); c != nil {
		c.Write(zap.Int("status", f.status), zap.String("error", f.code))
	}
	return f
}

// answer returns tokens, a failure of the client, or an error of the server; and
// what the client asked for, as far as it was understood.
func (t *Token) answer(w http.ResponseWriter, r *http.Request) (*grant, *call, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", t.methods())
		return nil, nil, &failure{status: http.StatusMethodNotAllowed, code: codeInvalidRequest, description: "the method must be POST"}
	}
	// A page elsewhere must not sign visitors in as somebody else, nor with
	// what their browser sends along.
	if (t.Cookie != nil || t.Exchange) && t.sameSite.Check(r) != nil {
		return nil, nil, &failure{status: http.StatusForbidden, code: codeInvalidRequest, description: "the request comes from another site"}
	}
	if t.Exchange {
		g, err := t.exchange(r)
		return g, nil, err
	}
	fields, f := readFields(w, r)
	if f != nil {
		return nil, nil, f
	}
	in, f := t.callOf(fields)
	if f != nil {
		return nil, in, f
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	var g *grant
	var err error
	if in.grant == grantRefresh {
		g, err = t.refresh(ctx, r, in)
	} else {
		g, err = t.logIn(ctx, r, in)
	}
	return g, in, err
}

func (t *Token) methods() string {
	if t.Cookie != nil {
		return "GET, HEAD, POST"
	}
	return http.MethodPost
}

// tooMany is the answer to one attempt too many.
func tooMany(wait time.Duration) *failure {
	return &failure{
		status: http.StatusTooManyRequests, code: codeUnavailable,
		description: "too many failed attempts", retryAfter: wait,
	}
}

// logIn answers a name and a password.
func (t *Token) logIn(ctx context.Context, r *http.Request, in *call) (*grant, error) {
	attempt, wait := t.attempts.Begin(in.username, attempts.Address(r), t.clock.Now())
	if wait > 0 {
		return nil, tooMany(wait)
	}
	user, err := t.users.Verify(ctx, in.username, in.password)
	switch {
	case errors.Is(err, auth.ErrInvalidCredentials):
		return nil, &failure{status: http.StatusBadRequest, code: codeInvalidGrant, description: "wrong username or password"}
	case err != nil:
		if r.Context().Err() == nil { // who hangs up early has not been told, and may have guessed
			attempt.Refund()
		}
		return nil, fmt.Errorf("asking the user store: %w", err)
	}
	attempt.Refund()
	return t.issue(ctx, r, user)
}

// refresh answers a refresh token.
func (t *Token) refresh(ctx context.Context, r *http.Request, in *call) (*grant, error) {
	text := in.refreshToken
	if t.Cookie != nil {
		var err error
		if text, err = t.refreshCookie(r); err != nil {
			return nil, errRefreshToken
		}
	}
	return t.renewSlowly(ctx, r, text, false)
}

// renewSlowly is renew for as many bad tokens as one address may try.
func (t *Token) renewSlowly(ctx context.Context, r *http.Request, text string, fresh bool) (*grant, error) {
	refund, wait := t.attempts.BeginRefresh(attempts.Address(r), t.clock.Now())
	if wait > 0 {
		return nil, tooMany(wait)
	}
	g, err := t.renew(ctx, r, text, fresh)
	if !errors.Is(err, errRefreshToken) {
		refund()
	}
	return g, err
}
