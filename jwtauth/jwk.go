// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	jwxkey "github.com/lestrrat-go/jwx/v2/jwk"
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

var (
	errMember   = errors.New("a member of the JWK is missing or not strict base64url")
	errRSA      = errors.New("the RSA key is not valid")
	errCurve    = errors.New("the coordinates are not of the curve's size")
	errPoint    = errors.New("the point is not on the curve")
	errTwoParts = errors.New("the private and the public part do not belong together")
)

// number decodes a member that every key of the type has.
func number(text string) ([]byte, error) {
	b, err := decode(nil, text)
	if err != nil || len(b) == 0 || strings.ContainsAny(text, "\r\n") {
		return nil, errMember
	}
	return b, nil
}

// secret returns the bytes of a symmetric key.
func (j *jwk) secret() ([]byte, error) { return number(j.K) }

// checked returns the members that the type and the curve ask for, all of them
// strict base64url.
func (j *jwk) checked(private bool) (map[string]string, error) {
	var members map[string]string
	switch {
	case j.Type == "RSA":
		members = map[string]string{"n": j.N, "e": j.E}
		if private {
			members["p"], members["q"] = j.P, j.Q
		}
	case j.Type == "EC" && j.family() != 0:
		members = map[string]string{"x": j.X, "y": j.Y}
	case j.Type == "OKP" && j.family() != 0:
		members = map[string]string{"x": j.X}
	case j.Type == "EC":
		return nil, errors.New(`"crv" of an EC key is P-256, P-384 or P-521`)
	case j.Type == "OKP":
		return nil, errors.New(`"crv" of an OKP key is Ed25519`)
	default:
		return nil, errors.New(`"kty" is RSA, EC or OKP`)
	}
	if private {
		members["d"] = j.D
	}
	for _, text := range members {
		if _, err := number(text); err != nil {
			return nil, err
		}
	}
	members["kty"] = j.Type
	if j.Type != "RSA" {
		members["crv"] = j.Curve
	} else if e, _ := number(j.E); new(big.Int).SetBytes(e).BitLen() > 31 {
		return nil, errRSA // jwx would cut the exponent off
	}
	return members, nil
}

// parsed lets jwx make the key. What jwx reads is written anew from the members
// that were checked: left to itself it takes the last of two equal members and
// every alphabet of base64. Its errors may quote a member and are not shown.
func (j *jwk) parsed(private bool) (any, error) {
	members, err := j.checked(private)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(members)
	if err != nil {
		return nil, errMember
	}
	parsed, err := jwxkey.ParseKey(text)
	if err != nil {
		return nil, errMember
	}
	if parsed.Validate() != nil { // RFC 7518, sections 6.2.1.2 and 6.2.2.1: exactly the size
		if private {
			return nil, errTwoParts
		}
		return nil, errCurve
	}
	var key any
	if parsed.Raw(&key) != nil { // Ed25519, whose halves jwx compares
		return nil, errTwoParts
	}
	return key, nil
}

// public returns the public key.
func (j *jwk) public() (crypto.PublicKey, error) {
	key, err := j.parsed(false)
	if err != nil {
		return nil, err
	}
	if p, ok := key.(*ecdsa.PublicKey); ok {
		if _, err := p.Bytes(); err != nil { // jwx asks when it verifies
			return nil, errPoint
		}
	}
	return key, nil
}

// private returns the private key, whose public half is the one that the JWK
// says. jwx compares the two for Ed25519 alone.
func (j *jwk) private() (crypto.Signer, error) {
	if _, err := j.public(); err != nil {
		return nil, err
	}
	key, err := j.parsed(true)
	if err != nil {
		return nil, err
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.Validate() != nil {
			return nil, errRSA
		}
		k.Precompute()
	case *ecdsa.PrivateKey:
		d, err := k.Bytes()
		if err != nil {
			return nil, errTwoParts
		}
		own, err := ecdsa.ParseRawPrivateKey(k.Curve, d)
		if err != nil || !own.PublicKey.Equal(&k.PublicKey) {
			return nil, errTwoParts
		}
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key cannot sign")
	}
	return signer, nil
}
