// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import "testing"

// benchClaims are what an identity provider says of somebody.
const benchClaims = `{"iss":"https://id.example.com","aud":["my-app","other-app"],"sub":"248289761001","exp":1700003600,"iat":1700000000,` +
	`"jti":"5f1f3f9c-5b0e-4f6e-9a57-0f8d7c6b5a49","azp":"my-app","username":"alice","email":"alice@example.com","email_verified":true,` +
	`"name":"Alice Example","permissions":["reports.view","reports.add","reports.change","users.view"],` +
	`"realm_access":{"roles":["offline_access","default-roles-example","uma_authorization"]},"https://acme.com/tenant":"acme","locale":"en"}`

var benchPaths = []string{"iss", "locale", "email_verified", "realm_access.roles.2", "https://acme.com/tenant", "none"}

func BenchmarkClaimsLookup(b *testing.B) {
	c := claimsOf(b, benchClaims)
	for _, path := range benchPaths {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Lookup(path)
			}
		})
	}
}

// Where a claim stands costs nothing to find; its value is a text and what holds
// it.
func TestAllocationsOfALookup(t *testing.T) {
	c := claimsOf(t, benchClaims)
	for _, path := range []string{"iss", "locale", "email_verified", "https://acme.com/tenant", "none"} {
		if n := testing.AllocsPerRun(100, func() { c.LookupJSON(path) }); n != 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { c.Lookup("locale") }); n > 2 {
		t.Errorf("a text: %v allocations", n)
	}
}
