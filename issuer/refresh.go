// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

// maxRefresh is shorter than what revocation stores remember by default: the
// end of a session, or of all tokens of a user, must outlast it.
const maxRefresh = 366 * 24 * time.Hour

// Refresh gives out refresh tokens (RFC 6749, section 6), in the member
// "refresh_token" of the answer. A log-in begins a session; its refresh token is
// good for one request, with "grant_type" and "refresh_token", whose answer
// holds the next. The user is loaded again each time: the new token has the
// flags and permissions of today, and who may not sign in any more gets none.
//
// A refresh token that is used a second time ends its session, with the access
// tokens of it: somebody has a copy. The one before the last gets the same answer
// again for 10 seconds. Logging out ends the session, and revoking the user's
// tokens ends all of the user's sessions.
//
// Sessions stand in the revocation store, which must be one that keeps sessions;
// without any, revocation is turned on. It holds digests alone.
type Refresh struct {
	// How long after the log-in refresh tokens are good at most, in whole
	// seconds up to 366 days. Required.
	Lifetime caddy.Duration `json:"lifetime,omitempty"`

	// How long a refresh token is good that is not used. Default: as long as the
	// session.
	Idle caddy.Duration `json:"idle,omitempty"`
}

// check judges the durations.
func (r *Refresh) check() error {
	lifetime, idle := time.Duration(r.Lifetime), time.Duration(r.Idle)
	switch {
	case lifetime < time.Second || lifetime > maxRefresh || lifetime%time.Second != 0:
		return fmt.Errorf("refresh %s: it is whole seconds, at least one and at most 366 days", lifetime)
	case idle == 0:
		return nil
	case idle < time.Second || idle > lifetime || idle%time.Second != 0:
		return fmt.Errorf("refresh: idle %s: it is whole seconds, at least one and at most those of refresh", idle)
	}
	return nil
}

func (t *Token) checkRefresh() error {
	switch {
	case t.Refresh == nil:
		return nil
	case t.Exchange:
		// The session would go on when the key that began it is gone.
		return errExchangeRefresh
	default:
		return t.Refresh.check()
	}
}

var errExchangeRefresh = errors.New("exchange issues no refresh tokens: whoever has a credential exchanges it again")

// provisionSessions finds the store of sessions.
func (t *Token) provisionSessions() error {
	if t.Refresh == nil {
		return nil
	}
	store, err := revocationOf(t.services, "refresh")
	if err != nil {
		return err
	}
	sessions, ok := store.(auth.RefreshStore)
	if !ok {
		return fmt.Errorf("refresh needs a revocation store that keeps sessions, and %s does not", nameOf(store))
	}
	t.sessions = sessions
	return nil
}

// revocationOf returns the revocation store, and turns revocation on where it is
// off.
func revocationOf(services auth.Services, who string) (auth.RevocationStore, error) {
	if r, ok := services.(auth.Revoker); ok {
		return r.RequireRevocation()
	}
	if store := services.Revocation(); store != nil {
		return store, nil
	}
	return nil, fmt.Errorf("%s needs a revocation store: add \"revocation\" to the global auth block", who)
}

// nameOf returns the word of a module in a Caddyfile.
func nameOf(module any) string {
	if m, ok := module.(caddy.Module); ok {
		return m.CaddyModule().ID.Name()
	}
	return fmt.Sprintf("%T", module)
}
