// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// backend is the Backend of every identity that this package makes.
const backend = "jwt"

// subject reads whose token it is. It returns the empty text when the token
// names nobody that it may name.
func (j *JWT) subject(m *members) (id []byte, err error) {
	value := m.claim(j.names.user)
	if value == nil {
		return nil, nil
	}
	id, ok := idText(value)
	if !ok {
		return nil, auth.Invalid(auth.ReasonMalformedToken, malformed(j.names.user.name, "neither text nor a whole number").detail)
	}
	if bytes.HasPrefix(id, []byte(auth.APIKeyPrefix)) {
		return nil, nil
	}
	return id, nil
}

// accept judges the claims of a token with a good signature and makes the
// identity. It returns "nbf" beside it, which the identity does not hold.
func (j *JWT) accept(s *scratch, h *header, now time.Time) (id *auth.Identity, notBefore time.Time, err error) {
	subject, err := j.subject(&s.claims)
	if err != nil {
		return nil, time.Time{}, err
	}
	v, fault := j.checkClaims(s, h, subject, now)
	if fault.found() {
		return nil, time.Time{}, auth.InvalidFor(string(subject), fault.reason, fault.detail)
	}
	return j.identity(s, subject, &v), v.notBefore, nil
}

// fault is what is wrong with a token of which is known whose it is. The zero
// value is nothing.
type fault struct {
	reason auth.Reason
	detail string
}

func (f fault) found() bool { return f.reason != "" }

// malformed is the fault of a claim of the wrong type.
func malformed(claim, why string) fault {
	return fault{auth.ReasonMalformedToken, `claim "` + claim + `": ` + why}
}

// missing is the fault of a claim that is not there as it should be.
func missing(claim, why string) fault {
	return fault{auth.ReasonMissingClaim, `claim "` + claim + `": ` + why}
}

const notText = "neither text nor a list of text"

// checkClaims goes through the claims, from types to times to what the
// configuration asks for, and returns the first fault.
func (j *JWT) checkClaims(s *scratch, h *header, subject []byte, now time.Time) (v validity, f fault) {
	m := &s.claims
	v, wrong := m.validity()
	if wrong != "" {
		return v, malformed(wrong, "not a number")
	}
	for _, slot := range [...]int{claimJti, claimSid} {
		if _, ok := m.text(slot); !ok && m.has(slot) {
			return v, malformed(registeredNames[slot], "not text")
		}
	}
	audience, ok := j.audienceOf(m)
	if !ok {
		return v, malformed("aud", notText)
	}

	if !m.has(claimExp) {
		return v, missing("exp", "missing")
	}
	if f := j.limits.check(&v, now); f.found() {
		return v, f
	}
	if !m.has(claimIat) && j.limits.maxAge > 0 {
		return v, missing("iat", "missing, and max_age needs it")
	}

	if !audience {
		return v, fault{auth.ReasonWrongAudience, `claim "aud": missing, or none of those accepted`}
	}
	if j.typ != "" && !(h.withTyp && isMediaType(h.typ, j.typ)) {
		return v, fault{auth.ReasonWrongType, `"typ" of the header: missing, or not the one accepted`}
	}
	if len(subject) == 0 {
		return v, missing(j.names.user.name, "missing, empty, or reserved for API keys")
	}
	if f := j.checkSub(m); f.found() {
		return v, f
	}
	if jti, _ := m.text(claimJti); len(jti) == 0 && j.RequireJTI {
		return v, missing("jti", "missing or empty")
	}
	for _, ref := range j.names.needs {
		if value := m.claim(ref); value == nil || string(value) == "null" {
			return v, missing(ref.name, "missing or null")
		}
	}
	if claim, ok := s.permissions(j.names.perms); !ok {
		return v, malformed(claim, notText)
	}
	return v, fault{}
}

// checkSub looks at "sub", which is not always the claim that names the user.
func (j *JWT) checkSub(m *members) fault {
	if !m.has(claimSub) {
		if j.Subject != "" {
			return missing("sub", "missing")
		}
		return fault{}
	}
	sub, ok := idText(m.value(claimSub))
	switch {
	case !ok:
		return malformed("sub", "neither text nor a whole number")
	case bytes.HasPrefix(sub, []byte(auth.APIKeyPrefix)):
		return missing("sub", "reserved for API keys")
	case j.Subject != "" && string(sub) != j.Subject:
		return missing("sub", "not the one accepted")
	default:
		return fault{}
	}
}

// audienceOf reports whether the audience is one of those accepted; ok is false
// when it has the wrong type. Comparison is to the letter (RFC 7519, section
// 4.1.3).
func (j *JWT) audienceOf(m *members) (accepted, ok bool) {
	accepted = len(j.Audiences) == 0
	if !m.has(claimAud) {
		return accepted, true
	}
	compare := func(aud []byte) {
		for _, one := range j.Audiences {
			accepted = accepted || string(aud) == one
		}
	}
	value := m.value(claimAud)
	if text, isText := textOf(value); isText {
		compare(text)
		return accepted, true
	}
	return accepted, eachText(value, compare)
}

// issuer checks the claim before any key is touched: the token is another
// block's if it is another's.
func (j *JWT) issuer(m *members) (string, error) {
	if !m.has(claimIss) {
		if len(j.Issuers) > 0 {
			return "", errIssuer
		}
		return "", nil
	}
	iss, ok := m.text(claimIss)
	if !ok {
		return "", errIssuerType
	}
	if bytes.HasPrefix(iss, []byte(auth.LocalIssuer)) {
		return "", errLocal
	}
	if len(j.Issuers) == 0 {
		return string(iss), nil
	}
	for _, accepted := range j.Issuers {
		if string(iss) == accepted {
			return accepted, nil
		}
	}
	return "", errIssuer
}

// permissions finds the first of the claims that is present and remembers where
// its words stand in s.text; ok is false when it, the claim that is returned,
// is neither a list of text nor text with spaces.
func (s *scratch) permissions(refs []claimRef) (claim string, ok bool) {
	s.text, s.words = s.text[:0], s.words[:0]
	add := func(word []byte) {
		start := len(s.text)
		s.text = append(s.text, word...)
		s.words = append(s.words, span{start, len(s.text)})
	}
	for _, ref := range refs {
		value := s.claims.claim(ref)
		if value == nil {
			continue
		}
		text, isText := textOf(value)
		if !isText {
			return ref.name, eachText(value, add)
		}
		for word := range bytes.SplitSeq(text, []byte{' '}) { // RFC 6749, section 3.3: no other blank
			add(word)
		}
		return ref.name, true
	}
	return "", true
}

// identity makes the identity. All its text is one allocation, which begins
// with the permissions that were found already.
func (j *JWT) identity(s *scratch, subject []byte, v *validity) *auth.Identity {
	m := &s.claims
	jti, _ := m.text(claimJti)
	if len(jti) == 0 {
		sum := sha256.Sum256(m.raw)
		s.digest = hex.AppendEncode(s.digest[:0], sum[:])
		jti = s.digest
	}
	sid, _ := m.text(claimSid)
	id := len(s.text)
	token := id + len(subject)
	session := token + len(jti)
	s.text = append(append(append(s.text, subject...), jti...), sid...)
	text := string(s.text)

	words := s.permissionWords[:0]
	for _, word := range s.words {
		words = append(words, text[word.start:word.end])
	}
	permissions := auth.NewSet(words...)
	clear(words)
	s.permissionWords = words

	return &auth.Identity{
		ID:          text[id:token],
		Issuer:      s.issuer,
		Backend:     backend,
		Staff:       m.isTrue(j.names.staff),
		Superuser:   m.isTrue(j.names.superuser),
		Permissions: permissions,
		Claims:      auth.TrustedClaims(bytes.Clone(m.raw)),
		TokenID:     text[token:session],
		SessionID:   text[session:],
		IssuedAt:    v.issued,
		ExpiresAt:   v.expires,
	}
}
