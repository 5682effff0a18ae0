// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/text"
)

// What clients read, whatever went wrong: the reason is for the operator.
var (
	errAmbiguous   = errors.New("the path of the request is ambiguous")
	errMissing     = errors.New("authentication is required")
	errRefused     = errors.New("the credential is not valid")
	errForbidden   = errors.New("access is not allowed")
	errEarly       = errors.New("the request came before the end of the TLS handshake")
	errAttempts    = errors.New("too many attempts have failed")
	errUnavailable = errors.New("the request cannot be authenticated at the moment")
)

// retryAfter is what a 503 suggests, in seconds.
const retryAfter = "5"

// refusal is the decision not to let a request pass.
type refusal struct {
	status int
	reason auth.Reason
	scheme string         // of the authenticator whose reason it is
	scopes string         // that the client lacks
	answer *auth.Response // of a provider that decided the outcome
	err    error          // for the operator
	wait   time.Duration  // until the next attempt

	undecided *auth.Identity // proven, but nobody can say whether the token is revoked
	doubtful  *member        // that proved it
}

// missing reports whether nothing was presented that an authenticator reads.
func (f *refusal) missing() bool {
	return f.err == auth.ErrNoCredentials //nolint:errorlint // the very value, not one that wraps it
}

// admits reports whether a request that nobody accepted passes all the same.
func (e *effective) admits(f *refusal) bool {
	switch e.admission {
	case auth.AdmitAnyone:
		return true
	case auth.AdmitMissing:
		return f.missing()
	default:
		return false
	}
}

// sentence is what the client reads.
func (f *refusal) sentence() error {
	switch {
	case f.status == http.StatusBadRequest:
		return errAmbiguous
	case f.status == http.StatusForbidden:
		return errForbidden
	case f.status == http.StatusTooEarly:
		return errEarly
	case f.status == http.StatusTooManyRequests:
		return errAttempts
	case f.status == http.StatusServiceUnavailable:
		return errUnavailable
	case f.reason == auth.ReasonMissingCredentials:
		return errMissing
	default:
		return errRefused
	}
}

// refuse answers the request. It is the only place that does.
//
// Refusals are returned as errors, so that handle_errors can dress them, with
// the challenge on the response already. Where returning one would do harm,
// they are written here: within error routes, whose errors Caddy logs with the
// whole request, and for a 503 without error routes, likewise.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, e *effective, f *refusal) error {
	if c := h.logger.Check(zapcore.DebugLevel, "request refused"); c != nil {
		c.Write(zap.Int("status", f.status), zap.String("reason", string(f.reason)), zap.Error(f.err))
	}
	header := w.Header()
	header.Set("Cache-Control", "no-store")

	switch f.status {
	case http.StatusUnauthorized:
		if target, ok := h.loginRedirect(r, e); ok {
			header.Set("Location", target)
			w.WriteHeader(http.StatusSeeOther)
			return nil
		}
		if f.answer != nil && f.answer.Status >= http.StatusMultipleChoices {
			writeAnswer(w, f.answer)
			return nil
		}
		for _, c := range challenges(e, f) {
			if !slices.Contains(header.Values("WWW-Authenticate"), c) { // of the auth whose error route this is
				header.Add("WWW-Authenticate", c)
			}
		}
	case http.StatusForbidden:
		if f.scheme == schemeBearer {
			header.Add("WWW-Authenticate", challenge(schemeBearer, e.realm, "insufficient_scope", f.scopes))
		}
	case http.StatusTooManyRequests: // rounded up: who comes then is not too early
		header.Set("Retry-After", strconv.FormatInt(int64((f.wait+time.Second-1)/time.Second), 10))
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", retryAfter)
	}
	if e.problem {
		return writeProblem(w, f)
	}
	if writesItself(r, f.status) {
		w.WriteHeader(f.status)
		return nil
	}
	return caddyhttp.Error(f.status, f.sentence())
}

// writesItself reports whether an error that is returned would make Caddy log
// the whole request, every credential but its own four in clear.
func writesItself(r *http.Request, status int) bool {
	if r.Context().Value(caddyhttp.ErrorCtxKey) != nil {
		return true
	}
	if status < http.StatusInternalServerError {
		return false
	}
	srv, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return !ok || srv == nil || srv.Errors == nil || len(srv.Errors.Routes) == 0
}

const (
	schemeBearer = "Bearer"
	schemeBasic  = "Basic"
)

// challenges lists one challenge for every way to sign in (RFC 9110, section
// 11.6.1). The one whose credential was refused says so.
func challenges(e *effective, f *refusal) []string {
	var list []string
	for _, m := range e.members {
		if m.scheme == "" {
			continue
		}
		code := ""
		if f.reason != auth.ReasonMissingCredentials && m.scheme == f.scheme {
			code = "invalid_token"
		}
		if c := challenge(m.scheme, e.realm, code, ""); !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	if f.answer != nil {
		for _, c := range f.answer.Header.Values("WWW-Authenticate") {
			if isChallenge(c) && !slices.Contains(list, c) {
				list = append(list, c)
			}
		}
	}
	if len(list) == 0 { // a 401 must have one (RFC 9110, section 15.5.2)
		list = append(list, challenge(schemeBearer, e.realm, "", ""))
	}
	return list
}

func challenge(scheme, realm, code, scopes string) string {
	var sb strings.Builder
	sb.WriteString(scheme)
	sb.WriteString(` realm=`)
	sb.WriteString(quote(realm))
	if scheme == schemeBasic { // RFC 7617, section 2.1; it knows no error codes
		sb.WriteString(`, charset="UTF-8"`)
		return sb.String()
	}
	if code != "" {
		sb.WriteString(`, error="` + code + `"`)
	}
	if scopes != "" {
		sb.WriteString(`, scope=`)
		sb.WriteString(quote(scopes))
	}
	return sb.String()
}

// quote writes a quoted-string (RFC 9110, section 5.6.4).
func quote(text string) string {
	var sb strings.Builder
	sb.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			sb.WriteByte('\\')
			sb.WriteByte(c)
		case c < 0x20 || c >= 0x7f:
		default:
			sb.WriteByte(c)
		}
	}
	sb.WriteByte('"')
	return sb.String()
}

func isChallenge(text string) bool {
	for i := range len(text) {
		if text[i] < 0x20 || text[i] >= 0x7f {
			return false
		}
	}
	return text != ""
}

// writeAnswer is what a provider would have answered.
func writeAnswer(w http.ResponseWriter, a *auth.Response) {
	header := w.Header()
	for name, values := range a.Header {
		header[name] = slices.Clone(values)
	}
	header.Del("Content-Length") // of a body that may have been cut
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

// writeProblem writes the body of RFC 9457.
func writeProblem(w http.ResponseWriter, f *refusal) error {
	body, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(f.status), f.status, f.sentence().Error()})
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(f.status)
	_, _ = w.Write(append(body, '\n'))
	return nil
}

// loginRedirect returns where to send a person who is not signed in.
func (h *Handler) loginRedirect(r *http.Request, e *effective) (string, bool) {
	if e.loginURL == "" || !isNavigation(r) || r.Context().Value(caddyhttp.ErrorCtxKey) != nil {
		return "", false
	}
	next := "/"
	if orig, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && orig.URL != nil {
		if strings.TrimSuffix(orig.URL.Path, "/") == strings.TrimSuffix(e.loginURL, "/") {
			return "", false // the log-in page is refused itself: no loop
		}
		u := url.URL{Path: orig.URL.Path, RawPath: orig.URL.RawPath, RawQuery: orig.URL.RawQuery}
		for _, s := range h.sources { // a credential does not travel on
			if s.Query != "" {
				u.RawQuery, _ = cutParameter(u.RawQuery, s.Query)
			}
		}
		if uri := u.RequestURI(); text.IsLocalPath(uri) && text.IsLocalPath(strings.ReplaceAll(u.Path, " ", "+")) && isPlainPath(u.Path) {
			next = uri
		}
	}
	return e.loginURL + "?next=" + url.QueryEscape(next), true
}

// isNavigation reports whether a person is looking at the answer: a browser
// that follows a link or loads a page, and no script.
func isNavigation(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	if r.Header.Get("X-Requested-With") != "" || r.Header.Get("Upgrade") != "" {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return acceptsHTML(r.Header.Values("Accept"))
}

// acceptsHTML reports whether text/html is named: "*/*" is what curl sends.
func acceptsHTML(values []string) bool {
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			media, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(media), "text/html") {
				return true
			}
		}
	}
	return false
}
