// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	jwxkey "github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

// What is signed here is accepted here, and by another implementation with the
// keys that are published.
func TestSignedTokensAreAccepted(t *testing.T) {
	t.Parallel()
	for alg := range algorithmCount {
		t.Run(alg.String(), func(t *testing.T) {
			t.Parallel()
			j := &JWT{Algorithms: []string{alg.String()}, Type: "at+jwt"}
			if familyHMAC.has(alg) {
				j.Secret = secretRef
			} else {
				j.Private = writeFile(t, privatePEM(t, keyFor(t, alg)))
			}
			mustLoad(t, j)
			token, err := j.Sign(t.Context(), []byte(validPayload))
			if err != nil {
				t.Fatal(err)
			}
			wantAccepted(t, j, token)

			published, err := j.PublicKeys()
			if err != nil {
				t.Fatal(err)
			}
			set, err := jwxkey.Parse(published)
			if err != nil {
				t.Fatal(err)
			}
			if familyHMAC.has(alg) {
				if set.Len() != 0 || strings.Contains(string(published), "0123") {
					t.Errorf("a secret is published: %s", published)
				}
				if _, err := jws.Verify([]byte(token), jws.WithKey(jwa.SignatureAlgorithm(alg.String()), []byte(testSecret))); err != nil {
					t.Error(err)
				}
				return
			}
			payload, err := jws.Verify([]byte(token), jws.WithKeySet(set))
			if err != nil || string(payload) != validPayload {
				t.Errorf("payload %s, error %v, with %s", payload, err, published)
			}
			for _, private := range []string{`"d"`, `"p"`, `"q"`, `"k"`} {
				if strings.Contains(string(published), private) {
					t.Errorf("a private member is published: %s", published)
				}
			}
			// The published set is a jwks_file of another server.
			other := mustLoad(t, &JWT{JWKSFile: writeFile(t, string(published))})
			wantAccepted(t, other, token)
		})
	}
}

func TestHeaderOfASignedToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		jwt  *JWT
		want string
	}{
		"secret": {&JWT{Secret: secretRef}, `{"alg":"HS256","typ":"JWT"}`},
		"first that the secret serves": {
			&JWT{Secret: secretRef, Public: []string{publicPEM(t, keyFor(t, algRS256))}, Algorithms: []string{"RS256", "HS512", "HS256"}},
			`{"alg":"HS512","typ":"JWT"}`,
		},
		"the private key before the secret": {
			&JWT{Secret: secretRef, Private: `{"kty":"OKP","crv":"Ed25519","kid":"mine","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}`, Type: "at+jwt"},
			`{"alg":"EdDSA","typ":"at+jwt","kid":"mine"}`,
		},
		"thumbprint for a key without a name": {
			&JWT{Private: `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}`},
			`{"alg":"EdDSA","typ":"JWT","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"}`,
		},
	} {
		j := mustLoad(t, c.jwt)
		token, err := j.Sign(t.Context(), []byte(validPayload))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		header, err := decode(nil, token[:strings.IndexByte(token, '.')])
		if err != nil || string(header) != c.want {
			t.Errorf("%s: header %s, want %s", name, header, c.want)
		}
	}
}

func TestBlockOfPublicKeysCannotSign(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Public: []string{publicPEM(t, keyFor(t, algES256))}})
	const want = "only public keys are configured: signing needs secret, private_key or generated_key"
	if err := j.CanSign(); err == nil || err.Error() != want {
		t.Errorf("CanSign: %v", err)
	}
	if token, err := j.Sign(t.Context(), []byte(validPayload)); token != "" || err == nil {
		t.Errorf("Sign: %q, %v", token, err)
	}
	if set, err := j.PublicKeys(); set != nil || err == nil {
		t.Errorf("PublicKeys: %s, %v", set, err)
	}
}

func TestSignRefusesWhatIsNoObject(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Secret: secretRef})
	for _, payload := range []string{``, `[]`, `"a"`, `{"a":1,"a":2}`, `{"a":1}x`} {
		if token, err := j.Sign(t.Context(), []byte(payload)); token != "" || err == nil {
			t.Errorf("%s: %q, %v", payload, token, err)
		}
	}
}

func TestSignerSaysWhatItAccepts(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Label: "main", Secret: secretRef, Issuers: []string{"a", "b"}, Audiences: []string{"c", "d"}})
	if j.Name() != "main" || j.Issuer() != "a" || j.Audience() != "c" {
		t.Errorf("%q, %q, %q", j.Name(), j.Issuer(), j.Audience())
	}
	j = mustLoad(t, &JWT{Secret: secretRef})
	if j.Name() != "" || j.Issuer() != "" || j.Audience() != "" || j.Challenge() != "Bearer" {
		t.Errorf("%q, %q, %q, %q", j.Name(), j.Issuer(), j.Audience(), j.Challenge())
	}
	if sources := j.Sources(); len(sources) != 1 || sources[0] != (auth.Source{Header: "Authorization", Scheme: "Bearer"}) {
		t.Errorf("sources %v", sources)
	}
	var shown map[string]any
	if text, err := json.Marshal(j); err != nil || json.Unmarshal(text, &shown) != nil || len(shown) != 1 {
		t.Errorf("provisioning changed the configuration: %v", shown)
	}
}

// What CheckPayload says of claims is what becomes of the token.
func TestCheckedPayloadsAreWhatTheTokenIs(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{
		Secret: secretRef, Issuers: []string{"https://id.example"}, Audiences: []string{"app"}, Subject: "7", Type: "at+jwt",
		RequireClaims: []string{"email"}, RequireJTI: true, MaxAge: caddy.Duration(time.Hour),
	})
	exp := strconv.FormatInt(testNow.Unix()+60, 10)
	iat := strconv.FormatInt(testNow.Unix(), 10)
	good := `{"sub":"7","iss":"https://id.example","aud":"app","email":"a@b.c","jti":"x","sid":"s","is_staff":true,"iat":` + iat + `,"exp":` + exp + `}`
	for name, c := range map[string]struct {
		old, new string
		want     auth.Reason
	}{
		"accepted":        {"", "", ""},
		"another subject": {`"sub":"7"`, `"sub":"8"`, auth.ReasonMissingClaim},
		"a key's subject": {`"sub":"7"`, `"sub":"apikey:ci"`, auth.ReasonMissingClaim},
		"no email":        {`"email":"a@b.c",`, "", auth.ReasonMissingClaim},
		"no jti":          {`"jti":"x",`, "", auth.ReasonMissingClaim},
		"another issuer":  {"id.example", "other.example", auth.ReasonWrongIssuer},
		"no audience":     {`"aud":"app",`, "", auth.ReasonWrongAudience},
		"too old":         {`"iat":` + iat, `"iat":5`, auth.ReasonTokenExpired},
		"over":            {exp, "5", auth.ReasonTokenExpired},
		"wrong type":      {`"sid":"s"`, `"sid":1`, auth.ReasonMalformedToken},
		"permissions":     {`"sid":"s"`, `"permissions":1`, auth.ReasonMalformedToken},
		"malformed":       {`{"sub"`, `["sub"`, auth.ReasonMalformedToken},
	} {
		payload := []byte(strings.Replace(good, c.old, c.new, 1))
		id, err := j.CheckPayload(payload, testNow)
		if auth.ReasonOf(err) != c.want || (id == nil) == (err == nil) {
			t.Errorf("%s: %v, %v", name, id, err)
		}
		if c.want == "" && (id.ID != "7" || id.TokenID != "x" || id.SessionID != "s" || !id.Staff || id.Issuer != "https://id.example") {
			t.Errorf("%s: %+v", name, id)
		}
		token, err := j.Sign(t.Context(), payload)
		if name == "malformed" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := check(t, j, token); auth.ReasonOf(err) != c.want {
			t.Errorf("%s: the token is judged otherwise: %v", name, err)
		}
	}
}

// A token that nobody accepts is not made.
func TestSignRefusesWhatIsLongerThanMaxSize(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Secret: secretRef, MaxSize: 300})
	if token, err := j.Sign(t.Context(), []byte(validPayload)); err != nil || len(token) > 300 {
		t.Fatalf("control: %d bytes, %v", len(token), err)
	}
	long := `{"sub":"` + strings.Repeat("a", 200) + `"}`
	if token, err := j.Sign(t.Context(), []byte(long)); token != "" || err == nil || strings.Contains(err.Error(), "aaa") {
		t.Errorf("%q, %v", token, err)
	}
}
