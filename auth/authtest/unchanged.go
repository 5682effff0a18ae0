// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"testing"
)

// snapshot is what an authenticator or a guard could change of a request.
type snapshot struct {
	Method, Proto, Host, RemoteAddr, RequestURI string
	URL                                         url.URL
	User                                        string
	Header, Trailer                             http.Header
	Form                                        url.Values
	ContentLength                               int64
}

func snapshotOf(r *http.Request) snapshot {
	return snapshot{
		Method: r.Method, Proto: r.Proto, Host: r.Host, RemoteAddr: r.RemoteAddr,
		RequestURI: r.RequestURI, URL: *r.URL, User: r.URL.User.String(),
		Header: r.Header.Clone(), Trailer: r.Trailer.Clone(), Form: r.Form,
		ContentLength: r.ContentLength,
	}
}

// body is a request's body that notices being touched.
type body struct{ touched bool }

func (b *body) Read([]byte) (int, error) {
	b.touched = true
	return 0, errors.New("the body is not yours")
}
func (b *body) Close() error { b.touched = true; return nil }

// unchanged fails tb when f changes r or reads its body.
func unchanged(tb testing.TB, what string, r *http.Request, f func()) {
	tb.Helper()
	b := new(body)
	r.Body = b
	before := snapshotOf(r)
	f()
	if after := snapshotOf(r); !reflect.DeepEqual(before, after) {
		tb.Errorf("%s: the request was changed", what)
	}
	if b.touched || r.Body != b {
		tb.Errorf("%s: the body was read, closed or replaced", what)
	}
}
