// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
)

// fuzzPair is a block and another that differs in nothing but its secret.
func fuzzPair(f *testing.F) (right, wrong *JWT) {
	f.Helper()
	return mustLoad(f, &JWT{Secret: secretRef}), mustLoad(f, &JWT{Secret: "{env.CADDYBOLT_TEST_SECRET}x"})
}

// fuzzAccepted are the properties of every accepted token.
func fuzzAccepted(t *testing.T, right, wrong *JWT, token string, id *auth.Identity, change uint) {
	t.Helper()
	if id.ID == "" || strings.HasPrefix(id.ID, auth.APIKeyPrefix) || id.User().IsLocal() || id.TokenID == "" || id.Backend != "jwt" {
		t.Errorf("identity %+v", id)
	}
	if !id.ExpiresAt.After(testNow.Add(-defaultLeeway)) {
		t.Errorf("expired at %v", id.ExpiresAt)
	}
	if _, err := auth.ParseClaims(id.Claims.JSON()); err != nil {
		t.Errorf("claims: %v", err)
	}
	if _, err := id.ExpiresAt.MarshalJSON(); err != nil {
		t.Errorf("exp: %v", err)
	}
	if other, err := check(t, wrong, token); err == nil {
		t.Errorf("accepted with the wrong key: %+v", other)
	}
	changed := []byte(token)
	place := int(change/255) % len(changed)
	changed[place] += byte(1 + change%255)
	if other, err := check(t, right, string(changed)); err == nil {
		t.Errorf("accepted with byte %d changed: %+v", place, other)
	}
}

// FuzzToken: whatever is presented, an error comes with no identity, and what
// is accepted is accepted with the right key only and in one spelling only.
func FuzzToken(f *testing.F) {
	right, wrong := fuzzPair(f)
	f.Add(hs256(f, validPayload), uint(7))
	f.Add("a.b.c", uint(0))
	f.Fuzz(func(t *testing.T, token string, change uint) {
		id, err := check(t, right, token)
		if err != nil {
			if !bytes.Contains([]byte("malformed_token unsupported_algorithm wrong_issuer bad_signature missing_claim token_not_yet_valid token_expired"),
				[]byte(auth.ReasonOf(err))) {
				t.Errorf("reason %s", auth.ReasonOf(err))
			}
			return
		}
		fuzzAccepted(t, right, wrong, token, id, change)
	})
}

// FuzzSigned: the same for tokens with a good signature, so that the fuzzer
// gets to the claims. What is accepted reads the same to another decoder.
func FuzzSigned(f *testing.F) {
	right, wrong := fuzzPair(f)
	f.Add(`{"alg":"HS256"}`, validPayload, uint(300))
	f.Add(`{"alg":"HS256","kid":"a","typ":"JWT"}`, `{"sub":7,"exp":1700003600.5,"aud":["a"],"permissions":"a b"}`, uint(9))
	f.Add(`{"ALG":"HS256"}`, `{"SUB":"a","exp":1e400}`, uint(9))
	f.Fuzz(func(t *testing.T, header, payload string, change uint) {
		token := joined(t, header, payload, hs(algHS256, testSecret))
		id, err := check(t, right, token)
		if err != nil {
			return
		}
		fuzzAccepted(t, right, wrong, token, id, change)
		var h struct {
			Alg string `json:"alg"`
		}
		if err := json.Unmarshal([]byte(header), &h); err != nil {
			t.Errorf("another decoder refuses the header: %v", err)
		}
		var claims map[string]any
		decoder := json.NewDecoder(strings.NewReader(payload))
		decoder.UseNumber()
		if err := decoder.Decode(&claims); err != nil {
			t.Fatalf("another decoder refuses the payload: %v", err)
		}
		sub := claims["sub"]
		if number, ok := sub.(json.Number); ok {
			sub = number.String()
		}
		if sub != id.ID {
			t.Errorf("sub is %q to another decoder, %q to us", sub, id.ID)
		}
		if staff := claims["is_staff"] == true; staff != id.Staff {
			t.Errorf("is_staff is %v to another decoder, %v to us", staff, id.Staff)
		}
	})
}

// FuzzCaddyfile: parse -> JSON -> parse is the identity.
func FuzzCaddyfile(f *testing.F) {
	f.Add("jwt main {\n secret {env.X}\n algorithms HS256\n header Authorization Bearer\n leeway 0s\n}")
	f.Add("jwt {\n public_key a\n public_key b\n cookie c\n max_size 20KiB\n require_jti\n}")
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
		if err != nil || len(tokens) == 0 {
			return
		}
		j := new(JWT)
		if err := j.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)); err != nil {
			return
		}
		first, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		again := new(JWT)
		if err := json.Unmarshal(first, again); err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		second, err := json.Marshal(again)
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("JSON\n  %s\nbecomes\n  %s", first, second)
		}
		if bytes.Contains(first, []byte(`\ufffd`)) || strings.ContainsRune(text, 0xfffd) || !isUTF8(text) {
			return // JSON has no bytes that are not UTF-8
		}
		if !reflect.DeepEqual(j, again) { //nolint:govet // what was only parsed holds no error
			t.Errorf("%+v becomes %+v", j, again)
		}
	})
}

func isUTF8(text string) bool { return strings.ToValidUTF8(text, "") == text }

// FuzzJWKS: an error comes without keys, and a key belongs to one family.
func FuzzJWKS(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}]}`))
	f.Add([]byte(setOfRSA("a", testKeys().rsa)))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, _, err := keyRules{}.parseJWKS(data)
		if (err == nil) != (len(keys) > 0) {
			t.Fatalf("%d keys, error %v", len(keys), err)
		}
		for _, k := range keys {
			families := 0
			for _, family := range []algorithmSet{familyHMAC, familyRSA, familyEdDSA, setOf(algES256), setOf(algES384), setOf(algES512)} {
				if k.algorithms&family != 0 {
					families++
				}
			}
			if families != 1 {
				t.Errorf("a key serves %s", k.algorithms)
			}
			k.algorithms.each(func(alg algorithm) {
				if k.verifier.verify(alg, "a.b", nil) || k.verifier.verify(alg, "a.b", make([]byte, 64)) {
					t.Errorf("%s: no signature verifies", alg)
				}
			})
		}
	})
}

// FuzzKeyText: PEM and JWK as text, of either kind. No error quotes the key.
func FuzzKeyText(f *testing.F) {
	f.Add([]byte(publicPEM(f, testKeys().ed)))
	f.Add([]byte(privatePEM(f, testKeys().ec[algES256])))
	f.Add([]byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		text := keyText{data: data}
		if k, err := (keyRules{}).publicKey(text); (k == nil) == (err == nil) {
			t.Errorf("key %v beside error %v", k, err)
		}
		k, private, err := keyRules{}.privateKey(text)
		if err == nil && (k == nil || private == nil) {
			t.Errorf("no key and no error")
		}
	})
}

// FuzzTime: any JSON number is a time, and one that others can work with.
func FuzzTime(f *testing.F) {
	f.Add("1700003600")
	f.Add("-1.5e300")
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) {
			return
		}
		text = strings.TrimSpace(text)
		got, ok := timeOf([]byte(text))
		if isNumber := text[0] == '-' || text[0] >= '0' && text[0] <= '9'; ok != isNumber {
			t.Fatalf("%q: %v", text, ok)
		}
		if !ok {
			return
		}
		if got.Before(time.Unix(0, 0)) || got.After(time.Unix(latest+1, 0)) {
			t.Errorf("%q is %v", text, got)
		}
	})
}
