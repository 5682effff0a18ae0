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
	"slices"
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

// call is what a client asks for a token with.
type call struct {
	grant              string // grantPassword or grantRefresh
	username, password string
	refreshToken       string
	next               string // where a browser wants to go afterwards
}

// The grants (RFC 6749, sections 4.3 and 6).
const (
	grantPassword = "password"
	grantRefresh  = "refresh_token"
)

// members are what a body may hold, and a form besides; anything else is ignored.
var (
	members     = []string{"grant_type", "username", "password", "refresh_token"}
	formMembers = append(slices.Clone(members), "next")
)

// errContentType is the answer to a body that is neither.
var errContentType = invalid("the content type must be application/json or application/x-www-form-urlencoded")

// invalid returns the error of a request that is malformed.
func invalid(description string) *failure {
	return &failure{status: http.StatusBadRequest, code: codeInvalidRequest, description: description}
}

// mediaType returns what the body of a request is, or nothing.
func mediaType(r *http.Request) string {
	if len(r.Header.Values("Content-Type")) > 1 {
		return ""
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return media
}

const mediaForm = "application/x-www-form-urlencoded"

// readFields reads the body of a request, which is JSON or a form.
func readFields(w http.ResponseWriter, r *http.Request) (map[string]string, *failure) {
	var parse func([]byte) (map[string]string, *failure)
	switch mediaType(r) {
	case "application/json":
		parse = parseJSON
	case mediaForm:
		parse = parseForm
	default:
		return nil, errContentType
	}
	body, f := readBody(w, r)
	if f != nil {
		return nil, f
	}
	return parse(body)
}

// readBody reads a body that is neither long nor slow.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *failure) {
	tooLong := &failure{status: http.StatusRequestEntityTooLarge, code: codeInvalidRequest, description: "the body is too long"}
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
		return nil, &failure{status: http.StatusRequestTimeout, code: codeInvalidRequest, description: "the body took too long"}
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
	var object map[string]jsontext.Value
	if err := jsonv2.Unmarshal(body, &object); err != nil || object == nil {
		return nil, invalid("the body is not a JSON object, or names a member twice")
	}
	fields := make(map[string]string)
	for _, name := range members {
		value, ok := object[name]
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
		if slices.Contains(formMembers, name) {
			fields[name] = list[0]
		}
	}
	return fields, nil
}

// callOf judges the fields of a request.
func (t *Token) callOf(fields map[string]string) (*call, *failure) {
	in := &call{grant: fields["grant_type"], next: fields["next"]}
	needs := []string{"username", "password"}
	switch {
	case in.grant == "" || in.grant == grantPassword:
		in.grant = grantPassword
	case in.grant == grantRefresh && t.Refresh != nil:
		if needs = []string{"refresh_token"}; t.Cookie != nil {
			needs = nil // it stands in the cookie, and nowhere else
		}
	default:
		allowed := "the grant type must be password"
		if t.Refresh != nil {
			allowed += " or refresh_token"
		}
		return in, &failure{status: http.StatusBadRequest, code: codeUnsupportedGrant, description: allowed}
	}
	for _, name := range needs {
		switch value := fields[name]; {
		case value == "":
			return in, invalid(name + " is missing")
		case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
			return in, invalid(name + " is not text")
		}
	}
	in.username, in.password, in.refreshToken = fields["username"], fields["password"], fields["refresh_token"]
	return in, nil
}
