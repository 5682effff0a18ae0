// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

// starter is a user store or a jwt that opens files or connections before it is
// used.
type starter interface {
	Start(context.Context) error
}

// looker is a jwt that can be used without writing into Caddy's storage, where
// the files of whoever runs a command would be in Caddy's way.
type looker interface {
	Look(context.Context) error
}

// begin makes ready what a running app would have started.
func begin(ctx context.Context, needed any) error {
	switch s := needed.(type) {
	case looker:
		return s.Look(ctx)
	case starter:
		return s.Start(ctx)
	default:
		return nil
	}
}

// Mint implements auth.Minter.
func (t *Token) Mint(ctx caddy.Context, userID string, lifetime time.Duration) (string, error) {
	if t.users == nil {
		return "", errors.New("auth_token has no user store")
	}
	if lifetime == 0 {
		lifetime = time.Duration(t.ExpiresIn)
	}
	if err := checkExpiresIn(lifetime); err != nil {
		return "", err
	}
	for _, needed := range []any{t.users, t.signer} {
		if err := begin(ctx, needed); err != nil {
			return "", err
		}
	}
	user, err := t.users.Load(ctx, auth.UserRef{Issuer: t.signer.Issuer(), ID: userID})
	switch {
	case errors.Is(err, auth.ErrUserNotFound):
		return "", fmt.Errorf("there is no user with the ID %q who may sign in", userID)
	case err != nil:
		return "", fmt.Errorf("loading the user: %w", cause(err))
	}
	if err := checkUser(user); err != nil {
		return "", err
	}
	// Claims that are made of a request come out empty: there is none.
	r, err := http.NewRequestWithContext(context.WithValue(ctx, caddy.ReplacerCtxKey, caddy.NewReplacer()), http.MethodPost, "/", nil)
	if err != nil {
		return "", err
	}
	// Nobody asks what is revoked: a token of the second in which all tokens of
	// the user were revoked would be dead on arrival.
	now := t.clock.Now()
	if err := t.wait(ctx, now.Truncate(time.Second).Add(time.Second).Sub(now)); err != nil {
		return "", err
	}
	s := stamp{id: identify(), issued: t.clock.Now().Truncate(time.Second), lifetime: lifetime}
	payload, err := t.payload(r, user, s)
	if err != nil {
		return "", err
	}
	if err := t.checkPayload(payload, user, s, s.issued); err != nil {
		return "", fmt.Errorf("the jwt would refuse the token: %w", err)
	}
	token, err := t.signer.Sign(ctx, payload)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return token, nil
}

// cause is what a store says of an error that it could not decide for: the
// operator reads it here and not in a log. Stores keep secrets out of it.
func cause(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return fmt.Errorf("%w: %w", err, inner)
	}
	return err
}

// Interface guards
var _ auth.Minter = (*Token)(nil)
