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
		return nil, auth.Invalid(auth.ReasonMalformedToken, "claim \""+j.names.user.name+"\": neither text nor a whole number")
	}
	if bytes.HasPrefix(id, []byte(auth.APIKeyPrefix)) {
		return nil, nil
	}
	return id, nil
}

// accept judges the claims of a token with a good signature and makes the
// identity.
func (j *JWT) accept(s *scratch, h *header, now time.Time) (*auth.Identity, error) {
	m := &s.claims
	subject, err := j.subject(m)
	if err != nil {
		return nil, err
	}
	// From here on it is known whose token is refused.
	refuse := func(reason auth.Reason, detail string) (*auth.Identity, error) {
		return nil, auth.InvalidFor(string(subject), reason, detail)
	}
	malformed := func(claim, why string) (*auth.Identity, error) {
		return refuse(auth.ReasonMalformedToken, "claim \""+claim+"\": "+why)
	}

	v, wrong := m.validity()
	if wrong != "" {
		return malformed(wrong, "not a number")
	}
	for _, slot := range [...]int{claimJti, claimSid} {
		if _, ok := m.text(slot); !ok && m.has(slot) {
			return malformed(registeredNames[slot], "not text")
		}
	}
	audience, ok := j.audienceOf(m)
	if !ok {
		return malformed("aud", "neither text nor a list of text")
	}

	if !m.has(claimExp) {
		return refuse(auth.ReasonMissingClaim, `claim "exp": missing`)
	}
	if reason, detail := j.limits.check(&v, now); reason != "" {
		return refuse(reason, detail)
	}
	if !m.has(claimIat) && j.limits.maxAge > 0 {
		return refuse(auth.ReasonMissingClaim, `claim "iat": missing, and max_age needs it`)
	}
	if !audience {
		return refuse(auth.ReasonWrongAudience, `claim "aud": missing, or none of those accepted`)
	}
	if j.typ != "" && !(h.withTyp && isMediaType(h.typ, j.typ)) {
		return refuse(auth.ReasonWrongType, `"typ" of the header: missing, or not the one accepted`)
	}
	if len(subject) == 0 {
		return refuse(auth.ReasonMissingClaim, "claim \""+j.names.user.name+"\": missing, empty, or reserved for API keys")
	}
	if detail := j.checkSub(m); detail != "" {
		return refuse(auth.ReasonMissingClaim, detail)
	}
	if jti, _ := m.text(claimJti); len(jti) == 0 && j.RequireJTI {
		return refuse(auth.ReasonMissingClaim, `claim "jti": missing or empty`)
	}
	for _, ref := range j.names.needs {
		if value := m.claim(ref); value == nil || string(value) == "null" {
			return refuse(auth.ReasonMissingClaim, "claim \""+ref.name+"\": missing")
		}
	}
	permissions, ok := s.permissions(j.names.perms)
	if !ok {
		return malformed("permissions", "neither text nor a list of text")
	}
	return j.identity(s, subject, permissions, &v), nil
}

// checkSub looks at "sub", which is not always the claim that names the user.
// It returns what is wrong.
func (j *JWT) checkSub(m *members) string {
	if !m.has(claimSub) {
		if j.Subject != "" {
			return `claim "sub": missing`
		}
		return ""
	}
	sub, ok := idText(m.value(claimSub))
	switch {
	case !ok:
		return `claim "sub": neither text nor a whole number`
	case bytes.HasPrefix(sub, []byte(auth.APIKeyPrefix)):
		return `claim "sub": reserved for API keys`
	case j.Subject != "" && string(sub) != j.Subject:
		return `claim "sub": not the one accepted`
	default:
		return ""
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

// permissions collects the words of the first of the claims that is present;
// ok is false when it is neither a list of text nor text with spaces.
func (s *scratch) permissions(refs []claimRef) (set auth.Set, ok bool) {
	for _, ref := range refs {
		value := s.claims.claim(ref)
		if value == nil {
			continue
		}
		if text, isText := textOf(value); isText {
			return auth.ParseSet(string(text)), true
		}
		words := s.words[:0]
		ok := eachText(value, func(word []byte) { words = append(words, string(word)) })
		set := auth.NewSet(words...)
		clear(words)
		s.words = words
		return set, ok
	}
	return auth.Set{}, true
}

// identity makes the identity. All its text is one allocation.
func (j *JWT) identity(s *scratch, subject []byte, permissions auth.Set, v *validity) *auth.Identity {
	m := &s.claims
	text := append(s.text[:0], subject...)
	afterID := len(text)
	jti, _ := m.text(claimJti)
	text = append(text, jti...)
	if len(text) == afterID { // no jti, or an empty one
		sum := sha256.Sum256(m.raw)
		text = hex.AppendEncode(text, sum[:])
	}
	afterToken := len(text)
	sid, _ := m.text(claimSid)
	text = append(text, sid...)
	s.text = text
	all := string(text)
	return &auth.Identity{
		ID:          all[:afterID],
		Issuer:      s.issuer,
		Backend:     backend,
		Staff:       m.isTrue(j.names.staff),
		Superuser:   m.isTrue(j.names.superuser),
		Permissions: permissions,
		Claims:      auth.TrustedClaims(bytes.Clone(m.raw)),
		TokenID:     all[afterID:afterToken],
		SessionID:   all[afterToken:],
		IssuedAt:    v.issued,
		ExpiresAt:   v.expires,
	}
}
