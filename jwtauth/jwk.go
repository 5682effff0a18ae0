// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// jwk is a JSON Web Key (RFC 7517, section 4; RFC 7518, section 6; RFC 8037,
// section 2). Members that mean nothing here are left out, certificates
// ("x5c", "x5u") among them.
type jwk struct {
	Type       string   `json:"kty"`
	Use        string   `json:"use,omitzero"`
	Operations []string `json:"key_ops,omitzero"`
	Algorithm  string   `json:"alg,omitzero"`
	ID         string   `json:"kid,omitzero"`
	Curve      string   `json:"crv,omitzero"`
	X          string   `json:"x,omitzero"`
	Y          string   `json:"y,omitzero"`
	N          string   `json:"n,omitzero"`
	E          string   `json:"e,omitzero"`
	K          string   `json:"k,omitzero"`
	D          string   `json:"d,omitzero"`
	P          string   `json:"p,omitzero"`
	Q          string   `json:"q,omitzero"`
}

// parseJWK reads one key. Member names are matched to the letter, and a member
// that is there twice is an error.
func parseJWK(data []byte) (*jwk, error) {
	var j jwk
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, errors.New("is not a JWK") // the decoder's words quote the text
	}
	return &j, nil
}

// usable returns nil if the key is meant for signatures, and the algorithms
// that its "alg" leaves.
func (j *jwk) usable(operation string) (pin algorithmSet, err error) {
	if j.Use != "" && j.Use != "sig" {
		return 0, errors.New(`its "use" is not "sig"`)
	}
	if j.Operations != nil && !slices.Contains(j.Operations, operation) {
		return 0, fmt.Errorf(`its "key_ops" lack %q`, operation)
	}
	if j.Algorithm == "" {
		return 0, nil
	}
	alg, ok := parseAlgorithm(j.Algorithm)
	if !ok {
		return 0, errors.New(`its "alg" is none of those that exist here`)
	}
	pin = setOf(alg)
	if pin&j.family() == 0 {
		return 0, errors.New(`its "alg" does not fit its "kty" and "crv"`)
	}
	return pin, nil
}

// family returns the algorithms that fit the type and the curve.
func (j *jwk) family() algorithmSet {
	switch j.Type {
	case "oct":
		return familyHMAC
	case "RSA":
		return familyRSA
	case "EC":
		return map[string]algorithmSet{
			"P-256": setOf(algES256), "P-384": setOf(algES384), "P-521": setOf(algES512),
		}[j.Curve]
	case "OKP":
		if j.Curve == "Ed25519" {
			return familyEdDSA
		}
	}
	return 0
}

var errMember = errors.New("a member of the JWK is missing or not strict base64url")

// number decodes a member that every key of the type has.
func number(text string) ([]byte, error) {
	b, err := decode(nil, text)
	if err != nil || len(b) == 0 || strings.ContainsAny(text, "\r\n") {
		return nil, errMember
	}
	return b, nil
}

// numbers decodes several.
func numbers(texts ...string) ([][]byte, error) {
	list := make([][]byte, len(texts))
	for i, text := range texts {
		var err error
		if list[i], err = number(text); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// secret returns the bytes of a symmetric key.
func (j *jwk) secret() ([]byte, error) { return number(j.K) }

// public returns the public key.
func (j *jwk) public() (crypto.PublicKey, error) {
	switch j.Type {
	case "RSA":
		ne, err := numbers(j.N, j.E)
		if err != nil {
			return nil, err
		}
		exponent := new(big.Int).SetBytes(ne[1])
		if exponent.BitLen() > 31 {
			return nil, errors.New("the RSA key is not valid")
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(ne[0]), E: int(exponent.Int64())}, nil
	case "EC":
		curve, err := j.curve()
		if err != nil {
			return nil, err
		}
		xy, err := numbers(j.X, j.Y)
		if err != nil {
			return nil, err
		}
		size := (curve.Params().BitSize + 7) / 8 // RFC 7518, section 6.2.1.2: exactly
		if len(xy[0]) != size || len(xy[1]) != size {
			return nil, errors.New("the coordinates are not of the curve's size")
		}
		point := append(append([]byte{4}, xy[0]...), xy[1]...)
		public, err := ecdsa.ParseUncompressedPublicKey(curve, point)
		if err != nil {
			return nil, errors.New("the point is not on the curve")
		}
		return public, nil
	case "OKP":
		if j.Curve != "Ed25519" {
			return nil, errors.New(`"crv" of an OKP key is Ed25519`)
		}
		x, err := number(j.X)
		if err != nil {
			return nil, err
		}
		if len(x) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("an Ed25519 public key has %d bytes, not %d", ed25519.PublicKeySize, len(x))
		}
		return ed25519.PublicKey(x), nil
	default:
		return nil, errors.New(`"kty" is RSA, EC or OKP`)
	}
}

func (j *jwk) curve() (elliptic.Curve, error) {
	switch j.Curve {
	case "P-256":
		return elliptic.P256(), nil
	case "P-384":
		return elliptic.P384(), nil
	case "P-521":
		return elliptic.P521(), nil
	default:
		return nil, errors.New(`"crv" of an EC key is P-256, P-384 or P-521`)
	}
}

// private returns the private key, whose public half is the one that the JWK
// says.
func (j *jwk) private() (crypto.Signer, error) {
	public, err := j.public()
	if err != nil {
		return nil, err
	}
	d, err := number(j.D)
	if err != nil {
		return nil, err
	}
	var private crypto.Signer
	switch p := public.(type) {
	case *rsa.PublicKey:
		pq, err := numbers(j.P, j.Q)
		if err != nil {
			return nil, err
		}
		k := &rsa.PrivateKey{
			PublicKey: *p,
			D:         new(big.Int).SetBytes(d),
			Primes:    []*big.Int{new(big.Int).SetBytes(pq[0]), new(big.Int).SetBytes(pq[1])},
		}
		if err := k.Validate(); err != nil {
			return nil, errors.New("the RSA key is not valid")
		}
		k.Precompute()
		private = k
	case *ecdsa.PublicKey:
		k, err := ecdsa.ParseRawPrivateKey(p.Curve, d)
		if err != nil || !k.PublicKey.Equal(p) {
			return nil, errors.New("the private and the public part do not belong together")
		}
		private = k
	case ed25519.PublicKey:
		if len(d) != ed25519.SeedSize {
			return nil, fmt.Errorf("an Ed25519 private key has %d bytes, not %d", ed25519.SeedSize, len(d))
		}
		k := ed25519.NewKeyFromSeed(d)
		if !p.Equal(k.Public()) {
			return nil, errors.New("the private and the public part do not belong together")
		}
		private = k
	}
	return private, nil
}
