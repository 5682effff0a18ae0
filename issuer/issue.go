// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

// grant is what a client gets.
type grant struct {
	access       string
	expires      time.Duration // from now on
	refresh      *refreshToken // nil for none
	refreshUntil time.Time
}

// granted is the answer to a log-in (RFC 6749, section 5.1).
type granted struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
}

func (g *grant) tokens() *granted {
	answer := &granted{AccessToken: g.access, TokenType: "bearer", ExpiresIn: int64(g.expires / time.Second)}
	if g.refresh != nil {
		answer.RefreshToken = g.refresh.text()
	}
	return answer
}

// issue makes tokens for a user who signed in.
func (t *Token) issue(ctx context.Context, r *http.Request, user *auth.User) (*grant, error) {
	if err := checkUser(user); err != nil {
		return nil, err
	}
	s := stamp{id: identify(), lifetime: time.Duration(t.ExpiresIn)}
	var token *refreshToken
	if t.Refresh != nil {
		token = newRefreshToken()
		s.session = token.sessionID()
	}
	var err error
	if s.issued, err = t.issuedAt(ctx, user.ID, s.id); err != nil {
		return nil, err
	}
	g, err := t.sign(ctx, r, user, s)
	if err != nil || token == nil {
		return g, err
	}
	ref := auth.UserRef{Issuer: t.signer.Issuer(), ID: user.ID}
	if _, err := t.users.Load(ctx, ref); err != nil { // now rather than at the first refresh
		return nil, fmt.Errorf("loading the user by the issuer of the tokens: %w", err)
	}
	session, err := t.beginSession(ctx, token, ref, s.issued)
	if err != nil {
		return nil, err
	}
	g.refresh, g.refreshUntil = token, session.Until
	return g, nil
}

// sign makes an access token.
func (t *Token) sign(ctx context.Context, r *http.Request, user *auth.User, s stamp) (*grant, error) {
	payload, err := t.payload(r, user, s)
	if err != nil {
		return nil, err
	}
	if err := t.checkPayload(payload, user, s, s.issued); err != nil {
		t.unissuable.log(t.logger, "a user gets no token, since the jwt would refuse it", err)
		return nil, errUnissuable
	}
	token, err := t.signer.Sign(ctx, payload)
	switch {
	case errors.Is(err, auth.ErrInvalidCredentials):
		t.unissuable.log(t.logger, "a user gets no token, since the jwt would refuse it", err)
		return nil, errUnissuable
	case err != nil:
		return nil, fmt.Errorf("signing: %w", err)
	case token == "":
		return nil, errors.New("signing: no token")
	case t.Cookie != nil && len(t.Cookie.Name)+len(token) > maxCookie:
		t.unissuable.log(t.logger, "a user gets no token, since browsers keep no cookie of its size",
			fmt.Errorf("%d bytes, and %d is the most", len(t.Cookie.Name)+len(token), maxCookie))
		return nil, errUnissuable
	}
	t.outage.end(t.logger)
	elapsed := max(0, t.clock.Now().Sub(s.issued)).Truncate(time.Second)
	return &grant{access: token, expires: max(0, s.lifetime-elapsed)}, nil
}

// errUnissuable is the answer to a user for whom no token can be made that would
// be accepted: one whose data lacks a claim that the jwt requires.
var errUnissuable = &failure{status: http.StatusBadRequest, code: codeInvalidGrant, description: "no token can be issued for this user"}

// checkPayload asks the jwt whether it would accept a token, as whose it is made
// for. The revocation of a user, and of a session, depends on that.
func (t *Token) checkPayload(payload []byte, user *auth.User, s stamp, at time.Time) error {
	checker, ok := t.signer.(auth.PayloadChecker)
	if !ok {
		return nil
	}
	id, err := checker.CheckPayload(payload, at)
	switch {
	case err != nil:
		return err
	case id.ID != user.ID || id.Issuer != t.signer.Issuer():
		return errors.New("the jwt takes another claim than \"sub\" for the user's ID")
	case id.TokenID != s.id || id.SessionID != s.session:
		return errors.New("the jwt does not know the token by its \"jti\" and \"sid\"")
	}
	return nil
}

// checkSigner finds out whether the jwt would accept what is issued here, as far
// as that can be known without a user: in the token's first second and in its
// last.
func (t *Token) checkSigner() error {
	if err := t.checkUses(); err != nil {
		return err
	}
	const id, value = "somebody", "x"
	user := &auth.User{
		UserRef: auth.UserRef{Issuer: t.signer.Issuer(), ID: id}, Username: value, Fields: auth.Object{},
		Staff: true, Superuser: true, Permissions: auth.NewSet("permission"),
	}
	for _, name := range t.Include {
		user.Fields[name] = value
	}
	s := stamp{id: value, issued: t.clock.Now().Truncate(time.Second), lifetime: time.Duration(t.ExpiresIn)}
	if t.Refresh != nil {
		s.session = value
	}
	payload, err := t.payloadOf(user, s, func(string) string { return value })
	if err != nil {
		return err
	}
	if err := t.checkPayload(payload, user, s, s.issued); err != nil {
		return fmt.Errorf("the jwt would refuse what is issued here: %w", err)
	}
	if err := t.checkPayload(payload, user, s, s.issued.Add(s.lifetime-time.Second)); err != nil {
		return fmt.Errorf("expires_in %s: the jwt would refuse the tokens before their end: %w", s.lifetime, err)
	}
	return t.checkRights(payload, user, s.issued)
}

// checkRights finds out whether what a token says of its user is read as that.
func (t *Token) checkRights(payload []byte, user *auth.User, at time.Time) error {
	checker, ok := t.signer.(auth.PayloadChecker)
	if !ok {
		return nil
	}
	id, err := checker.CheckPayload(payload, at)
	switch {
	case err != nil:
		return err
	case !id.Staff:
		return errors.New("the jwt does not read the claim \"is_staff\" that is issued here: add it to its staff_claim")
	case !id.Superuser:
		return errors.New("the jwt does not read the claim \"is_superuser\" that is issued here: add it to its superuser_claim")
	case slices.Contains(t.Include, "permissions") && !id.Permissions.HasAll(user.Permissions.Words()):
		return errors.New("the jwt does not read the claim \"permissions\" that is issued here: put it first in its permissions_claim")
	default:
		return nil
	}
}

// checkUses refuses claims that would let clients say who they are and what they
// may do.
func (t *Token) checkUses() error {
	reader, ok := t.signer.(auth.ClaimReader)
	if !ok {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(t.Claims)) {
		switch reader.ClaimUse(name) {
		case auth.ClaimIdentity:
			return fmt.Errorf("claim %q: the jwt reads from it who somebody is, or a flag: auth_token does not set it", name)
		case auth.ClaimPermissions:
			if key := ofRequest(t.Claims[name]); key != "" {
				return fmt.Errorf("claim %q: the jwt reads permissions from it, and {%s} is whatever the client sends: it takes text and {http.auth.user.*} alone", name, key)
			}
		case auth.ClaimOther:
		}
	}
	return nil
}

// ofRequest returns a placeholder of the text that a request may fill; empty if
// there is none.
func ofRequest(text string) (found string) {
	repl := caddy.NewEmptyReplacer()
	repl.Map(func(key string) (any, bool) {
		for _, ours := range []string{"http.auth.user.", "env.", "file.", "system."} {
			if strings.HasPrefix(key, ours) {
				return "", true
			}
		}
		found = key
		return "", true
	})
	repl.ReplaceAll(text, "")
	return found
}

// issuedAt returns the "iat" of a new token: now. If all tokens of the user were
// revoked within this second, it waits for the next: an "iat" of this second
// would be dead on arrival, and one that lies ahead would outlive a cut-off that
// comes before it.
func (t *Token) issuedAt(ctx context.Context, user, id string) (time.Time, error) {
	for range 3 {
		now := t.clock.Now()
		issued := now.Truncate(time.Second)
		if t.services.Revocation() == nil {
			return issued, nil
		}
		revoked, err := t.services.Revocation().Revoked(ctx, auth.TokenRef{
			ID: id, User: auth.UserRef{Issuer: t.signer.Issuer(), ID: user}, IssuedAt: issued,
		})
		switch {
		case err != nil:
			return time.Time{}, fmt.Errorf("asking the revocation store: %w", err)
		case !revoked:
			return issued, nil
		}
		if err := t.wait(ctx, issued.Add(time.Second).Sub(now)); err != nil {
			return time.Time{}, err
		}
	}
	return time.Time{}, &failure{ // the cut-off lies ahead: somebody set it so, or clocks differ
		status: http.StatusServiceUnavailable, code: codeUnavailable,
		description: "signing in is not possible at the moment", retryAfter: retryAfter,
	}
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
