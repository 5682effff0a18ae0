// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package password

import (
	"errors"
	"net/http"
	"strings"

	"github.com/caddybolt/caddy-bolt/auth"
)

// maxResponse is how much of a provider's answer is kept.
const maxResponse = 1 << 20

var errTooMuch = errors.New("the answer of an authentication provider is too large")

// buffer is a http.ResponseWriter that keeps what a provider writes. There is
// no connection behind it: nothing can be sent, flushed or hijacked.
type buffer struct {
	header   http.Header
	status   int
	body     []byte
	overflow bool
}

func newBuffer() *buffer { return &buffer{header: make(http.Header)} }

func (b *buffer) Header() http.Header { return b.header }

// WriteHeader keeps the first final status. What net/http would panic about,
// and informational answers, are no status.
func (b *buffer) WriteHeader(status int) {
	if b.status == 0 && status >= http.StatusOK && status <= 999 {
		b.status = status
	}
}

// Write keeps the answer whole or not at all: half a page, or half of what a
// length was announced for, is worse than none.
func (b *buffer) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	if b.overflow || len(p) > maxResponse-len(b.body) {
		b.overflow, b.body = true, nil
		return 0, errTooMuch
	}
	b.body = append(b.body, p...)
	return len(p), nil
}

// Flush does nothing, for providers that expect it to be there.
func (*buffer) Flush() {}

// ofConnection are headers of the connection (RFC 9110, section 7.6.1) or of
// the framing, which are not the provider's to set.
var ofConnection = []string{
	"Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "Te",
	"Trailer", "Transfer-Encoding", "Upgrade",
}

// ofBody describe the provider's own answer, and would lie about another one.
var ofBody = []string{
	"Content-Encoding", "Content-Language", "Content-Location", "Content-Range",
	"Content-Type", "Etag", "Last-Modified", "Location", "Retry-After", "Www-Authenticate",
}

// refused returns the whole answer.
func (b *buffer) refused() *auth.Response {
	b.remove(ofConnection)
	if b.overflow {
		b.remove([]string{"Content-Encoding", "Content-Range", "Content-Type", "Etag", "Last-Modified"})
		return &auth.Response{Header: b.header}
	}
	return &auth.Response{Header: b.header, Status: b.status, Body: b.body}
}

// accepted returns what goes to the client together with what it asked for,
// such as a cookie.
func (b *buffer) accepted() *auth.Response {
	b.remove(ofConnection)
	b.remove(ofBody)
	return &auth.Response{Header: b.header}
}

// remove deletes headers, however the provider spelled them.
func (b *buffer) remove(names []string) {
	for spelled := range b.header {
		for _, name := range names {
			if strings.EqualFold(spelled, name) || strings.HasPrefix(spelled, http.TrailerPrefix) {
				delete(b.header, spelled)
			}
		}
	}
}

// Interface guards
var (
	_ http.ResponseWriter = (*buffer)(nil)
	_ http.Flusher        = (*buffer)(nil)
)
