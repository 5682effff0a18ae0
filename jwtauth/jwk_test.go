// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"crypto/ed25519"
	"testing"

	jwxkey "github.com/lestrrat-go/jwx/v2/jwk"
)

// jwxAccepts makes a key of a JWK with jwx alone.
func jwxAccepts(text string) bool {
	k, err := jwxkey.ParseKey([]byte(text))
	if err != nil || k.Validate() != nil {
		return false
	}
	var raw any
	return k.Raw(&raw) == nil
}

// The keys of this table are why jwx is shown what was checked and written
// anew, and never the text itself: it takes all but the control, too. A case
// that jwx learned to refuse needs its check no longer.
func TestJWKThatJWXTakesIsRefused(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	ec, _, err := publicMembers(keys.ec[algES256].Public())
	if err != nil {
		t.Fatal(err)
	}
	n := encode(keys.rsa.N.Bytes())
	ed, seed := encode(keys.ed.Public().(ed25519.PublicKey)), encode(keys.ed.Seed())
	point := `"kty":"EC","crv":"P-256","x":"` + ec["x"] + `","y":"` + ec["y"] + `"`
	judge := func(text string) error {
		j, err := parseJWK([]byte(text))
		switch {
		case err != nil:
		case j.D != "":
			_, _, err = keyRules{}.privateKey(keyText{data: []byte(text)})
		default:
			_, err = keyRules{}.jwkKey(j)
		}
		return err
	}
	part := func(name string) string { return `,"` + name + `":"` + encode(bytes32(7)) + `"` }

	for name, text := range map[string]string{
		"a member twice, the last being right": `{"kty":"OKP","crv":"Ed25519","x":"` + seed + `","x":"` + ed + `"}`,
		"text after the key":                   `{"kty":"OKP","crv":"Ed25519","x":"` + ed + `"} {}`,
		"base64 with padding":                  `{"kty":"OKP","crv":"Ed25519","x":"` + ed + `="}`,
		"base64 with bits left over":           `{"kty":"OKP","crv":"Ed25519","x":"` + ed[:len(ed)-1] + `p"}`,
		"base64 with a line break":             `{"kty":"OKP","crv":"Ed25519","x":"` + ed + `\n"}`,
		"an Ed25519 key that is too short":     `{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`,
		"a key for agreement":                  `{"kty":"OKP","crv":"X25519","x":"` + ed + `"}`,
		"a key for encryption":                 `{` + point + `,"use":"enc"}`,
		"a key for other operations":           `{` + point + `,"key_ops":["deriveKey"]}`,
		"an algorithm of another family":       `{` + point + `,"alg":"HS256"}`,
		"a point off the curve":                `{"kty":"EC","crv":"P-256","x":"` + ec["y"] + `","y":"` + ec["x"] + `"}`,
		"RSA whose exponent is cut to 65537":   `{"kty":"RSA","n":"` + n + `","e":"AQAAAAAAAQAB"}`,
		"RSA with exponent 1":                  `{"kty":"RSA","n":"` + n + `","e":"AQ"}`,
		"RSA with an even modulus":             `{"kty":"RSA","n":"` + encode(append(keys.rsa.N.Bytes(), 0)) + `","e":"AQAB"}`,
		"RSA of a few bits":                    `{"kty":"RSA","n":"_w","e":"AQAB"}`,
		"a private part that is another's":     `{` + point + part("d") + `}`,
		"RSA whose numbers belong to no key":   `{"kty":"RSA","n":"` + n + `","e":"AQAB"` + part("d") + part("p") + part("q") + `}`,
		"RSA without its primes":               `{"kty":"RSA","n":"` + n + `","e":"AQAB","d":"` + encode(keys.rsa.D.Bytes()) + `"}`,
	} {
		if !jwxAccepts(text) {
			t.Errorf("%s: jwx refuses it", name)
		}
		if err := judge(text); err == nil {
			t.Errorf("%s: is accepted", name)
		}
	}
	for name, text := range map[string]string{
		"EC":      `{` + point + `}`,
		"private": `{"kty":"OKP","crv":"Ed25519","x":"` + ed + `","d":"` + seed + `"}`,
		"OKP":     `{"kty":"OKP","crv":"Ed25519","x":"` + ed + `"}`,
		"RSA":     `{"kty":"RSA","n":"` + n + `","e":"AQAB"}`,
	} {
		if err := judge(text); err != nil || !jwxAccepts(text) {
			t.Errorf("control %s: %v", name, err)
		}
	}
}
