// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

func init() {
	caddy.RegisterModule(Token{})
}

const (
	defaultExpiresIn = time.Hour

	// maxExpiresIn keeps tokens from outliving the cut-off of a user, which
	// stores keep for 400 days.
	maxExpiresIn = 366 * 24 * time.Hour

	// verifyTimeout bounds how long a user store may take.
	verifyTimeout = 10 * time.Second

	// retryAfter is what a 503 suggests.
	retryAfter = 5 * time.Second
)

// Token is a log-in endpoint: it takes a name and a password, asks the user
// store of the global auth block, and answers with a token that a jwt of the
// global auth block accepts.
//
// It answers POST alone. The body is a JSON object or a form, of at most 8 KiB,
// with "username" and "password"; "grant_type" may be "password" (OAuth 2.0, RFC
// 6749, section 4.3). Other members are ignored. The answer is
//
//	{"access_token":"...","token_type":"bearer","expires_in":3600}
//
// and an error is one of RFC 6749, section 5.2:
//
//	400 invalid_request         the request is malformed, or a field is missing or repeated
//	400 unsupported_grant_type  "grant_type" is something else
//	400 invalid_grant           unknown user, wrong password or inactive user, all alike
//	405, 408, 413               not POST; a body that takes over 10 seconds; one over 8 KiB
//	429                         too many failed attempts, with Retry-After
//	503                         the user store or the key cannot be used, with Retry-After
//
// A token holds the claims sub, username, is_staff, is_superuser, iat, exp, jti,
// and iss and aud if the jwt asks for them.
//
// Of one user name, 10 attempts may fail at once, and then one each 10 seconds;
// from one address (an IPv6 network of 64 bits), 50 and then one each second.
// Right passwords do not count. The address is that of Caddy's trusted proxies:
// configure trusted_proxies behind one, or all clients share the proxy's.
type Token struct {
	// The name of the jwt authenticator of the global auth block that the
	// token is for. Default: the first.
	For string `json:"for,omitempty"`

	// How long a token is valid, in whole seconds up to 366 days. Default: 1
	// hour.
	ExpiresIn caddy.Duration `json:"expires_in,omitempty"`

	// What the token holds of the user besides: "permissions", a list, or any
	// field of the user store, such as "email". A field that the user does not
	// have is left out. Default: nothing.
	Include []string `json:"include,omitempty"`

	// Claims of the token by their names, as text. Placeholders of the request
	// and {http.auth.user.*}, the user who signs in, are replaced; a claim that
	// comes out empty is left out, one of over 1 KiB is refused. The claims that
	// the endpoint sets by itself cannot be set here.
	Claims map[string]string `json:"claims,omitempty"`

	logger   *zap.Logger
	clock    clock.Clock
	signer   auth.Signer
	users    auth.UserStore
	services auth.Services // asked for the revocation store, which a log-out may turn on
	attempts *limiter
	acquired bool
	outage   *outage
	wait     func(context.Context, time.Duration) error
}

// CaddyModule returns the Caddy module information.
func (Token) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.auth_token",
		New: func() caddy.Module { return new(Token) },
	}
}

// Provision finds the user store and the key.
func (t *Token) Provision(ctx caddy.Context) error {
	t.logger = ctx.Logger()
	t.outage, t.wait = new(outage), pause
	if t.ExpiresIn == 0 {
		t.ExpiresIn = caddy.Duration(defaultExpiresIn)
	}
	services, err := auth.ServicesOf(ctx)
	if err != nil {
		return err
	}
	if t.users = services.Users(); t.users == nil {
		return errors.New("auth_token needs a user store: add \"users\" to the global auth block")
	}
	if t.signer, err = signer(services, t.For); err != nil {
		return err
	}
	t.services = services
	if r, ok := services.(auth.IssuerRegistry); ok {
		r.NoteIssuer(t.signer.Issuer())
	}
	attempts, _, err := limiters.LoadOrNew(limiterKey, func() (caddy.Destructor, error) { return newLimiter(), nil })
	if err != nil {
		return err
	}
	t.attempts, t.acquired = attempts.(*limiter), true
	return nil
}

// signer finds the jwt of that name, and makes sure that it can sign.
func signer(services auth.Services, name string) (auth.Signer, error) {
	s, err := services.Signer(name)
	if err != nil {
		return nil, fmt.Errorf("issuing tokens: %w", err)
	}
	if err := s.CanSign(); err != nil {
		return nil, fmt.Errorf("issuing tokens: %w", err)
	}
	return s, nil
}

// Validate judges the options.
func (t *Token) Validate() error {
	if d := time.Duration(t.ExpiresIn); d < time.Second || d > maxExpiresIn || d%time.Second != 0 {
		return fmt.Errorf("expires_in %s: it is whole seconds, at least one and at most 366 days", d)
	}
	for i, name := range t.Include {
		if err := checkClaim(name); err != nil {
			return fmt.Errorf("include: %w", err)
		}
		if slices.Contains(t.Include[:i], name) {
			return fmt.Errorf("include: %q is given twice", name)
		}
		if _, ok := t.Claims[name]; ok {
			return fmt.Errorf("claim %q is included already", name)
		}
	}
	for name, value := range t.Claims {
		if err := checkClaim(name); err != nil {
			return err
		}
		if value == "" {
			return fmt.Errorf("claim %q has no value", name)
		}
	}
	return nil
}

// checkClaim refuses names that an option may not set.
func checkClaim(name string) error {
	switch {
	case name == "":
		return errors.New("a claim has no name")
	case isReserved(name):
		return fmt.Errorf("claim %q is set by auth_token itself", name)
	default:
		return nil
	}
}

// Cleanup gives the count of failed attempts away.
func (t *Token) Cleanup() error {
	if !t.acquired {
		return nil
	}
	t.acquired = false
	_, err := limiters.Delete(limiterKey)
	return err
}

// ServeHTTP answers the request. There is nothing behind it.
func (t *Token) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	answer, err := t.answer(w, r)
	if err == nil {
		return writeJSON(w, http.StatusOK, answer)
	}
	var f *failure
	if !errors.As(err, &f) {
		t.outage.begin(r.Context(), t.logger, "tokens cannot be issued", err)
		f = &failure{
			status: http.StatusServiceUnavailable, code: "temporarily_unavailable",
			description: "signing in is not possible at the moment", retryAfter: retryAfter,
		}
	} else if c := t.logger.Check(zapcore.DebugLevel, "log-in refused"); c != nil {
		c.Write(zap.Int("status", f.status), zap.String("error", f.code))
	}
	return f.write(w)
}

// granted is the answer to a log-in (RFC 6749, section 5.1).
type granted struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
}

// answer returns a token, a failure of the client, or an error of the server.
func (t *Token) answer(w http.ResponseWriter, r *http.Request) (*granted, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &failure{status: http.StatusMethodNotAllowed, code: "invalid_request", description: "the method must be POST"}
	}
	in, f := readLogin(w, r)
	if f != nil {
		return nil, f
	}
	attempt, wait := t.attempts.begin(in.username, clientAddress(r), t.clock.Now())
	if wait > 0 {
		return nil, &failure{
			status: http.StatusTooManyRequests, code: "temporarily_unavailable",
			description: "too many failed attempts", retryAfter: wait,
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), verifyTimeout)
	defer cancel()
	user, err := t.users.Verify(ctx, in.username, in.password)
	switch {
	case errors.Is(err, auth.ErrInvalidCredentials):
		return nil, &failure{status: http.StatusBadRequest, code: "invalid_grant", description: "wrong username or password"}
	case err != nil:
		if r.Context().Err() == nil { // who hangs up early has not been told, and may have guessed
			attempt.refund()
		}
		return nil, fmt.Errorf("asking the user store: %w", err)
	}
	attempt.refund()
	return t.issue(ctx, r, user)
}

// issue makes a token for a user who signed in.
func (t *Token) issue(ctx context.Context, r *http.Request, user *auth.User) (*granted, error) {
	if err := checkUser(user); err != nil {
		return nil, err
	}
	id := identify()
	issued, err := t.issuedAt(ctx, user.ID, id)
	if err != nil {
		return nil, err
	}
	lifetime := time.Duration(t.ExpiresIn)
	payload, err := t.payload(r, user, id, issued, issued.Add(lifetime))
	if err != nil {
		return nil, err
	}
	token, err := t.signer.Sign(ctx, payload)
	switch {
	case err != nil:
		return nil, fmt.Errorf("signing: %w", err)
	case token == "":
		return nil, errors.New("signing: no token")
	}
	t.outage.end(t.logger)
	return &granted{AccessToken: token, TokenType: "bearer", ExpiresIn: int64(lifetime / time.Second)}, nil
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
		status: http.StatusServiceUnavailable, code: "temporarily_unavailable",
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

// clientAddress returns the address of the client as far as Caddy trusts the
// proxies in between.
func clientAddress(r *http.Request) string {
	if address, ok := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string); ok && address != "" {
		return address
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Token)(nil)
	_ caddy.Validator             = (*Token)(nil)
	_ caddy.CleanerUpper          = (*Token)(nil)
	_ caddyhttp.MiddlewareHandler = (*Token)(nil)
	_ caddyfile.Unmarshaler       = (*Token)(nil)
)
