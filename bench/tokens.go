// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The token of all rows. One claim is so long that with HS256 it has 1 KB.
const (
	tokenIssuer   = "https://id.example.com"
	tokenAudience = "my-app"
	aboutLength   = 212
)

// benchSecret is the secret of all rows.
const benchSecret = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789"

// minter signs tokens.
type minter struct {
	folder string
	keys   map[string]crypto.Signer
	public map[string]string // files in PEM
}

var algorithms = []string{"HS256", "RS256", "ES256", "EdDSA"}

// newMinter makes keys, and files of their public halves.
func newMinter(folder string) (*minter, error) {
	m := &minter{folder: folder, keys: map[string]crypto.Signer{}, public: map[string]string{}}
	var err error
	if m.keys["RS256"], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	if m.keys["ES256"], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	if _, m.keys["EdDSA"], err = ed25519.GenerateKey(rand.Reader); err != nil {
		return nil, err
	}
	for alg, key := range m.keys {
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			return nil, err
		}
		m.public[alg] = filepath.Join(folder, alg+".pem")
		if err := os.WriteFile(m.public[alg], pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// key is what golang-jwt signs with.
func (m *minter) key(alg string) any {
	if alg == "HS256" {
		return []byte(benchSecret)
	}
	return m.keys[alg]
}

// tokens signs n tokens that differ.
func (m *minter) tokens(alg string, n int) ([]string, error) {
	list := make([]string, n)
	for i := range list {
		var err error
		if list[i], err = m.token(alg, fmt.Sprintf("%08x-5b0e-4f6e-9a57-0f8d7c6b5a49", i), nil); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// token signs a token with what an identity provider says of somebody.
func (m *minter) token(alg, jti string, header map[string]any) (string, error) {
	now := time.Now()
	claims := jwt.MapClaims{
		"iss": tokenIssuer, "aud": []string{tokenAudience, "other-app"}, "sub": "248289761001", "jti": jti,
		"exp": now.Add(24 * time.Hour).Unix(), "iat": now.Unix() - 60, "nbf": now.Unix() - 60,
		"azp": "my-app", "username": "alice", "name": "Alice Example", "email": "alice@example.com", "email_verified": true,
		"is_staff": true, "is_superuser": false, "permissions": []string{"reports.view", "reports.add", "users.view"},
		"realm_access": map[string]any{"roles": []string{"offline_access", "default-roles-example", "uma_authorization"}}, "tenant": "acme",
		"about": strings.Repeat("x", aboutLength),
	}
	t := jwt.NewWithClaims(jwt.GetSigningMethod(alg), claims)
	for name, value := range header {
		t.Header[name] = value
	}
	return t.SignedString(m.key(alg))
}

// keyID is the kid of the key that the key server has.
const keyID = "key-1"

// keySet is what a key server answers: the key of ES256.
func (m *minter) keySet() (map[string]any, error) {
	public, err := m.keys["ES256"].Public().(*ecdsa.PublicKey).Bytes() // 4, x, y
	if err != nil {
		return nil, err
	}
	size := (len(public) - 1) / 2
	text := base64.RawURLEncoding.EncodeToString
	return map[string]any{"keys": []map[string]string{{
		"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": keyID,
		"x": text(public[1 : 1+size]), "y": text(public[1+size:]),
	}}}, nil
}
