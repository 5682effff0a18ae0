// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"testing"

	"github.com/c2sp/wycheproof"
)

// wycheproofFile is a file of test vectors of JSON Web Signatures or Keys.
type wycheproofFile struct {
	NumberOfTests int
	TestGroups    []struct {
		Comment string
		Public  json.RawMessage
		Private json.RawMessage
		Tests   []struct {
			TcID    int
			Comment string
			JWS     string
			Result  string
			Flags   []string
		}
	}
}

// wycheproofExceptions are the cases that are judged otherwise here, each with
// its reason.
var wycheproofExceptions = map[string]string{
	"json_web_signature_test.json 346": `the key's "alg" is PS256 and the token's PS384: the key pins its algorithm`,
	"json_web_signature_test.json 350": `the key's "alg" is PS256 and the token's PS384: the key pins its algorithm`,
	"json_web_signature_test.json 347": `the key's "alg" is ES521, which does not exist: such a key is not used`,
	"json_web_signature_test.json 351": `the key's "alg" is ES521, which does not exist: such a key is not used`,
	"json_web_signature_test.json 367": "named after bad padding, but the token has no padding at all and is well formed",
	"json_web_signature_test.json 370": "named after bad padding, but the token has no padding at all and is well formed",
	"json_web_signature_test.json 372": `"?" is no character of base64url: a decoder that skips it gives one token many spellings`,
	"json_web_signature_test.json 373": `"?" is no character of base64url: a decoder that skips it gives one token many spellings`,
}

// TestWycheproof walks every case of both files. The keys are what the case
// says; what cannot be loaded verifies nothing.
func TestWycheproof(t *testing.T) {
	t.Parallel()
	for file, load := range map[string]func(raw json.RawMessage) (*keySet, error){
		"json_web_signature_test.json": func(raw json.RawMessage) (*keySet, error) {
			keys, _, err := keyRules{}.parseJWKS([]byte(`{"keys":[` + string(raw) + `]}`))
			return newKeySet(keys, [32]byte{}), err
		},
		"json_web_key_test.json": func(raw json.RawMessage) (*keySet, error) {
			keys, _, err := keyRules{}.parseJWKS(raw)
			return newKeySet(keys, [32]byte{}), err
		},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			data, err := fs.ReadFile(wycheproof.TestVectors, file)
			if err != nil {
				t.Fatal(err)
			}
			var vectors wycheproofFile
			if err := json.Unmarshal(data, &vectors); err != nil {
				t.Fatal(err)
			}
			ran, accepted := 0, 0
			for _, group := range vectors.TestGroups {
				raw := group.Public
				if raw == nil {
					raw = group.Private
				}
				keys, loadErr := load(raw)
				for _, c := range group.Tests {
					ran++
					err := loadErr
					if err == nil {
						_, err = verifyJWS(keys, c.JWS)
					}
					if err == nil {
						accepted++
					}
					name := fmt.Sprintf("%s %d", file, c.TcID)
					if _, known := wycheproofExceptions[name]; known {
						if (err == nil) == (c.Result == "valid") {
							t.Errorf("%s (%s): listed as an exception and is none", name, c.Comment)
						}
						continue
					}
					if (err == nil) != (c.Result == "valid") {
						t.Errorf("%s (%s, %s %v): result %s, error %v", name, group.Comment, c.Comment, c.Flags, c.Result, err)
					}
				}
			}
			if ran != vectors.NumberOfTests || accepted == 0 {
				t.Errorf("%d of %d cases ran, %d accepted", ran, vectors.NumberOfTests, accepted)
			}
		})
	}
}
