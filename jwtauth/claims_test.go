// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// claimsCase is a payload under a configuration. Every configuration is shown
// to accept something, too.
type claimsCase struct {
	name    string
	payload string
	reason  auth.Reason // empty: accepted
}

func runClaims(t *testing.T, j *JWT, cases []claimsCase) {
	t.Helper()
	t.Parallel()
	if j.Secret == "" {
		j.Secret = secretRef
	}
	mustLoad(t, j)
	controls := 0
	for _, c := range cases {
		if c.reason == "" {
			controls++
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			token := hs256(t, c.payload)
			if c.reason == "" {
				wantAccepted(t, j, token)
				return
			}
			wantRefused(t, j, token, c.reason)
		})
	}
	if controls == 0 {
		t.Error("nothing is accepted: the table shows nothing")
	}
}

// Attack: a token that is over, that never ends, or whose end is no time.
func TestExpiryIsRequiredAndANumber(t *testing.T) {
	runClaims(t, &JWT{}, []claimsCase{
		{"in an hour", `{"sub":"a","exp":1700003600}`, ""},
		{"with a fraction", `{"sub":"a","exp":1700003600.5}`, ""},
		{"with an exponent", `{"sub":"a","exp":1.7000036e9}`, ""},
		{"larger than an int64", `{"sub":"a","exp":99999999999999999999999}`, ""},
		{"larger than a float64", `{"sub":"a","exp":1e400}`, ""},
		{"larger than a time", `{"sub":"a","exp":9223372036854775807}`, ""},
		{"missing", `{"sub":"a"}`, auth.ReasonMissingClaim},
		{"name folded in case", `{"sub":"a","EXP":1700003600}`, auth.ReasonMissingClaim},
		{"in the past", `{"sub":"a","exp":1699990000}`, auth.ReasonTokenExpired},
		{"zero", `{"sub":"a","exp":0}`, auth.ReasonTokenExpired},
		{"minus zero", `{"sub":"a","exp":-0}`, auth.ReasonTokenExpired},
		{"negative", `{"sub":"a","exp":-1700003600}`, auth.ReasonTokenExpired},
		{"smaller than a float64", `{"sub":"a","exp":-1e400}`, auth.ReasonTokenExpired},
		{"next to nothing", `{"sub":"a","exp":1e-400}`, auth.ReasonTokenExpired},
		{"text", `{"sub":"a","exp":"1700003600"}`, auth.ReasonMalformedToken},
		{"null", `{"sub":"a","exp":null}`, auth.ReasonMalformedToken},
		{"true", `{"sub":"a","exp":true}`, auth.ReasonMalformedToken},
		{"list", `{"sub":"a","exp":[1700003600]}`, auth.ReasonMalformedToken},
		{"object", `{"sub":"a","exp":{}}`, auth.ReasonMalformedToken},
		{"not a number", `{"sub":"a","exp":NaN}`, auth.ReasonMalformedToken},
		{"hexadecimal", `{"sub":"a","exp":0x7fffffff}`, auth.ReasonMalformedToken},
	})
}

func TestExpiredTokenIsRejectedAfterLeeway(t *testing.T) {
	t.Parallel()
	second := caddy.Duration(time.Second)
	none := caddy.Duration(0)
	for name, c := range map[string]struct {
		leeway *caddy.Duration
		want   time.Duration
	}{
		"default": {nil, 30 * time.Second},
		"none":    {&none, 0},
		"one":     {&second, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := mustLoad(t, &JWT{Secret: secretRef, Leeway: c.leeway})
			exp := time.Unix(1_700_003_600, 0)
			token := hs256(t, `{"sub":"a","exp":1700003600}`)
			j.clock = clock.Fixed(exp.Add(c.want - time.Nanosecond))
			wantAccepted(t, j, token)
			j.clock = clock.Fixed(exp.Add(c.want))
			wantRefused(t, j, token, auth.ReasonTokenExpired)

			nbf := hs256(t, `{"sub":"a","exp":1800000000,"nbf":1700003600}`)
			iat := hs256(t, `{"sub":"a","exp":1800000000,"iat":1700003600}`)
			j.clock = clock.Fixed(exp.Add(-c.want))
			wantAccepted(t, j, nbf)
			wantAccepted(t, j, iat)
			j.clock = clock.Fixed(exp.Add(-c.want - time.Nanosecond))
			wantRefused(t, j, nbf, auth.ReasonTokenNotYetValid)
			wantRefused(t, j, iat, auth.ReasonTokenNotYetValid)
		})
	}
}

func TestFractionsOfASecondCount(t *testing.T) {
	t.Parallel()
	none := caddy.Duration(0)
	j := mustLoad(t, &JWT{Secret: secretRef, Leeway: &none})
	token := hs256(t, `{"sub":"a","exp":1700003600.5}`)
	j.clock = clock.Fixed(time.Unix(1_700_003_600, 499_000_000))
	wantAccepted(t, j, token)
	j.clock = clock.Fixed(time.Unix(1_700_003_600, 501_000_000))
	wantRefused(t, j, token, auth.ReasonTokenExpired)
}

func TestTimesBesideExpiryAreNumbers(t *testing.T) {
	runClaims(t, &JWT{}, []claimsCase{
		{"both", `{"sub":"a","exp":1700003600,"nbf":1699999999,"iat":1699999999}`, ""},
		{"long ago", `{"sub":"a","exp":1700003600,"nbf":-5,"iat":0}`, ""},
		{"nbf to come", `{"sub":"a","exp":1700003600,"nbf":1700000100}`, auth.ReasonTokenNotYetValid},
		{"nbf beyond all times", `{"sub":"a","exp":1700003600,"nbf":1e999}`, auth.ReasonTokenNotYetValid},
		{"iat to come", `{"sub":"a","exp":1700003600,"iat":1700000100}`, auth.ReasonTokenNotYetValid},
		{"nbf text", `{"sub":"a","exp":1700003600,"nbf":"1"}`, auth.ReasonMalformedToken},
		{"nbf null", `{"sub":"a","exp":1700003600,"nbf":null}`, auth.ReasonMalformedToken},
		{"iat text", `{"sub":"a","exp":1700003600,"iat":"1"}`, auth.ReasonMalformedToken},
		{"iat list", `{"sub":"a","exp":1700003600,"iat":[]}`, auth.ReasonMalformedToken},
	})
}

// Attack: a token that lives for years, against max_age.
func TestTokenOlderThanMaxAgeIsRefused(t *testing.T) {
	runClaims(t, &JWT{MaxAge: caddy.Duration(time.Hour)}, []claimsCase{
		{"young", `{"sub":"a","exp":1900000000,"iat":1699999000}`, ""},
		{"within the leeway", `{"sub":"a","exp":1900000000,"iat":1699996371}`, ""},
		{"old", `{"sub":"a","exp":1900000000,"iat":1699996370}`, auth.ReasonTokenExpired},
		{"of 1970", `{"sub":"a","exp":1900000000,"iat":0}`, auth.ReasonTokenExpired},
		{"without iat", `{"sub":"a","exp":1900000000}`, auth.ReasonMissingClaim},
	})
}

// Attack: a claim that is checked only when it is there.
func TestConfiguredIssuerMustBePresent(t *testing.T) {
	runClaims(t, &JWT{Issuers: []string{"https://a.example.com", "https://b.example.com"}}, []claimsCase{
		{"first", `{"sub":"a","exp":1700003600,"iss":"https://a.example.com"}`, ""},
		{"second", `{"sub":"a","exp":1700003600,"iss":"https://b.example.com"}`, ""},
		{"escaped", `{"sub":"a","exp":1700003600,"iss":"https:\/\/b.example.com"}`, ""},
		{"another", `{"sub":"a","exp":1700003600,"iss":"https://evil.example.com"}`, auth.ReasonWrongIssuer},
		{"a slash more", `{"sub":"a","exp":1700003600,"iss":"https://a.example.com/"}`, auth.ReasonWrongIssuer},
		{"another case", `{"sub":"a","exp":1700003600,"iss":"https://A.example.com"}`, auth.ReasonWrongIssuer},
		{"absent", `{"sub":"a","exp":1700003600}`, auth.ReasonWrongIssuer},
		{"empty", `{"sub":"a","exp":1700003600,"iss":""}`, auth.ReasonWrongIssuer},
		{"name folded in case", `{"sub":"a","exp":1700003600,"ISS":"https://a.example.com"}`, auth.ReasonWrongIssuer},
		{"list", `{"sub":"a","exp":1700003600,"iss":["https://a.example.com"]}`, auth.ReasonMalformedToken},
		{"null", `{"sub":"a","exp":1700003600,"iss":null}`, auth.ReasonMalformedToken},
	})
}

// Attack: a token that claims to come from an API key or a password.
func TestReservedIssuersAndSubjectsAreRefused(t *testing.T) {
	runClaims(t, &JWT{}, []claimsCase{
		{"any issuer", `{"sub":"a","exp":1700003600,"iss":"https://a.example.com"}`, ""},
		{"no issuer", `{"sub":"a","exp":1700003600}`, ""},
		{"local", `{"sub":"a","exp":1700003600,"iss":"local:api_key"}`, auth.ReasonWrongIssuer},
		{"local, escaped", `{"sub":"a","exp":1700003600,"iss":"\u006cocal:basic"}`, auth.ReasonWrongIssuer},
		{"API key", `{"sub":"apikey:ci-bot","exp":1700003600}`, auth.ReasonMissingClaim},
		{"API key, escaped", `{"sub":"\u0061pikey:ci-bot","exp":1700003600}`, auth.ReasonMissingClaim},
		{"issuer list", `{"sub":"a","exp":1700003600,"iss":[]}`, auth.ReasonMalformedToken},
	})
}

func TestAPIKeyIsNoUserOfAnotherClaimEither(t *testing.T) {
	runClaims(t, &JWT{UserClaim: "email"}, []claimsCase{
		{"good", `{"sub":"a","email":"a@example.com","exp":1700003600}`, ""},
		{"without sub", `{"email":"a@example.com","exp":1700003600}`, ""},
		{"claim", `{"sub":"a","email":"apikey:ci-bot","exp":1700003600}`, auth.ReasonMissingClaim},
		{"sub", `{"sub":"apikey:ci-bot","email":"a@example.com","exp":1700003600}`, auth.ReasonMissingClaim},
		{"claim missing", `{"sub":"a","exp":1700003600}`, auth.ReasonMissingClaim},
		{"sub list", `{"sub":["a"],"email":"a@example.com","exp":1700003600}`, auth.ReasonMalformedToken},
	})
}

// Attack: the text that the token is checked for stands in a list beside
// others, or the check falls over a list and lets pass (CVE-2020-26160).
func TestConfiguredAudienceMustBePresent(t *testing.T) {
	runClaims(t, &JWT{Audiences: []string{"my-app", "my-other-app"}}, []claimsCase{
		{"text", `{"sub":"a","exp":1700003600,"aud":"my-app"}`, ""},
		{"list of one", `{"sub":"a","exp":1700003600,"aud":["my-other-app"]}`, ""},
		{"list of several", `{"sub":"a","exp":1700003600,"aud":["x", "my-app" , "y"]}`, ""},
		{"escaped", `{"sub":"a","exp":1700003600,"aud":["\u006dy-app"]}`, ""},
		{"absent", `{"sub":"a","exp":1700003600}`, auth.ReasonWrongAudience},
		{"empty", `{"sub":"a","exp":1700003600,"aud":""}`, auth.ReasonWrongAudience},
		{"empty list", `{"sub":"a","exp":1700003600,"aud":[]}`, auth.ReasonWrongAudience},
		{"empty list with a space", `{"sub":"a","exp":1700003600,"aud":[ ]}`, auth.ReasonWrongAudience},
		{"another", `{"sub":"a","exp":1700003600,"aud":"my-app2"}`, auth.ReasonWrongAudience},
		{"another case", `{"sub":"a","exp":1700003600,"aud":"My-App"}`, auth.ReasonWrongAudience},
		{"words", `{"sub":"a","exp":1700003600,"aud":"my-app my-other-app"}`, auth.ReasonWrongAudience},
		{"hidden in text", `{"sub":"a","exp":1700003600,"aud":["x\",\"my-app"]}`, auth.ReasonWrongAudience},
		{"object", `{"sub":"a","exp":1700003600,"aud":{"my-app":1}}`, auth.ReasonMalformedToken},
		{"list of lists", `{"sub":"a","exp":1700003600,"aud":[["my-app"]]}`, auth.ReasonMalformedToken},
		{"list with a number", `{"sub":"a","exp":1700003600,"aud":["my-app",1]}`, auth.ReasonMalformedToken},
		{"number", `{"sub":"a","exp":1700003600,"aud":1}`, auth.ReasonMalformedToken},
		{"null", `{"sub":"a","exp":1700003600,"aud":null}`, auth.ReasonMalformedToken},
	})
}

func TestAudienceHasTheRightTypeEvenWhenNobodyAsks(t *testing.T) {
	runClaims(t, &JWT{}, []claimsCase{
		{"text", `{"sub":"a","exp":1700003600,"aud":"my-app"}`, ""},
		{"list", `{"sub":"a","exp":1700003600,"aud":["my-app"]}`, ""},
		{"object", `{"sub":"a","exp":1700003600,"aud":{}}`, auth.ReasonMalformedToken},
	})
}

func TestTokenNamesAUser(t *testing.T) {
	runClaims(t, &JWT{}, []claimsCase{
		{"text", `{"sub":"alice","exp":1700003600}`, ""},
		{"whole number", `{"sub":42,"exp":1700003600}`, ""},
		{"placeholder", `{"sub":"{env.SECRET}","exp":1700003600}`, ""},
		{"missing", `{"exp":1700003600}`, auth.ReasonMissingClaim},
		{"name folded in case", `{"SUB":"alice","exp":1700003600}`, auth.ReasonMissingClaim},
		{"name folded to s", `{"ſub":"alice","exp":1700003600}`, auth.ReasonMissingClaim},
		{"empty", `{"sub":"","exp":1700003600}`, auth.ReasonMissingClaim},
		{"null", `{"sub":null,"exp":1700003600}`, auth.ReasonMalformedToken},
		{"list", `{"sub":["alice"],"exp":1700003600}`, auth.ReasonMalformedToken},
		{"object", `{"sub":{"id":1},"exp":1700003600}`, auth.ReasonMalformedToken},
		{"true", `{"sub":true,"exp":1700003600}`, auth.ReasonMalformedToken},
		{"fraction", `{"sub":42.5,"exp":1700003600}`, auth.ReasonMalformedToken},
		{"exponent", `{"sub":4e2,"exp":1700003600}`, auth.ReasonMalformedToken},
		{"negative", `{"sub":-42,"exp":1700003600}`, auth.ReasonMalformedToken},
		{"jti number", `{"sub":"alice","exp":1700003600,"jti":7}`, auth.ReasonMalformedToken},
		{"jti null", `{"sub":"alice","exp":1700003600,"jti":null}`, auth.ReasonMalformedToken},
		{"sid list", `{"sub":"alice","exp":1700003600,"sid":[]}`, auth.ReasonMalformedToken},
		{"permissions number", `{"sub":"alice","exp":1700003600,"permissions":7}`, auth.ReasonMalformedToken},
		{"permissions object", `{"sub":"alice","exp":1700003600,"permissions":{}}`, auth.ReasonMalformedToken},
		{"permissions with a number", `{"sub":"alice","exp":1700003600,"permissions":["a",7]}`, auth.ReasonMalformedToken},
		{"permissions null", `{"sub":"alice","exp":1700003600,"permissions":null}`, auth.ReasonMalformedToken},
		{"scope number", `{"sub":"alice","exp":1700003600,"scope":7}`, auth.ReasonMalformedToken},
	})
}

func TestConfiguredSubjectMustBePresent(t *testing.T) {
	runClaims(t, &JWT{Subject: "42", UserClaim: "name"}, []claimsCase{
		{"text", `{"sub":"42","name":"a","exp":1700003600}`, ""},
		{"number", `{"sub":42,"name":"a","exp":1700003600}`, ""},
		{"another", `{"sub":"43","name":"a","exp":1700003600}`, auth.ReasonMissingClaim},
		{"absent", `{"name":"a","exp":1700003600}`, auth.ReasonMissingClaim},
	})
}

func TestRequiredClaimsMustBePresent(t *testing.T) {
	runClaims(t, &JWT{RequireClaims: []string{"tenant", "realm_access.roles", "https://acme.com/x"}}, []claimsCase{
		{"all", `{"sub":"a","exp":1700003600,"tenant":0,"realm_access":{"roles":[]},"https://acme.com/x":false}`, ""},
		{"path as a name", `{"sub":"a","exp":1700003600,"tenant":0,"realm_access.roles":"","https://acme.com/x":""}`, ""},
		{"one missing", `{"sub":"a","exp":1700003600,"realm_access":{"roles":[]},"https://acme.com/x":false}`, auth.ReasonMissingClaim},
		{"one null", `{"sub":"a","exp":1700003600,"tenant":null,"realm_access":{"roles":[]},"https://acme.com/x":false}`, auth.ReasonMissingClaim},
		{"path missing", `{"sub":"a","exp":1700003600,"tenant":0,"realm_access":{},"https://acme.com/x":false}`, auth.ReasonMissingClaim},
		{"path null", `{"sub":"a","exp":1700003600,"tenant":0,"realm_access":{"roles":null},"https://acme.com/x":false}`, auth.ReasonMissingClaim},
	})
}

func TestRequiredTokenIDMustBePresent(t *testing.T) {
	runClaims(t, &JWT{RequireJTI: true}, []claimsCase{
		{"present", `{"sub":"a","exp":1700003600,"jti":"7"}`, ""},
		{"absent", `{"sub":"a","exp":1700003600}`, auth.ReasonMissingClaim},
		{"empty", `{"sub":"a","exp":1700003600,"jti":""}`, auth.ReasonMissingClaim},
	})
}

// Attack: an ID token, which the same issuer signed with the same key, in place
// of an access token (RFC 9068, section 4).
func TestTypeIsComparedAsAMediaType(t *testing.T) {
	t.Parallel()
	for _, configured := range []string{"at+jwt", "application/at+jwt", "AT+JWT"} {
		j := mustLoad(t, &JWT{Secret: secretRef, Type: configured})
		for typ, reason := range map[string]auth.Reason{
			`"at+jwt"`:             "",
			`"AT+JWT"`:             "",
			`"application/at+jwt"`: "",
			`"APPLICATION/At+Jwt"`: "",
			`"JWT"`:                auth.ReasonWrongType,
			`""`:                   auth.ReasonWrongType,
			`"at+jwt "`:            auth.ReasonWrongType,
			`"x/at+jwt"`:           auth.ReasonWrongType,
			`"application/x/jwt"`:  auth.ReasonWrongType,
			`"at"`:                 auth.ReasonWrongType,
			`7`:                    auth.ReasonMalformedToken,
		} {
			token := joined(t, `{"alg":"HS256","typ":`+typ+`}`, validPayload, hs(algHS256, testSecret))
			if reason == "" {
				wantAccepted(t, j, token)
			} else {
				wantRefused(t, j, token, reason)
			}
		}
		wantRefused(t, j, joined(t, `{"alg":"HS256"}`, validPayload, hs(algHS256, testSecret)), auth.ReasonWrongType)
	}
}

func TestRefusalNamesTheMostTellingReason(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{
		Secret: secretRef, Issuers: []string{"id"}, Audiences: []string{"app"}, Type: "at+jwt",
		MaxAge: caddy.Duration(time.Hour), RequireClaims: []string{"tenant"},
	})
	// Each row is wrong in all that the rows after it are wrong in, too.
	for _, c := range []struct {
		header, payload, secret string
		reason                  auth.Reason
	}{
		{`{"alg":"none","crit":[]}`, `[]`, "", auth.ReasonMalformedToken},
		{`{"alg":"none"}`, `[]`, "", auth.ReasonUnsupportedAlgorithm},
		{`{"alg":"HS256"}`, `[]`, "", auth.ReasonMalformedToken},
		{`{"alg":"HS256"}`, `{"exp":1}`, "", auth.ReasonWrongIssuer},
		{`{"alg":"HS256"}`, `{"iss":"id","exp":1,"nbf":1800000000}`, "", auth.ReasonBadSignature},
		{`{"alg":"HS256"}`, `{"iss":"id","exp":1,"nbf":1800000000}`, testSecret, auth.ReasonTokenExpired},
		{`{"alg":"HS256"}`, `{"iss":"id","exp":1900000000,"nbf":1800000000,"iat":1}`, testSecret, auth.ReasonTokenNotYetValid},
		{`{"alg":"HS256"}`, `{"iss":"id","exp":1900000000,"iat":1}`, testSecret, auth.ReasonTokenExpired},
		{`{"alg":"HS256"}`, `{"iss":"id","exp":1900000000,"iat":1700000000}`, testSecret, auth.ReasonWrongAudience},
		{`{"alg":"HS256"}`, `{"iss":"id","exp":1900000000,"iat":1700000000,"aud":"app"}`, testSecret, auth.ReasonWrongType},
		{`{"alg":"HS256","typ":"at+jwt"}`, `{"iss":"id","exp":1900000000,"iat":1700000000,"aud":"app"}`, testSecret, auth.ReasonMissingClaim},
		{`{"alg":"HS256","typ":"at+jwt"}`, `{"iss":"id","exp":1900000000,"iat":1700000000,"aud":"app","sub":"a"}`, testSecret, auth.ReasonMissingClaim},
	} {
		secret := c.secret
		if secret == "" {
			secret = "another secret of thirty-two bytes"
		}
		wantRefused(t, j, joined(t, c.header, c.payload, hs(algHS256, secret)), c.reason)
	}
	wantAccepted(t, j, joined(t, `{"alg":"HS256","typ":"at+jwt"}`,
		`{"iss":"id","exp":1900000000,"iat":1700000000,"aud":"app","sub":"a","tenant":1}`, hs(algHS256, testSecret)))
}

// The candidate is known once the signature is good, and not before.
func TestCandidateIsNamedAfterAGoodSignatureOnly(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Secret: secretRef})
	expired := `{"sub":"alice","exp":1}`
	if got := auth.CandidateOf(wantRefused(t, j, hs256(t, expired), auth.ReasonTokenExpired)); got != "alice" {
		t.Errorf("candidate %q", got)
	}
	forged := joined(t, `{"alg":"HS256"}`, expired, hs(algHS256, "another secret of thirty-two bytes"))
	if got := auth.CandidateOf(wantRefused(t, j, forged, auth.ReasonBadSignature)); got != "" {
		t.Errorf("candidate of a forged token: %q", got)
	}
	key := hs256(t, `{"sub":"apikey:ci-bot","exp":1}`)
	if got := auth.CandidateOf(wantRefused(t, j, key, auth.ReasonTokenExpired)); got != "" {
		t.Errorf("candidate that is an API key's: %q", got)
	}
}

func TestIdentityIsWhatTheTokenSays(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Secret: secretRef})
	payload := `{"iss":"https://id.example.com","sub":"alice","exp":1700003600,"iat":1700000000.25,"jti":"t-1","sid":"s-1",` +
		`"is_staff":true,"is_admin":true,"permissions":["a","b","a",""],"scope":"c d","text":"{env.SECRET}"}`
	id := wantAccepted(t, j, hs256(t, payload))
	want := auth.Identity{
		ID: "alice", Issuer: "https://id.example.com", Backend: "jwt", Staff: true, Superuser: true,
		TokenID: "t-1", SessionID: "s-1",
	}
	if id.ID != want.ID || id.Issuer != want.Issuer || id.Backend != want.Backend || !id.Staff || !id.Superuser ||
		id.TokenID != want.TokenID || id.SessionID != want.SessionID {
		t.Errorf("identity %+v", id)
	}
	if got := id.Permissions.Words(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("permissions %q", got)
	}
	if string(id.Claims.JSON()) != payload {
		t.Errorf("claims %s", id.Claims.JSON())
	}
	if text, _ := id.Claims.Text("text"); text != "{env.SECRET}" {
		t.Errorf("claim %q", text)
	}
	if !id.ExpiresAt.Equal(time.Unix(1_700_003_600, 0)) || !id.IssuedAt.Equal(time.Unix(1_700_000_000, 250_000_000)) {
		t.Errorf("times %v, %v", id.IssuedAt, id.ExpiresAt)
	}

	bare := wantAccepted(t, j, hs256(t, validPayload))
	if len(bare.TokenID) != 64 || bare.SessionID != "" || bare.Issuer != "" || !bare.IssuedAt.IsZero() || bare.Staff || bare.Superuser || bare.Permissions.Len() != 0 {
		t.Errorf("identity of a bare token: %+v", bare)
	}
	if again := wantAccepted(t, j, joined(t, `{"alg":"HS256","x":1}`, validPayload, hs(algHS256, testSecret))); again.TokenID != bare.TokenID {
		t.Error("the ID of a token without jti is not that of its payload alone")
	}
	long := wantAccepted(t, j, hs256(t, `{"sub":123456789012345678901234567890,"exp":1700003600}`))
	if long.ID != "123456789012345678901234567890" {
		t.Errorf("ID %q", long.ID)
	}
	if escaped := wantAccepted(t, j, hs256(t, `{"sub":"\u0061\"\ud83d\ude00","exp":1700003600}`)); escaped.ID != "a\"😀" {
		t.Errorf("ID %q", escaped.ID)
	}
}

// Identities outlive the memory that they were read into.
func TestIdentitiesDoNotShareMemory(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Secret: secretRef})
	first := wantAccepted(t, j, hs256(t, `{"sub":"alice","exp":1700003600,"jti":"one","sid":"1","permissions":["read"],"iss":"a"}`))
	for range 50 {
		wantAccepted(t, j, hs256(t, `{"sub":"mallo","exp":1700003600,"jti":"two","sid":"2","permissions":["kill"],"iss":"b"}`))
	}
	if first.ID != "alice" || first.TokenID != "one" || first.SessionID != "1" || first.Issuer != "a" || !first.Permissions.Has("read") ||
		first.Permissions.Has("kill") || !strings.Contains(string(first.Claims.JSON()), "alice") {
		t.Errorf("the identity changed: %+v, %s", first, first.Claims.JSON())
	}
}

// Attack: a flag that is set by whatever is not false.
func TestFlagsAreSetByTrueOnly(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Secret: secretRef})
	for value, want := range map[string]bool{
		`true`: true, `false`: false, `"true"`: false, `1`: false, `"1"`: false, `[true]`: false, `{"a":true}`: false, `null`: false, `"yes"`: false,
	} {
		id := wantAccepted(t, j, hs256(t, `{"sub":"a","exp":1700003600,"is_staff":`+value+`,"is_superuser":`+value+`}`))
		if id.Staff != want || id.Superuser != want {
			t.Errorf("%s: staff %v, superuser %v", value, id.Staff, id.Superuser)
		}
	}
	id := wantAccepted(t, j, hs256(t, `{"sub":"a","exp":1700003600,"IS_STAFF":true,"Is_Superuser":true,"staff":true}`))
	if id.Staff || id.Superuser {
		t.Error("a flag of another name counts")
	}
}

func TestPermissionsAreThoseOfTheFirstClaimPresent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		claims  []string
		payload string
		want    []string
	}{
		"permissions before scope": {nil, `"scope":"c","permissions":["a","b"]`, []string{"a", "b"}},
		"an empty list counts":     {nil, `"scope":"c","permissions":[]`, nil},
		"text with spaces":         {nil, `"scope":"a  b "`, []string{"a", "b"}},
		"scp list":                 {nil, `"scp":["a"]`, []string{"a"}},
		"scp text":                 {nil, `"scp":"a b"`, []string{"a", "b"}},
		"a word with a space":      {nil, `"permissions":["a b"]`, []string{"a b"}},
		"escapes":                  {nil, `"permissions":["\u0061",  "b\"]"]`, []string{"a", `b"]`}},
		"configured":               {[]string{"roles"}, `"scope":"c","roles":["a"]`, []string{"a"}},
		"a path":                   {[]string{"realm_access.roles"}, `"realm_access":{"roles":["a","b"]}`, []string{"a", "b"}},
		"a name with dots":         {[]string{"https://acme.com/roles"}, `"https://acme.com/roles":"a b"`, []string{"a", "b"}},
		"none":                     {nil, `"x":1`, nil},
		"many":                     {nil, `"permissions":["` + strings.Join(strings.Split(strings.Repeat("p", 40), ""), `","`) + `"]`, []string{"p"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := mustLoad(t, &JWT{Secret: secretRef, PermissionsClaims: c.claims})
			id := wantAccepted(t, j, hs256(t, `{"sub":"a","exp":1700003600,`+c.payload+`}`))
			if got := id.Permissions.Words(); !slices.Equal(got, c.want) {
				t.Errorf("permissions %q, want %q", got, c.want)
			}
		})
	}
}

func TestConfiguredClaimsMayBePaths(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{
		Secret: secretRef, UserClaim: "user.id", StaffClaims: []string{"flags.staff"}, SuperuserClaims: []string{"flags.root", "flags.admin"},
	})
	id := wantAccepted(t, j, hs256(t, `{"exp":1700003600,"user":{"id":7},"flags":{"staff":true,"admin":true}}`))
	if id.ID != "7" || !id.Staff || !id.Superuser {
		t.Errorf("identity %+v", id)
	}
	wantRefused(t, j, hs256(t, `{"exp":1700003600,"user":{"id":[7]}}`), auth.ReasonMalformedToken)
	wantRefused(t, j, hs256(t, `{"exp":1700003600,"user":"id"}`), auth.ReasonMissingClaim)
}

// Attack: a tab, or a blank of Unicode, within the text of a claim. RFC 6749 knows
// the space alone, and guards must not see more permissions than the issuer gave.
func TestPermissionsOfATextAreSeparatedBySpacesAlone(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Secret: secretRef})
	for claim, want := range map[string][]string{
		`"read write"`:             {"read", "write"},
		`"  read   write "`:        {"read", "write"},
		`"read\tadmin"`:            {"read\tadmin"},
		`"read\nadmin x"`:          {"read\nadmin", "x"},
		"\"read\u00a0admin\"":      {"read\u00a0admin"},
		`"read\u2003admin\u0085x"`: {"read\u2003admin\u0085x"},
		`["read admin","write"]`:   {"read admin", "write"},
		`" "`:                      nil,
	} {
		id := wantAccepted(t, j, hs256(t, `{"sub":"alice","exp":1700003600,"scope":`+claim+`}`))
		if got := id.Permissions.Words(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", claim, got, want)
		}
		if id.Permissions.Has("admin") {
			t.Errorf("%s gives admin", claim)
		}
	}
}
