// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/internal/text"
)

// servePage hands a GET on to the page with the form, unless the session of a
// browser goes on: then it gets new cookies and the page that it asked for.
func (t *Token) servePage(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	w.Header().Set("Cache-Control", "no-store") // or a browser would not ask again
	if t.Refresh == nil || r.Method != http.MethodGet || !navigates(r) || r.Header.Get("Sec-Purpose") != "" {
		return next.ServeHTTP(w, r)
	}
	token, err := t.refreshCookie(r)
	if err != nil {
		return next.ServeHTTP(w, r)
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	// A browser that comes back at once was refused though it had new cookies.
	// It sees the page rather than going round in circles.
	g, err := t.renewSlowly(ctx, r, token, true)
	switch {
	case err == nil:
		t.setCookies(w, r, g)
		return redirect(w, t.nextOf(r, nil))
	case errors.Is(err, errRefreshToken):
		t.forgetRefresh(w, r)
	case !errors.Is(err, errJustRotated):
		_ = t.failureOf(r, err) // is logged; the page is there all the same
	}
	return next.ServeHTTP(w, r)
}

// deliver answers with cookies: a script with JSON, a browser with a redirect.
func (t *Token) deliver(w http.ResponseWriter, r *http.Request, in *call, g *grant, f *failure) error {
	if f == errRefreshToken {
		t.forgetRefresh(w, r)
	}
	if g != nil {
		t.setCookies(w, r, g)
	}
	own := ownPath(r)
	form := r.Method == http.MethodPost && mediaType(r) == mediaForm && navigates(r) && localPath(own) == own
	switch {
	case form && f != nil && f.status != http.StatusForbidden:
		return redirect(w, failed(own, t.nextOf(r, in), f.code))
	case form && g != nil:
		next := t.nextOf(r, in)
		if r.URL.Query().Has("error") && !strings.Contains(next, "#") {
			next += "#" // or the browser would keep the fragment of the failure
		}
		return redirect(w, next)
	case f != nil:
		return f.write(w)
	default:
		return writeJSON(w, http.StatusOK, struct {
			Status    string `json:"status"`
			ExpiresIn int64  `json:"expires_in"`
		}{"logged in", int64(g.expires / time.Second)})
	}
}

// failed is the address of the page with the form after a failure: a template
// reads the parameter, and a style sheet shows the element of that ID.
func failed(page, next, code string) string {
	query := url.Values{"error": {code}}
	if next != "/" {
		query.Set("next", next)
	}
	return page + "?" + query.Encode() + "#" + code
}

// redirect sends a browser on.
func redirect(w http.ResponseWriter, location string) error {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// nextOf returns where the browser wants to go: what the form says, or else the
// query.
func (t *Token) nextOf(r *http.Request, in *call) string {
	next := ""
	if in != nil {
		next = in.next
	}
	if next == "" {
		query := r.URL.RawQuery
		if orig, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && orig.URL != nil {
			query = orig.URL.RawQuery
		}
		if values, err := url.ParseQuery(query); err == nil && len(values["next"]) == 1 {
			next = values.Get("next")
		}
	}
	next = localPath(next)
	if path, _, _ := strings.Cut(next, "?"); path == ownPath(r) { // it would be the form again
		return "/"
	}
	return next
}

// maxNext bounds an address that is handed on.
const maxNext = 2 << 10

// localPath returns the address if it is a path of this site, with its query,
// for every browser and whatever is done with the path; else the root.
//
// "//evil.example", "/\evil.example" and "/<tab>/evil.example" are addresses of
// another host for browsers, and "/x/..//evil.example" becomes one where a path
// is cleaned.
func localPath(address string) string {
	if len(address) > maxNext || !text.IsLocalPath(address) {
		return "/"
	}
	for i := range len(address) {
		if address[i] >= 0x80 {
			return "/"
		}
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "/"
	}
	if strings.ContainsFunc(u.Path, func(c rune) bool { return c < 0x20 || c == 0x7f || c == '\\' }) {
		return "/"
	}
	if strings.Contains(u.Path, "//") {
		return "/"
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return "/"
		}
	}
	return address
}

// navigates reports whether a person is looking at the answer: a browser that
// follows a link, loads a page or sends a form, and no script.
func navigates(r *http.Request) bool {
	if r.Header.Get("X-Requested-With") != "" {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(strings.ToLower(strings.Join(r.Header.Values("Accept"), ",")), "text/html")
}
