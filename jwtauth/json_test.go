// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

// Attack, against oneself: a template leaves the key of a block empty, which would
// then accept whatever the global secret signs; or the audiences, and it would
// accept the tokens of every application.
func TestOptionsThatAreThereAndEmptyDoNotLoad(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		`{"secret":""}`:                 "secret: is empty",
		`{"Secret":""}`:                 "secret: is empty",
		`{"jwks_file":"","secret":"x"}`: "jwks_file: is empty",
		`{"jwks_url":""}`:               "jwks_url: is empty",
		`{"oidc":""}`:                   "oidc: is empty",
		`{"private_key":""}`:            "private_key: is empty",
		`{"public_keys":[]}`:            "public_keys: is empty",
		`{"ca":""}`:                     "ca: is empty",
		`{"issuers":[]}`:                "issuers: is empty",
		`{"audiences":[]}`:              "audiences: is empty",
		`{"subject":""}`:                "subject: is empty",
		`{"type":""}`:                   "type: is empty",
		`{"require_claims":[]}`:         "require_claims: is empty",
		`{"algorithms":[]}`:             "algorithms: is empty",
		`{"sources":[]}`:                "sources: is empty",
		`{"isuer":"x"}`:                 `unknown field "isuer"`,
		`{"sources":[{"heder":"x"}]}`:   `unknown field "heder"`,
		`{"secret":1}`:                  "cannot unmarshal number",
	} {
		err := caddy.StrictUnmarshalJSON([]byte(config), new(JWT))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
		if err := json.Unmarshal([]byte(config), new(JWT)); err == nil {
			t.Errorf("%s is accepted where nobody is strict", config)
		}
	}
	for config, want := range map[string]*JWT{ // the control
		`{}`:                                 {},
		`{"secret":null,"public_keys":null}`: {},
		`{"secret":"x","public_keys":["a"],"private_key":"b","jwks_file":"c","jwks_url":"d","oidc":"e","ca":"f","name":"n"}`: {
			Secret: "x", Public: []string{"a"}, Private: "b", JWKSFile: "c", JWKSURL: "d", OIDC: "e", CA: "f", Label: "n",
		},
		`{"algorithms":["HS256"],"sources":[{"cookie":"c"}],"issuers":["i"],"audiences":["a"],"subject":"s","type":"t","require_claims":["r"],"max_age":"1h"}`: {
			Algorithms: []string{"HS256"}, Places: []auth.Source{{Cookie: "c"}}, Issuers: []string{"i"}, Audiences: []string{"a"},
			Subject: "s", Type: "t", RequireClaims: []string{"r"}, MaxAge: caddy.Duration(time.Hour),
		},
	} {
		j := new(JWT)
		if err := caddy.StrictUnmarshalJSON([]byte(config), j); err != nil {
			t.Errorf("%s: %v", config, err)
		}
		got, _ := json.Marshal(j)
		if said, _ := json.Marshal(want); string(got) != string(said) {
			t.Errorf("%s is read as %s, not as %s", config, got, said)
		}
	}
}

// Every option that takes text or a list is looked at: a new one must be, too, or be
// one whose default is as strict.
func TestNoOptionIsForgottenThatMayBeEmpty(t *testing.T) {
	t.Parallel()
	harmless := map[string]bool{ // nothing is accepted by their defaults that was not meant
		"name": true, "user_claim": true, "staff_claims": true, "superuser_claims": true, "permissions_claims": true, "refresh": true,
	}
	for field := range reflect.TypeFor[JWT]().Fields() {
		option, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		empty := map[reflect.Kind]string{reflect.String: `""`, reflect.Slice: `[]`}[field.Type.Kind()]
		if option == "" || empty == "" || harmless[option] {
			continue
		}
		if err := json.Unmarshal([]byte(`{"`+option+`":`+empty+`}`), new(JWT)); err == nil {
			t.Errorf("%s may be empty", option)
		}
	}
}

// Attack, against oneself: "leeway": 30 is 30 nanoseconds, "max_age": 3600 refuses
// everything, and a leeway of a year lets in what expired long ago.
func TestDurationsThatNobodyMeansDoNotLoad(t *testing.T) {
	t.Parallel()
	const unit = `a duration is text such as "30s", or a number of nanoseconds`
	for option, want := range map[string]string{
		`"leeway":30`:    "leeway: 30ns is too short: " + unit,
		`"leeway":-30`:   "leeway: must not be negative",
		`"leeway":"61m"`: "leeway: must not be longer than 1h0m0s",
		`"max_age":3600`: "max_age: 3.6µs is too short: " + unit,
		`"timeout":5,"jwks_url":"https://id.example.com/k","audiences":["a"]`: "timeout: 5ns is too short: " + unit,
		`"generated_key":true,"rotate":30`:                                    "rotate: is shorter than 1h0m0s",
		`"leeway":0`:                                                          "", `"leeway":"1h"`: "", `"leeway":30000000000`: "", `"max_age":"1s"`: "", // the control
	} {
		j := new(JWT)
		config := `{` + option + `,"secret":"` + strings.Repeat("s", 32) + `"}`
		if err := json.Unmarshal([]byte(config), j); err != nil {
			t.Fatal(err)
		}
		err := load(t, j)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", option, err, want)
		}
	}
}
