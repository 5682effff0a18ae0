// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caddybolt/caddy-bolt/internal/clock"
)

func runInspect(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	at := clock.Func(func() time.Time { return testTime })
	return run(t, newInspectCommand(at), stdin, args...)
}

// signed returns a token that golang-jwt made with testSecret.
func signed(t *testing.T, claims jwt.MapClaims) string {
	t.Helper()
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(testSecret))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// later is a time that is in the future of the machine, whose clock verifies.
func later() int64 { return time.Now().Add(time.Hour).Unix() }

func TestInspectShowsWhatTheTokenHolds(t *testing.T) {
	t.Parallel()
	exp := testTime.Add(90 * time.Minute).Unix()
	token := tokenOf(fmt.Sprintf(`{"sub":"alice","exp":%d,"iat":%d,"nbf":"x","a":{"b":[1, 2]},"evil":"\u001b[2J\u202e\udb40\udc01","evil\u001b":1}`, exp, testTime.Add(-72*time.Hour).Unix()))
	r := runInspect(t, "  "+token+"\n")
	want := `header
  alg  "HS256"
claims
  sub         "alice"
  exp         1777869121  2026-05-04T04:32:01Z, in 1h30m0s
  iat         1777604521  2026-05-01T03:02:01Z, 3 days ago
  nbf         "x"
  a           {"b":[1,2]}
  evil        "\u001b[2J\u202e\udb40\udc01"
  evil\u001b  1
not verified: give a key, or a configuration with --config
`
	if r.code != 0 || r.err != "" || r.out != want {
		t.Errorf("%+v\nprinted\n%s\nwant\n%s", r, r.out, want)
	}
	if strings.Contains(r.out, token) {
		t.Error("the token is printed")
	}
}

func TestInspectShowsWhatNobodyAccepts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		token, says string
		code        int
	}{
		"a claim twice":    {tokenOf(`{"a":1,"a":2}`), "a  1\n  a  2\n", 0},
		"a list":           {tokenOf(`[1]`), "claims\n  (not a JSON object)\n", 0},
		"something behind": {tokenOf(`{"a":1} x`), "(there is something behind the JSON object)", 0},
		"cut short":        {tokenOf(`{"a":1`), "(not a JSON object)", 0},
		"an opaque key":    {"caddybolt_abc", "not a JSON Web Token", 1},
		"five parts":       {"a.b.c.d.e", "not a JSON Web Token", 1},
		"two lines":        {"a.b\n.c", "not a JSON Web Token", 1},
	} {
		if r := runInspect(t, c.token); r.code != c.code || !strings.Contains(r.out, c.says) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestInspectSaysWhyATokenIsRefused(t *testing.T) {
	t.Parallel()
	good := jwt.MapClaims{"sub": "alice", "iss": "https://id.example", "aud": "app", "exp": later(), "jti": "j"}
	with := func(name string, value any) string {
		claims := jwt.MapClaims{}
		for k, v := range good {
			claims[k] = v
		}
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
		return signed(t, claims)
	}
	secret := file(t, testSecret)
	all := []string{"--secret-file", secret, "--issuer", "https://id.example", "--audience", "app"}
	for name, c := range map[string]struct {
		token string
		args  []string
		code  int
		says  string
	}{
		"accepted":        {with("x", 1), all, 0, "a jwt with this key: accepted, user alice of https://id.example, jti j\n"},
		"expired":         {with("exp", 5), all, 1, `refused, token_expired: claim "exp": in the past, user alice`},
		"not yet":         {with("nbf", later()), all, 1, "refused, token_not_yet_valid"},
		"another issuer":  {with("iss", "https://evil.example"), all, 1, "refused, wrong_issuer"},
		"any issuer":      {with("iss", "https://evil.example"), all[:2], 0, "accepted"},
		"no audience":     {with("aud", nil), all, 1, "refused, wrong_audience"},
		"no exp":          {with("exp", nil), all, 1, "refused, missing_claim"},
		"another key":     {tokenOf(`{"sub":"alice"}`), all[:2], 1, "refused, bad_signature"},
		"algorithm":       {with("x", 1), append([]string{"--algorithm", "HS512"}, all...), 1, "refused, unsupported_algorithm"},
		"claims twice":    {tokenOf(`{"sub":"a","sub":"b"}`), all[:2], 1, "refused, "},
		"malformed":       {"not.a-token", all, 1, "refused, malformed_token"},
		"within leeway":   {with("exp", time.Now().Add(-30*time.Minute).Unix()), append([]string{"--leeway", "1h"}, all...), 0, "accepted"},
		"from the folder": {with("x", 1), []string{"--jwks-file", file(t, `{"keys":[]}`)}, 1, "no "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := runInspect(t, c.token, c.args...)
			if r.code != c.code || !strings.Contains(r.out+r.err, c.says) {
				t.Errorf("%+v, want %q", r, c.says)
			}
			if strings.Contains(r.out+r.err, testSecret) || strings.Contains(r.out+r.err, c.token) {
				t.Error("a secret or the token is printed")
			}
		})
	}
}

func TestInspectVerifiesWithPublicKeys(t *testing.T) {
	t.Parallel()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(key.Public()))})
	token := must(jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"sub": "alice", "exp": later()}).SignedString(key))
	if r := runInspect(t, token, "--public-key", file(t, string(public))); r.code != 0 || !strings.Contains(r.out, "accepted, user alice, jti ") {
		t.Errorf("%+v", r)
	}
	other := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	public = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(other.Public()))})
	if r := runInspect(t, token, "--public-key", file(t, string(public))); r.code != 1 || !strings.Contains(r.out, "refused, bad_signature") || !strings.Contains(r.err, "Error: the token is not accepted") {
		t.Errorf("%+v", r)
	}
}

func TestInspectPrintsJSON(t *testing.T) {
	t.Parallel()
	token := signed(t, jwt.MapClaims{"sub": "alice", "exp": 5, "evil": "\u009b\u202e"})
	r := runInspect(t, token, "--json", "--secret-file", file(t, testSecret))
	var answer struct {
		Header   map[string]any
		Claims   map[string]any
		Verdicts []struct {
			JWT, Reason string
			Accepted    bool
		}
	}
	if err := json.Unmarshal([]byte(r.out), &answer); err != nil || r.code != 1 {
		t.Fatalf("%v %+v", err, r)
	}
	if answer.Header["alg"] != "HS256" || answer.Claims["evil"] != "\u009b\u202e" || len(answer.Verdicts) != 1 || answer.Verdicts[0].Reason != "token_expired" || answer.Verdicts[0].Accepted {
		t.Errorf("%+v", answer)
	}
	if strings.ContainsAny(r.out, "\u009b\u202e") {
		t.Error("characters that a terminal obeys are printed")
	}
	if r := runInspect(t, "nothing", "--json"); r.code != 1 || r.out != `{"header":null,"claims":null,"verdicts":[]}`+"\n" {
		t.Errorf("%+v", r)
	}
}

func TestInspectCommandLinesThatAreWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		says string
		args []string
	}{
		{"--secret-file is empty", []string{"--secret-file", ""}},
		{"--config is empty", []string{"--config="}},
		{"give a key or --config", []string{"--config", "Caddyfile", "--secret-file", "x"}},
		{"give one of --secret-file, --public-key and --jwks-file", []string{"--public-key", "a", "--secret-file", "x"}},
		{"cannot both come from standard input", []string{"--secret-file", "-"}},
		{"go with a key", []string{"--issuer", "x"}},
		{"--leeway: \"soon\"", []string{"--leeway", "soon", "--secret-file", file(t, testSecret)}},
		{"there is no adapter", []string{"--config", file(t, "{}"), "--adapter", "nonsense"}},
		{"unknown flag: --secret", []string{"--secret", testSecret}},
		{"unexpected argument", []string{tokenOf("{}")}},
	} {
		if r := runInspect(t, tokenOf(`{}`), c.args...); r.code != 2 || r.out != "" || !strings.Contains(r.err, c.says) || strings.Contains(r.err, testSecret) {
			t.Errorf("%q: %+v, want %q", c.args, r, c.says)
		}
	}
	for _, c := range []struct {
		says string
		args []string
	}{
		{"no such file", []string{"--token-file", "/does/not/exist"}},
		{"no such file", []string{"--secret-file", "/does/not/exist"}},
		{"no file", []string{"--public-key", "/does/not/exist"}},
		{"no such file", []string{"--config", "/does/not/exist"}},
		{"is not JSON", []string{"--config", file(t, "{")}},
	} {
		if r := runInspect(t, tokenOf(`{}`), c.args...); r.code != 1 || r.out != "" || !strings.Contains(r.err, c.says) {
			t.Errorf("%q: %+v, want %q", c.args, r, c.says)
		}
	}
}

// What a running Caddy says of the token's ID, of its session and of its user.
func TestInspectAsksWhetherTheTokenWasRevoked(t *testing.T) {
	t.Parallel()
	secret := file(t, testSecret)
	iat := time.Now().Add(-time.Minute).Truncate(time.Second)
	token := signed(t, jwt.MapClaims{"sub": "7", "iss": "x", "jti": "j", "sid": "s", "iat": iat.Unix(), "exp": later()})
	none := `{"count":0,"revocations":[]}`
	one := func(entry string) string { return `{"count":1,"revocations":[` + entry + `]}` }
	cut := func(issuer string, at time.Time) string {
		return one(`{"user":"7","issuer":"` + issuer + `","issued_before":"` + at.Format(time.RFC3339) + `"}`)
	}
	for name, c := range map[string]struct {
		answers []string
		code    int
		says    string
	}{
		"nothing":                 {[]string{none, none, none}, 0, "accepted, user 7"},
		"its jti":                 {[]string{one(`{"jti":"j"}`)}, 1, "refused, token_revoked: its token was revoked, user 7"},
		"its jti at its issuer":   {[]string{one(`{"jti":"j","issuer":"x"}`)}, 1, "token_revoked"},
		"its jti at another":      {[]string{one(`{"jti":"j","issuer":"y"}`), none, none}, 0, "accepted"},
		"its session":             {[]string{none, one(`{"sid":"s"}`)}, 1, "its session was revoked"},
		"its user":                {[]string{none, none, cut("x", iat)}, 1, "all tokens of its user were revoked until " + iat.Format(time.RFC3339)},
		"its user, before":        {[]string{none, none, cut("x", iat.Add(-time.Second))}, 0, "accepted"},
		"its user's name at home": {[]string{none, none, cut("", time.Now())}, 0, "accepted"},
		"nobody who knows":        {[]string{"<html>"}, 1, "does not answer as a Caddy with caddy-bolt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeAdmin(t, 200, c.answers...)
			r := runInspect(t, token, "--secret-file", secret, "--address", strings.TrimPrefix(f.URL, "http://"))
			if r.code != c.code || !strings.Contains(r.out+r.err, c.says) || len(f.asked) != len(c.answers) || f.asked[0] != "GET /auth/revocations?jti=j" {
				t.Errorf("%+v, asked %q, want %q", r, f.asked, c.says)
			}
		})
	}
	down := newFakeAdmin(t, 503, `{"error":"the revocations cannot be listed"}`)
	if r := runInspect(t, token, "--secret-file", secret, "--address", strings.TrimPrefix(down.URL, "http://")); r.code != 1 || !strings.Contains(r.err, "asking whether the token was revoked: the revocations cannot be listed") {
		t.Errorf("%+v", r)
	}
	if r := runInspect(t, token, "--address", "localhost:2019"); r.code != 2 || !strings.Contains(r.err, "--address goes with a key or --config") {
		t.Errorf("%+v", r)
	}
}
