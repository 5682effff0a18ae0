// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package redact knows which headers, cookies and query parameters hold a
// credential, and takes their values out of text that is about to be logged.
//
// The names belong to the process and are never forgotten: logs are set up
// before the authenticators that the names come from, and go on printing
// requests of a configuration that was just replaced.
package redact

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddybolt/caddy-bolt/auth"
)

// Text stands where a value was.
const Text = "REDACTED"

// Set is an immutable set of names. The zero value is empty. It is safe for
// concurrent use.
type Set struct {
	headers map[string]struct{} // folded
	cookies map[string]struct{}
	queries []string // each followed by "=", as they are searched for
	byQuery map[string]struct{}
	longest int // the longest name of a query parameter
	sources []auth.Source
}

var (
	current atomic.Pointer[Set]
	adding  sync.Mutex
)

func init() { current.Store(new(Set)) }

// Current returns the names of the process at this moment.
func Current() *Set { return current.Load() }

// Add adds the names of the sources to those of the process.
func Add(sources []auth.Source) {
	adding.Lock()
	defer adding.Unlock()
	if next := current.Load().with(sources); next != nil {
		current.Store(next)
	}
}

// New returns the set of the names of the sources.
func New(sources ...auth.Source) *Set {
	if s := new(Set).with(sources); s != nil {
		return s
	}
	return new(Set)
}

// with returns a set with the sources added, or nil when s has all of them.
func (s *Set) with(sources []auth.Source) *Set {
	all := slices.Clone(s.sources)
	for _, source := range sources {
		source.Header = http.CanonicalHeaderKey(source.Header)
		source.Scheme = "" // whatever the scheme, the whole header goes
		if source != (auth.Source{}) && !slices.Contains(all, source) {
			all = append(all, source)
		}
	}
	if len(all) == len(s.sources) {
		return nil
	}
	next := &Set{
		headers: make(map[string]struct{}),
		cookies: make(map[string]struct{}),
		byQuery: make(map[string]struct{}),
		sources: all,
	}
	for _, source := range all {
		switch {
		case source.Header != "":
			next.headers[foldHeader(source.Header)] = struct{}{}
		case source.Cookie != "":
			next.cookies[source.Cookie] = struct{}{}
		default:
			next.queries = append(next.queries, source.Query+"=")
			next.byQuery[source.Query] = struct{}{}
			next.longest = max(next.longest, len(source.Query))
		}
	}
	return next
}

// Sources returns where the names of the set stand. It must not be changed.
func (s *Set) Sources() []auth.Source { return s.sources }

// Header reports whether the header of that name holds a credential, or one that
// some application takes for it: CGI, WSGI and PHP turn hyphens, and PHP dots too,
// into underscores, and case never counts. Headers of a request begin with a
// capital letter, as net/http keeps them; a field such as "user_id" is none, and
// not "User-Id".
func (s *Set) Header(name string) bool {
	if len(s.headers) == 0 || name == "" || 'a' <= name[0] && name[0] <= 'z' && strings.ContainsAny(name, "_.") {
		return false
	}
	var folded [64]byte
	if len(name) > len(folded) {
		_, ok := s.headers[foldHeader(name)]
		return ok
	}
	for i := range len(name) {
		folded[i] = foldByte(name[i])
	}
	_, ok := s.headers[string(folded[:len(name)])]
	return ok
}

func foldHeader(name string) string {
	folded := []byte(name)
	for i, c := range folded {
		folded[i] = foldByte(c)
	}
	return string(folded)
}

func foldByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case c == '_' || c == '.':
		return '-'
	default:
		return c
	}
}

// Field returns the value of a field of a log entry without credentials. The
// key is the field's name, which is a header's name within the headers of a
// request, and a variable of CGI (RFC 3875, section 4.1.18) within the
// environment of a FastCGI request.
func (s *Set) Field(key, value string) string {
	if len(s.sources) == 0 || value == "" {
		return value
	}
	rest, cgi := strings.CutPrefix(key, "HTTP_")
	if cgi {
		key = rest
	}
	switch {
	case s.Header(key):
		return Text
	case cgi && strings.EqualFold(key, "Cookie"):
		return s.joinedCookies(value)
	case strings.EqualFold(key, "Cookie"):
		return s.Cookies(value)
	case strings.EqualFold(key, "Set-Cookie"):
		return s.SetCookie(value)
	default:
		return s.Text(value)
	}
}

// Cookies returns the value of a Cookie header without credentials.
func (s *Set) Cookies(line string) string {
	parts := strings.Split(line, ";")
	for i, part := range parts {
		parts[i] = s.cookie(part)
	}
	return strings.Join(parts, ";")
}

// joinedCookies returns the variable HTTP_COOKIE without credentials. It holds
// all Cookie lines of the request, joined with ", ": a cookie begins after that,
// too.
func (s *Set) joinedCookies(lines string) string {
	parts := strings.Split(lines, ";")
	for i, part := range parts {
		parts[i] = s.joinedCookie(part)
	}
	return strings.Join(parts, ";")
}

// joinedCookie cleans the end of one line and the beginning of the next, or a
// cookie whose value holds ", ". These look alike, so what follows a credential
// goes with it.
func (s *Set) joinedCookie(part string) string {
	for from := 0; ; {
		pair, _, more := strings.Cut(part[from:], ", ")
		name, _, ok := strings.Cut(pair, "=")
		value := from + len(name) + len("=")
		if ok && s.isCookie(name) && value < len(part) {
			before := ""
			if from > 0 {
				before = s.cookie(part[:from-len(", ")]) + ", "
			}
			return before + name + "=" + Text
		}
		if !more {
			return s.cookie(part)
		}
		from += len(pair) + len(", ")
	}
}

// SetCookie returns the value of a Set-Cookie header without credentials.
func (s *Set) SetCookie(line string) string {
	pair, attributes, more := strings.Cut(line, ";")
	pair = s.cookie(pair)
	if more {
		return pair + ";" + attributes
	}
	return pair
}

// cookie cleans "name=value".
func (s *Set) cookie(pair string) string {
	name, value, ok := strings.Cut(pair, "=")
	if !ok || value == "" {
		return pair
	}
	if s.isCookie(name) {
		return name + "=" + Text
	}
	return name + "=" + s.Text(value)
}

// isCookie reports whether the cookie of that name holds a credential.
func (s *Set) isCookie(name string) bool {
	_, ok := s.cookies[strings.Trim(name, " \t")]
	return ok
}
