// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/big"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/caddybolt/caddy-bolt/auth"
)

// signWith signs as RFC 7518 says, without jwx.
func signWith(private crypto.Signer, alg algorithm, signed string) ([]byte, error) {
	if alg == algEdDSA {
		return private.Sign(rand.Reader, []byte(signed), crypto.Hash(0))
	}
	hash := alg.hash().New()
	hash.Write([]byte(signed))
	sum := hash.Sum(nil)
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
// thumbprint (RFC 7638), without jwx.
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

// What is published says no more and no less than the standard library finds in
// the key.
func TestPublishedKeyIsTheOneThatSigns(t *testing.T) {
	t.Parallel()
	for alg := range algorithmCount {
		if familyHMAC.has(alg) {
			continue
		}
		private := keyFor(t, alg)
		j := mustLoad(t, &JWT{Algorithms: []string{alg.String()}, Private: writeFile(t, privatePEM(t, private))})
		got, err := j.PublicKeys()
		if err != nil {
			t.Fatal(err)
		}
		members, thumbprint, err := publicMembers(private.Public())
		if err != nil {
			t.Fatal(err)
		}
		members["kid"], members["alg"], members["use"] = thumbprint, alg.String(), "sig"
		want, err := json.Marshal(map[string]any{"keys": []any{members}})
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: published %s, want %s, error %v", alg, got, want, err)
		}
	}
}

// Attack: a signature whose salt is not as long as the hash (RFC 7518, section
// 3.5). It is why PS256, PS384 and PS512 are checked here: jwx accepts it.
func TestSaltOfAnotherLengthIsRefused(t *testing.T) {
	t.Parallel()
	private := testKeys().rsa
	for _, alg := range []algorithm{algPS256, algPS384, algPS512} {
		set := newKeySet([]*key{mustKey(t, alg)}, [32]byte{})
		h := &header{alg: alg, known: true}
		signed := encode([]byte(`{"alg":"`+alg.String()+`"}`)) + "." + encode([]byte(validPayload))
		hash := alg.hash().New()
		hash.Write([]byte(signed))
		sum := hash.Sum(nil)
		for name, salt := range map[string]int{"of one byte": 1, "shorter": alg.hash().Size() - 1, "longer": alg.hash().Size() + 1, "the longest": rsa.PSSSaltLengthAuto} {
			signature, err := rsa.SignPSS(rand.Reader, private, alg.hash(), sum, &rsa.PSSOptions{SaltLength: salt})
			if err != nil {
				t.Fatal(err)
			}
			lax, err := jws.NewVerifier(jwa.SignatureAlgorithm(alg.String()))
			if err != nil {
				t.Fatal(err)
			}
			if err := lax.Verify([]byte(signed), signature, &private.PublicKey); err != nil {
				t.Errorf("%s, salt %s: jwx refuses it, too: %v", alg, name, err)
			}
			if err := set.verify(h, signed, signature); auth.ReasonOf(err) != auth.ReasonBadSignature {
				t.Errorf("%s, salt %s: %v", alg, name, err)
			}
		}
		signature, err := signWith(private, alg, signed)
		if err == nil {
			err = set.verify(h, signed, signature)
		}
		if err != nil {
			t.Errorf("%s: control: %v", alg, err)
		}
	}
}

// acceptAll is a verifier that finds everything right.
type acceptAll struct{}

func (acceptAll) Verify([]byte, []byte, any) error { return nil }

// Attack: something else in the process exchanges the verifiers of jwx, which
// are global. A key that was loaded keeps its own. (Not parallel: the other
// tests read that table.)
func TestVerifiersOfALoadedKeyAreNotExchanged(t *testing.T) {
	for _, alg := range []algorithm{algRS256, algES256, algEdDSA} {
		name := jwa.SignatureAlgorithm(alg.String())
		original, err := jws.NewVerifier(name)
		if err != nil {
			t.Fatal(err)
		}
		defer jws.RegisterVerifier(name, jws.VerifierFactoryFn(func() (jws.Verifier, error) { return original, nil }))
		loaded := mustKey(t, alg)
		jws.RegisterVerifier(name, jws.VerifierFactoryFn(func() (jws.Verifier, error) { return acceptAll{}, nil }))

		forged := make([]byte, 1000)
		if loaded.verifier.verify(alg, "a.b", forged[:signatureSize(t, alg)]) {
			t.Errorf("%s: the loaded key asks a verifier that came later", alg)
		}
		if !mustKey(t, alg).verifier.verify(alg, "a.b", forged[:signatureSize(t, alg)]) {
			t.Errorf("%s: control: the exchange had no effect", alg)
		}
	}
}

func signatureSize(tb testing.TB, alg algorithm) int {
	tb.Helper()
	signature, err := signWith(keyFor(tb, alg), alg, "a.b")
	if err != nil {
		tb.Fatal(err)
	}
	return len(signature)
}

// A key checks nothing with an algorithm that it does not serve, even if it is
// asked.
func TestKeyHasNoVerifierForOtherAlgorithms(t *testing.T) {
	t.Parallel()
	for _, alg := range []algorithm{algRS256, algES256, algEdDSA} {
		k := mustKey(t, alg)
		signature, err := signWith(keyFor(t, alg), alg, "a.b")
		if err != nil || !k.verifier.verify(alg, "a.b", signature) {
			t.Fatalf("%s: control: %v", alg, err)
		}
		for other := range algorithmCount {
			if other != alg && k.verifier.verify(other, "a.b", signature) {
				t.Errorf("a key for %s checks %s", alg, other)
			}
		}
	}
}
