// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/extract"
)

// maxCookie is what browsers keep of a cookie, its name and its value.
const maxCookie = 4096

// Cookie delivers the tokens in cookies that no script can read (HttpOnly), that
// travel over HTTPS alone (Secure, but for http://localhost and its like) and
// not with what other sites make the browser send (SameSite). The body holds no
// token: {"status":"logged in","expires_in":3600}.
//
// The refresh token stands in a second cookie, which the browser sends to the
// folder of the endpoint alone: from /auth/login to /auth, and from /login to
// /login.
//
// A POST that a browser sends for another site is answered with 403. A form that
// a browser sends by itself, without a script, is answered with a redirect (303):
// to the address in the field or parameter "next", which must be a path of this
// site, after a log-in; and back, with the parameter "error" and a fragment that
// say what was wrong, otherwise.
//
// GET passes on to what comes behind it: the page with the form, at the same
// path. With refresh tokens, a browser whose access token has run out and whose
// session goes on does not see it: it gets new cookies, and the redirect.
type Cookie struct {
	// The name of the cookie with the access token; the jwt must look for it.
	// Required.
	Name string `json:"name,omitempty"`

	// The name of the cookie with the refresh token. Default: the name, and
	// "_refresh".
	RefreshName string `json:"refresh_name,omitempty"`

	// The path of the cookie with the refresh token. Default: the folder of the
	// endpoint.
	RefreshPath string `json:"refresh_path,omitempty"`

	// When browsers send the cookies along from other sites: with "lax", when
	// somebody follows a link; with "strict", never, so that who follows a link
	// from elsewhere is not signed in at first. Default: "lax".
	SameSite string `json:"same_site,omitempty"`
}

const (
	prefixHost   = "__Host-"
	prefixSecure = "__Secure-"
)

// refreshName is the name of the cookie with the refresh token. It is not one of
// the names that browsers keep for cookies with the path "/".
func (c *Cookie) refreshName() string {
	if c.RefreshName != "" {
		return c.RefreshName
	}
	name := c.Name
	if rest, ok := strings.CutPrefix(name, prefixHost); ok {
		name = prefixSecure + rest
	}
	return name + "_refresh"
}

// check judges the options.
func (c *Cookie) check() error {
	for _, name := range []string{c.Name, c.refreshName()} {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("cookie: %q is not the name of a cookie", name)
		}
	}
	switch {
	case c.Name == c.refreshName():
		return fmt.Errorf("cookie: both cookies are named %q", c.Name)
	case strings.HasPrefix(c.refreshName(), prefixHost) && c.RefreshPath != "/":
		return fmt.Errorf("cookie: refresh_name %q: browsers keep the prefix for cookies of the whole site: it needs refresh_path /", c.refreshName())
	case c.RefreshPath != "" && (localPath(c.RefreshPath) != c.RefreshPath || strings.ContainsAny(c.RefreshPath, "?#{};%")):
		return fmt.Errorf("cookie: refresh_path %q is not a plain path such as /auth", c.RefreshPath)
	case c.SameSite != "" && c.SameSite != "lax" && c.SameSite != "strict":
		return fmt.Errorf("cookie: same_site %q; there are: lax, strict", c.SameSite)
	}
	return nil
}

// checkCookie refuses a cookie in which nobody would find the token.
func (t *Token) checkCookie() error {
	c := t.Cookie
	if c == nil {
		return nil
	}
	if c.Name == "" {
		return errors.New("cookie: the name is required")
	}
	if err := c.check(); err != nil {
		return err
	}
	if t.Refresh == nil && c.needsRefresh() {
		return errCookieRefresh
	}
	if s, ok := t.signer.(auth.SourceLister); ok && !slices.Contains(s.Sources(), auth.Source{Cookie: c.Name}) {
		return fmt.Errorf("cookie: the jwt does not look for the cookie %q: add \"cookie %s\" to it", c.Name, c.Name)
	}
	return nil
}

// needsRefresh reports whether an option means nothing without refresh tokens.
func (c *Cookie) needsRefresh() bool {
	return c != nil && (c.RefreshName != "" || c.RefreshPath != "")
}

var errCookieRefresh = errors.New("cookie: refresh_name and refresh_path need refresh")

// refreshCookie returns the refresh token of the request. One that is there
// twice is none: another host of the domain may have set the second.
func (t *Token) refreshCookie(r *http.Request) (string, error) {
	text, _, err := refreshTokens(t.Cookie.refreshName()).Extract(r)
	return text, err
}

// refreshTokens looks for a refresh token in a cookie.
func refreshTokens(cookie string) *extract.Extractor {
	e, err := extract.New([]auth.Source{{Cookie: cookie}}, maxCookie)
	if err != nil {
		panic(err) // the name was checked
	}
	return e
}

// setCookies puts the tokens into the response.
func (t *Token) setCookies(w http.ResponseWriter, r *http.Request, g *grant) {
	t.setCookie(w, r, t.Cookie.Name, g.access, "/", g.expires)
	if g.refresh != nil {
		t.setCookie(w, r, t.Cookie.refreshName(), g.refresh.text(), t.refreshPath(r), g.refreshUntil.Sub(t.clock.Now()))
	}
}

func (t *Token) setCookie(w http.ResponseWriter, r *http.Request, name, value, path string, lifetime time.Duration) {
	c := &http.Cookie{ //nolint:gosec // Secure follows the connection
		Name: name, Value: value, Path: path, MaxAge: max(1, int(lifetime/time.Second)),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: isSecure(r, name),
	}
	if t.Cookie.SameSite == "strict" {
		c.SameSite = http.SameSiteStrictMode
	}
	http.SetCookie(w, c)
}

// forgetRefresh deletes the cookie with a refresh token that is not good.
func (t *Token) forgetRefresh(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, expired(r, t.Cookie.refreshName(), t.refreshPath(r)))
}

func (t *Token) refreshPath(r *http.Request) string {
	if t.Cookie.RefreshPath != "" {
		return t.Cookie.RefreshPath
	}
	return folder(ownPath(r))
}

// folder returns the folder that a path is in, or the path itself if that is the
// whole site: a refresh token need not be sent there.
func folder(path string) string {
	if i := strings.LastIndexByte(strings.TrimSuffix(path, "/"), '/'); i > 0 {
		return path[:i]
	}
	return path
}

// ownPath returns the path that the client asked for.
func ownPath(r *http.Request) string {
	u := r.URL
	if orig, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && orig.URL != nil {
		u = orig.URL
	}
	return u.EscapedPath()
}

// isSecure reports whether a cookie is for HTTPS alone. It always is, since a
// proxy in front may speak HTTPS, but for a browser on the server's own machine.
// Names may ask for it, too.
func isSecure(r *http.Request, name string) bool {
	return r.TLS != nil || !isLoopback(r.Host) || strings.HasPrefix(name, prefixHost) || strings.HasPrefix(name, prefixSecure)
}

func isLoopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(host), "["), "]")
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// expired returns a cookie that deletes one. What it says of itself must not
// make a browser ignore it.
func expired(r *http.Request, name, path string) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // it holds nothing; Secure follows the connection
		Name:     name,
		Path:     path,
		MaxAge:   -1,
		Expires:  time.Unix(1, 0),
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
		Secure:   r.TLS != nil || strings.HasPrefix(name, prefixHost) || strings.HasPrefix(name, prefixSecure),
	}
}
