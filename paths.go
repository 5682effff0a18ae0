// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// isAmbiguous reports whether Caddy and the application behind it may read the
// path differently. Rules decide by path, so such a path could get the rule of
// one and reach the page of another: "/public/..;/admin", "//public/x",
// "/public%2f..%2fadmin".
func isAmbiguous(u *url.URL) bool {
	if u.Path == "" || u.Path[0] != '/' || isSuspicious(u.Path) { // "*", "http://host"
		return true
	}
	if raw := u.RawPath; raw != "" {
		if isSuspicious(raw) || containsEscape(raw, '/') || containsEscape(raw, '\\') {
			return true
		}
	}
	// an application may decode what is decoded already
	path := u.Path
	for range maxDecodings {
		if strings.IndexByte(path, '%') < 0 {
			return false
		}
		if hidesCharacter(path) {
			return true
		}
		again := unescape(path)
		if again == path {
			return false
		}
		path = again
	}
	return true // nobody means this; each round costs a look at the whole path
}

// maxDecodings bounds how often a path may be encoded over and over again.
const maxDecodings = 3

// isOpaque reports whether the request target is no path: Go reads "x:y/admin"
// as a URL without a path, while a proxy sends on what it says, and servers
// behind it serve /admin.
func isOpaque(u *url.URL) bool { return u.Opaque != "" }

// isSuspicious looks at a path as it stands.
func isSuspicious(path string) bool {
	ascii := true
	segment := 0 // where the current segment began
	for i := range len(path) {
		c := path[i]
		switch {
		case c == '/':
			if i > 0 && path[i-1] == '/' || isDots(path[segment:i]) {
				return true
			}
			segment = i + 1
		case c == ';', c == '\\', c < 0x20, c == 0x7f:
			return true
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return isDots(path[segment:]) || !ascii && !utf8.ValidString(path)
}

func isDots(segment string) bool { return segment == "." || segment == ".." }

// hidesCharacter reports whether a path that was decoded holds an encoded
// character again. "/%2570riv" was encoded twice: it is "/%70riv" to Caddy, and
// "/priv" to who decodes once more. Spaces and percent signs are what file names
// and addresses within a path bring along.
func hidesCharacter(path string) bool {
	for i := range len(path) {
		if c, ok := escaped(path, i); ok && c != ' ' && c != '%' {
			return true
		}
	}
	return false
}

// containsEscape reports whether the path holds the byte in percent-encoding.
func containsEscape(path string, b byte) bool {
	for i := 0; i+2 < len(path); i++ {
		if c, ok := escaped(path, i); ok && c == b {
			return true
		}
	}
	return false
}

// escaped returns the byte whose percent-encoding begins at i.
func escaped(path string, i int) (byte, bool) {
	if path[i] != '%' || i+2 >= len(path) {
		return 0, false
	}
	hi, ok1 := unhex(path[i+1])
	lo, ok2 := unhex(path[i+2])
	return hi<<4 | lo, ok1 && ok2
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	default:
		return 0, false
	}
}

// unescape decodes what is well encoded and leaves the rest.
func unescape(path string) string {
	var sb strings.Builder
	sb.Grow(len(path))
	for i := 0; i < len(path); i++ {
		if c, ok := escaped(path, i); ok {
			sb.WriteByte(c)
			i += 2
			continue
		}
		sb.WriteByte(path[i])
	}
	return sb.String()
}

// isPlainPath reports whether nobody who joins, cleans or redirects to the path
// makes another one of it: it has no empty segment but the last, and none of dots.
func isPlainPath(path string) bool {
	if strings.Contains(path, "//") {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if isDots(segment) {
			return false
		}
	}
	return true
}
