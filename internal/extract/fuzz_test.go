// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package extract

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
)

// FuzzExtract holds that an error comes without a credential, that a credential
// is neither empty nor longer than allowed, and that whoever reads the same
// place after us, by the means of Go's standard library, reads the same value.
func FuzzExtract(f *testing.F) {
	f.Add("Authorization", "Bearer", "session", "token", "Bearer abc", "a=b; session=abc", "token=abc", 64)
	f.Add("X-API-Key", "", "s", "a+b", "abc", `s="abc"; s =x`, "a%2Bb=%41&a+b=c", 2)
	f.Add("x", "Key", "s", "%41", "\u212aey abc", "s=; s", "%41=x&A=y&%2541=z&%zz", 0)
	f.Fuzz(func(t *testing.T, headerName, scheme, cookie, parameter, value, cookies, rawQuery string, maxSize int) {
		r := &http.Request{
			URL:    &url.URL{RawQuery: rawQuery},
			Header: http.Header{http.CanonicalHeaderKey(headerName): {value}},
		}
		r.Header["Cookie"] = []string{cookies}

		for _, s := range []auth.Source{{Header: headerName, Scheme: scheme}, {Cookie: cookie}, {Query: parameter}} {
			e, err := New([]auth.Source{s}, maxSize)
			if err != nil {
				continue
			}
			got, source, err := e.Extract(r)
			switch {
			case err != nil && got != "":
				t.Fatalf("%s: found %q with the error %v", Describe(s), got, err)
			case err != nil && !errors.Is(err, auth.ErrNoCredentials) && !errors.Is(err, auth.ErrInvalidCredentials):
				t.Fatalf("%s: %v is neither missing nor bad", Describe(s), err)
			case err == nil && (got == "" || len(got) > maxSize):
				t.Fatalf("%s: found %q, of at most %d bytes", Describe(s), got, maxSize)
			case err == nil && source == nil:
				t.Fatalf("%s: found nowhere", Describe(s))
			}
			switch {
			case s.Query != "":
				agreesWithParseQuery(t, s.Query, rawQuery, got, err)
			case s.Cookie != "":
				if HasCookie(r.Header, s.Cookie) == errors.Is(err, auth.ErrNoCredentials) {
					t.Fatalf("HasCookie disagrees with %v", err)
				}
				if others := r.CookiesNamed(s.Cookie); err == nil && (len(others) > 1 || len(others) == 1 && others[0].Value != got) {
					t.Fatalf("found %q, net/http finds %v", got, others)
				}
			}
		}
	})
}

func agreesWithParseQuery(t *testing.T, name, rawQuery, got string, err error) {
	t.Helper()
	values, parseErr := url.ParseQuery(rawQuery)
	if parseErr != nil {
		return
	}
	switch n := len(values[name]); {
	case n == 0 && !errors.Is(err, auth.ErrNoCredentials):
		t.Fatalf("found %q, %v; there is none", got, err)
	case n > 1 && !errors.Is(err, errRepeated):
		t.Fatalf("found %q, %v; there are %d", got, err, n)
	case n == 1 && got != values[name][0] && !errors.Is(err, errTooLong):
		t.Fatalf("found %q, %v; there is %q", got, err, values[name][0])
	}
}
