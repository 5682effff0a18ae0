// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/internal/text"
)

// ForwardHeader is a header that tells the application who is asking.
type ForwardHeader struct {
	// The name of the header.
	Name string `json:"name"`

	// What it holds: "id", "issuer", "is_staff", "is_superuser", "permissions",
	// "backend", "claims.<path>" or "user.<field>". The header is left out when
	// there is no such value, when the value is no UTF-8 or holds control
	// characters or line separators, and when it begins or ends with a blank.
	Value string `json:"value"`
}

// forwardValues are the values that have no dot.
var forwardValues = []string{"id", "issuer", "is_staff", "is_superuser", "permissions", "backend"}

// framing are headers that say how a message is read, not who sent it.
var framing = []string{
	"Connection", "Content-Length", "Content-Type", "Host", "Keep-Alive",
	"Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func checkForward(headers []ForwardHeader) error {
	for i, h := range headers {
		if err := checkForwardHeader(h); err != nil {
			return err
		}
		for _, other := range headers[:i] {
			if foldsLike(h.Name, other.Name) {
				return fmt.Errorf("forward header %q is given twice", h.Name)
			}
		}
	}
	return nil
}

func checkForwardHeader(h ForwardHeader) error {
	switch {
	case !httpguts.ValidHeaderFieldName(h.Name) || strings.ContainsAny(h.Name, "_."):
		return fmt.Errorf("forward header %q is not a name of letters, digits and hyphens", h.Name)
	case slices.Contains(framing, http.CanonicalHeaderKey(h.Name)):
		return fmt.Errorf("forward header %q cannot carry an identity", h.Name)
	case slices.Contains(forwardValues, h.Value):
		return nil
	}
	if path, ok := strings.CutPrefix(h.Value, "claims."); ok && path != "" {
		if err := text.CheckClaimPath(path); err != nil {
			return fmt.Errorf("forward value %q: %w", h.Value, err)
		}
		return nil
	}
	if field, ok := strings.CutPrefix(h.Value, "user."); ok && field != "" {
		return nil
	}
	return fmt.Errorf("forward value %q is unknown; there are: %s, claims.<path>, user.<field>", h.Value, strings.Join(forwardValues, ", "))
}

// foldsLike reports whether some application takes the two names for one
// header: CGI, WSGI and PHP turn hyphens into underscores, and PHP dots too;
// case never counts (advisory GHSA-f59h-q822-g45g).
func foldsLike(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if foldByte(a[i]) != foldByte(b[i]) {
			return false
		}
	}
	return true
}

func foldByte(c byte) byte {
	switch {
	case 'a' <= c && c <= 'z':
		return c - 'a' + 'A'
	case 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return c
	default:
		return '_'
	}
}

func foldsLikeAny(name string, names []string) bool {
	for _, n := range names {
		if foldsLike(name, n) {
			return true
		}
	}
	return false
}

// removeSpoofed deletes what a client sent under the names of identity
// headers, and keeps it from having the proxy drop ours: the names that
// Connection lists are removed on the way (RFC 9110, section 7.6.1).
//
// Trailers come after we have looked, and some applications take them for
// headers: where there are identity headers, requests have no trailers.
func removeSpoofed(r *http.Request, names []string) {
	if len(names) == 0 {
		return
	}
	r.Trailer = nil
	h := r.Header
	for name := range h {
		if foldsLikeAny(name, names) {
			delete(h, name)
		}
	}
	values, ok := h["Connection"]
	if !ok {
		return
	}
	kept := make([]string, 0, len(values))
	for _, value := range values {
		var options []string
		for option := range strings.SplitSeq(value, ",") {
			if option = strings.TrimSpace(option); option != "" && !foldsLikeAny(option, names) {
				options = append(options, option)
			}
		}
		if len(options) > 0 {
			kept = append(kept, strings.Join(options, ", "))
		}
	}
	if len(kept) == 0 {
		delete(h, "Connection")
		return
	}
	h["Connection"] = kept
}

// canonical returns the headers under the names that net/http keeps them by.
func canonical(headers []ForwardHeader) []ForwardHeader {
	list := slices.Clone(headers)
	for i := range list {
		list[i].Name = http.CanonicalHeaderKey(list[i].Name)
	}
	return list
}

// setForward writes the identity headers, whose names are canonical, in place of
// those of an identity that was there before. It fails when a field of the user
// is asked for and the user store could not say.
func setForward(h http.Header, headers []ForwardHeader, st *state) error {
	for _, f := range headers {
		delete(h, f.Name)
		value, err := st.forwardText(f.Value)
		if err != nil {
			return err
		}
		if isHeaderValue(value) {
			h[f.Name] = []string{value}
		}
	}
	return nil
}

// isHeaderValue refuses what cannot be sent as it is: control characters would
// be a 502 or worse, outer blanks are lost on the way and with them the
// difference between " root" and "root".
func isHeaderValue(text string) bool {
	if text == "" || text[0] == ' ' || text[len(text)-1] == ' ' {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c < 0x20 || c == 0x7f:
			return false
		case c >= utf8.RuneSelf:
			return isUnicodeValue(text)
		}
	}
	return true
}

// isUnicodeValue judges what is not ASCII as applications read it: some end a line
// at U+0085 and U+2028, trim U+00A0 and U+3000, or drop what is no UTF-8.
func isUnicodeValue(text string) bool {
	return utf8.ValidString(text) && strings.TrimFunc(text, isBlank) == text &&
		!strings.ContainsFunc(text, func(r rune) bool {
			return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
		})
}

// isBlank is what Unicode or JavaScript trims.
func isBlank(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' }

// forwardText returns a value of forward, nothing when there is none.
func (st *state) forwardText(name string) (string, error) {
	id := st.identity
	if id == nil {
		return "", nil
	}
	if path, ok := strings.CutPrefix(name, "claims."); ok {
		v, _ := id.Claims.Lookup(path)
		return caddy.ToString(v), nil
	}
	if field, ok := strings.CutPrefix(name, "user."); ok {
		v, err := st.userField(field)
		return caddy.ToString(v), err
	}
	switch name {
	case "id":
		return id.ID, nil
	case "issuer":
		return id.Issuer, nil
	case "is_staff":
		return strconv.FormatBool(id.Staff), nil
	case "is_superuser":
		return strconv.FormatBool(id.Superuser), nil
	case "permissions":
		return id.Permissions.String(), nil
	default: // "backend": Validate let nothing else through
		return id.Backend, nil
	}
}
