// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/caddybolt/caddy-bolt/auth"
)

// signingKey makes signatures that the block verifies.
type signingKey struct {
	header string // encoded, with the dot that follows it
	sign   func(signed string) ([]byte, error)
	public []byte // JWK set
}

// tokenHeader is the header of a token that is made here.
type tokenHeader struct {
	Algorithm string `json:"alg"`
	Type      string `json:"typ"`
	KeyID     string `json:"kid,omitempty"`
}

// signingAlgorithm returns the first of the configured algorithms that the key
// serves, or the first that it serves at all.
func signingAlgorithm(k *key, configured []algorithm) algorithm {
	for _, alg := range configured {
		if k.algorithms.has(alg) {
			return alg
		}
	}
	return k.algorithms.first()
}

// newSecretSigner signs with a secret. typ is the type that the block asks of
// tokens, if any.
func newSecretSigner(k *key, secret []byte, configured []algorithm, typ string) *signingKey {
	alg := signingAlgorithm(k, configured)
	mac := newMAC(secret)
	return &signingKey{
		header: encodeHeader(alg, typ, ""),
		sign:   func(signed string) ([]byte, error) { return mac.sign(alg, signed) },
		public: []byte(`{"keys":[]}`),
	}
}

// newPrivateSigner signs with a private key. A key without a name of its own is
// named by its thumbprint, so that those who verify with the published set can
// tell it from the next one.
func newPrivateSigner(k *key, private crypto.Signer, configured []algorithm, typ string) (*signingKey, error) {
	alg := signingAlgorithm(k, configured)
	members, thumbprint, err := publicMembers(private.Public())
	if err != nil {
		return nil, err
	}
	kid := k.kid
	if kid == "" {
		kid = thumbprint
	}
	members["kid"], members["alg"], members["use"] = kid, alg.String(), "sig"
	public, err := json.Marshal(map[string]any{"keys": []any{members}})
	if err != nil {
		return nil, err
	}
	return &signingKey{
		header: encodeHeader(alg, typ, kid),
		sign:   func(signed string) ([]byte, error) { return signWith(private, alg, signed) },
		public: public,
	}, nil
}

func encodeHeader(alg algorithm, typ, kid string) string {
	if typ == "" {
		typ = "JWT"
	}
	text, _ := json.Marshal(tokenHeader{alg.String(), typ, kid}) // three strings
	return base64.RawURLEncoding.EncodeToString(text) + "."
}

// signWith signs as RFC 7518 says.
func signWith(private crypto.Signer, alg algorithm, signed string) ([]byte, error) {
	if alg == algEdDSA {
		return private.Sign(rand.Reader, []byte(signed), crypto.Hash(0))
	}
	var buf [64]byte
	sum := digest(&buf, alg.hash(), signed)
	switch p := private.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, p, sum)
		if err != nil {
			return nil, err
		}
		size := (p.Params().BitSize + 7) / 8
		signature := make([]byte, 2*size)
		r.FillBytes(signature[:size])
		s.FillBytes(signature[size:])
		return signature, nil
	case *rsa.PrivateKey:
		if isPSS(alg) {
			return rsa.SignPSS(rand.Reader, p, alg.hash(), sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(nil, p, alg.hash(), sum)
	default:
		return nil, fmt.Errorf("keys of type %T do not sign", private)
	}
}

// publicMembers returns the members of the JWK of a public key, and its
// thumbprint (RFC 7638).
func publicMembers(public crypto.PublicKey) (map[string]string, string, error) {
	var members map[string]string
	switch p := public.(type) {
	case *rsa.PublicKey:
		members = map[string]string{
			"kty": "RSA",
			"n":   encode(p.N.Bytes()),
			"e":   encode(big.NewInt(int64(p.E)).Bytes()),
		}
	case *ecdsa.PublicKey:
		point, err := p.Bytes() // 4, x, y
		if err != nil {
			return nil, "", err
		}
		half := (len(point) - 1) / 2
		members = map[string]string{
			"kty": "EC",
			"crv": p.Params().Name,
			"x":   encode(point[1 : 1+half]),
			"y":   encode(point[1+half:]),
		}
	case ed25519.PublicKey:
		members = map[string]string{"kty": "OKP", "crv": "Ed25519", "x": encode(p)}
	default:
		return nil, "", fmt.Errorf("keys of type %T have no JWK", public)
	}
	// What encoding/json writes for a map of the required members is what RFC
	// 7638, section 3 asks for: sorted by name, without spaces.
	required, err := json.Marshal(members)
	if err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(required)
	return members, encode(sum[:]), nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Name implements auth.Signer.
func (j *JWT) Name() string { return j.Label }

// CanSign implements auth.Signer.
func (j *JWT) CanSign() error {
	if j.signing == nil {
		return errors.New("only public keys are configured: signing needs secret or private_key")
	}
	return nil
}

// Sign implements auth.Signer.
func (j *JWT) Sign(_ context.Context, payload []byte) (string, error) {
	if err := j.CanSign(); err != nil {
		return "", err
	}
	if _, err := auth.ParseClaims(payload); err != nil {
		return "", fmt.Errorf("payload: %w", err)
	}
	var token bytes.Buffer
	token.WriteString(j.signing.header)
	token.WriteString(encode(payload))
	signature, err := j.signing.sign(token.String())
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	token.WriteByte('.')
	token.WriteString(encode(signature))
	return token.String(), nil
}

// Issuer implements auth.Signer.
func (j *JWT) Issuer() string { return firstOf(j.Issuers) }

// Audience implements auth.Signer.
func (j *JWT) Audience() string { return firstOf(j.Audiences) }

func firstOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// PublicKeys implements auth.Signer.
func (j *JWT) PublicKeys() ([]byte, error) {
	if err := j.CanSign(); err != nil {
		return nil, err
	}
	return j.signing.public, nil
}

// Interface guards
var _ auth.Signer = (*JWT)(nil)
