// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	jwxkey "github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// rfcVectors are the examples of RFC 7515, appendix A, and RFC 8037, appendix A.
type rfcVectors struct {
	Thumbprint struct{ Section, Value string }
	Cases      []struct {
		Section   string
		Algorithm string
		Key       json.RawMessage
		Compact   string
		Payload   string
	}
}

func readRFCVectors(tb testing.TB) rfcVectors {
	tb.Helper()
	data, err := os.ReadFile("testdata/rfc.json")
	if err != nil {
		tb.Fatal(err)
	}
	var v rfcVectors
	if err := json.Unmarshal(data, &v); err != nil {
		tb.Fatal(err)
	}
	return v
}

// verifyJWS checks a signature without asking that the payload be claims.
func verifyJWS(keys *keySet, token string) (payload string, err error) {
	parts, err := split(token)
	if err != nil {
		return "", err
	}
	s := new(scratch)
	h, err := parseHeader(s, parts.header)
	if err != nil {
		return "", err
	}
	if !h.known || !keys.algorithms.has(h.alg) {
		return "", errAlgorithm
	}
	decoded, err := decode(nil, parts.payload)
	if err != nil {
		return "", err
	}
	signature, err := decode(nil, parts.signature)
	if err != nil {
		return "", err
	}
	return string(decoded), keys.verify(&h, parts.signed, signature)
}

// keysOf returns the keys of a JWK, for the algorithm alone.
func keysOf(tb testing.TB, raw []byte, rules keyRules) *keySet {
	tb.Helper()
	j, err := parseJWK(raw)
	if err != nil {
		tb.Fatal(err)
	}
	k, err := rules.jwkKey(j)
	if err != nil {
		tb.Fatal(err)
	}
	return newKeySet([]*key{k}, [32]byte{})
}

func TestExamplesOfTheRFCsVerify(t *testing.T) {
	t.Parallel()
	for _, c := range readRFCVectors(t).Cases {
		t.Run(c.Section, func(t *testing.T) {
			t.Parallel()
			alg, ok := parseAlgorithm(c.Algorithm)
			if c.Algorithm == "none" {
				if ok {
					t.Fatal("none is an algorithm")
				}
				j := mustLoad(t, &JWT{Secret: secretRef})
				wantRefused(t, j, c.Compact, auth.ReasonUnsupportedAlgorithm)
				return
			}
			keys := keysOf(t, c.Key, keyRules{allowed: setOf(alg)})
			payload, err := verifyJWS(keys, c.Compact)
			if err != nil || payload != c.Payload {
				t.Fatalf("payload %q, error %v", payload, err)
			}

			// The same key and another text, and another key and the same text.
			if _, err := verifyJWS(keys, "e30"+c.Compact[len(c.Compact)/2:]); err == nil {
				t.Error("a damaged token verifies")
			}
			other := newKeySet([]*key{mustKey(t, alg)}, [32]byte{})
			if _, err := verifyJWS(other, c.Compact); auth.ReasonOf(err) != auth.ReasonBadSignature {
				t.Errorf("another key: %v", err)
			}
		})
	}
}

// mustKey returns a key of this test's own for the algorithm.
func mustKey(tb testing.TB, alg algorithm) *key {
	tb.Helper()
	rules := keyRules{allowed: setOf(alg)}
	var k *key
	var err error
	if familyHMAC.has(alg) {
		k, err = rules.newSecretKey([]byte(testSecret), "", 0)
	} else {
		k, err = rules.newPublicKey(keyFor(tb, alg).Public(), "", 0)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// The tokens of RFC 7515, A.1 to A.3 are whole JWTs, of the year 2011.
func TestExamplesOfTheRFCsAuthenticate(t *testing.T) {
	t.Parallel()
	for _, c := range readRFCVectors(t).Cases[:3] {
		t.Run(c.Section, func(t *testing.T) {
			t.Parallel()
			j := mustLoad(t, &JWT{
				JWKSFile:  writeFile(t, `{"keys":[`+string(c.Key)+`]}`),
				Issuers:   []string{"joe"},
				UserClaim: "iss",
			})
			wantRefused(t, j, c.Compact, auth.ReasonTokenExpired)
			j.clock = clock.Fixed(time.Unix(1300819380, 0))
			id := wantAccepted(t, j, c.Compact)
			if root, ok := id.Claims.Lookup("http://example.com/is_root"); id.ID != "joe" || !ok || root != true {
				t.Errorf("identity %+v, is_root %v", id, root)
			}
			if want := fmt.Sprintf("%x", sha256.Sum256([]byte(c.Payload))); id.TokenID != want {
				t.Errorf("TokenID %q is not the digest of the payload, %s", id.TokenID, want)
			}
		})
	}
}

func TestThumbprintIsThatOfTheRFC(t *testing.T) {
	t.Parallel()
	v := readRFCVectors(t)
	j, err := parseJWK(v.Cases[len(v.Cases)-1].Key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := j.public()
	if err != nil {
		t.Fatal(err)
	}
	k, err := jwxkey.FromRaw(public)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := thumbprint(k); err != nil || got != v.Thumbprint.Value {
		t.Errorf("thumbprint %q, error %v, want %q (%s)", got, err, v.Thumbprint.Value, v.Thumbprint.Section)
	}
}
