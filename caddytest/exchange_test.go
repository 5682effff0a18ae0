// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const secretOfPartners = "the secret of another issuer, of 32 bytes and more"

// exchangeSite takes passwords and the tokens of another issuer at the exchange
// alone, and its own tokens everywhere.
const exchangeSite = `
{
	auth {
		secret {env.CADDYBOLT_SECRET}
		jwt {
			issuer https://app.example.com
		}
		users static {
			user alice {env.CADDYBOLT_HASH} {
				id 7
				permissions reports.read
			}
		}
	}
}
http://:PORT {
	handle /exchange/basic {
		route {
			auth {
				basic
			}
			auth_token {
				exchange
				include permissions
			}
		}
	}
	handle /exchange/partner {
		route {
			auth {
				jwt {
					secret "the secret of another issuer, of 32 bytes and more"
					issuer https://partner.example.com
				}
			}
			auth_token {
				exchange
				include permissions
			}
		}
	}
	handle {
		auth
		respond "{http.auth.user.id} {http.auth.user.permissions} {http.auth.user.is_superuser}"
	}
}`

// Attack: whoever signed in by HTTP Basic or with a token of another issuer gets
// more by the exchange than they had: another's identity, rights that nobody
// gave, tokens without end, or the exchange with what is not for it.
func TestPasswordsAndForeignTokensAreExchanged(t *testing.T) {
	setPassword(t)
	_, url := gate(t, exchangeSite)
	basic := func(user, password string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	exchange := func(path, credential string) (access string, claims jwt.MapClaims) {
		t.Helper()
		status, body := post(t, url+path, "text/plain", "", credential)
		var answer tokens
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 || answer.Refresh != "" {
			t.Fatalf("%s: %d %s", path, status, body)
		}
		claims = jwt.MapClaims{}
		if _, err := jwt.ParseWithClaims(answer.Access, claims, func(*jwt.Token) (any, error) { return []byte(hmacSecret), nil },
			jwt.WithIssuer("https://app.example.com"), jwt.WithExpirationRequired()); err != nil {
			t.Fatal(err)
		}
		return answer.Access, claims
	}

	access, claims := exchange("/exchange/basic", basic("alice", "secret"))
	if claims["sub"] != "exchanged:local:basic|7" {
		t.Errorf("%v", claims)
	}
	want(t, 200, "exchanged:local:basic|7 reports.read false", url, bearer(access))

	// The partner's user 7 is not alice, and what the partner says of rights is
	// the partner's.
	ends := time.Now().Add(10 * time.Minute).Unix()
	foreign := mint(t, jwt.SigningMethodHS256, []byte(secretOfPartners), jwt.MapClaims{
		"iss": "https://partner.example.com", "sub": "7", "permissions": []string{"orders.read"}, "exp": ends,
	})
	access, claims = exchange("/exchange/partner", bearer(foreign))
	if exp, err := claims.GetExpirationTime(); claims["sub"] != "exchanged:https://partner.example.com|7" || err != nil || exp.Unix() > ends {
		t.Errorf("%v", claims)
	}
	want(t, 200, "exchanged:https://partner.example.com|7 orders.read false", url, bearer(access))
	want(t, 401, "", url, bearer(foreign)) // itself it opens nothing

	partner := func(claims jwt.MapClaims) string {
		return bearer(mint(t, jwt.SigningMethodHS256, []byte(secretOfPartners), claims))
	}
	for name, c := range map[string]struct {
		path        string
		credentials []string
	}{
		"nothing":                       {"/exchange/basic", []string{"X-Nothing: x"}},
		"a wrong password":              {"/exchange/basic", []string{basic("alice", "guess")}},
		"an unknown user":               {"/exchange/basic", []string{basic("7", "secret")}},
		"a foreign token for Basic":     {"/exchange/basic", []string{bearer(foreign)}},
		"what was issued for Basic":     {"/exchange/basic", []string{bearer(access)}},
		"Basic for a token":             {"/exchange/partner", []string{basic("alice", "secret")}},
		"what was issued":               {"/exchange/partner", []string{bearer(access)}},
		"a token of the site":           {"/exchange/partner", []string{bearer(hs256(t, jwt.MapClaims{"iss": "https://app.example.com"}))}},
		"the site's issuer, their key":  {"/exchange/partner", []string{partner(jwt.MapClaims{"iss": "https://app.example.com", "sub": "7"})}},
		"their issuer, the site's key":  {"/exchange/partner", []string{bearer(hs256(t, jwt.MapClaims{"iss": "https://partner.example.com"}))}},
		"no issuer":                     {"/exchange/partner", []string{partner(jwt.MapClaims{"sub": "7"})}},
		"a token that has expired":      {"/exchange/partner", []string{partner(jwt.MapClaims{"iss": "https://partner.example.com", "exp": time.Now().Add(-time.Hour).Unix()})}},
		"what it would be called here":  {"/exchange/partner", []string{partner(jwt.MapClaims{"iss": "https://app.example.com", "sub": "exchanged:https://partner.example.com|7"})}},
		"their token, and Basic beside": {"/exchange/partner", []string{bearer(foreign), basic("alice", "secret")}},
	} {
		if status, body := post(t, url+c.path, "text/plain", "", c.credentials...); status != 401 {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	// A name and a password in the body are not looked at: the token is of whom
	// the auth has accepted.
	status, body := post(t, url+"/exchange/partner", "application/x-www-form-urlencoded", "username=alice&password=secret", bearer(foreign))
	var answer tokens
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	want(t, 200, "exchanged:https://partner.example.com|7 orders.read false", url, bearer(answer.Access))
}
