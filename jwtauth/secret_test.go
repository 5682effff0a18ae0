// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

// Attack: the public key stands where the secret belongs, and whoever has it,
// which is everybody, signs HS256 tokens with it.
func TestKeyIsNotTakenForASecret(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	private := keys.ec[algES256]
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: testNow.Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkix, err := x509.MarshalPKIXPublicKey(keys.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	public := publicPEM(t, private)
	const refusal = "it is a key or a certificate, which belongs to public_key, private_key or jwks_file, and no secret"
	for name, text := range map[string]string{
		"public key":                 public,
		"public key behind text":     "the key of the issuer\n" + public,
		"public key with CRLF":       strings.ReplaceAll(public, "\n", "\r\n"),
		"public key in base64":       "base64:" + base64.StdEncoding.EncodeToString([]byte(public)),
		"public key in hexadecimal":  "hex:" + hex.EncodeToString([]byte(public)),
		"public key in DER":          string(pkix),
		"public key in PKCS #1":      string(x509.MarshalPKCS1PublicKey(&keys.rsa.PublicKey)),
		"the body of a PEM file":     base64.StdEncoding.EncodeToString(pkix),
		"the body, as base64":        "base64:" + base64.StdEncoding.EncodeToString(pkix),
		"private key":                privatePEM(t, private),
		"private key in DER":         string(sec1),
		"certificate":                string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})),
		"certificate in DER":         string(certificate),
		"JWK":                        ` {"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
		"JWK set":                    setOfRSA("a", keys.rsa),
		"JWK set, byte order mark":   "\ufeff" + setOfRSA("a", keys.rsa),
		"key of SSH":                 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPublicPublicPublicPublicPublicPublicPublic a@b",
		"key of SSH in another line": "# a@b\n ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQPublicPublicPublic",
		"key of SSH on a curve":      "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYPublicPublicPublic",
		"key of SSH, RFC 4716":       "---- BEGIN SSH2 PUBLIC KEY ----\nAAAAC3NzaC1lZDI1NTE5AAAAIPublic",
	} {
		file := "{file." + writeFile(t, text) + "}"
		if err := load(t, &JWT{Secret: file}); err == nil || err.Error() != "secret: "+refusal {
			t.Errorf("%s: %v", name, err)
		}
		j := &JWT{}
		err := j.Provision(newContext(t, text))
		if err == nil || err.Error() != "global secret: "+refusal {
			t.Errorf("%s, as the global secret: %v", name, err)
		}
		if err := j.Cleanup(); err != nil {
			t.Error(err)
		}
	}

	// Control: secrets that look a little like it.
	for name, text := range map[string]string{
		"plain": testSecret, "hexadecimal": "hex:" + strings.Repeat("30", 64), "base64 of any bytes": base64.StdEncoding.EncodeToString([]byte(testSecret)),
		"base64": "base64:" + base64.StdEncoding.EncodeToString(append([]byte{0x30, 0x82}, testSecret...)),
		"dashes": "-----" + testSecret, "ssh within a line": testSecret + " ssh-rsa", "braces": "{" + testSecret + "}",
	} {
		if err := load(t, &JWT{Secret: "{file." + writeFile(t, text) + "}"}); err != nil {
			t.Errorf("control: %s: %v", name, err)
		}
	}
}
