// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"testing"
	"net/http"

	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v2/jwa"
	jwxjwt "github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// benchPayload makes a token of about 1 KB.
const benchPayload = `{"iss":"https://id.example.com","aud":["my-app","other-app"],"sub":"248289761001","exp":1700003600,"iat":1700000000,"nbf":1700000000,` +
	`"jti":"5f1f3f9c-5b0e-4f6e-9a57-0f8d7c6b5a49","sid":"0c8b8f5e-2c3d-4c43-8a59-0f5f5e8c2f11","azp":"my-app","username":"alice","email":"alice@example.com","email_verified":true,` +
	`"name":"Alice Example","is_staff":true,"is_superuser":false,"permissions":["reports.view","reports.add","reports.change","users.view"],` +
	`"realm_access":{"roles":["offline_access","default-roles-example","uma_authorization"]},"tenant":"acme","locale":"en"}`

func benchBlock(tb testing.TB, alg algorithm) (*JWT, string) {
	j := &JWT{Issuers: []string{"https://id.example.com"}, Audiences: []string{"my-app"}, Algorithms: []string{alg.String()}}
	if familyHMAC.has(alg) {
		j.Secret = secretRef
	} else {
		j.Private = writeFile(tb, privatePEM(tb, keyFor(tb, alg)))
	}
	mustLoad(tb, j)
	token, err := j.Sign(tb.Context(), []byte(benchPayload))
	if err != nil {
		tb.Fatal(err)
	}
	return j, token
}

func BenchmarkAuthenticate(b *testing.B) {
	for _, alg := range []algorithm{algHS256, algRS256, algES256, algEdDSA} {
		b.Run(alg.String(), func(b *testing.B) {
			j, token := benchBlock(b, alg)
			r := bearer(token)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := j.Authenticate(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchRequest(b *testing.B, token string) *http.Request { return bearer(token) }

func BenchmarkJWX(b *testing.B) {
	j, token := benchBlock(b, algHS256)
	_ = j
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jwxjwt.Parse([]byte(token), jwxjwt.WithKey(jwa.HS256, []byte(testSecret)), jwxjwt.WithValidate(false)); err != nil {
			b.Fatal(err)
		}
	}
	_ = jws.Verify
}

func BenchmarkGolangJWT(b *testing.B) {
	_, token := benchBlock(b, algHS256)
	p := jwt.NewParser(jwt.WithoutClaimsValidation())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Parse(token, func(*jwt.Token) (any, error) { return []byte(testSecret), nil }); err != nil {
			b.Fatal(err)
		}
	}
}
