// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v2/jwa"
	jwxjwt "github.com/lestrrat-go/jwx/v2/jwt"
)

// benchPayload makes a token of 1.2 KB: what an identity provider issues.
const benchPayload = `{"iss":"https://id.example.com","aud":["my-app","other-app"],"sub":"248289761001","exp":1700003600,"iat":1700000000,"nbf":1700000000,` +
	`"jti":"5f1f3f9c-5b0e-4f6e-9a57-0f8d7c6b5a49","sid":"0c8b8f5e-2c3d-4c43-8a59-0f5f5e8c2f11","azp":"my-app","username":"alice","email":"alice@example.com","email_verified":true,` +
	`"name":"Alice Example","is_staff":true,"is_superuser":false,"permissions":["reports.view","reports.add","reports.change","users.view"],` +
	`"realm_access":{"roles":["offline_access","default-roles-example","uma_authorization"]},"tenant":"acme","locale":"en"}`

// smallPayload makes a token of 240 bytes: what auth_token issues.
const smallPayload = `{"iss":"https://id.example.com","aud":"my-app","sub":"42","exp":1700003600,"iat":1700000000,"jti":"5f1f3f9c5b0e4f6e","is_staff":true}`

var benchPayloads = []struct{ name, payload string }{{"1.2KB", benchPayload}, {"small", smallPayload}}

var benchAlgorithms = []algorithm{algHS256, algRS256, algES256, algEdDSA}

func benchBlock(tb testing.TB, alg algorithm) (*JWT, string) {
	return benchBlockFor(tb, alg, benchPayload)
}

// benchBlockFor returns a block that remembers nothing and a token that it
// accepts.
func benchBlockFor(tb testing.TB, alg algorithm, payload string) (*JWT, string) {
	tb.Helper()
	j := &JWT{Issuers: []string{"https://id.example.com"}, Audiences: []string{"my-app"}, Algorithms: []string{alg.String()}, Cache: new(int)}
	if familyHMAC.has(alg) {
		j.Secret = secretRef
	} else {
		j.Private = writeFile(tb, privatePEM(tb, keyFor(tb, alg)))
	}
	mustLoad(tb, j)
	token, err := j.Sign(tb.Context(), []byte(payload))
	if err != nil {
		tb.Fatal(err)
	}
	return j, token
}

func BenchmarkUnseen(b *testing.B) {
	for _, alg := range benchAlgorithms {
		for _, p := range benchPayloads {
			b.Run(alg.String()+"/"+p.name, func(b *testing.B) {
				j, token := benchBlockFor(b, alg, p.payload)
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
}

// BenchmarkSeen is a token that is remembered: the same for every algorithm.
func BenchmarkSeen(b *testing.B) {
	for _, p := range benchPayloads {
		b.Run(p.name, func(b *testing.B) {
			j := mustLoad(b, &JWT{Label: b.Name(), Secret: secretRef})
			r := bearer(hs256(b, p.payload))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := j.Authenticate(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("1.2KB, in parallel", func(b *testing.B) {
		j := mustLoad(b, &JWT{Label: b.Name(), Secret: secretRef})
		r := bearer(hs256(b, benchPayload))
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := j.Authenticate(r); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// BenchmarkDistinct goes through 40,000 tokens that a cache of 10,000, full of
// others, does not hold, and the same without a cache.
func BenchmarkDistinct(b *testing.B) {
	tokens := make([]string, 50_000)
	for i := range tokens {
		tokens[i] = hs256(b, strings.Replace(benchPayload, "5f1f3f9c", strconv.Itoa(10_000_000+i), 1))
	}
	for name, cache := range map[string]*int{"cache 10000": nil, "cache off": new(int)} {
		b.Run(name, func(b *testing.B) {
			j := mustLoad(b, &JWT{Label: b.Name(), Secret: secretRef, Cache: cache})
			for _, token := range tokens { // until it is full
				if _, err := j.judge(token, testNow); err != nil {
					b.Fatal(err)
				}
			}
			i := 0
			others := tokens[10_000:]
			b.ReportAllocs()
			for b.Loop() {
				if _, err := j.judge(others[i%len(others)], testNow); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// BenchmarkPeers does the same work with other libraries: signature, issuer,
// audience, times.
func BenchmarkPeers(b *testing.B) {
	for _, alg := range benchAlgorithms {
		for _, p := range benchPayloads {
			_, token := benchBlockFor(b, alg, p.payload)
			var key any = []byte(testSecret)
			if !familyHMAC.has(alg) {
				key = keyFor(b, alg).Public()
			}
			b.Run("jwx/"+alg.String()+"/"+p.name, func(b *testing.B) {
				now := jwxjwt.ClockFunc(func() time.Time { return testNow })
				text := []byte(token)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := jwxjwt.Parse(text, jwxjwt.WithKey(jwa.SignatureAlgorithm(alg.String()), key), jwxjwt.WithClock(now),
						jwxjwt.WithIssuer("https://id.example.com"), jwxjwt.WithAudience("my-app")); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("golang-jwt/"+alg.String()+"/"+p.name, func(b *testing.B) {
				parser := jwt.NewParser(jwt.WithValidMethods([]string{alg.String()}), jwt.WithIssuer("https://id.example.com"),
					jwt.WithAudience("my-app"), jwt.WithTimeFunc(func() time.Time { return testNow }))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := parser.Parse(token, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkRefused is what bad tokens cost.
func BenchmarkRefused(b *testing.B) {
	j, good := benchBlock(b, algHS256)
	j = mustLoad(b, &JWT{Secret: secretRef, Issuers: j.Issuers}) // with a cache
	for name, token := range map[string]string{
		"a word":        "sk-prod-123abc",
		"dots":          strings.Repeat(".", 16<<10),
		"alg none":      encode([]byte(`{"alg":"none"}`)) + good[strings.IndexByte(good, '.'):],
		"not JSON":      joined(b, `{"alg":"HS256"}`, "hello", hs(algHS256, testSecret)),
		"wrong issuer":  joined(b, `{"alg":"HS256"}`, `{"iss":"https://evil.example.com"}`, hs(algHS256, testSecret)),
		"bad signature": good[:len(good)-10] + "AAAAAAAAAA"[:9] + "A",
		"expired":       joined(b, `{"alg":"HS256"}`, `{"iss":"https://id.example.com","sub":"a","exp":1}`, hs(algHS256, testSecret)),
	} {
		b.Run(name, func(b *testing.B) {
			r := bearer(token)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := j.Authenticate(r); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}

// BenchmarkSignature is the signature alone of a token of 1.2 KB.
func BenchmarkSignature(b *testing.B) {
	for _, alg := range benchAlgorithms {
		b.Run(alg.String(), func(b *testing.B) {
			j, token := benchBlock(b, alg)
			parts, err := split(token)
			if err != nil {
				b.Fatal(err)
			}
			h, err := parseHeader(new(scratch), parts.header)
			if err != nil {
				b.Fatal(err)
			}
			signature, err := decode(nil, parts.signature)
			if err != nil {
				b.Fatal(err)
			}
			keys := j.keys.set()
			b.ReportAllocs()
			for b.Loop() {
				if err := keys.verify(&h, parts.signed, signature); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStage is where the time of an unseen HS256 token goes.
func BenchmarkStage(b *testing.B) {
	j, token := benchBlock(b, algHS256)
	r := bearer(token)
	parts, err := split(token)
	if err != nil {
		b.Fatal(err)
	}
	s := new(scratch)
	h, err := parseHeader(s, parts.header)
	if err != nil {
		b.Fatal(err)
	}
	signature, err := decode(nil, parts.signature)
	if err != nil {
		b.Fatal(err)
	}
	for _, stage := range []struct {
		name string
		run  func() error
	}{
		{"extract", func() error { _, _, err := j.extractor.Extract(r); return err }},
		{"split", func() error { _, err := split(token); return err }},
		{"header", func() error { _, err := parseHeader(s, parts.header); return err }},
		{"known header", func() error { j.headers.find(parts.header); return nil }},
		{"base64 of the payload", func() (err error) { s.payload, err = decode(s.payload, parts.payload); return err }},
		{"payload", func() error { return parsePayload(s, parts.payload, j.names) }},
		{"signature", func() error { return j.keys.set().verify(&h, parts.signed, signature) }},
		{"claims and identity", func() error { _, _, err := j.accept(s, &h, testNow); return err }},
	} {
		b.Run(stage.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := stage.run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
