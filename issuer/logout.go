// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/http/httpguts"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
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
//	503  the revocation could not be written within 2 seconds, or nobody could
//	     find out who is signed in, with Retry-After
//
// A token of a session ends the session with all its tokens, refresh tokens
// among them. A refresh token in a cookie of auth_token ends its session, too,
// even if nobody is signed in: on a path that is public, people whose access
// token has run out can log out. Connections that are open already, such as
// WebSockets, stay open.
//
// A cookie that carried the token is deleted, and those with refresh tokens,
// also when the answer is 503. So is, on a path that is public, one with a token
// that nobody accepts. A request with such a cookie is refused when a browser
// sends it for another site, which the headers Sec-Fetch-Site and Origin tell: a
// page elsewhere cannot log anybody out.
//
// When the answer is 503, this node refuses the token and its session all the
// same, and tells the store as soon as it answers, if the store is one of this
// module's: until then, or until the process ends, other nodes do not know. That
// the "auth" in front cannot tell whether the token is revoked keeps nobody from
// logging out: it hands such a request to the log-out, on whatever path.
type Logout struct {
	// Revoke all tokens of the user that were issued until now, not just the
	// one presented. Default: false.
	All bool `json:"all,omitempty"`

	// Cookies to delete besides those in which "auth" looks for credentials.
	Cookies []string `json:"cookies,omitempty"`

	// Origins such as "https://www.example.com" whose pages may log out here
	// although they are another site's. Default: this one's alone.
	TrustedOrigins []string `json:"trusted_origins,omitempty"`

	// Where to send a browser that logs out with a form, without a script: a
	// path of this site. It is sent there, with 303, when nobody is signed in,
	// too. Default: it sees the answer.
	Redirect string `json:"redirect,omitempty"`

	logger     *zap.Logger
	clock      clock.Clock
	revocation auth.RevocationStore
	sessions   auth.RefreshStore   // nil where the store keeps none
	cookies    auth.CookieRegistry // nil where nobody knows
	sameSite   *http.CrossOriginProtection
	outage     *outage
}

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
	// A log-out that revokes nothing is none.
	if l.revocation, err = revocationOf(services, "auth_logout"); err != nil {
		return err
	}
	l.sessions, _ = l.revocation.(auth.RefreshStore)
	l.cookies, _ = services.(auth.CookieRegistry)
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
	if strings.ContainsAny(l.Redirect, "{}") {
		return fmt.Errorf("redirect %q: it takes no placeholders, since nobody would replace them", l.Redirect)
	}
	if l.Redirect != "" && localPath(l.Redirect) != l.Redirect {
		return fmt.Errorf("redirect %q is not a path of this site", l.Redirect)
	}
	return nil
}

// ServeHTTP answers the request. There is nothing behind it.
func (l *Logout) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refuse(w, r, http.StatusMethodNotAllowed, "the method must be POST")
	}
	who := l.presented(r)
	if who.nothing() {
		return l.nobody(w, r)
	}
	if (who.mayBeCookie || len(who.refreshes) > 0) && l.sameSite.Check(r) != nil {
		return refuse(w, r, http.StatusForbidden, "the request comes from another site")
	}
	if who.id != nil && who.id.TokenID == "" {
		return refuse(w, r, http.StatusBadRequest, "the credential is not a token and cannot be revoked")
	}
	for _, name := range who.cookies {
		http.SetCookie(w, expired(r, name, "/"))
	}
	for _, c := range who.refreshes {
		http.SetCookie(w, expired(r, c.name, c.path))
	}
	ended, err := l.end(r, who)
	switch {
	case err != nil:
		l.outage.begin(context.WithoutCancel(r.Context()), l.logger, "revocations cannot be written", err)
		w.Header().Set("Retry-After", seconds(retryAfter))
		return refuse(w, r, http.StatusServiceUnavailable, "the token could not be revoked")
	case !ended:
		return l.nobody(w, r)
	}
	l.outage.end(l.logger)
	if l.redirects(r) {
		return redirect(w, l.Redirect)
	}
	return writeJSON(w, http.StatusOK, struct {
		Status string `json:"status"`
	}{"logged out"})
}

// LogsOut tells auth that this handler is a log-out: one whose token it could not
// judge is answered here all the same.
func (*Logout) LogsOut() {}

// nobody answers when there is nothing to end.
func (l *Logout) nobody(w http.ResponseWriter, r *http.Request) error {
	if isUndecided(r) { // on a public path: they may be signed in, and would believe that they are not
		w.Header().Set("Retry-After", seconds(retryAfter))
		return refuse(w, r, http.StatusServiceUnavailable, "the token could not be revoked")
	}
	if l.redirects(r) { // they wanted to be logged out, and are
		return redirect(w, l.Redirect)
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	return refuse(w, r, http.StatusUnauthorized, "nobody is signed in")
}

// isUndecided reports whether auth let the request pass as nobody's because it
// could not find out whose it is.
func isUndecided(r *http.Request) bool {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return false
	}
	reason, _ := repl.GetString("http.auth.error")
	return reason == string(auth.ReasonStoreUnavailable) || reason == string(auth.ReasonKeysUnavailable)
}

// redirects reports whether a browser sends the form by itself, and is sent on.
func (l *Logout) redirects(r *http.Request) bool { return l.Redirect != "" && navigates(r) }

// Interface guards
var (
	_ caddy.Provisioner           = (*Logout)(nil)
	_ caddy.Validator             = (*Logout)(nil)
	_ caddyhttp.MiddlewareHandler = (*Logout)(nil)
)
