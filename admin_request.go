// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

const (
	// maxAdminBody has room for the longest jti with every byte escaped.
	maxAdminBody = 128 << 10

	// maxName bounds an ID with its issuer.
	maxName = revoked.MaxName
)

// revocationMembers are the members of the body of a revocation.
var revocationMembers = []string{"jti", "sid", "user", "issuer", "issued_before", "until"}

// askedRevocation is what the body of a request asks for.
type askedRevocation struct {
	auth.Revocation
	withIssuer bool
}

// readRevocation reads the body of a request. A page elsewhere can make a
// browser send a form or plain text here without asking, but not JSON: the
// content type is required.
func readRevocation(w http.ResponseWriter, r *http.Request) (*askedRevocation, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" || len(r.Header.Values("Content-Type")) > 1 {
		return nil, caddy.APIError{HTTPStatus: http.StatusUnsupportedMediaType, Err: errors.New("the content type must be application/json")}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAdminBody))
	var limit *http.MaxBytesError
	switch {
	case errors.As(err, &limit):
		return nil, caddy.APIError{HTTPStatus: http.StatusRequestEntityTooLarge, Err: fmt.Errorf("the body is longer than %d bytes", maxAdminBody)}
	case err != nil:
		return nil, badRequest("the body could not be read")
	}
	return parseRevocation(body)
}

// parseRevocation reads an object with the members that are known, each once.
func parseRevocation(body []byte) (*askedRevocation, error) {
	var members map[string]jsontext.Value
	if err := jsonv2.Unmarshal(body, &members); err != nil || members == nil {
		return nil, badRequest("the body is not a JSON object, or names a member twice")
	}
	for name := range members {
		if !slices.Contains(revocationMembers, name) {
			return nil, badRequest(fmt.Sprintf("unrecognized member %q; there are: %s", cut(name), strings.Join(revocationMembers, ", ")))
		}
	}
	var asked askedRevocation
	for name, text := range map[string]*string{"jti": &asked.ID, "sid": &asked.SessionID, "user": &asked.User.ID, "issuer": &asked.User.Issuer} {
		value, ok := members[name]
		if !ok {
			continue
		}
		if err := jsonv2.Unmarshal(value, text); err != nil || value.Kind() != '"' {
			return nil, badRequest(fmt.Sprintf("%q is not text", name))
		}
		if *text == "" && name != "issuer" {
			return nil, badRequest(fmt.Sprintf("%q is empty", name))
		}
		asked.withIssuer = asked.withIssuer || name == "issuer"
	}
	for name, at := range map[string]*time.Time{"issued_before": &asked.IssuedBefore, "until": &asked.Until} {
		value, ok := members[name]
		if !ok {
			continue
		}
		t, ok := parseMoment(value)
		if !ok {
			return nil, badRequest(fmt.Sprintf("%q is neither a time such as \"2027-01-02T15:04:05Z\" nor whole seconds since 1970", name))
		}
		*at = t
	}
	if err := namesOne(asked.ID, asked.SessionID, asked.User.ID); err != nil {
		return nil, err
	}
	if asked.withIssuer && asked.User.Issuer == "" && asked.User.ID == "" {
		return nil, badRequest("\"issuer\" is empty: leave it out to revoke a token or session of every issuer")
	}
	if len(asked.ID)+len(asked.SessionID)+len(asked.User.ID)+len(asked.User.Issuer) > maxName {
		return nil, badRequest(fmt.Sprintf("ID and issuer are longer than %d bytes", maxName))
	}
	if _, ok := members["issued_before"]; ok && asked.User.ID == "" {
		return nil, badRequest("\"issued_before\" belongs to \"user\"")
	}
	return &asked, nil
}

// parseMoment reads RFC 3339, or seconds as "exp" and "iat" hold them.
func parseMoment(value jsontext.Value) (time.Time, bool) {
	switch value.Kind() {
	case '"':
		var text string
		if err := jsonv2.Unmarshal(value, &text); err != nil {
			return time.Time{}, false
		}
		t, err := time.Parse(time.RFC3339, text)
		return t.UTC(), err == nil && t.Unix() > 0
	case '0':
		seconds, err := strconv.ParseInt(string(value), 10, 64)
		// Milliseconds, taken for seconds, are beyond the year 9999.
		if err != nil || seconds <= 0 || seconds > maxSeconds {
			return time.Time{}, false
		}
		return time.Unix(seconds, 0).UTC(), true
	default:
		return time.Time{}, false
	}
}

// maxSeconds is the end of the year 9999.
const maxSeconds = 253402300799

// cut shortens what somebody typed for an error.
func cut(text string) string {
	const length = 64
	if len(text) <= length {
		return text
	}
	end := length
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

func badRequest(text string) error {
	return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: errors.New(text)}
}

// storeError is the answer when the store could not do it.
func storeError(w http.ResponseWriter, what string, err error) error {
	if errors.Is(err, errNotListed) {
		return caddy.APIError{HTTPStatus: http.StatusNotImplemented, Err: err}
	}
	w.Header().Set("Retry-After", "5")
	return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: fmt.Errorf("%s: %w", what, err)}
}

// writeAdmin answers with JSON.
func writeAdmin(w http.ResponseWriter, answer any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	return json.NewEncoder(w).Encode(answer)
}
