// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package extract takes a credential out of a request: from a header, a cookie
// or the query, whichever of the configured places holds one first.
package extract

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/caddybolt/caddy-bolt/auth"
)

// Errors of Extract, made once: refusing costs nothing.
var (
	errRepeated = auth.Invalid(auth.ReasonMalformedToken, "credential presented more than once")
	errEmpty    = auth.Invalid(auth.ReasonMalformedToken, "credential is empty")
	errTooLong  = auth.Invalid(auth.ReasonMalformedToken, "credential is longer than max_size")
	errEncoding = auth.Invalid(auth.ReasonMalformedToken, "credential is badly encoded")
)

// Extractor finds a credential. It is safe for concurrent use.
type Extractor struct {
	sources []auth.Source
	maxSize int
}

// New returns an extractor that looks into the sources in their order. A
// credential of more than maxSize bytes is refused.
func New(sources []auth.Source, maxSize int) (*Extractor, error) {
	if len(sources) == 0 {
		return nil, errors.New("at least one header, cookie or query is required")
	}
	e := &Extractor{maxSize: maxSize}
	for _, s := range sources {
		if err := check(s); err != nil {
			return nil, err
		}
		if s.Header != "" {
			s.Header = http.CanonicalHeaderKey(s.Header)
		}
		for _, other := range e.sources {
			if other.Header == s.Header && strings.EqualFold(other.Scheme, s.Scheme) && other.Cookie == s.Cookie && other.Query == s.Query {
				return nil, fmt.Errorf("%s is given twice", Describe(s))
			}
		}
		e.sources = append(e.sources, s)
	}
	return e, nil
}

// check says what is wrong with a source.
func check(s auth.Source) error {
	set := 0
	for _, name := range []string{s.Header, s.Cookie, s.Query} {
		if name != "" {
			set++
		}
	}
	switch {
	case set != 1:
		return errors.New("a source names exactly one header, cookie or query parameter")
	case s.Scheme != "" && s.Header == "":
		return errors.New("a scheme belongs to a header")
	case s.Scheme != "" && !isToken(s.Scheme):
		return fmt.Errorf("%q is not an authentication scheme", s.Scheme)
	case s.Header != "" && !httpguts.ValidHeaderFieldName(s.Header):
		return fmt.Errorf("%q is not the name of a header", s.Header)
	case s.Header != "" && strings.ContainsAny(s.Header, "_."):
		return fmt.Errorf("Caddy drops headers whose name holds \"_\" or \".\", such as %q, before any module sees them (see expected_underscore_headers and expected_dot_headers of Caddy's servers option): use hyphens", s.Header)
	case s.Cookie != "" && !isToken(s.Cookie):
		return fmt.Errorf("%q is not the name of a cookie", s.Cookie)
	}
	return nil
}

func isToken(s string) bool { return httpguts.ValidHeaderFieldName(s) }

// Describe names a source for messages: "header X-API-Key".
func Describe(s auth.Source) string {
	switch {
	case s.Header != "" && s.Scheme != "":
		return "header " + s.Header + " " + s.Scheme
	case s.Header != "":
		return "header " + s.Header
	case s.Cookie != "":
		return "cookie " + s.Cookie
	default:
		return "query " + s.Query
	}
}

// Sources returns where the extractor looks.
func (e *Extractor) Sources() []auth.Source { return e.sources }

// Extract returns the credential and where it stood. It returns
// auth.ErrNoCredentials if no source holds anything, and an error that wraps
// auth.ErrInvalidCredentials if the first source that holds something holds it
// twice, empty, badly encoded or too long: which of two values another reader
// would take is not for us to guess.
func (e *Extractor) Extract(r *http.Request) (string, *auth.Source, error) {
	for i := range e.sources {
		s := &e.sources[i]
		var value string
		var err error
		switch {
		case s.Header != "":
			value, err = fromHeader(r.Header, s)
		case s.Cookie != "":
			value, err = fromCookie(r.Header, s.Cookie)
		default:
			value, err = fromQuery(r.URL.RawQuery, s.Query)
		}
		if err == auth.ErrNoCredentials { //nolint:errorlint // never wrapped, on the hot path
			continue
		}
		if err != nil {
			return "", s, err
		}
		if len(value) > e.maxSize {
			return "", s, errTooLong
		}
		return value, s, nil
	}
	return "", nil, auth.ErrNoCredentials
}

// fromHeader reads a header. Several headers of one name are refused when one
// of them is ours.
func fromHeader(h http.Header, s *auth.Source) (string, error) {
	values := h[s.Header]
	switch len(values) {
	case 0:
		return "", auth.ErrNoCredentials
	case 1:
		return fromScheme(values[0], s.Scheme)
	}
	for _, v := range values {
		if _, err := fromScheme(v, s.Scheme); err != auth.ErrNoCredentials { //nolint:errorlint // never wrapped
			return "", errRepeated
		}
	}
	return "", auth.ErrNoCredentials
}

// fromScheme takes the credential that follows the scheme (RFC 9110, section
// 11.4: the scheme without regard to case, then one space or more).
func fromScheme(value, scheme string) (string, error) {
	value = strings.Trim(value, " \t")
	if scheme == "" {
		if value == "" {
			return "", errEmpty
		}
		return value, nil
	}
	if len(value) < len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return "", auth.ErrNoCredentials
	}
	rest := value[len(scheme):]
	if rest == "" {
		return "", errEmpty
	}
	if rest[0] != ' ' { // "Bearerx", or a tab, is another scheme
		return "", auth.ErrNoCredentials
	}
	rest = strings.TrimLeft(rest, " ")
	if rest == "" {
		return "", errEmpty
	}
	return rest, nil
}

// BeginsWithScheme reports whether the value of a header begins with the scheme,
// whatever follows its name: another reader may take a tab for a space.
func BeginsWithScheme(value, scheme string) bool {
	value = strings.Trim(value, " \t")
	n := len(scheme)
	if len(value) < n || !strings.EqualFold(value[:n], scheme) {
		return false
	}
	return len(value) == n || !httpguts.IsTokenRune(rune(value[n]))
}

// HasCookie reports whether there is a cookie of that name, as Extract sees it:
// what net/http finds wrong with a value does not hide it.
func HasCookie(h http.Header, name string) bool {
	_, err := fromCookie(h, name)
	return err != auth.ErrNoCredentials //nolint:errorlint // never wrapped
}

// Cookies returns the values of all cookies of that name, in their order.
func Cookies(h http.Header, name string) []string {
	var values []string
	for _, line := range h["Cookie"] {
		for line != "" {
			var part string
			part, line, _ = strings.Cut(line, ";")
			if key, value := cookie(part); key == name {
				values = append(values, unquoted(value))
			}
		}
	}
	return values
}

// CookieName returns the name of a part of the header Cookie, as Extract sees it.
func CookieName(part string) string {
	name, _ := cookie(part)
	return name
}

// cookie takes a part of the header Cookie apart. Names are what others take them
// for: without the blanks before the equals sign, and without one too.
func cookie(part string) (name, value string) {
	name, value, _ = strings.Cut(strings.Trim(part, " \t"), "=")
	return strings.TrimRight(name, " \t"), value
}

// fromCookie reads a cookie without parsing all of them.
func fromCookie(h http.Header, name string) (string, error) {
	value, found := "", false
	for _, line := range h["Cookie"] {
		for line != "" {
			var part string
			part, line, _ = strings.Cut(line, ";")
			key, v := cookie(part)
			if key != name {
				continue
			}
			if found {
				return "", errRepeated
			}
			value, found = v, true
		}
	}
	if !found {
		return "", auth.ErrNoCredentials
	}
	if value = unquoted(value); value == "" {
		return "", errEmpty
	}
	return value, nil
}

// unquoted removes the quotes of a value (RFC 6265, section 4.1.1).
func unquoted(value string) string {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		return value[1 : len(value)-1]
	}
	return value
}

// ParameterName returns the name of a part of a query, as Extract sees it; false
// for one that is badly encoded, which names nothing.
func ParameterName(part string) (string, bool) {
	name, _, ok := parameter(part)
	return name, ok
}

// parameter takes a part of a query apart. The value is left encoded.
func parameter(part string) (name, value string, ok bool) {
	name, value, _ = strings.Cut(part, "=")
	if !strings.ContainsAny(name, "%+") {
		return name, value, true
	}
	decoded, err := url.QueryUnescape(name)
	return decoded, value, err == nil
}

// fromQuery reads a parameter without parsing all of them.
func fromQuery(query, name string) (string, error) {
	value, found := "", false
	for query != "" {
		var part string
		part, query, _ = strings.Cut(query, "&")
		key, v, ok := parameter(part)
		if !ok || key != name {
			continue
		}
		if found {
			return "", errRepeated
		}
		value, found = v, true
	}
	if !found {
		return "", auth.ErrNoCredentials
	}
	if strings.ContainsAny(value, "%+") {
		decoded, err := url.QueryUnescape(value)
		if err != nil {
			return "", errEncoding
		}
		value = decoded
	}
	if value == "" {
		return "", errEmpty
	}
	return value, nil
}
