// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"bytes"
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
	if i == 0 || j == i+1 {
		return compact{}, errShape
	}
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

// header is what the header of a token says (RFC 7515, section 4.1). The bytes
// belong to the scratch that it was parsed into.
type header struct {
	alg     algorithm
	known   bool // alg exists here
	kid     []byte
	withKid bool
	typ     []byte
	withTyp bool
}

// Slots of the members of a header that mean something here. What points to
// keys ("jwk", "jku", "x5u", "x5c") is not among them: the token does not say
// what it is verified with.
const (
	headerAlg = iota
	headerKid
	headerTyp
	headerCty
	headerCrit
	headerB64
	headerSlots
)

var headerIndex = map[string]int{
	"alg": headerAlg, "kid": headerKid, "typ": headerTyp,
	"cty": headerCty, "crit": headerCrit, "b64": headerB64,
}

// parseHeader decodes and judges the header.
func parseHeader(s *scratch, part string) (h header, err error) {
	if s.header, err = decode(s.header, part); err != nil {
		return h, err
	}
	m := &s.headerMembers
	if err := m.parse(s.header, headerIndex, headerSlots); err != nil {
		return h, errHeader
	}
	if m.has(headerCrit) {
		return h, errCritical // RFC 7515, section 4.1.11: not understood is refused
	}
	if m.has(headerB64) {
		return h, errB64 // RFC 7797 is only valid with "crit"
	}
	if m.has(headerCty) {
		cty, ok := m.text(headerCty)
		if !ok {
			return h, errHeaderTyp
		}
		if isMediaType(cty, "jwt") {
			return h, errNested // RFC 7519, section 5.2
		}
	}
	var ok bool
	if h.withKid = m.has(headerKid); h.withKid {
		if h.kid, ok = m.text(headerKid); !ok {
			return h, errHeaderTyp
		}
	}
	if h.withTyp = m.has(headerTyp); h.withTyp {
		if h.typ, ok = m.text(headerTyp); !ok {
			return h, errHeaderTyp
		}
	}
	if !m.has(headerAlg) {
		return h, errNoAlg
	}
	alg, ok := m.text(headerAlg)
	if !ok {
		return h, errHeaderTyp
	}
	h.alg, h.known = parseAlgorithm(alg)
	return h, nil
}

// isMediaType compares a "typ" or "cty" with want, which is in lower case and
// as normalizeType makes it: without regard to case, and "application/" may be
// left out where no other slash follows (RFC 7515, section 4.1.9).
func isMediaType(got []byte, want string) bool {
	const application = "application/"
	if len(got) > len(application) && bytes.EqualFold(got[:len(application)], []byte(application)) &&
		bytes.IndexByte(got[len(application):], '/') < 0 {
		got = got[len(application):]
	}
	return len(got) == len(want) && strings.EqualFold(string(got), want)
}

// normalizeType prepares the configured type for isMediaType.
func normalizeType(typ string) string {
	typ = strings.ToLower(typ)
	if rest, ok := strings.CutPrefix(typ, "application/"); ok && rest != "" && !strings.Contains(rest, "/") {
		return rest
	}
	return typ
}
