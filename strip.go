// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/extract"
)

// stripped is what strip_credentials took out of a request, for an auth
// further in.
type stripped struct {
	headers http.Header // the values taken, as they were
	cookies []string    // name=value
	query   []string    // name=value, encoded as it was
}

// credentialSources adds where the authenticators of the scopes read credentials,
// be they in force or replaced by those of another level: a request brings what
// its sender has, and not what the rule for its path asks for.
func credentialSources(sources []auth.Source, scopes ...scope) []auth.Source {
	for _, s := range scopes {
		for _, l := range s.layers() {
			for _, m := range l.members {
				for _, source := range m.sources {
					if !slices.Contains(sources, source) {
						sources = append(sources, source)
					}
				}
			}
		}
	}
	return sources
}

// strip takes every credential out of the request that the sources name.
func strip(r *http.Request, sources []auth.Source, into *stripped) {
	for i := range sources {
		switch s := &sources[i]; {
		case s.Header != "":
			into.header(r.Header, s)
		case s.Cookie != "":
			into.cookie(r.Header, s.Cookie)
		default:
			r.URL.RawQuery = into.parameter(r.URL.RawQuery, s.Query)
		}
	}
}

func (s *stripped) header(h http.Header, source *auth.Source) {
	name := http.CanonicalHeaderKey(source.Header)
	credential := func(value string) bool {
		return source.Scheme == "" || extract.BeginsWithScheme(value, source.Scheme)
	}
	values := h[name]
	if !slices.ContainsFunc(values, credential) {
		return
	}
	var kept []string
	for _, value := range values {
		if !credential(value) {
			kept = append(kept, value)
			continue
		}
		if s.headers == nil {
			s.headers = make(http.Header)
		}
		s.headers[name] = append(s.headers[name], value)
	}
	if len(kept) == 0 {
		delete(h, name)
		return
	}
	h[name] = kept
}

func (s *stripped) cookie(h http.Header, name string) {
	if !extract.HasCookie(h, name) {
		return
	}
	var kept []string
	for _, line := range h["Cookie"] {
		var rest []string
		for part := range strings.SplitSeq(line, ";") {
			part = strings.Trim(part, " \t")
			if extract.CookieName(part) == name {
				s.cookies = append(s.cookies, part)
			} else if part != "" {
				rest = append(rest, part)
			}
		}
		if len(rest) > 0 {
			kept = append(kept, strings.Join(rest, "; "))
		}
	}
	if len(kept) == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = kept
}

func (s *stripped) parameter(query, name string) string {
	kept, taken := cutParameter(query, name)
	s.query = append(s.query, taken...)
	return kept
}

// hasCookie reports whether a cookie of that name was taken.
func (s *stripped) hasCookie(name string) bool {
	return slices.ContainsFunc(s.cookies, func(pair string) bool { return extract.CookieName(pair) == name })
}

// restore returns the request with what was stripped from it put back, and
// leaves the request itself alone. Without anything stripped it is r itself.
func (s *stripped) restore(r *http.Request) *http.Request {
	if len(s.headers) == 0 && len(s.cookies) == 0 && len(s.query) == 0 {
		return r
	}
	clone := *r
	clone.Header = r.Header.Clone()
	for name, values := range s.headers {
		clone.Header[name] = values // in place of what somebody put there since
	}
	others := new(stripped)
	for _, pair := range s.cookies {
		others.cookie(clone.Header, extract.CookieName(pair))
	}
	if len(s.cookies) > 0 {
		clone.Header.Add("Cookie", strings.Join(s.cookies, "; "))
	}
	if len(s.query) > 0 {
		u := *r.URL
		for _, pair := range s.query {
			if name, ok := extract.ParameterName(pair); ok {
				u.RawQuery, _ = cutParameter(u.RawQuery, name)
			}
		}
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += strings.Join(s.query, "&")
		clone.URL = &u
	}
	return &clone
}
