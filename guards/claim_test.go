// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"testing"

	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

func TestClaimWithoutValuesMustSaySomething(t *testing.T) {
	t.Parallel()
	authtest.TestGuard(t, authtest.GuardCase{
		New: from("claim tenant"),
		Pass: ids{
			"text": signedIn(`{"tenant":"acme"}`), "number": signedIn(`{"tenant":1}`), "fraction": signedIn(`{"tenant":0.5}`),
			"true": signedIn(`{"tenant":true}`), "list": signedIn(`{"tenant":[0]}`), "object": signedIn(`{"tenant":{"a":null}}`),
			"huge": signedIn(`{"tenant":123456789012345678901234567890}`), "text that is no": signedIn(`{"tenant":"false"}`),
			"beyond floats": signedIn(`{"tenant":1e999}`),
		},
		Refuse: ids{
			"missing": signedIn(`{"sub":"7"}`), "null": signedIn(`{"tenant":null}`), "false": signedIn(`{"tenant":false}`),
			"empty": signedIn(`{"tenant":""}`), "zero": signedIn(`{"tenant":0}`), "minus zero": signedIn(`{"tenant":-0}`),
			"zero point zero": signedIn(`{"tenant":0.0}`), "zero with exponent": signedIn(`{"tenant":0e9}`),
			"list": signedIn(`{"tenant":[]}`), "object": signedIn(`{"tenant":{}}`), "case": signedIn(`{"Tenant":"acme"}`),
			"deeper": signedIn(`{"x":{"tenant":"acme"}}`), "no claims": permitted(),
		},
	})
}

func TestClaimWithValuesMustBeOneOfThem(t *testing.T) {
	t.Parallel()
	authtest.TestGuard(t, authtest.GuardCase{
		New: from("claim realm_access.roles ops admin"),
		Pass: ids{
			"text": signedIn(`{"realm_access":{"roles":"ops"}}`), "second": signedIn(`{"realm_access":{"roles":"admin"}}`),
			"list": signedIn(`{"realm_access":{"roles":["x","admin"]}}`), "literal name": signedIn(`{"realm_access.roles":"ops"}`),
			"mixed list": signedIn(`{"realm_access":{"roles":[null,1,{},[],"ops"]}}`),
		},
		Refuse: ids{
			"another": signedIn(`{"realm_access":{"roles":"opsadmin-x"}}`), "missing": signedIn(`{}`),
			"within": signedIn(`{"realm_access":{"roles":"ops admin"}}`), "case": signedIn(`{"realm_access":{"roles":["OPS"]}}`),
			"list in list": signedIn(`{"realm_access":{"roles":[["ops"]]}}`), "member": signedIn(`{"realm_access":{"roles":{"ops":true}}}`),
			"null": signedIn(`{"realm_access":{"roles":null}}`), "empty": signedIn(`{"realm_access":{"roles":[]}}`),
			"true": signedIn(`{"realm_access":{"roles":true}}`),
		},
		Secrets: []string{"opsadmin-x"},
	})
}

func TestClaimValuesAreComparedAsJSONWritesThem(t *testing.T) {
	t.Parallel()
	for claim, values := range map[string]struct{ equal, other []string }{
		`"acme"`:                {[]string{"acme"}, []string{"Acme", "acme ", `"acme"`, ""}},
		`""`:                    {[]string{""}, []string{"null", "0", "false"}},
		`"1"`:                   {[]string{"1"}, []string{"1.0", "01"}},
		`1`:                     {[]string{"1"}, []string{"1.0", "01", "+1", "true", "1e0"}},
		`1.0`:                   {[]string{"1"}, []string{"1.0"}},
		`1e3`:                   {[]string{"1000"}, []string{"1e3"}},
		`0.1`:                   {[]string{"0.1"}, []string{".1", "0.10"}},
		`1e21`:                  {[]string{"1e+21"}, []string{"1e21"}},
		`"1.0"`:                 {[]string{"1.0"}, []string{"1"}},
		`-7`:                    {[]string{"-7"}, []string{"7"}},
		`9007199254740993`:      {[]string{"9007199254740993"}, []string{"9007199254740992"}},
		`184467440737095516161`: {[]string{"184467440737095516161"}, []string{"184467440737095516160"}},
		`true`:                  {[]string{"true"}, []string{"1", "True", "TRUE", "yes"}},
		`"true"`:                {[]string{"true"}, []string{"1"}},
		`false`:                 {[]string{"false"}, []string{"0", ""}},
		`null`:                  {nil, []string{"null", "", "0", "false"}},
		`{}`:                    {nil, []string{"{}", ""}},
		`[]`:                    {nil, []string{"[]", ""}},
		`["a","b"]`:             {[]string{"a", "b"}, []string{`["a","b"]`, "a b", "a,b"}},
	} {
		id := signedIn(`{"c":` + claim + `}`)
		for _, value := range values.equal {
			if err := ask(t, &Claim{Claim: "c", Values: []string{"other", value}}, id); err != nil {
				t.Errorf("%s is not %q: %v", claim, value, err)
			}
		}
		for _, value := range values.other {
			if err := ask(t, &Claim{Claim: "c", Values: []string{value}}, id); err == nil {
				t.Errorf("%s is %q", claim, value)
			}
		}
	}
}

func TestClaimsInTheConfiguration(t *testing.T) {
	t.Parallel()
	adapts(t, map[string]string{
		"claim tenant":                     `{"claim":"tenant","guard":"claim"}`,
		"claim tenant acme zoo":            `{"claim":"tenant","guard":"claim","values":["acme","zoo"]}`,
		`claim tenant ""`:                  `{"claim":"tenant","guard":"claim","values":[""]}`,
		"claim https://acme.com/roles ops": `{"claim":"https://acme.com/roles","guard":"claim","values":["ops"]}`,
		"claim a {}":                       `{"claim":"a","guard":"claim","values":["{}"]}`,
	})
	refused(t, map[string]string{
		"claim":                        `guard "claim" needs the path of a claim`,
		`claim ""`:                     "a claim is required",
		"claim a.":                     "neither begins nor ends with a dot",
		"claim .a":                     "neither begins nor ends with a dot",
		"claim a..b":                   "neither begins nor ends with a dot",
		"claim a {env.TENANT}":         `value "{env.TENANT}" holds a placeholder`,
		"claim {http.auth.claims.x} a": "holds a placeholder",
		"claim a b {\n\tc\n}":          `guard "claim" takes no block`,
		`{"guard":"claim"}`:            "a claim is required",
		`{"guard":"claim","claim":"a","values":[]}`: "values are an empty list",
		`{"guard":"claim","claim":"a","value":"b"}`: "unknown field",
	})
}
