// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxBody is the most that a body may hold.
	maxBody = 8 << 10

	// bodyTimeout is how long a client may take to send it.
	bodyTimeout = 10 * time.Second
)

// login is what a client asks for a token with.
type login struct {
	username, password string
}

// invalid returns the error of a request that is malformed.
func invalid(description string) *failure {
	return &failure{status: http.StatusBadRequest, code: "invalid_request", description: description}
}

// readLogin reads the body of a request, which is JSON or a form.
func readLogin(w http.ResponseWriter, r *http.Request) (*login, *failure) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || len(r.Header.Values("Content-Type")) > 1 {
		return nil, invalid("the content type must be application/json or application/x-www-form-urlencoded")
	}
	var parse func([]byte) (map[string]string, *failure)
	switch mediaType {
	case "application/json":
		parse = parseJSON
	case "application/x-www-form-urlencoded":
		parse = parseForm
	default:
		return nil, invalid("the content type must be application/json or application/x-www-form-urlencoded")
	}
	body, f := readBody(w, r)
	if f != nil {
		return nil, f
	}
	fields, f := parse(body)
	if f != nil {
		return nil, f
	}
	return loginOf(fields)
}

// readBody reads a body that is neither long nor slow.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *failure) {
	tooLong := &failure{status: http.StatusRequestEntityTooLarge, code: "invalid_request", description: "the body is too long"}
	if r.ContentLength > maxBody {
		w.Header().Set("Connection", "close") // rather than read the rest
		return nil, tooLong
	}
	// Without a deadline a client that sends a byte now and then would hold a
	// connection for as long as it likes. Where there is no way to set one,
	// the timeouts of the server remain.
	conn := http.NewResponseController(w)
	deadline := conn.SetReadDeadline(time.Now().Add(bodyTimeout)) == nil
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	var limit *http.MaxBytesError // of another handler, which says less than 8 KiB
	switch {
	case errors.As(err, &limit):
		w.Header().Set("Connection", "close")
		return nil, tooLong
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		return nil, &failure{status: http.StatusRequestTimeout, code: "invalid_request", description: "the body took too long"}
	case err != nil:
		w.Header().Set("Connection", "close")
		return nil, invalid("the body could not be read")
	case len(body) > maxBody:
		w.Header().Set("Connection", "close")
		return nil, tooLong
	}
	if deadline {
		// A deadline that passes while the password is being checked would
		// look as if the client had gone.
		_ = conn.SetReadDeadline(time.Time{})
	}
	return body, nil
}

// parseJSON reads a JSON object. Members that are repeated, at any depth, are
// refused; those that mean nothing here may hold anything.
func parseJSON(body []byte) (map[string]string, *failure) {
	var members map[string]jsontext.Value
	if err := jsonv2.Unmarshal(body, &members); err != nil || members == nil {
		return nil, invalid("the body is not a JSON object, or names a member twice")
	}
	fields := make(map[string]string)
	for _, name := range []string{"grant_type", "username", "password"} {
		value, ok := members[name]
		if !ok {
			continue
		}
		var text string
		if err := jsonv2.Unmarshal(value, &text); err != nil || value.Kind() != '"' {
			return nil, invalid(name + " is not text")
		}
		fields[name] = text
	}
	return fields, nil
}

// parseForm reads a form. "Parameters must not be included more than once",
// and those without a value count as not there (RFC 6749, section 3.2).
func parseForm(body []byte) (map[string]string, *failure) {
	if bytes.ContainsRune(body, 0) {
		return nil, invalid("the body is not a form")
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, invalid("the body is not a form")
	}
	fields := make(map[string]string)
	for name, list := range values {
		if len(list) > 1 {
			return nil, invalid("a parameter is repeated")
		}
		switch name {
		case "grant_type", "username", "password":
			fields[name] = list[0]
		}
	}
	return fields, nil
}

// loginOf judges the fields of a request.
func loginOf(fields map[string]string) (*login, *failure) {
	switch fields["grant_type"] {
	case "", "password":
	default:
		return nil, &failure{
			status: http.StatusBadRequest, code: "unsupported_grant_type",
			description: "the grant type must be password",
		}
	}
	for _, name := range []string{"username", "password"} {
		switch value := fields[name]; {
		case value == "":
			return nil, invalid(name + " is missing")
		case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
			return nil, invalid(name + " is not text")
		}
	}
	return &login{username: fields["username"], password: fields["password"]}, nil
}
