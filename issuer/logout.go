// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/http/httpguts"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/extract"
	"github.com/caddybolt/caddy-bolt/internal/module"
)

func init() {
	caddy.RegisterModule(Logout{})
}

// revokeTimeout bounds how long a log-out waits for the store.
const revokeTimeout = 2 * time.Second

// Logout is a log-out endpoint. It stands behind "auth" and revokes the token
// that the request was accepted with, on every node that shares the revocation
// store. It answers
//
//	{"status":"logged out"}
//
// or
//
//	400  the credential is no token: an API key, a password
//	401  nobody is signed in
//	403  the token came in a cookie, and the request from another site
//	405  not POST
//	503  the revocation could not be written within 2 seconds, with Retry-After
//
// A token of a session ends the session with all its tokens. Connections that
// are open already, such as WebSockets, stay open.
//
// Cookies that carried the token are deleted, also when the answer is 503. A
// request with such a cookie is refused when a browser sends it for another
// site, which the headers Sec-Fetch-Site and Origin tell: a page elsewhere
// cannot log anybody out.
type Logout struct {
	// Revoke all tokens of the user that were issued until now, not just the
	// one presented. Default: false.
	All bool `json:"all,omitempty"`

	// Cookies to delete besides those in which "auth" looks for credentials.
	Cookies []string `json:"cookies,omitempty"`

	// Origins such as "https://www.example.com" whose pages may log out here
	// although they are another site's. Default: this one's alone.
	TrustedOrigins []string `json:"trusted_origins,omitempty"`

	logger     *zap.Logger
	clock      clock.Clock
	revocation auth.RevocationStore
	sameSite   *http.CrossOriginProtection
	outage     *outage
}

// credentialCookies is a request of the auth handler that says which of its
// cookies the credential may have come in.
type credentialCookies interface{ CredentialCookies() []string }

// leeway is a request of the auth handler that says how long after its end a
// token may still be accepted.
type leeway interface{ Leeway() time.Duration }

// CaddyModule returns the Caddy module information.
func (Logout) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.auth_logout",
		New: func() caddy.Module { return new(Logout) },
	}
}

// Provision finds the revocation store.
func (l *Logout) Provision(ctx caddy.Context) error {
	l.logger = ctx.Logger()
	l.outage = new(outage)
	services, err := auth.ServicesOf(ctx)
	if err != nil {
		return err
	}
	if r, ok := services.(auth.Revoker); ok { // a log-out that revokes nothing is none
		if l.revocation, err = r.RequireRevocation(); err != nil {
			return err
		}
	} else if l.revocation = services.Revocation(); l.revocation == nil {
		return errors.New("auth_logout needs a revocation store: add \"revocation\" to the global auth block")
	}
	l.sameSite = http.NewCrossOriginProtection()
	for _, origin := range l.TrustedOrigins {
		if err := l.sameSite.AddTrustedOrigin(origin); err != nil {
			return fmt.Errorf("trusted_origins: %q: an origin is written as https://www.example.com: %w", origin, err)
		}
	}
	return nil
}

// Validate judges the names of cookies.
func (l *Logout) Validate() error {
	for i, name := range l.Cookies {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("cookies: %q is not the name of a cookie", name)
		}
		if slices.Contains(l.Cookies[:i], name) {
			return fmt.Errorf("cookies: %q is given twice", name)
		}
	}
	return nil
}

// ServeHTTP answers the request. There is nothing behind it.
func (l *Logout) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refuse(w, r, http.StatusMethodNotAllowed, "the method must be POST")
	}
	id, ok := auth.FromContext(r.Context())
	if !ok {
		w.Header().Set("WWW-Authenticate", "Bearer")
		return refuse(w, r, http.StatusUnauthorized, "nobody is signed in")
	}
	cookies, mayBeCookie := l.presented(r)
	if mayBeCookie && l.sameSite.Check(r) != nil {
		return refuse(w, r, http.StatusForbidden, "the request comes from another site")
	}
	token := id.Token()
	if token.ID == "" {
		return refuse(w, r, http.StatusBadRequest, "the credential is not a token and cannot be revoked")
	}
	for _, name := range cookies {
		http.SetCookie(w, expired(r, name))
	}
	if err := l.revoke(r, token); err != nil {
		l.outage.begin(context.WithoutCancel(r.Context()), l.logger, "revocations cannot be written", err)
		w.Header().Set("Retry-After", seconds(retryAfter))
		return refuse(w, r, http.StatusServiceUnavailable, "the token could not be revoked")
	}
	l.outage.end(l.logger)
	return writeJSON(w, http.StatusOK, struct {
		Status string `json:"status"`
	}{"logged out"})
}

// revoke ends the token, or all tokens of its user. It goes on when the client
// hangs up: whoever closes the window wants to be logged out.
func (l *Logout) revoke(r *http.Request, token auth.TokenRef) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), revokeTimeout)
	defer cancel()
	var late time.Duration
	if from, ok := caddyhttp.GetVar(r.Context(), auth.RequestVar).(leeway); ok {
		late = from.Leeway()
	}
	if err := auth.RevokeIn(ctx, l.revocation, token, late); err != nil {
		return err
	}
	if !l.All {
		return nil
	}
	// A token of another issuer may be dated ahead, as far as leeway allows.
	now := l.clock.Now()
	if token.IssuedAt.After(now) {
		now = token.IssuedAt
	}
	return l.revocation.RevokeUser(ctx, token.User, now, time.Time{})
}

// presented returns the names of the cookies of the request that may hold the
// credential, and whether one of them, or one whose name nobody tells, may.
func (l *Logout) presented(r *http.Request) (names []string, may bool) {
	names = slices.Clone(l.Cookies)
	names = slices.DeleteFunc(names, func(name string) bool { return !extract.HasCookie(r.Header, name) })
	from, ok := caddyhttp.GetVar(r.Context(), auth.RequestVar).(credentialCookies)
	if ok { // which may have been stripped from the request since
		names = append(names, from.CredentialCookies()...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	unknown := !ok && r.Header.Get("Cookie") != "" && r.Header.Get("Authorization") == ""
	return names, len(names) > 0 || unknown
}

// expired returns a cookie that deletes one. What it says of itself must not
// make a browser ignore it.
func expired(r *http.Request, name string) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // it holds nothing; Secure follows the connection
		Name:     name,
		Path:     "/",
		MaxAge:   -1,
		Expires:  time.Unix(1, 0),
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
		Secure:   r.TLS != nil || strings.HasPrefix(name, "__Host-") || strings.HasPrefix(name, "__Secure-"),
	}
}

// UnmarshalCaddyfile sets up the handler. Syntax:
//
//	auth_logout [<matcher>] {
//	    all
//	    cookie          <name>
//	    trusted_origins <origin...>
//	}
//
// "cookie" may be repeated.
func (l *Logout) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive
	if d.NextArg() {
		return d.Errf("auth_logout takes no argument but a matcher, not %q", d.Val())
	}
	options := module.NewOptions(d)
	for d.NextBlock(0) {
		var err error
		switch d.Val() {
		case "all":
			err = options.Flag(&l.All)
		case "cookie":
			err = l.parseCookie(d)
		case "trusted_origins":
			err = l.parseOrigins(d, options)
		default:
			err = options.Unknown("auth_logout", "all", "cookie", "trusted_origins")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *Logout) parseCookie(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 1 {
		return d.Errf("option \"cookie\" needs one name")
	}
	l.Cookies = append(l.Cookies, args[0])
	if err := l.Validate(); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}

func (l *Logout) parseOrigins(d *caddyfile.Dispenser, options *module.Options) error {
	if err := options.Words(&l.TrustedOrigins); err != nil {
		return err
	}
	for _, origin := range l.TrustedOrigins {
		if err := http.NewCrossOriginProtection().AddTrustedOrigin(origin); err != nil {
			return d.Errf("%q: an origin is written as https://www.example.com", origin)
		}
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Logout)(nil)
	_ caddy.Validator             = (*Logout)(nil)
	_ caddyhttp.MiddlewareHandler = (*Logout)(nil)
	_ caddyfile.Unmarshaler       = (*Logout)(nil)
)
