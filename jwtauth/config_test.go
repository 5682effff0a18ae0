// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// Every error of a configuration that is not one of the Caddyfile, with its
// text: that is what an administrator has to work with.
func TestConfigurationErrorsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	keys := testKeys()
	public := publicPEM(t, keys.rsa)
	private := privatePEM(t, keys.ec[algES256])
	weakRSA, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	negative := caddy.Duration(-1)
	members, _, err := publicMembers(keys.ec[algES256].Public())
	if err != nil {
		t.Fatal(err)
	}
	ecJWK := func(more string) string {
		return `{"kty":"EC","crv":"P-256","x":"` + members["x"] + `","y":"` + members["y"] + `"` + more + `}`
	}

	for name, c := range map[string]struct {
		jwt  *JWT
		want string
	}{
		"nothing": {
			&JWT{}, `no key: give secret, public_key, private_key, generated_key, jwks_file, jwks_url or oidc, or a global secret`,
		},
		"unknown algorithm": {
			&JWT{Secret: secretRef, Algorithms: []string{"hs256"}},
			`algorithms: unrecognized algorithm "hs256"; there are: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA`,
		},
		"none": {
			&JWT{Secret: secretRef, Algorithms: []string{"none"}},
			`algorithms: unrecognized algorithm "none"; there are: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA`,
		},
		"algorithm twice": {
			&JWT{Secret: secretRef, Algorithms: []string{"HS256", "HS256"}}, `algorithms: algorithm HS256 is given twice`,
		},
		"algorithm that no key serves": {
			&JWT{Secret: secretRef, Algorithms: []string{"HS256", "RS256"}}, `algorithms: no key can serve RS256`,
		},
		"secret that no algorithm uses": {
			&JWT{Secret: secretRef, Public: []string{file("rsa.pem", public)}, Algorithms: []string{"RS256"}},
			`secret: no allowed algorithm can use this key`,
		},
		"public key that no algorithm uses": {
			&JWT{Secret: secretRef, Public: []string{file("rsa2.pem", public)}, Algorithms: []string{"HS256", "ES256"}},
			`public_keys[0]: "` + filepath.Join(dir, "rsa2.pem") + `": no allowed algorithm can use this key`,
		},
		"short secret": {
			&JWT{Secret: "hex:" + strings.Repeat("ab", 31)}, `secret: a secret of 31 bytes is too short for HS256, which needs 32`,
		},
		"short secret for HS512": {
			&JWT{Secret: "hex:" + strings.Repeat("ab", 63), Algorithms: []string{"HS512"}}, `secret: a secret of 63 bytes is too short for HS512, which needs 64`,
		},
		"empty environment": {
			&JWT{Secret: "{env.CADDYBOLT_NOT_SET}"}, `secret: evaluated placeholder {env.CADDYBOLT_NOT_SET} is empty`,
		},
		"unknown placeholder": {
			&JWT{Secret: "a{nothing.like.this}b"}, `secret: it holds braces that are no placeholder: write \{ for a brace`,
		},
		"blank secret":   {&JWT{Secret: "  "}, `secret: resolves to an empty value`},
		"no base64":      {&JWT{Secret: "base64:*"}, `secret: what follows base64: is not base64`},
		"no hexadecimal": {&JWT{Secret: "hex:xyz"}, `secret: what follows hex: is not hexadecimal`},
		"empty hex":      {&JWT{Secret: "hex:"}, `secret: the secret is empty`},

		"public key file missing": {
			&JWT{Public: []string{"./no/such/file.pem"}}, `public_keys[0]: reading "./no/such/file.pem": no such file or directory`,
		},
		"public key that is neither text nor path": {
			&JWT{Public: []string{"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"}},
			`public_keys[0]: reading the file: no such file or directory (a key that is given as text begins with -----BEGIN or is a JWK)`,
		},
		"public key file empty": {
			&JWT{Public: []string{file("empty.pem", " \n")}}, `public_keys[0]: reading "` + filepath.Join(dir, "empty.pem") + `": is empty`,
		},
		"public key file too large": {
			&JWT{Public: []string{file("large.pem", strings.Repeat(" ", maxKeyFile+1))}}, `public_keys[0]: reading "` + filepath.Join(dir, "large.pem") + `": is larger than 1048576 bytes`,
		},
		"public key folder": {
			&JWT{Public: []string{dir}}, `public_keys[0]: reading "` + dir + `": is not a regular file`,
		},
		"public key folder of any name": {
			&JWT{Public: []string{"testdata"}}, `public_keys[0]: reading "testdata": is not a regular file`,
		},
		"public key in a placeholder": {
			&JWT{Public: []string{"{file." + file("in.pem", private) + "}"}},
			`public_keys[0]: "{file.` + filepath.Join(dir, "in.pem") + `}": holds a private key, which belongs to private_key`,
		},
		"private key file wrong": {
			&JWT{Private: file("public.pem", public)},
			`private_key: "` + filepath.Join(dir, "public.pem") + `": holds a PEM block of type "PUBLIC KEY", not PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY`,
		},
		"public key half written": {
			&JWT{Public: []string{file("half.pem", public[:len(public)/2])}}, `public_keys[0]: "` + filepath.Join(dir, "half.pem") + `": holds a PEM block that is damaged or not complete`,
		},
		"public key cut within its last line": {
			&JWT{Public: []string{public[:len(public)-3]}}, `public_keys[0]: holds a PEM block that is damaged or not complete`,
		},
		"public key that is something else": {
			&JWT{Public: []string{file("text.pem", "hello")}}, `public_keys[0]: "` + filepath.Join(dir, "text.pem") + `": holds no key in PEM`,
		},
		"second public key wrong": {
			&JWT{Public: []string{file("ok.pem", public), file("text2.pem", "hello")}}, `public_keys[1]: "` + filepath.Join(dir, "text2.pem") + `": holds no key in PEM`,
		},
		"two public keys in one": {
			&JWT{Public: []string{public + public}}, `public_keys[0]: holds more than one key`,
		},
		"public key that is private": {
			&JWT{Public: []string{file("private.pem", private)}}, `public_keys[0]: "` + filepath.Join(dir, "private.pem") + `": holds a private key, which belongs to private_key`,
		},
		"PEM of another type": {
			&JWT{Public: []string{"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"}},
			`public_keys[0]: holds a PEM block of type "CERTIFICATE REQUEST", not PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE`,
		},
		"PEM with damaged contents": {
			&JWT{Public: []string{"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"}}, `public_keys[0]: holds a PUBLIC KEY that does not parse`,
		},
		"RSA of 1024 bits": {
			&JWT{Public: []string{publicPEM(t, weakRSA)}}, `public_keys[0]: an RSA key of 1024 bits is too short: 2048 is the least`,
		},
		"P-224": {
			&JWT{Public: []string{publicPEM(t, p224)}}, `public_keys[0]: elliptic curve keys are P-256, P-384 or P-521`,
		},
		"JWK that is a secret": {
			&JWT{Public: []string{`{"kty":"oct","k":"AAAA"}`}}, `public_keys[0]: is a secret, which belongs to secret`,
		},
		"JWK that is none": {
			&JWT{Public: []string{`{"kty":`}}, `public_keys[0]: is not a JWK`,
		},
		"JWK with a member twice": {
			&JWT{Public: []string{ecJWK(`,"x":"AA"`)}}, `public_keys[0]: is not a JWK`,
		},
		"JWK for encryption": {
			&JWT{Public: []string{ecJWK(`,"use":"enc"`)}}, `public_keys[0]: its "use" is not "sig"`,
		},
		"JWK for other operations": {
			&JWT{Public: []string{ecJWK(`,"key_ops":["deriveKey"]`)}}, `public_keys[0]: its "key_ops" lack "verify"`,
		},
		"JWK for no operation": {
			&JWT{Public: []string{ecJWK(`,"key_ops":[]`)}}, `public_keys[0]: its "key_ops" lack "verify"`,
		},
		"JWK with an algorithm of another curve": {
			&JWT{Public: []string{ecJWK(`,"alg":"ES384"`)}}, `public_keys[0]: its "alg" does not fit its "kty" and "crv"`,
		},
		"JWK with an algorithm of another family": {
			&JWT{Public: []string{ecJWK(`,"alg":"HS256"`)}}, `public_keys[0]: its "alg" does not fit its "kty" and "crv"`,
		},
		"JWK with ES256K": {
			&JWT{Public: []string{ecJWK(`,"alg":"ES256K"`)}}, `public_keys[0]: its "alg" is none of those that exist here`,
		},
		"JWK of another type": {
			&JWT{Public: []string{`{"kty":"AKP"}`}}, `public_keys[0]: "kty" is RSA, EC or OKP`,
		},
		"JWK with its type folded in case": {
			&JWT{Public: []string{`{"KTY":"EC"}`}}, `public_keys[0]: "kty" is RSA, EC or OKP`,
		},
		"JWK of another curve": {
			&JWT{Public: []string{`{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}`}}, `public_keys[0]: "crv" of an EC key is P-256, P-384 or P-521`,
		},
		"JWK for key agreement": {
			&JWT{Public: []string{`{"kty":"OKP","crv":"X25519","x":"AA"}`}}, `public_keys[0]: "crv" of an OKP key is Ed25519`,
		},
		"JWK with a point off the curve": {
			&JWT{Public: []string{`{"kty":"EC","crv":"P-256","x":"` + members["y"] + `","y":"` + members["x"] + `"}`}}, `public_keys[0]: the point is not on the curve`,
		},
		"JWK with short coordinates": {
			&JWT{Public: []string{`{"kty":"EC","crv":"P-384","x":"` + members["x"] + `","y":"` + members["y"] + `"}`}}, `public_keys[0]: the coordinates are not of the curve's size`,
		},
		"JWK without coordinates": {
			&JWT{Public: []string{`{"kty":"EC","crv":"P-256"}`}}, `public_keys[0]: a member of the JWK is missing or not strict base64url`,
		},
		"JWK with a line break": {
			&JWT{Public: []string{`{"kty":"OKP","crv":"Ed25519","x":"AA\nAA"}`}}, `public_keys[0]: a member of the JWK is missing or not strict base64url`,
		},
		"Ed25519 of the wrong length": {
			&JWT{Public: []string{`{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`}}, `public_keys[0]: an Ed25519 public key has 32 bytes, not 3`,
		},
		"RSA with exponent 1": {
			&JWT{Public: []string{`{"kty":"RSA","n":"` + encode(keys.rsa.N.Bytes()) + `","e":"AQ"}`}}, `public_keys[0]: the RSA key is not valid`,
		},
		"RSA with an even exponent": {
			&JWT{Public: []string{`{"kty":"RSA","n":"` + encode(keys.rsa.N.Bytes()) + `","e":"Ag"}`}}, `public_keys[0]: the RSA key is not valid`,
		},
		"RSA with a huge exponent": {
			&JWT{Public: []string{`{"kty":"RSA","n":"` + encode(keys.rsa.N.Bytes()) + `","e":"AQAAAAE"}`}}, `public_keys[0]: the RSA key is not valid`,
		},
		"RSA of a size that is a weapon": {
			&JWT{Public: []string{`{"kty":"RSA","n":"` + encode(append([]byte{1}, make([]byte, 4000)...)) + `","e":"AQAB"}`}}, `public_keys[0]: an RSA key of 32001 bits is larger than 16384`,
		},

		"private key file missing": {
			&JWT{Private: "{env.CADDYBOLT_TEST_SECRET}"},
			`private_key: reading "{env.CADDYBOLT_TEST_SECRET}": no such file or directory`,
		},
		"private key without armour is not quoted": {
			&JWT{Private: "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC"},
			`private_key: reading the file: no such file or directory (a key that is given as text begins with -----BEGIN or is a JWK)`,
		},
		"private key that is public": {
			&JWT{Private: public}, `private_key: holds a PEM block of type "PUBLIC KEY", not PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY`,
		},
		"private key with a passphrase": {
			&JWT{Private: "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"},
			`private_key: holds a private key that is encrypted with a passphrase, for which there is no option`,
		},
		"private key with an old passphrase": {
			&JWT{Private: "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"},
			`private_key: holds a private key that is encrypted with a passphrase, for which there is no option`,
		},
		"private key damaged": {
			&JWT{Private: "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"}, `private_key: holds a EC PRIVATE KEY that does not parse`,
		},
		"private JWK without its private part": {
			&JWT{Private: ecJWK("")}, `private_key: a member of the JWK is missing or not strict base64url`,
		},
		"private JWK of two keys": {
			&JWT{Private: ecJWK(`,"d":"` + encode(bytes32(7)) + `"`)}, `private_key: the private and the public part do not belong together`,
		},
		"private JWK that may not sign": {
			&JWT{Private: ecJWK(`,"d":"` + encode(bytes32(7)) + `","key_ops":["verify"]`)}, `private_key: its "key_ops" lack "sign"`,
		},
		"weak private key": {
			&JWT{Private: privatePEM(t, weakRSA)}, `private_key: an RSA key of 1024 bits is too short: 2048 is the least`,
		},

		"JWKS file missing": {
			&JWT{JWKSFile: "./no/such/keys.json"}, `jwks_file: reading "./no/such/keys.json": no such file or directory`,
		},
		"JWKS file empty": {
			&JWT{JWKSFile: file("empty.json", "")}, `jwks_file: reading "` + filepath.Join(dir, "empty.json") + `": is empty`,
		},
		"JWKS file half written": {
			&JWT{JWKSFile: file("half.json", `{"keys":[`+ecJWK(""))}, `jwks_file: "` + filepath.Join(dir, "half.json") + `" is not a JWK set, {"keys": [...]}`,
		},
		"JWKS file that is a key": {
			&JWT{JWKSFile: file("one.json", ecJWK(""))}, `jwks_file: "` + filepath.Join(dir, "one.json") + `" holds no key`,
		},
		"JWKS file without keys": {
			&JWT{JWKSFile: file("none.json", `{"keys":[]}`)}, `jwks_file: "` + filepath.Join(dir, "none.json") + `" holds no key`,
		},
		"JWKS file of keys that cannot be used": {
			&JWT{JWKSFile: file("enc.json", `{"keys":[`+ecJWK(`,"use":"enc"`)+`,{"kty":"AKP"}]}`)},
			`jwks_file: "` + filepath.Join(dir, "enc.json") + `" holds no key that can be used: keys[0]: its "use" is not "sig"`,
		},
		"JWKS file with one name for two keys": {
			&JWT{JWKSFile: file("kid.json", `{"keys":[`+ecJWK(`,"kid":"a"`)+`,`+ecJWK(`,"kid":"a"`)+`]}`)},
			`jwks_file: "` + filepath.Join(dir, "kid.json") + `" keys[1]: another key of the same type has the same kid "a"`,
		},
		"JWKS file with secrets beside public keys": {
			&JWT{JWKSFile: file("mixed.json", `{"keys":[`+ecJWK("")+`,{"kty":"oct","k":"`+encode(bytes32(1))+`"}]}`)},
			`jwks_file: "` + filepath.Join(dir, "mixed.json") + `" holds secrets beside public keys: keep them in two files, one of which is private`,
		},
		"JWKS file that no algorithm uses": {
			&JWT{JWKSFile: file("ec.json", `{"keys":[`+ecJWK("")+`]}`), Algorithms: []string{"RS256"}},
			`jwks_file: "` + filepath.Join(dir, "ec.json") + `" holds no key that can be used: keys[0]: no allowed algorithm can use this key`,
		},
		"JWKS file in an empty variable": {
			&JWT{JWKSFile: "{env.CADDYBOLT_NOT_SET}/keys.json"}, `jwks_file: evaluated placeholder {env.CADDYBOLT_NOT_SET} is empty`,
		},

		"rotate without a generated key": {&JWT{Secret: secretRef, Rotate: rotateOf(time.Hour)}, `rotate belongs to generated_key`},
		"rotate every minute":            {&JWT{Generated: true, Rotate: rotateOf(time.Minute)}, `rotate: is shorter than 1h0m0s`},
		"negative rotate":                {&JWT{Generated: true, Rotate: rotateOf(-1)}, `rotate: is shorter than 1h0m0s`},
		"generated key of no algorithm":  {&JWT{Generated: true, Algorithms: []string{"HS256"}}, `generated_key: algorithms lack ES256, which it is for`},
		"generated key of a path": {
			&JWT{Generated: true, Label: "../../acme"},
			`generated_key: its place in the storage bears the name of the block, which has at most 64 lower-case letters, digits, "-" and "_"; "../../acme" has others`,
		},

		"source without a name":  {&JWT{Secret: secretRef, Places: []auth.Source{{}}}, `sources: a source names exactly one header, cookie or query parameter`},
		"source twice":           {&JWT{Secret: secretRef, Places: []auth.Source{{Cookie: "a"}, {Cookie: "a"}}}, `sources: cookie a is given twice`},
		"negative leeway":        {&JWT{Secret: secretRef, Leeway: &negative}, `leeway: must not be negative`},
		"negative max_age":       {&JWT{Secret: secretRef, MaxAge: -1}, `max_age: must not be negative`},
		"negative max_size":      {&JWT{Secret: secretRef, MaxSize: -1}, `max_size: must be between 1 and 16777216 bytes`},
		"huge max_size":          {&JWT{Secret: secretRef, MaxSize: 1 << 40}, `max_size: must be between 1 and 16777216 bytes`},
		"issuer not set":         {&JWT{Secret: secretRef, Issuers: []string{"a", "{env.CADDYBOLT_NOT_SET}"}}, `issuers[1]: evaluated placeholder {env.CADDYBOLT_NOT_SET} is empty`},
		"audience not set":       {&JWT{Secret: secretRef, Audiences: []string{"{env.CADDYBOLT_NOT_SET}"}}, `audiences[0]: evaluated placeholder {env.CADDYBOLT_NOT_SET} is empty`},
		"subject not set":        {&JWT{Secret: secretRef, Subject: "{env.CADDYBOLT_NOT_SET}"}, `subject: evaluated placeholder {env.CADDYBOLT_NOT_SET} is empty`},
		"negative cache":         {&JWT{Secret: secretRef, Cache: cacheOf(-1)}, `cache: must be between 0 and 10000000 tokens`},
		"huge cache":             {&JWT{Secret: secretRef, Cache: cacheOf(maxCache + 1)}, `cache: must be between 0 and 10000000 tokens`},
		"empty issuer":           {&JWT{Secret: secretRef, Issuers: []string{"a", ""}}, `issuers[1]: is empty`},
		"empty audience":         {&JWT{Secret: secretRef, Audiences: []string{""}}, `audiences[0]: is empty`},
		"empty required claim":   {&JWT{Secret: secretRef, RequireClaims: []string{""}}, `require_claims[0]: is empty`},
		"empty staff claim":      {&JWT{Secret: secretRef, StaffClaims: []string{""}}, `staff_claims[0]: is empty`},
		"empty superuser claim":  {&JWT{Secret: secretRef, SuperuserClaims: []string{""}}, `superuser_claims[0]: is empty`},
		"empty permission claim": {&JWT{Secret: secretRef, PermissionsClaims: []string{""}}, `permissions_claims[0]: is empty`},
		"reserved issuer":        {&JWT{Secret: secretRef, Issuers: []string{"local:basic"}}, `issuers[0]: "local:basic" is reserved for credentials that are no tokens`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := load(t, c.jwt)
			if err == nil || err.Error() != c.want {
				t.Errorf("error\n  %v\nwant\n  %s", err, c.want)
			}
		})
	}
}

// bytes32 returns 32 bytes that are no secret.
func bytes32(c byte) []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = c
	}
	return b
}

func TestKeysOfEveryFormatAreRead(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	block := func(typ string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
	}
	certificate := func(serial int64) string {
		template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "id"}, NotAfter: testNow.Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, keys.rsa.Public(), keys.rsa)
		return block("CERTIFICATE", der, err)
	}
	otherCertificate := func() string {
		template := &x509.Certificate{SerialNumber: big.NewInt(9)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, keys.otherRSA.Public(), keys.otherRSA)
		return block("CERTIFICATE", der, err)
	}
	sec1, sec1Err := x509.MarshalECPrivateKey(keys.ec[algES256])
	rsaJWK := func(private bool) string {
		text := `{"kty":"RSA","n":"` + encode(keys.rsa.N.Bytes()) + `","e":"AQAB"`
		if private {
			text += `,"d":"` + encode(keys.rsa.D.Bytes()) + `","p":"` + encode(keys.rsa.Primes[0].Bytes()) + `","q":"` + encode(keys.rsa.Primes[1].Bytes()) + `"`
		}
		return text + `}`
	}
	ec, _, err := publicMembers(keys.ec[algES512].Public())
	if err != nil {
		t.Fatal(err)
	}
	ecD, err := keys.ec[algES512].Bytes()
	if err != nil {
		t.Fatal(err)
	}
	ecJWK := ` { "kty":"EC","crv":"P-521","x":"` + ec["x"] + `","y":"` + ec["y"] + `","d":"` + encode(ecD) + `"}`
	edJWK := `{"kty":"OKP","crv":"Ed25519","x":"` + encode(keys.ed.Public().(ed25519.PublicKey)) + `","d":"` + encode(keys.ed.Seed()) + `"}`

	for name, c := range map[string]struct {
		jwt *JWT
		alg algorithm
	}{
		"PKIX":                     {&JWT{Public: []string{publicPEM(t, keys.rsa)}}, algRS256},
		"PKCS #1":                  {&JWT{Public: []string{block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&keys.rsa.PublicKey), nil)}}, algPS384},
		"certificate":              {&JWT{Public: []string{certificate(1)}}, algRS512},
		"chain of certificates":    {&JWT{Public: []string{certificate(1) + otherCertificate()}}, algRS256},
		"text around PEM":          {&JWT{Public: []string{"key of id\n" + publicPEM(t, keys.rsa) + "\n\n"}}, algRS256},
		"elliptic curve":           {&JWT{Public: []string{publicPEM(t, keys.ec[algES384])}}, algES384},
		"Ed25519":                  {&JWT{Public: []string{publicPEM(t, keys.ed)}}, algEdDSA},
		"public JWK":               {&JWT{Public: []string{rsaJWK(false)}}, algRS256},
		"public JWK in a file":     {&JWT{Public: []string{writeFile(t, rsaJWK(false))}}, algRS256},
		"file by placeholder":      {&JWT{Public: []string{"{file." + writeFile(t, publicPEM(t, keys.rsa)) + "}"}}, algRS256},
		"PKCS #8":                  {&JWT{Private: privatePEM(t, keys.rsa)}, algRS256},
		"PKCS #8 in a file":        {&JWT{Private: writeFile(t, privatePEM(t, keys.rsa))}, algRS256},
		"PKCS #1 private":          {&JWT{Private: block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(keys.rsa), nil)}, algRS256},
		"SEC 1":                    {&JWT{Private: block("EC PRIVATE KEY", sec1, sec1Err)}, algES256},
		"SEC 1 with its curve":     {&JWT{Private: block("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}, nil) + block("EC PRIVATE KEY", sec1, sec1Err)}, algES256},
		"RSA private JWK":          {&JWT{Private: rsaJWK(true)}, algRS256},
		"elliptic private JWK":     {&JWT{Private: ecJWK}, algES512},
		"Ed25519 private JWK":      {&JWT{Private: edJWK}, algEdDSA},
		"private JWK in the set":   {&JWT{JWKSFile: writeFile(t, `{"keys":[`+ecJWK+`]}`)}, algES512},
		"set with unusable others": {&JWT{JWKSFile: writeFile(t, `{"keys":[{"kty":"AKP"},{"kty":"EC","use":"enc"},7,`+rsaJWK(false)+`]}`)}, algRS256},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := mustLoad(t, c.jwt)
			wantAccepted(t, j, joined(t, `{"alg":"`+c.alg.String()+`"}`, validPayload, with(c.alg, keyFor(t, c.alg))))
		})
	}
}

func TestSecretsOfEveryFormatAreRead(t *testing.T) {
	t.Parallel()
	raw := []byte("\x00\xff secret of more than 32 bytes \xfb\xff\xbf")
	for name, text := range map[string]string{
		"base64":                 "base64:" + base64.StdEncoding.EncodeToString(raw),
		"base64 without padding": "base64:" + base64.RawStdEncoding.EncodeToString(raw),
		"base64url":              "base64:" + base64.URLEncoding.EncodeToString(raw),
		"base64url, no padding":  "base64: " + base64.RawURLEncoding.EncodeToString(raw) + "\n",
		"hex":                    "hex:" + hex.EncodeToString(raw),
		"HEX":                    "hex:" + strings.ToUpper(hex.EncodeToString(raw)),
		"from a file":            "{file." + writeFile(t, "hex:"+hex.EncodeToString(raw)+"\n") + "}",
	} {
		j := mustLoad(t, &JWT{Secret: text})
		if _, err := check(t, j, joined(t, `{"alg":"HS256"}`, validPayload, hs(algHS256, string(raw)))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	j := mustLoad(t, &JWT{Secret: secretRef})
	wantAccepted(t, j, hs256(t, validPayload))
}

func TestGlobalSecretServesABlockWithoutKeys(t *testing.T) {
	t.Parallel()
	provision := func(j *JWT, global string) error {
		if err := j.Provision(newContext(t, global)); err != nil {
			return err
		}
		j.clock = clock.Fixed(testNow)
		return j.Validate()
	}
	j := new(JWT)
	if err := provision(j, testSecret); err != nil {
		t.Fatal(err)
	}
	wantAccepted(t, j, hs256(t, validPayload))

	j = new(JWT)
	if err := provision(j, "hex:"+hex.EncodeToString([]byte(testSecret))); err != nil {
		t.Fatal(err)
	}
	wantAccepted(t, j, hs256(t, validPayload))

	// Attack: the global secret stays valid beside a key of the block's own.
	j = &JWT{Public: []string{publicPEM(t, keyFor(t, algRS256))}}
	if err := provision(j, testSecret); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, j, hs256(t, validPayload), auth.ReasonUnsupportedAlgorithm)
	j = &JWT{Secret: "{env.CADDYBOLT_TEST_SECRET}x"}
	if err := provision(j, testSecret); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, j, hs256(t, validPayload), auth.ReasonBadSignature)

	for global, want := range map[string]string{
		"short":  "global secret: a secret of 5 bytes is too short for HS256, which needs 32",
		"hex:00": "global secret: a secret of 1 bytes is too short for HS256, which needs 32",
	} {
		if err := provision(new(JWT), global); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestWeakKeysLoadOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	j := mustLoad(t, &JWT{Secret: "short", Public: []string{publicPEM(t, weak)}, InsecureWeakKey: true})
	wantAccepted(t, j, joined(t, `{"alg":"HS256"}`, validPayload, hs(algHS256, "short")))
	wantAccepted(t, j, joined(t, `{"alg":"RS256"}`, validPayload, with(algRS256, weak)))
	if err := load(t, &JWT{Secret: "short"}); err == nil {
		t.Error("a short secret loads")
	}
	tiny := `{"kty":"RSA","n":"` + encode(append(bytes32(0xff), bytes32(0xff)...)) + `","e":"AQAB"}`
	if err := load(t, &JWT{Public: []string{tiny}, InsecureWeakKey: true}); err == nil || !strings.Contains(err.Error(), "512 bits is too short") {
		t.Errorf("RSA of 512 bits: %v", err)
	}
}

// Attack: a key of another algorithm, or one that is not meant for tokens,
// beside the right one.
func TestKidChoosesTheKey(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	set := func(kids ...string) string {
		var list []string
		for i, kid := range kids {
			private := []*rsa.PrivateKey{keys.rsa, keys.otherRSA}[i]
			member := `{"kty":"RSA","n":"` + encode(private.N.Bytes()) + `","e":"AQAB"`
			if kid != "" {
				member += `,"kid":"` + kid + `"`
			}
			list = append(list, member+`}`)
		}
		return writeFile(t, `{"keys":[`+strings.Join(list, ",")+`]}`)
	}
	token := func(kid string, private *rsa.PrivateKey) string {
		header := `{"alg":"RS256"}`
		if kid != "-" {
			header = `{"alg":"RS256","kid":"` + kid + `"}`
		}
		return joined(t, header, validPayload, with(algRS256, private))
	}
	for name, c := range map[string]struct {
		jwt    *JWT
		token  string
		reason auth.Reason
	}{
		"first":                          {&JWT{JWKSFile: set("a", "b")}, token("a", keys.rsa), ""},
		"second":                         {&JWT{JWKSFile: set("a", "b")}, token("b", keys.otherRSA), ""},
		"kid of the other":               {&JWT{JWKSFile: set("a", "b")}, token("b", keys.rsa), auth.ReasonBadSignature},
		"unknown kid":                    {&JWT{JWKSFile: set("a", "b")}, token("c", keys.rsa), auth.ReasonUnknownKey},
		"kid of another case":            {&JWT{JWKSFile: set("a", "b")}, token("A", keys.rsa), auth.ReasonUnknownKey},
		"empty kid":                      {&JWT{JWKSFile: set("a", "b")}, token("", keys.rsa), auth.ReasonUnknownKey},
		"token without kid":              {&JWT{JWKSFile: set("a", "b")}, token("-", keys.otherRSA), ""},
		"keys without kid":               {&JWT{JWKSFile: set("", "")}, token("whatever", keys.otherRSA), ""},
		"PEM has no kid":                 {&JWT{Public: []string{publicPEM(t, keys.rsa)}}, token("whatever", keys.rsa), ""},
		"PEM beside a set":               {&JWT{JWKSFile: set("a"), Public: []string{publicPEM(t, keys.otherRSA)}}, token("whatever", keys.otherRSA), ""},
		"kid of the set, signed by PEM":  {&JWT{JWKSFile: set("a"), Public: []string{publicPEM(t, keys.otherRSA)}}, token("a", keys.otherRSA), ""},
		"secret is not tried for RS256":  {&JWT{JWKSFile: set("a"), Secret: secretRef}, token("c", keys.rsa), auth.ReasonUnknownKey},
		"kid of a key of another family": {&JWT{JWKSFile: set("a"), Secret: secretRef, Algorithms: []string{"RS256", "HS384"}}, joined(t, `{"alg":"HS384","kid":"a"}`, validPayload, hs(algHS384, testSecret)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := mustLoad(t, c.jwt)
			if c.reason == "" {
				wantAccepted(t, j, c.token)
			} else {
				wantRefused(t, j, c.token, c.reason)
			}
		})
	}
}

func TestKeyOfTheKidThatServesAnotherAlgorithmIsRefused(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	member := func(k *rsa.PrivateKey, kid, alg string) string {
		return `{"kty":"RSA","n":"` + encode(k.N.Bytes()) + `","e":"AQAB","kid":"` + kid + `","alg":"` + alg + `"}`
	}
	j := mustLoad(t, &JWT{JWKSFile: writeFile(t, `{"keys":[`+member(keys.rsa, "a", "RS256")+`,`+member(keys.otherRSA, "b", "PS256")+`]}`)})
	wantAccepted(t, j, joined(t, `{"alg":"RS256","kid":"a"}`, validPayload, with(algRS256, keys.rsa)))
	wantRefused(t, j, joined(t, `{"alg":"PS256","kid":"a"}`, validPayload, with(algPS256, keys.rsa)), auth.ReasonUnsupportedAlgorithm)
	wantRefused(t, j, joined(t, `{"alg":"RS512","kid":"a"}`, validPayload, with(algRS512, keys.rsa)), auth.ReasonUnsupportedAlgorithm)
	wantRefused(t, j, joined(t, `{"alg":"PS256"}`, validPayload, with(algPS256, keys.rsa)), auth.ReasonBadSignature)
}

// What tokens are compared with may come from the environment. Another value
// there is another configuration: nothing is remembered across it.
func TestIssuerMayComeFromTheEnvironment(t *testing.T) {
	t.Setenv("CADDYBOLT_ISSUER", "https://a.example.com")
	config := func() *JWT {
		return &JWT{Label: t.Name(), Secret: secretRef, Issuers: []string{"{env.CADDYBOLT_ISSUER}"}, Audiences: []string{"{env.CADDYBOLT_ISSUER}/app"}}
	}
	token := hs256(t, `{"sub":"a","exp":1700003600,"iss":"https://a.example.com","aud":"https://a.example.com/app"}`)
	j := mustLoad(t, config())
	wantAccepted(t, j, token)
	wantRefused(t, j, hs256(t, `{"sub":"a","exp":1700003600,"iss":"{env.CADDYBOLT_ISSUER}","aud":"{env.CADDYBOLT_ISSUER}/app"}`), auth.ReasonWrongIssuer)
	if j.Issuer() != "https://a.example.com" || j.Audience() != "https://a.example.com/app" {
		t.Errorf("issues for %q, %q", j.Issuer(), j.Audience())
	}
	t.Setenv("CADDYBOLT_ISSUER", "https://b.example.com")
	wantRefused(t, mustLoad(t, config()), token, auth.ReasonWrongIssuer)
}
