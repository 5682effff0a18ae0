// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"bytes"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

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

// knownHeaders remembers headers by their text. The tokens of one key mostly
// have one and the same header, so that it need not be parsed again.
//
// Only headers of tokens with a good signature are kept: nobody but the issuer
// can fill it.
type knownHeaders struct {
	mu     sync.Mutex // held by those who add
	byText atomic.Pointer[map[string]header]
}

// maxKnownHeaders is how many are kept. They are never exchanged: an issuer
// whose headers differ from token to token has each of them parsed.
const maxKnownHeaders = 16

// maxKnownHeader is the longest text that is kept.
const maxKnownHeader = 1 << 10

// find returns the header of that text.
func (k *knownHeaders) find(part string) (header, bool) {
	known := k.byText.Load()
	if known == nil {
		return header{}, false
	}
	h, ok := (*known)[part]
	return h, ok
}

// full reports whether nothing more is kept.
func (k *knownHeaders) full() bool {
	known := k.byText.Load()
	return known != nil && len(*known) >= maxKnownHeaders
}

// add keeps a header that was parsed.
func (k *knownHeaders) add(part string, h header) {
	if k.full() || len(part) > maxKnownHeader {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.full() {
		return
	}
	next := make(map[string]header)
	if known := k.byText.Load(); known != nil {
		maps.Copy(next, *known)
	}
	h.kid, h.typ = bytes.Clone(h.kid), bytes.Clone(h.typ)
	next[strings.Clone(part)] = h
	k.byText.Store(&next)
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
