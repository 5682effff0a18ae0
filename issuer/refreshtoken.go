// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

const (
	sessionIDSize = 16
	secretSize    = 32
)

// refreshToken is a refresh token, which is opaque to clients: the session that
// it belongs to, a secret that all refresh tokens of the session have in common,
// and one of its own.
//
// The ID of the session stands in access tokens and is no secret. Who knows the
// family's secret held a refresh token of the session, now or earlier: only to
// them does it matter whether the last part is that of today. The store keeps
// digests of both, whose originals are too long to be guessed.
type refreshToken struct {
	session [sessionIDSize]byte
	family  [secretSize]byte
	secret  [secretSize]byte
}

const refreshTokenSize = sessionIDSize + 2*secretSize

// strictText has one text for each token.
var strictText = base64.RawURLEncoding.Strict()

var refreshTokenText = strictText.EncodedLen(refreshTokenSize)

// newRefreshToken returns the first token of a session.
func newRefreshToken() *refreshToken {
	var t refreshToken
	_, _ = rand.Read(t.session[:]) // never fails: it ends the process instead
	t.session[0] &= 0x7f           // as idText
	_, _ = rand.Read(t.family[:])
	_, _ = rand.Read(t.secret[:])
	return &t
}

// parseRefreshToken returns the token of that text; false if it is none.
func parseRefreshToken(text string) (*refreshToken, bool) {
	if len(text) != refreshTokenText {
		return nil, false
	}
	// The decoder skips line breaks, and comes out shorter then.
	raw, err := strictText.DecodeString(text)
	if err != nil || len(raw) != refreshTokenSize {
		return nil, false
	}
	t := new(refreshToken)
	raw = raw[copy(t.session[:], raw):]
	raw = raw[copy(t.family[:], raw):]
	copy(t.secret[:], raw)
	return t, true
}

// text is what the client keeps.
func (t *refreshToken) text() string {
	raw := make([]byte, 0, refreshTokenSize)
	raw = append(append(append(raw, t.session[:]...), t.family[:]...), t.secret[:]...)
	return strictText.EncodeToString(raw)
}

// String keeps a token that is printed by accident from being one.
func (*refreshToken) String() string { return "REDACTED" }

// sessionID is the "sid" of access tokens.
func (t *refreshToken) sessionID() string { return strictText.EncodeToString(t.session[:]) }

// isOfFamily reports whether the token was made for the session of this digest,
// at any time.
func (t *refreshToken) isOfFamily(digest [sha256.Size]byte) bool {
	return sameDigest(sha256.Sum256(t.family[:]), digest)
}

// is reports whether the token's own secret is that of the digest.
func (t *refreshToken) is(digest [sha256.Size]byte) bool { return sameDigest(t.digest(), digest) }

// digest is what the store keeps of the token's own secret.
func (t *refreshToken) digest() [sha256.Size]byte { return sha256.Sum256(t.secret[:]) }

func sameDigest(a, b [sha256.Size]byte) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }

// successor returns the token that takes this one's place. It follows from this
// token and the nonce: a second request with this token gets the same again,
// and the store, which knows the nonce, need not keep the token for that.
func (t *refreshToken) successor(nonce [secretSize]byte) *refreshToken {
	next := *t
	next.secret = t.derive("refresh token", nonce)
	return &next
}

// tokenID returns the "jti" of the access token that comes with the successor.
func (t *refreshToken) tokenID(nonce [secretSize]byte) string {
	id := t.derive("access token", nonce)
	return idText([tokenIDSize]byte(id[:tokenIDSize]))
}

func (t *refreshToken) derive(what string, nonce [secretSize]byte) (out [secretSize]byte) {
	mac := hmac.New(sha256.New, t.secret[:])
	mac.Write([]byte(what))
	mac.Write(nonce[:])
	mac.Sum(out[:0])
	return out
}
