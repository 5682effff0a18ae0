// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of the table
	_ "crypto/sha512"
	"hash"
	"math/big"
	"sync"
)

// verifier is the part of a key that checks signatures, made ready when the
// configuration is loaded. It is called with the algorithms of its own family
// only, for many tokens at once.
type verifier interface {
	verify(alg algorithm, signed string, signature []byte) bool
}

// macVerifier is a secret (RFC 7518, section 3.2).
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

// digest returns the hash of the text, in dst.
func digest(dst *[64]byte, h crypto.Hash, signed string) []byte {
	state := h.New()
	state.Write(view(signed))
	return state.Sum(dst[:0])
}

// rsaVerifier is an RSA key (RFC 7518, sections 3.3 and 3.5).
type rsaVerifier struct{ key *rsa.PublicKey }

func (v rsaVerifier) verify(alg algorithm, signed string, signature []byte) bool {
	if len(signature) != v.key.Size() {
		return false
	}
	var buf [64]byte
	sum := digest(&buf, alg.hash(), signed)
	if isPSS(alg) {
		return rsa.VerifyPSS(v.key, alg.hash(), sum, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
	}
	return rsa.VerifyPKCS1v15(v.key, alg.hash(), sum, signature) == nil
}

func isPSS(alg algorithm) bool { return alg >= algPS256 && alg <= algPS512 }

// ecVerifier is an elliptic curve key (RFC 7518, section 3.4).
type ecVerifier struct {
	key  *ecdsa.PublicKey
	size int // of each of the two numbers of a signature
}

func (v ecVerifier) verify(alg algorithm, signed string, signature []byte) bool {
	if len(signature) != 2*v.size {
		return false
	}
	var buf [64]byte
	var r, s big.Int
	r.SetBytes(signature[:v.size])
	s.SetBytes(signature[v.size:])
	return ecdsa.Verify(v.key, digest(&buf, alg.hash(), signed), &r, &s)
}

// edVerifier is an Ed25519 key (RFC 8037, section 3.1).
type edVerifier struct{ key ed25519.PublicKey }

func (v edVerifier) verify(_ algorithm, signed string, signature []byte) bool {
	return len(signature) == ed25519.SignatureSize && ed25519.Verify(v.key, view(signed), signature)
}
