// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"encoding/base64"
	"strings"
	"unsafe"
)

// compact is a token in its three parts (RFC 7515, section 7.1), none of them
// decoded or copied.
type compact struct {
	header, payload, signature string

	// signed is what the signature is over: the header, a dot, the payload,
	// as they were received.
	signed string
}

// split takes a token apart. The dots are counted first, so that a token of a
// million dots costs one look at each byte and no memory (CVE-2025-30204).
//
// Line breaks are looked for here because the decoder of the standard library
// skips them, which would give one token many spellings.
func split(token string) (compact, error) {
	if strings.Count(token, ".") != 2 {
		return compact{}, errShape
	}
	if strings.IndexByte(token, '\n') >= 0 || strings.IndexByte(token, '\r') >= 0 {
		return compact{}, errBase64
	}
	i := strings.IndexByte(token, '.')
	j := strings.LastIndexByte(token, '.')
	return compact{
		header:    token[:i],
		payload:   token[i+1 : j],
		signature: token[j+1:],
		signed:    token[:j],
	}, nil
}

// rawURL decodes base64url without padding (RFC 7515, section 2), and refuses
// the other spellings of the same bytes: padding, and bits set after the last
// byte.
var rawURL = base64.RawURLEncoding.Strict()

// decode decodes a part into buf, which grows as needed.
func decode(buf []byte, part string) ([]byte, error) {
	n := rawURL.DecodedLen(len(part))
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	n, err := rawURL.Decode(buf[:n], view(part))
	if err != nil {
		return buf[:0], errBase64
	}
	return buf[:n], nil
}

// view returns the bytes of s without copying them. They must only be read:
// it serves the decoder and the hashes, which take nothing but bytes.
func view(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s)) //nolint:gosec // read only
}
