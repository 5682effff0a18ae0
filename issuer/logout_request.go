// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/extract"
)

// maxRefreshCookies is how many refresh tokens in cookies of one name a log-out
// tries.
const maxRefreshCookies = 4

// credentialCookies is a request of the auth handler that says which of its
// cookies the credential may have come in.
type credentialCookies interface{ CredentialCookies() []string }

// formerCookies is one that says which cookies were stripped from it.
type formerCookies interface{ HadCookie(name string) bool }

// spentCookies is one that says which cookies are of no use after a log-out: the
// one that the credential came in, and those whose credential nobody accepted.
type spentCookies interface{ SpentCookies() []string }

// undecidedIdentity is one that says who a request of nobody's comes from, if
// all that could not be found out is whether the token is revoked. It is nobody
// whom anything may be given to.
type undecidedIdentity interface{ UndecidedIdentity() *auth.Identity }

// presented is what a request to log out presents.
type presented struct {
	id          *auth.Identity
	undecided   *auth.Identity // whose token may be revoked already
	cookies     []string       // to delete
	mayBeCookie bool           // that the credential came in
	refreshes   []foundRefresh
}

// foundRefresh are the cookies of one name in which refresh tokens may stand.
type foundRefresh struct {
	name, path string
	tokens     []*refreshToken
	more       bool // than are tried
}

// nothing reports whether there is nothing to end and nothing to delete.
func (p *presented) nothing() bool {
	return p.id == nil && p.undecided == nil && len(p.cookies) == 0 && len(p.refreshes) == 0
}

// presented finds out what the request presents.
func (l *Logout) presented(r *http.Request) presented {
	var p presented
	p.id, _ = auth.FromContext(r.Context())
	from := caddyhttp.GetVar(r.Context(), auth.RequestVar)
	if u, ok := from.(undecidedIdentity); ok {
		p.undecided = u.UndecidedIdentity()
	}
	p.refreshes = l.refreshCookies(r)

	p.cookies = slices.Clone(l.Cookies)
	former, strips := from.(formerCookies)
	p.cookies = slices.DeleteFunc(p.cookies, func(name string) bool {
		return !extract.HasCookie(r.Header, name) && !(strips && former.HadCookie(name))
	})
	p.mayBeCookie = len(p.cookies) > 0
	c, known := from.(credentialCookies)
	if known { // which may have been stripped from the request since
		may := c.CredentialCookies()
		p.mayBeCookie = p.mayBeCookie || len(may) > 0
		if s, ok := from.(spentCookies); ok {
			may = s.SpentCookies()
		}
		p.cookies = append(p.cookies, may...)
	} else if r.Header.Get("Cookie") != "" && r.Header.Get("Authorization") == "" {
		p.mayBeCookie = true
	}
	slices.Sort(p.cookies)
	p.cookies = slices.Compact(p.cookies)
	return p
}

// refreshCookies returns those cookies of auth_token that are in the request.
// Another host of the domain may have set one of the same name: each is tried.
func (l *Logout) refreshCookies(r *http.Request) []foundRefresh {
	if l.sessions == nil || l.cookies == nil {
		return nil
	}
	var found []foundRefresh
	for _, c := range l.cookies.RefreshCookies() {
		values := extract.Cookies(r.Header, c.Name)
		if len(values) == 0 {
			continue
		}
		f := foundRefresh{name: c.Name, path: c.Path}
		if f.path == "" {
			f.path = folder(ownPath(r))
		}
		slices.Sort(values) // the same one twice is one
		for _, text := range slices.Compact(values) {
			token, ok := parseRefreshToken(text)
			switch {
			case !ok:
			case len(f.tokens) == maxRefreshCookies:
				f.more = true
			default:
				f.tokens = append(f.tokens, token)
			}
		}
		found = append(found, f)
	}
	return found
}
