// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package apikey

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/module"
	"github.com/caddybolt/caddy-bolt/internal/secret"
	"github.com/caddybolt/caddy-bolt/internal/text"
)

// Key is an API key.
type Key struct {
	// The name of the key: letters, digits and "-", "_", ".", "@". Required.
	// It is no secret: it is what the application and the logs see.
	Name string `json:"name,omitempty"`

	// The key itself, as "sha256:" and its SHA-256 digest in hexadecimal, as a
	// placeholder such as {env.CI_KEY} or {file./run/secrets/ci}, or in clear.
	// Required.
	Key string `json:"key,omitempty"`

	// What the key may do. Default: nothing.
	Permissions []string `json:"permissions,omitempty"`

	// Whether it counts as staff, and as a superuser. Default: false.
	Staff     bool `json:"staff,omitempty"`
	Superuser bool `json:"superuser,omitempty"`

	// From when on the key is refused: a date, which means its first moment in
	// UTC, or a time of RFC 3339. Default: never.
	Expires string `json:"expires,omitempty"`

	// Whether the key is refused. Default: false.
	Disabled bool `json:"disabled,omitempty"`

	// Whatever else is known of the key, a JSON object:
	// {http.auth.claims.<name>}. Text in it is data: no placeholder is replaced.
	Meta json.RawMessage `json:"meta,omitempty"`
}

// digestPrefix begins the value of a key that is its digest.
const digestPrefix = "sha256:"

// digest is the SHA-256 of a key.
type digest [sha256.Size]byte

// prepared is a key that was found well formed, ready to be answered with.
type prepared struct {
	name     string
	digest   digest
	identity *auth.Identity
	expires  time.Time // zero: never
	expired  error
	disabled bool
	weak     bool
}

// prepare checks the keys one by one.
func prepare(keys []Key, maxSize int) ([]prepared, error) {
	list := make([]prepared, len(keys))
	for i := range keys {
		if err := checkName(keys[i].Name); err != nil {
			return nil, fmt.Errorf("keys: position %d: %w", i, err)
		}
		if err := keys[i].prepare(&list[i], maxSize); err != nil {
			return nil, fmt.Errorf("key %q: %w", keys[i].Name, err)
		}
	}
	return list, nil
}

// checkName does not quote the name: it may be the key, in the wrong place.
func checkName(name string) error {
	if name == "" {
		return errors.New("a key has no name")
	}
	for _, c := range []byte(name) {
		if ('a' > c || c > 'z') && ('A' > c || c > 'Z') && ('0' > c || c > '9') && strings.IndexByte("-_.@", c) < 0 {
			return errors.New("the name of a key has letters, digits and - _ . @ only")
		}
	}
	return nil
}

// prepare checks the key. No error shows any of it but its name.
func (k *Key) prepare(p *prepared, maxSize int) error {
	value, err := secret.Resolve(k.Key)
	if err != nil {
		return err
	}
	var plain bool
	if p.digest, plain, err = digestOf(value); err != nil {
		return err
	}
	switch {
	case !plain:
	case len(value) > maxSize:
		return fmt.Errorf("it is longer than max_size, which is %d bytes", maxSize)
	case !text.IsPlain(value) || strings.TrimSpace(value) != value:
		return errors.New("it begins or ends with a blank, holds control characters or is not UTF-8: no request can present it")
	}
	p.weak = plain && len(value) < weakBelow
	if k.Expires != "" {
		if p.expires, err = module.ParseTime(k.Expires); err != nil {
			return fmt.Errorf("expires: %q is not a date such as 2026-12-31 or a time such as 2026-12-31T12:00:00Z", k.Expires)
		}
	}
	if err := text.CheckWords("permissions", k.Permissions); err != nil {
		return err
	}
	claims, err := k.claims()
	if err != nil {
		return err
	}
	p.name, p.disabled = k.Name, k.Disabled
	p.identity = &auth.Identity{
		ID:          auth.APIKeyPrefix + k.Name,
		Issuer:      issuer,
		Backend:     backend,
		Staff:       k.Staff,
		Superuser:   k.Superuser,
		Permissions: auth.NewSet(k.Permissions...),
		Claims:      claims,
		ExpiresAt:   p.expires,
	}
	p.expired = auth.InvalidFor(p.identity.ID, auth.ReasonAPIKeyExpired, "")
	return nil
}

// claims are the metadata, without the blanks between them.
func (k *Key) claims() (auth.Claims, error) {
	if len(k.Meta) == 0 {
		return auth.Claims{}, nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, k.Meta); err != nil {
		return auth.Claims{}, errors.New("meta: not valid JSON")
	}
	claims, err := auth.ParseClaims(compact.Bytes())
	if err != nil {
		return auth.Claims{}, fmt.Errorf("meta: %w", err)
	}
	return claims, nil
}

// emptyDigest is that of no text at all: somebody hashed a variable that was
// not set.
var emptyDigest = digest(sha256.Sum256(nil))

// digestOf returns the digest that the value is, or the digest of the value,
// which was then plain text.
//
// A digest of another kind is refused: taken for plain text, it would be the
// key, and whoever saw the file of digests could present it.
func digestOf(value string) (d digest, plain bool, err error) {
	if encoded, ok := strings.CutPrefix(value, digestPrefix); ok {
		if len(encoded) != hex.EncodedLen(len(d)) {
			return d, false, fmt.Errorf("%s is followed by %d hexadecimal digits", digestPrefix, hex.EncodedLen(len(d)))
		}
		if _, err := hex.Decode(d[:], []byte(encoded)); err != nil {
			return digest{}, false, fmt.Errorf("%s is followed by %d hexadecimal digits", digestPrefix, hex.EncodedLen(len(d)))
		}
		if d == emptyDigest {
			return digest{}, false, fmt.Errorf("%s is followed by the digest of an empty text", digestPrefix)
		}
		return d, false, nil
	}
	if isForeignHash(value) {
		return d, false, fmt.Errorf("it looks like a hash of another kind than %s", digestPrefix)
	}
	return sha256.Sum256([]byte(value)), true, nil
}

func isForeignHash(value string) bool {
	for _, prefix := range []string{"$2a$", "$2b$", "$2y$", "$argon2", "$5$", "$6$", "$y$", "{sha", "{ssha"} {
		if hasPrefixFold(value, prefix) {
			return true
		}
	}
	for _, name := range []string{"md5", "sha1", "sha-1", "sha224", "sha256", "sha-256", "sha384", "sha-384", "sha512", "sha-512", "sha3", "blake2b", "blake3", "bcrypt", "argon2id"} {
		if hasPrefixFold(value, name) && len(value) > len(name) && strings.IndexByte(":$=", value[len(name)]) >= 0 {
			return true
		}
	}
	return false
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
