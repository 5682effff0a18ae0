// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// The codes of errors (RFC 6749, sections 5.2 and 4.1.2.1).
const (
	codeInvalidRequest   = "invalid_request"
	codeInvalidGrant     = "invalid_grant"
	codeUnsupportedGrant = "unsupported_grant_type"
	codeUnavailable      = "temporarily_unavailable"
)

// failure is an answer of the token endpoint that is no token (RFC 6749,
// section 5.2).
type failure struct {
	status      int
	code        string
	description string        // a fixed sentence: nothing that the client sent
	retryAfter  time.Duration // zero for none
}

func (f *failure) Error() string { return f.code + ": " + f.description }

// write answers with the error.
func (f *failure) write(w http.ResponseWriter) error {
	if f.status == http.StatusUnauthorized { // RFC 9110, section 15.5.2
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if f.retryAfter > 0 {
		w.Header().Set("Retry-After", seconds(f.retryAfter))
	}
	return writeJSON(w, f.status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{f.code, f.description})
}

// seconds rounds up: to come back too early would be in vain.
func seconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}

// writeJSON answers with a JSON object that nobody may keep (RFC 6749, section
// 5.1).
func writeJSON(w http.ResponseWriter, status int, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client may be gone
	return nil
}

// refuse answers with a status, through the error routes of the server where
// that does no harm: Caddy logs an error of the server, and any error within
// error routes, with the whole request.
func refuse(w http.ResponseWriter, r *http.Request, status int, sentence string) error {
	w.Header().Set("Cache-Control", "no-store")
	if logsRequest(r, status) {
		w.WriteHeader(status)
		return nil
	}
	return caddyhttp.Error(status, errors.New(sentence))
}

func logsRequest(r *http.Request, status int) bool {
	if r.Context().Value(caddyhttp.ErrorCtxKey) != nil {
		return true
	}
	if status < http.StatusInternalServerError {
		return false
	}
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return !ok || server == nil || server.Errors == nil || len(server.Errors.Routes) == 0
}
