// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// decodeSecret returns the bytes of a secret that is written plainly, or as
// "base64:" (either alphabet, with or without padding) or "hex:" and the
// encoded bytes. Its errors hold nothing of the text.
//
// A key pair is not a secret: whoever knows a public key could sign with it.
func decodeSecret(text string) ([]byte, error) {
	var secret []byte
	var err error
	if rest, ok := strings.CutPrefix(text, "base64:"); ok {
		rest = strings.TrimRight(strings.TrimSpace(rest), "=")
		secret, err = base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(rest))
		if err != nil {
			return nil, errors.New("what follows base64: is not base64")
		}
	} else if rest, ok := strings.CutPrefix(text, "hex:"); ok {
		secret, err = hex.DecodeString(strings.TrimSpace(rest))
		if err != nil {
			return nil, errors.New("what follows hex: is not hexadecimal")
		}
	} else {
		secret = []byte(text)
	}
	if len(secret) == 0 {
		return nil, errors.New("the secret is empty")
	}
	if isKeyPair(secret) {
		return nil, errors.New("it is a key or a certificate, which belongs to public_key, private_key or jwks_file, and no secret")
	}
	return secret, nil
}

// isKeyPair reports whether the bytes are a key, a pair of keys or a
// certificate, in any of the ways in which tools write them.
func isKeyPair(b []byte) bool {
	if isKeyDER(b) || isKeyDER(append(bytes.Clone(b), '\n')) { // which {file.*} took for a line break
		return true
	}
	b = bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\ufeff")))
	if bytes.Contains(b, []byte("---- BEGIN ")) || bytes.Contains(b, []byte("-----BEGIN ")) || isJWKText(string(b)) {
		return true
	}
	for line := range bytes.Lines(b) {
		line = bytes.TrimSpace(line)
		if bytes.HasPrefix(line, []byte("ssh-")) || bytes.HasPrefix(line, []byte("ecdsa-sha2-")) {
			return true
		}
	}
	// What stands between the lines of a PEM file; the decoder skips line breaks.
	der := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	n, err := base64.StdEncoding.Decode(der, b)
	return err == nil && isKeyDER(der[:n])
}

func isKeyDER(der []byte) bool {
	_, certificate := x509.ParseCertificate(der)
	_, pkix := x509.ParsePKIXPublicKey(der)
	_, pkcs1 := x509.ParsePKCS1PublicKey(der)
	_, pkcs8 := x509.ParsePKCS8PrivateKey(der)
	_, pkcs1Private := x509.ParsePKCS1PrivateKey(der)
	_, sec1 := x509.ParseECPrivateKey(der)
	return certificate == nil || pkix == nil || pkcs1 == nil || pkcs8 == nil || pkcs1Private == nil || sec1 == nil
}
