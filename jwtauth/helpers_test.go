// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// testSecret is as long as the longest hash.
const testSecret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// secretRef is how a block names it without a warning.
const secretRef = "{env.CADDYBOLT_TEST_SECRET}"

func TestMain(m *testing.M) {
	if err := os.Setenv("CADDYBOLT_TEST_SECRET", testSecret); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// writeFile writes a file that lives as long as the test and returns its path.
func writeFile(tb testing.TB, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "key")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// testNow is when the tests take place.
var testNow = time.Unix(1_700_000_000, 0)

// services are the services of a global block.
type services struct{ secret string }

func (s services) Secret() ([]byte, bool)           { return []byte(s.secret), s.secret != "" }
func (services) Signer(string) (auth.Signer, error) { return nil, auth.ErrNoCredentials }
func (services) Users() auth.UserStore              { return nil }
func (services) Revocation() auth.RevocationStore   { return nil }

// newContext returns a context that ends with the test.
func newContext(tb testing.TB, globalSecret string) caddy.Context {
	tb.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	tb.Cleanup(cancel)
	return auth.WithServices(ctx, services{globalSecret})
}

// load provisions and validates the block, as Caddy does.
func load(tb testing.TB, j *JWT) error {
	tb.Helper()
	tb.Cleanup(func() {
		if err := j.Cleanup(); err != nil {
			tb.Errorf("cleaning up: %v", err)
		}
	})
	if err := j.Provision(newContext(tb, "")); err != nil {
		return err
	}
	j.clock = clock.Fixed(testNow)
	return j.Validate()
}

// mustLoad returns the block, loaded.
func mustLoad(tb testing.TB, j *JWT) *JWT {
	tb.Helper()
	if err := load(tb, j); err != nil {
		tb.Fatalf("loading: %v", err)
	}
	return j
}

// bearer returns a request with the token.
func bearer(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://app.example.com/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// check judges the token. It fails the test when an error comes with an identity
// or nothing comes at all, and when a token that may be remembered is judged
// otherwise than one that is not.
func check(tb testing.TB, j *JWT, token string) (*auth.Identity, error) {
	tb.Helper()
	now := j.clock.Now()
	id, err := j.verify(token, j.keys.set(), now)
	if (id == nil) == (err == nil) {
		tb.Fatalf("identity %v beside error %v", id, err)
	}
	for range 2 {
		again, againErr := j.judge(token, now)
		if (again == nil) == (againErr == nil) {
			tb.Fatalf("identity %v beside error %v", again, againErr)
		}
		if auth.ReasonOf(err) != auth.ReasonOf(againErr) || auth.CandidateOf(err) != auth.CandidateOf(againErr) {
			tb.Fatalf("refused with %v, and then with %v", err, againErr)
		}
		if err == nil && (again.ID != id.ID || again.TokenID != id.TokenID || string(again.Claims.JSON()) != string(id.Claims.JSON())) {
			tb.Fatalf("accepted as %+v, and then as %+v", id, again)
		}
	}
	return id, err
}

// wantAccepted fails the test unless the token is accepted.
func wantAccepted(tb testing.TB, j *JWT, token string) *auth.Identity {
	tb.Helper()
	id, err := check(tb, j, token)
	if err != nil {
		tb.Fatalf("refused: %v", err)
	}
	return id
}

// wantRefused fails the test unless the token is refused for the reason.
func wantRefused(tb testing.TB, j *JWT, token string, reason auth.Reason) error {
	tb.Helper()
	id, err := check(tb, j, token)
	if err == nil {
		tb.Fatalf("accepted as %q, want %s", id.ID, reason)
	}
	if got := auth.ReasonOf(err); got != reason {
		tb.Errorf("refused for %s (%v), want %s", got, err, reason)
	}
	if len(token) > 20 && strings.Contains(err.Error(), token[:20]) {
		tb.Errorf("the error quotes the token: %v", err)
	}
	return err
}

// joined signs a header and a payload as they are written.
func joined(tb testing.TB, header, payload string, sign func(signed string) ([]byte, error)) string {
	tb.Helper()
	signed := encode([]byte(header)) + "." + encode([]byte(payload))
	signature, err := sign(signed)
	if err != nil {
		tb.Fatalf("signing: %v", err)
	}
	return signed + "." + encode(signature)
}

// hs signs with a secret, whatever the header says.
func hs(alg algorithm, secret string) func(string) ([]byte, error) {
	return func(signed string) ([]byte, error) { return newMAC([]byte(secret)).sign(alg, signed) }
}

// with signs with a private key, whatever the header says.
func with(alg algorithm, private crypto.Signer) func(string) ([]byte, error) {
	return func(signed string) ([]byte, error) { return signWith(private, alg, signed) }
}

// hs256 returns a token of the test secret.
func hs256(tb testing.TB, payload string) string {
	tb.Helper()
	return joined(tb, `{"alg":"HS256","typ":"JWT"}`, payload, hs(algHS256, testSecret))
}

// validPayload is accepted by a block without further options at testNow.
const validPayload = `{"sub":"alice","exp":1700003600}`

// keyFor returns a private key for the algorithm, made once.
func keyFor(tb testing.TB, alg algorithm) crypto.Signer {
	tb.Helper()
	keys := testKeys()
	switch {
	case familyRSA.has(alg):
		return keys.rsa
	case alg == algEdDSA:
		return keys.ed
	default:
		return keys.ec[alg]
	}
}

// otherKeyFor returns another private key of the same kind.
func otherKeyFor(tb testing.TB, alg algorithm) crypto.Signer {
	tb.Helper()
	var other crypto.Signer
	var err error
	switch k := keyFor(tb, alg).(type) {
	case *rsa.PrivateKey:
		other = testKeys().otherRSA
	case *ecdsa.PrivateKey:
		other, err = ecdsa.GenerateKey(k.Curve, rand.Reader)
	default:
		_, other, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return other
}

type keyCollection struct {
	rsa, otherRSA *rsa.PrivateKey
	ec            map[algorithm]*ecdsa.PrivateKey
	ed            ed25519.PrivateKey
}

var testKeys = sync.OnceValue(func() *keyCollection {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	c := &keyCollection{ec: make(map[algorithm]*ecdsa.PrivateKey)}
	var err error
	c.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	c.otherRSA, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	for alg, curve := range map[algorithm]elliptic.Curve{algES256: elliptic.P256(), algES384: elliptic.P384(), algES512: elliptic.P521()} {
		c.ec[alg], err = ecdsa.GenerateKey(curve, rand.Reader)
		must(err)
	}
	_, c.ed, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	return c
})

// publicPEM returns the public half as PEM (PKIX).
func publicPEM(tb testing.TB, private crypto.Signer) string {
	tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// privatePEM returns the key as PEM (PKCS #8).
func privatePEM(tb testing.TB, private crypto.Signer) string {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
