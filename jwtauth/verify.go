// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of the table
	_ "crypto/sha512"
	"hash"
	"sync"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// verifier is the part of a key that checks signatures, made ready when the
// configuration is loaded. It is called with the algorithms of its own family
// only, for many tokens at once.
type verifier interface {
	verify(alg algorithm, signed string, signature []byte) bool
}

// macVerifier is a secret (RFC 7518, section 3.2). It does not go through jwx,
// which keys an HMAC anew for every token and allocates eight times: here that
// is done once, and a token costs none.
type macVerifier struct {
	pools [3]sync.Pool // of *macState; by hash
}

// macState is an HMAC that was keyed once: what is left to do for a token is
// the text itself.
type macState struct {
	mac hash.Hash
	sum [64]byte
}

func newMAC(secret []byte) *macVerifier {
	secret = append([]byte(nil), secret...)
	v := &macVerifier{}
	for i := range v.pools {
		h := algorithm(i).hash()
		v.pools[i].New = func() any { return &macState{mac: hmac.New(h.New, secret)} }
	}
	return v
}

func (v *macVerifier) verify(alg algorithm, signed string, signature []byte) bool {
	state := v.pools[alg].Get().(*macState)
	state.mac.Reset()
	state.mac.Write(view(signed))
	ok := hmac.Equal(state.mac.Sum(state.sum[:0]), signature)
	v.pools[alg].Put(state)
	return ok
}

func (v *macVerifier) sign(alg algorithm, signed string) ([]byte, error) {
	state := v.pools[alg].Get().(*macState)
	defer v.pools[alg].Put(state)
	state.mac.Reset()
	state.mac.Write(view(signed))
	return state.mac.Sum(nil), nil
}

// jwsVerifier is a public key whose signatures jwx checks (RFC 7518, sections
// 3.3 and 3.4; RFC 8037, section 3.1). The verifiers are asked for once, when
// the key is loaded: jwx keeps them in a table that anything in the process can
// change.
type jwsVerifier struct {
	key       crypto.PublicKey
	size      int                          // of a signature
	verifiers [algorithmCount]jws.Verifier // nil for what the key does not serve
}

// newJWSVerifier returns the verifier of a key that may be used with the
// algorithms, whose signatures have so many bytes.
func newJWSVerifier(key crypto.PublicKey, size int, algorithms algorithmSet) (*jwsVerifier, error) {
	v := &jwsVerifier{key: key, size: size}
	var err error
	algorithms.each(func(alg algorithm) {
		if isPSS(alg) || err != nil {
			return
		}
		v.verifiers[alg], err = jws.NewVerifier(jwa.SignatureAlgorithm(alg.String()))
	})
	return v, err
}

func (v *jwsVerifier) verify(alg algorithm, signed string, signature []byte) bool {
	verifier := v.verifiers[alg]
	return verifier != nil && len(signature) == v.size &&
		verifier.Verify(view(signed), signature, v.key) == nil
}

// rsaVerifier is an RSA key. What is signed with PS256, PS384 and PS512 is
// checked here, because jwx takes a salt of any length and RFC 7518, section
// 3.5 asks for that of the hash.
type rsaVerifier struct {
	*jwsVerifier
	key *rsa.PublicKey
}

func (v rsaVerifier) verify(alg algorithm, signed string, signature []byte) bool {
	if !isPSS(alg) {
		return v.jwsVerifier.verify(alg, signed, signature)
	}
	if len(signature) != v.size {
		return false
	}
	h := alg.hash()
	state := h.New()
	state.Write(view(signed))
	return rsa.VerifyPSS(v.key, h, state.Sum(nil), signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
}

func isPSS(alg algorithm) bool { return alg >= algPS256 && alg <= algPS512 }
