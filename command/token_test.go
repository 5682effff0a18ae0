// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/spf13/cobra"

	"github.com/caddybolt/caddy-bolt/internal/clock"
	_ "github.com/caddybolt/caddy-bolt/jwtauth" // whose tokens they are
)

const testSecret = "a secret for tests, of more than sixty-four bytes, so that all of HMAC like it"

var testTime = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

// result is what a command printed and how it ended.
type result struct {
	out, err string
	code     int
}

// run runs a command as Caddy does.
func run(t *testing.T, cmd *cobra.Command, stdin string, args ...string) result {
	t.Helper()
	var out, errs strings.Builder
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SetArgs(args)
	r := result{}
	if err := cmd.Execute(); err != nil {
		r.code = 1
		if strings.HasSuffix(err.Error(), "status 2") { // Caddy's exit error is not exported
			r.code = 2
		}
	}
	r.out, r.err = out.String(), errs.String()
	return r
}

func runToken(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	return run(t, newTokenCommand(clock.Fixed(testTime)), stdin, args...)
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// claimsOf verifies a token with another implementation.
func claimsOf(t *testing.T, r result, alg string, key any) jwt.MapClaims {
	t.Helper()
	if r.code != 0 || r.err != "" {
		t.Fatalf("exit status %d: %s", r.code, r.err)
	}
	claims := jwt.MapClaims{}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{alg}), jwt.WithTimeFunc(func() time.Time { return testTime }),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	if _, err := parser.ParseWithClaims(strings.TrimSuffix(r.out, "\n"), claims, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
		t.Fatalf("golang-jwt refuses %q: %v", r.out, err)
	}
	return claims
}

func TestTokenHasTheClaimsThatTheFlagsSay(t *testing.T) {
	t.Parallel()
	claims := claimsOf(t, runToken(t, "",
		"--secret-file", file(t, testSecret), "--sub", "alice", "--issuer", "https://id.example.com",
		"--audience", "app", "--permission", "a.read", "--permission", "a.write", "--staff", "--superuser",
		"--claim", "email=alice=x@example.com", "--claim", "empty=", "--claim-json", `org={"id":[1,null]}`,
		"--claim-json", "big=12345678901234567890", "--expires-in", "2d",
	), "HS256", []byte(testSecret))
	jti, _ := claims["jti"].(string)
	if len(jti) < 22 {
		t.Errorf("jti %q holds less than 128 bits", jti)
	}
	delete(claims, "jti")
	want := jwt.MapClaims{
		"sub": "alice", "iss": "https://id.example.com", "aud": "app",
		"permissions": []any{"a.read", "a.write"}, "is_staff": true, "is_superuser": true,
		"email": "alice=x@example.com", "empty": "", "org": map[string]any{"id": []any{1.0, nil}},
		"big": 12345678901234567890.0,
		"iat": float64(testTime.Unix()), "exp": float64(testTime.Add(48 * time.Hour).Unix()),
	}
	if !reflect.DeepEqual(claims, want) {
		t.Errorf("got  %v\nwant %v", claims, want)
	}
}

func TestTokenSaysNothingThatNoFlagSays(t *testing.T) {
	t.Parallel()
	claims := claimsOf(t, runToken(t, testSecret, "--secret-file", "-", "--sub", "alice"), "HS256", []byte(testSecret))
	var names []string
	for name := range claims {
		names = append(names, name)
	}
	slices.Sort(names)
	if want := []string{"exp", "iat", "jti", "sub"}; !slices.Equal(names, want) {
		t.Errorf("claims %v, want %v", names, want)
	}
	if got := claims["exp"]; got != float64(testTime.Add(time.Hour).Unix()) {
		t.Errorf("exp %v is not in an hour", got)
	}
}

func TestEveryTokenHasAnotherID(t *testing.T) {
	t.Parallel()
	secret := file(t, testSecret)
	first := claimsOf(t, runToken(t, "", "--secret-file", secret, "--sub", "a"), "HS256", []byte(testSecret))
	second := claimsOf(t, runToken(t, "", "--secret-file", secret, "--sub", "a"), "HS256", []byte(testSecret))
	if first["jti"] == second["jti"] {
		t.Error("two tokens have one jti")
	}
}

func TestSeveralAudiencesAreAList(t *testing.T) {
	t.Parallel()
	claims := claimsOf(t, runToken(t, testSecret, "--secret-file", "-", "--sub", "a", "--audience", "x", "--audience", "y"), "HS256", []byte(testSecret))
	if want := []any{"x", "y"}; !reflect.DeepEqual(claims["aud"], want) {
		t.Errorf("aud %v, want %v", claims["aud"], want)
	}
}

// The secret is what {file.*} of a Caddyfile makes of the same file.
func TestSecretFileIsReadAsCaddyReadsIt(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, content, secret string }{
		{"as it is", testSecret, testSecret},
		{"line feed", testSecret + "\n", testSecret},
		{"carriage return", testSecret + "\r\n", testSecret},
		{"only one of two line feeds", testSecret + "\n\n", testSecret + "\n"},
		{"blanks", " " + testSecret + " ", " " + testSecret + " "},
		{"a placeholder is text", "{env.HOME} and " + testSecret, "{env.HOME} and " + testSecret},
		{"hexadecimal", "hex:" + strings.Repeat("61", 64), strings.Repeat("a", 64)},
		{"base64", "base64:" + strings.Repeat("YWFh", 20) + "\n", strings.Repeat("a", 60)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			claimsOf(t, runToken(t, "", "--secret-file", file(t, tc.content), "--sub", "a"), "HS256", []byte(tc.secret))
			claimsOf(t, runToken(t, tc.content, "--secret-file", "-", "--sub", "a"), "HS256", []byte(tc.secret))
		})
	}
}

func TestPrivateKeysSign(t *testing.T) {
	t.Parallel()
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	p256 := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, alg string
		key       crypto.Signer
		args      []string
	}{
		{"RSA", "RS256", rsaKey, nil},
		{"RSA with PS512", "PS512", rsaKey, []string{"--algorithm", "PS512"}},
		{"P-256", "ES256", p256, nil},
		{"P-384", "ES384", p384, nil},
		{"Ed25519", "EdDSA", ed, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			der := must(x509.MarshalPKCS8PrivateKey(tc.key))
			path := file(t, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
			r := runToken(t, "", append(tc.args, "--private-key-file", path, "--sub", "alice")...)
			if claims := claimsOf(t, r, tc.alg, tc.key.Public()); claims["sub"] != "alice" {
				t.Errorf("sub %v", claims["sub"])
			}
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A secret shorter than the hash can be guessed from a single token.
func TestWeakSecretsAreRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		alg    string
		length int
	}{{"HS256", 31}, {"HS384", 47}, {"HS512", 63}} {
		short, enough := strings.Repeat("a", tc.length), strings.Repeat("a", tc.length+1)
		r := runToken(t, short, "--secret-file", "-", "--sub", "a", "--algorithm", tc.alg)
		if r.code != 1 || r.out != "" || !strings.Contains(r.err, "too short for "+tc.alg) {
			t.Errorf("%s: %+v", tc.alg, r)
		}
		if strings.Contains(r.err, "provision") || strings.Contains(r.err, "global") {
			t.Errorf("the error speaks of a configuration: %s", r.err)
		}
		claimsOf(t, runToken(t, enough, "--secret-file", "-", "--sub", "a", "--algorithm", tc.alg), tc.alg, []byte(enough))
		claimsOf(t, runToken(t, short, "--secret-file", "-", "--sub", "a", "--algorithm", tc.alg, "--insecure-weak-key"), tc.alg, []byte(short))
	}
}

func TestWhatCannotSignFails(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	public := must(x509.MarshalPKIXPublicKey(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).Public()))
	for _, tc := range []struct {
		name, stdin, says string
		args              []string
	}{
		{"no such file", "", "no such file", []string{"--secret-file", filepath.Join(folder, "none")}},
		{"folder", "", "is a directory", []string{"--secret-file", folder}},
		{"empty secret", "", "the secret is empty", []string{"--secret-file", "-"}},
		{"blank secret", " \n", "the secret is empty", []string{"--secret-file", "-"}},
		{"endless secret", strings.Repeat("a", maxSecretFile+1), "larger than", []string{"--secret-file", "-"}},
		{"bad base64", "base64:!!!", "not base64", []string{"--secret-file", "-"}},
		{"unknown algorithm", testSecret, `unrecognized algorithm "none"`, []string{"--secret-file", "-", "--algorithm", "none"}},
		{"algorithm of other keys", testSecret, "no allowed algorithm", []string{"--secret-file", "-", "--algorithm", "RS256"}},
		{"no such key", "", "no file", []string{"--private-key-file", filepath.Join(folder, "none")}},
		{"folder as key", "", "is a folder", []string{"--private-key-file", folder}},
		{"key on the command line", "", "not the key", []string{"--private-key-file", `{"kty":"oct"}`}},
		{"PEM on the command line", "", "not the key", []string{"--private-key-file", "-----BEGIN PRIVATE KEY-----"}},
		{"public key", "", "PUBLIC KEY", []string{"--private-key-file", file(t, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})))}},
		{"not a key", "", "holds no key", []string{"--private-key-file", file(t, testSecret)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := runToken(t, tc.stdin, append(tc.args, "--sub", "a")...)
			if r.code != 1 || r.out != "" || !strings.Contains(r.err, tc.says) {
				t.Errorf("want exit status 1 and %q, got %+v", tc.says, r)
			}
			if strings.Contains(r.err, testSecret) || strings.Contains(r.err, "!!!") || strings.Contains(r.err, "oct") {
				t.Errorf("the error shows the secret: %s", r.err)
			}
		})
	}
}

func TestWrongCommandLinesExitWith2(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, says string
		args       []string
	}{
		{"no key", "one of --secret-file and --private-key-file", []string{"--sub", "a"}},
		{"two keys", "one of --secret-file and --private-key-file", []string{"--sub", "a", "--secret-file", "-", "--private-key-file", "x"}},
		{"no user", "a token needs a user", []string{"--secret-file", "-"}},
		{"secret as a flag", "unknown flag: --secret", []string{"--secret", testSecret}},
		{"argument", "unexpected argument", []string{testSecret}},
		{"no duration", `"soon" is not a duration`, []string{"--sub", "a", "--expires-in", "soon"}},
		{"no time at all", "a second or more", []string{"--sub", "a", "--expires-in", "0s"}},
		{"the past", "a second or more", []string{"--sub", "a", "--expires-in", "-1h"}},
		{"claim without a value", "is not name=text", []string{"--sub", "a", "--claim", "x"}},
		{"claim without a name", "has no name", []string{"--sub", "a", "--claim", "=x"}},
		{"bad JSON", "is not name=JSON", []string{"--sub", "a", "--claim-json", "x={"}},
		{"claim twice", `"x" is there already`, []string{"--sub", "a", "--claim", "x=1", "--claim-json", "x=1"}},
		{"claim beside its flag", `"sub" is there already`, []string{"--sub", "a", "--claim", "sub=b"}},
		{"claim that is always there", `"exp" is there already`, []string{"--sub", "a", "--claim-json", "exp=0"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := runToken(t, testSecret, tc.args...)
			if r.code != 2 || r.out != "" || !strings.Contains(r.err, tc.says) || !strings.Contains(r.err, "--help") {
				t.Errorf("want exit status 2 and %q, got %+v", tc.says, r)
			}
			if strings.Contains(r.err, testSecret) {
				t.Errorf("the error shows the secret: %s", r.err)
			}
		})
	}
}

// Attack, against oneself: a script makes tokens all day that every jwt refuses.
func TestTokensThatNoJWTAcceptsAreNotMade(t *testing.T) {
	t.Parallel()
	secret := file(t, testSecret)
	nested := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	for says, args := range map[string][]string{
		`claim "sub": missing, empty, or reserved for API keys`: {"--sub", "apikey:x"},
		`wrong_issuer: claim "iss": reserved`:                   {"--sub", "alice", "--issuer", "local:x"},
		`claim "iss": not text`:                                 {"--sub", "alice", "--claim-json", "iss=1"},
		`the payload is not one strict JSON object`:             {"--sub", "alice", "--claim-json", "deep=" + nested},
		`claim "sub": neither text nor a whole number`:          {"--claim-json", "sub=[1]"},
		`claim "aud": neither text nor a list of text`:          {"--sub", "alice", "--claim-json", "aud=1"},
		`claim "nbf": not a number`:                             {"--sub", "alice", "--claim", "nbf=now"},
		`claim "scope": neither text nor a list of text`:        {"--sub", "alice", "--claim-json", "scope=1"},
		`"apikey:" begins what is no token's`:                   {"--sub", "apikey:x", "--claim-json", "nbf=9999999999"},
		`claim "sub": reserved for API keys`:                    {"--sub", "apikey:"},
	} {
		r := run(t, newTokenCommand(clock.Clock{}), "", append([]string{"--secret-file", secret}, args...)...)
		if strings.Contains(says, "claim \"sub\": reserved") { // the same, with nothing behind it
			says = "reserved for API keys"
		}
		if r.code != 2 || r.out != "" || !strings.Contains(r.err, says) || strings.Contains(r.err, testSecret) {
			t.Errorf("%q: %+v, want %q", args, r, says)
		}
	}
	for _, args := range [][]string{ // the control
		{"--sub", "alice"},
		{"--sub", "alice", "--claim-json", "nbf=9999999999"},
		{"--claim", "username=alice"},
		{"--claim-json", "sub=7"},
		{"--sub", "alice", "--claim", "long=" + strings.Repeat("x", 20000)},
		{"--sub", "alice", "--claim-json", "deep=" + nested[90:110]},
	} {
		r := run(t, newTokenCommand(clock.Clock{}), "", append([]string{"--secret-file", secret}, args...)...)
		if r.code != 0 || r.err != "" || strings.Count(r.out, ".") != 2 {
			t.Errorf("%.100q: %+v", args, r)
		}
	}
}
