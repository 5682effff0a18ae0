// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
)

// Sizes of RSA keys in bits. Below the first the standard library verifies
// nothing, below the second a key is weak (RFC 7518, section 3.3), above the
// third a single signature costs milliseconds.
const (
	leastRSABits = 1024
	minRSABits   = 2048
	maxRSABits   = 16384
)

// errUnserved is the error of a key that none of the allowed algorithms uses.
var errUnserved = errors.New("no allowed algorithm can use this key")

// keyRules says which keys a block takes and for what.
type keyRules struct {
	// allowed are the configured algorithms; 0 when none are.
	allowed algorithmSet

	// weak takes keys that are too short.
	weak bool
}

// newSecretKey makes a key of a secret. The pin is the algorithm that a JWK
// names, or 0.
func (r keyRules) newSecretKey(secret []byte, kid string, pin algorithmSet) (*key, error) {
	algorithms := familyHMAC
	switch {
	case pin != 0:
		algorithms &= pin
	case r.allowed == 0:
		algorithms = setOf(algHS256) // the default
	}
	if r.allowed != 0 {
		algorithms &= r.allowed
	}
	if algorithms == 0 {
		return nil, errUnserved
	}
	if len(secret) == 0 {
		return nil, errors.New("the secret is empty")
	}
	var err error
	algorithms.each(func(alg algorithm) {
		// RFC 7518, section 3.2: a key of the size of the hash or larger.
		if need := alg.hash().Size(); len(secret) < need && !r.weak && err == nil {
			err = fmt.Errorf("a secret of %d bytes is too short for %s, which needs %d", len(secret), alg, need)
		}
	})
	if err != nil {
		return nil, err
	}
	return newKey(kid, algorithms, newMAC(secret), secret), nil
}

// newPublicKey makes a key of a public key. Its type and curve say which
// algorithms there are to choose from.
func (r keyRules) newPublicKey(public crypto.PublicKey, kid string, pin algorithmSet) (*key, error) {
	var algorithms algorithmSet
	var size int // of a signature
	switch p := public.(type) {
	case *rsa.PublicKey:
		if err := r.checkRSA(p); err != nil {
			return nil, err
		}
		algorithms, size = familyRSA, p.Size()
	case *ecdsa.PublicKey:
		switch p.Curve {
		case elliptic.P256():
			algorithms = setOf(algES256)
		case elliptic.P384():
			algorithms = setOf(algES384)
		case elliptic.P521():
			algorithms = setOf(algES512)
		default:
			return nil, errors.New("elliptic curve keys are P-256, P-384 or P-521")
		}
		size = 2 * ((p.Params().BitSize + 7) / 8)
	case ed25519.PublicKey:
		if len(p) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("an Ed25519 public key has %d bytes, not %d", ed25519.PublicKeySize, len(p))
		}
		algorithms, size = familyEdDSA, ed25519.SignatureSize
	default:
		return nil, errors.New("keys are RSA, elliptic curve (P-256, P-384, P-521) or Ed25519")
	}
	if pin != 0 {
		algorithms &= pin
	}
	if r.allowed != 0 {
		algorithms &= r.allowed
	}
	if algorithms == 0 {
		return nil, errUnserved
	}
	material, err := x509.MarshalPKIXPublicKey(public) // fails for points that are not on the curve
	if err != nil {
		return nil, errors.New("the key is not valid")
	}
	checks, err := newJWSVerifier(public, size, algorithms)
	if err != nil {
		return nil, err
	}
	var v verifier = checks
	if p, ok := public.(*rsa.PublicKey); ok {
		v = rsaVerifier{checks, p}
	}
	return newKey(kid, algorithms, v, material), nil
}

func (r keyRules) checkRSA(p *rsa.PublicKey) error {
	bits := p.N.BitLen()
	switch {
	case bits > maxRSABits:
		return fmt.Errorf("an RSA key of %d bits is larger than %d", bits, maxRSABits)
	case p.E < 3 || p.E&1 == 0 || p.N.Bit(0) == 0:
		return errors.New("the RSA key is not valid") // exponent 1 verifies anything
	case bits < leastRSABits, bits < minRSABits && !r.weak:
		return fmt.Errorf("an RSA key of %d bits is too short: %d is the least", bits, minRSABits)
	case r.weak:
		return nil
	case isROCA(p.N):
		return errors.New("the RSA key was made by a faulty generator and can be factored (CVE-2017-15361)")
	}
	return nil
}

// rocaPrimes are the first odd primes. The faulty generator made its primes of
// powers of 65537, so that the modulus, too, is a power of 65537 modulo each of
// these; of other keys one in 2^27 looks like that.
var rocaPrimes = []int64{
	3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79,
	83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
}

func isROCA(n *big.Int) bool {
	for _, p := range rocaPrimes {
		residue := new(big.Int).Mod(n, big.NewInt(p)).Int64()
		power, found := int64(1), false
		for range p {
			found = found || power == residue
			power = power * 65537 % p
		}
		if !found {
			return false
		}
	}
	return true
}
