// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// parse parses a block as its parent does, which hands over one segment.
func parse(text string) (*JWT, error) {
	tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
	if err != nil {
		return nil, err
	}
	j := new(JWT)
	return j, j.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
}

func TestCaddyfileBecomesJSONWithoutDefaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ caddyfile, json string }{
		"nothing":     {`jwt`, `{}`},
		"empty block": {"jwt {\n}", `{}`},
		"name":        {`jwt main`, `{"name":"main"}`},
		"keys": {
			"jwt main {\n secret {env.SECRET_KEY}\n public_key a.pem\n public_key b.pem\n private_key /k.pem\n jwks_file keys.json\n algorithms HS256 ES256\n}",
			`{"name":"main","secret":"{env.SECRET_KEY}","public_keys":["a.pem","b.pem"],"private_key":"/k.pem","jwks_file":"keys.json","algorithms":["HS256","ES256"]}`,
		},
		"key as text": {
			"jwt {\n public_key `{\"kty\":\"OKP\"}`\n public_key \"-----BEGIN PUBLIC KEY-----\nAA\n-----END PUBLIC KEY-----\"\n}",
			`{"public_keys":["{\"kty\":\"OKP\"}","-----BEGIN PUBLIC KEY-----\nAA\n-----END PUBLIC KEY-----"]}`,
		},
		"sources": {
			"jwt {\n header Authorization Bearer\n cookie session\n query access_token\n header X-Token\n max_size 32KiB\n}",
			`{"sources":[{"header":"Authorization","scheme":"Bearer"},{"cookie":"session"},{"query":"access_token"},{"header":"X-Token"}],"max_size":32768}`,
		},
		"cache":    {"jwt {\n cache 500\n}", `{"cache":500}`},
		"no cache": {"jwt {\n cache off\n}", `{"cache":0}`},
		"claims": {
			"jwt {\n issuer a b\n audience c d\n subject e\n type at+jwt\n require_claims f g\n leeway 0s\n max_age 1d\n require_jti\n" +
				" user_claim h\n staff_claim i j\n superuser_claim k\n permissions_claim l m\n insecure_weak_key\n}",
			`{"issuers":["a","b"],"audiences":["c","d"],"subject":"e","type":"at+jwt","require_claims":["f","g"],"leeway":0,` +
				`"max_age":86400000000000,"require_jti":true,"user_claim":"h","staff_claims":["i","j"],"superuser_claims":["k"],` +
				`"permissions_claims":["l","m"],"insecure_weak_key":true}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, err := parse(c.caddyfile)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(j)
			if err != nil || string(got) != c.json {
				t.Errorf("JSON\n  %s\nwant\n  %s\nerror %v", got, c.json, err)
			}
			again := new(JWT)
			if err := json.Unmarshal(got, again); err != nil {
				t.Fatal(err)
			}
			if second, err := json.Marshal(again); err != nil || string(second) != c.json {
				t.Errorf("JSON of the JSON is\n  %s", second)
			}
		})
	}
}

func TestCaddyfileErrorsNameTheWordAndTheLine(t *testing.T) {
	t.Parallel()
	for caddyfile, want := range map[string]string{
		"jwt {\n isuer a\n}":                                   `unrecognized jwt option "isuer"; there are: ` + strings.Join(options, ", ") + `, at Caddyfile:2`,
		"jwt {\n secret a {\n }\n}":                            `unrecognized jwt option "{"; there are: ` + strings.Join(options, ", ") + `, at Caddyfile:2`,
		"jwt a b":                                              `a jwt block has one name, not also "b", at Caddyfile:1`,
		`jwt ""`:                                               `the name of a jwt block is empty, at Caddyfile:1`,
		"jwt {\n secret\n}":                                    `option "secret" needs an argument, at Caddyfile:2`,
		"jwt {\n secret \"\"\n}":                               `option "secret" is empty, at Caddyfile:2`,
		"jwt {\n secret a b\n}":                                `option "secret" has an argument too many: "b", at Caddyfile:2`,
		"jwt {\n secret a\n secret b\n}":                       `option "secret" was given already at line 2, at Caddyfile:3`,
		"jwt {\n public_key\n}":                                `option "public_key" needs an argument, at Caddyfile:2`,
		"jwt {\n public_key \"\"\n}":                           `option "public_key" is empty, at Caddyfile:2`,
		"jwt {\n public_key a b\n}":                            `option "public_key" has an argument too many: "b", at Caddyfile:2`,
		"jwt {\n public_key a\n public_key a\n}":               `option "public_key": this key is given twice, at Caddyfile:3`,
		"jwt {\n private_key a\n private_key b\n}":             `option "private_key" was given already at line 2, at Caddyfile:3`,
		"jwt {\n jwks_file\n}":                                 `option "jwks_file" needs an argument, at Caddyfile:2`,
		"jwt {\n algorithms\n}":                                `option "algorithms" needs at least one argument, at Caddyfile:2`,
		"jwt {\n\n algorithms HS256 hs512\n}":                  `option "algorithms": unrecognized algorithm "hs512"; there are: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, at Caddyfile:3`,
		"jwt {\n algorithms none\n}":                           `option "algorithms": unrecognized algorithm "none"; there are: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, at Caddyfile:2`,
		"jwt {\n algorithms ES256K\n}":                         `option "algorithms": unrecognized algorithm "ES256K"; there are: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, at Caddyfile:2`,
		"jwt {\n algorithms HS256 HS256\n}":                    `option "algorithms": algorithm HS256 is given twice, at Caddyfile:2`,
		"jwt {\n algorithms HS256\n algorithms RS256\n}":       `option "algorithms" was given already at line 2, at Caddyfile:3`,
		"jwt {\n header\n}":                                    `option "header" needs a name, at Caddyfile:2`,
		"jwt {\n header A B C\n}":                              `option "header" has an argument too many: "C", at Caddyfile:2`,
		"jwt {\n cookie a\n cookie a\n}":                       `cookie a is given twice, at Caddyfile:3`,
		"jwt {\n header a bearer\n header A Bearer\n}":         `header A Bearer is given twice, at Caddyfile:3`,
		"jwt {\n cookie a;b\n}":                                `"a;b" is not the name of a cookie, at Caddyfile:2`,
		"jwt {\n issuer\n}":                                    `option "issuer" needs at least one argument, at Caddyfile:2`,
		"jwt {\n issuer \"\"\n}":                               `option "issuer" has an empty argument, at Caddyfile:2`,
		"jwt {\n issuer a\n issuer b\n}":                       `option "issuer" was given already at line 2, at Caddyfile:3`,
		"jwt {\n issuer local:basic\n}":                        `option "issuer": issuers that begin with "local:" are reserved for credentials that are no tokens, at Caddyfile:2`,
		"jwt {\n audience\n}":                                  `option "audience" needs at least one argument, at Caddyfile:2`,
		"jwt {\n subject a b\n}":                               `option "subject" has an argument too many: "b", at Caddyfile:2`,
		"jwt {\n type\n}":                                      `option "type" needs an argument, at Caddyfile:2`,
		"jwt {\n require_claims\n}":                            `option "require_claims" needs at least one argument, at Caddyfile:2`,
		"jwt {\n require_jti off\n}":                           `option "require_jti" has an argument too many: "off", at Caddyfile:2`,
		"jwt {\n leeway ten\n}":                                `option "leeway": "ten" is not a duration such as 30s, 5m, 12h or 7d, at Caddyfile:2`,
		"jwt {\n leeway -1s\n}":                                `option "leeway": "-1s" is not a duration such as 30s, 5m, 12h or 7d, at Caddyfile:2`,
		"jwt {\n leeway 1s\n leeway 2s\n}":                     `option "leeway" was given already at line 2, at Caddyfile:3`,
		"jwt {\n max_age 0s\n}":                                `option "max_age": no token is that young, at Caddyfile:2`,
		"jwt {\n max_age 1\n}":                                 `option "max_age": "1" is not a duration such as 30s, 5m, 12h or 7d, at Caddyfile:2`,
		"jwt {\n max_size 0\n}":                                `option "max_size": "0" is not a size such as 16KiB or 20000, at Caddyfile:2`,
		"jwt {\n max_size 17MiB\n}":                            `option "max_size": at most 16777216 bytes, at Caddyfile:2`,
		"jwt {\n max_size 16 KiB\n}":                           `option "max_size" has an argument too many: "KiB", at Caddyfile:2`,
		"jwt {\n user_claim a b\n}":                            `option "user_claim" has an argument too many: "b", at Caddyfile:2`,
		"jwt {\n staff_claim\n}":                               `option "staff_claim" needs at least one argument, at Caddyfile:2`,
		"jwt {\n superuser_claim\n}":                           `option "superuser_claim" needs at least one argument, at Caddyfile:2`,
		"jwt {\n permissions_claim a\n permissions_claim b\n}": `option "permissions_claim" was given already at line 2, at Caddyfile:3`,
		"jwt {\n cache\n}":                                     `option "cache" needs an argument, at Caddyfile:2`,
		"jwt {\n cache 0\n}":                                   `option "cache": "0" is neither a number of tokens from 1 to 10000000 nor "off", at Caddyfile:2`,
		"jwt {\n cache on\n}":                                  `option "cache": "on" is neither a number of tokens from 1 to 10000000 nor "off", at Caddyfile:2`,
		"jwt {\n cache 10000001\n}":                            `option "cache": "10000001" is neither a number of tokens from 1 to 10000000 nor "off", at Caddyfile:2`,
		"jwt {\n cache off\n cache 10\n}":                      `option "cache" was given already at line 2, at Caddyfile:3`,
		"jwt {\n insecure_weak_key yes\n}":                     `option "insecure_weak_key" has an argument too many: "yes", at Caddyfile:2`,
	} {
		t.Run(caddyfile, func(t *testing.T) {
			t.Parallel()
			if _, err := parse(caddyfile); err == nil || err.Error() != want {
				t.Errorf("error\n  %v\nwant\n  %s", err, want)
			}
		})
	}
}

// A key that was typed into the wrong place must not be repeated by the error.
func TestCaddyfileErrorsDoNotRepeatKeys(t *testing.T) {
	t.Parallel()
	_, err := parse("jwt {\n secret s3cret-s3cret\n secret s3cret-s3cret\n}")
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("error %v", err)
	}
	_, err = parse("jwt {\n public_key s3cret-s3cret\n public_key s3cret-s3cret\n}")
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("error %v", err)
	}
}
