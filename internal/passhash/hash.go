// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package passhash verifies passwords against the hashes that
// "caddy hash-password" prints and those that Django keeps, with bounds: on what
// a hash may cost, on how many are computed at once, and on how long a visitor
// waits for one.
package passhash

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"
)

// Bounds on the cost of one verification. What is above them takes seconds or
// gigabytes for each attempt, which a visitor can make as many of as he likes.
const (
	maxBcryptCost    = 18
	maxArgon2Memory  = 1 << 20 // KiB: 1 GiB
	maxArgon2Time    = 64
	maxArgon2Threads = 64
	minSalt          = 8
	minKey           = 16
	maxField         = 128 // bytes of a salt or key
)

// ErrFormat is the error of a hash that is none of those known. Like every
// error of this package it shows nothing of the hash.
var ErrFormat = errors.New("not a password hash of bcrypt or argon2id, as \"caddy hash-password\" prints")

var (
	bcryptShape   = regexp.MustCompile(`^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$`)
	argon2idShape = regexp.MustCompile(`^\$argon2id\$v=19\$m=([0-9]{1,9}),t=([0-9]{1,9}),p=([0-9]{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$`)
)

// Hash is the hash of a password, found well formed and affordable. The zero
// value is not one: no password matches it.
type Hash struct {
	text []byte
	fake []byte // of the same algorithm and cost, and of no known password
	algo algorithm
}

// algorithm compares as Caddy does and knows what its function cannot tell
// apart.
type algorithm interface {
	caddyauth.Comparer

	// fits returns the password as the function can take it, and whether it is
	// whole: no other password looks the same to the function.
	fits(password []byte) ([]byte, bool)
}

// IsZero reports whether there is no hash.
func (h Hash) IsZero() bool { return h.algo == nil }

// Parse returns the hash that the text holds, as "caddy hash-password" prints
// it.
func Parse(text string) (Hash, error) {
	switch {
	case strings.HasPrefix(text, "$2"):
		return parseBcrypt(text)
	case strings.HasPrefix(text, "$argon2id$"):
		return parseArgon2id(text)
	default:
		return Hash{}, ErrFormat
	}
}

func parseBcrypt(text string) (Hash, error) {
	m := bcryptShape.FindStringSubmatch(text)
	if m == nil {
		return Hash{}, ErrFormat
	}
	cost, err := strconv.Atoi(m[1])
	if err != nil || cost < 4 || cost > maxBcryptCost {
		return Hash{}, fmt.Errorf("bcrypt cost is not between 4 and %d", maxBcryptCost)
	}
	fake := append([]byte("$2a$"+m[1]), caddyauth.BcryptHash{}.FakeHash()[len("$2a$14"):]...)
	return Hash{text: []byte(text), fake: fake, algo: bcryptAlgorithm{}}, nil
}

// parseArgon2id is stricter than Caddy, for which a hash without a key matches
// every password and one without rounds or threads is a panic at the first
// log-in.
func parseArgon2id(text string) (Hash, error) {
	m := argon2idShape.FindStringSubmatch(text)
	if m == nil {
		return Hash{}, ErrFormat
	}
	for i, limit := range []struct {
		name string
		max  int
	}{{"memory", maxArgon2Memory}, {"time", maxArgon2Time}, {"threads", maxArgon2Threads}} {
		n, err := strconv.Atoi(m[i+1])
		if err != nil || n < 1 || n > limit.max {
			return Hash{}, fmt.Errorf("argon2id %s is not between 1 and %d", limit.name, limit.max)
		}
	}
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(m[4])
	key, keyErr := base64.RawStdEncoding.Strict().DecodeString(m[5])
	if saltErr != nil || keyErr != nil {
		return Hash{}, ErrFormat
	}
	if len(salt) < minSalt || len(salt) > maxField || len(key) < minKey || len(key) > maxField {
		return Hash{}, fmt.Errorf("argon2id salt is not between %d and %d bytes long, or its key not between %d and %d", minSalt, maxField, minKey, maxField)
	}
	if _, _, err := caddyauth.DecodeHash([]byte(text)); err != nil {
		return Hash{}, ErrFormat
	}
	parameters := text[:len(text)-len(m[4])-len(m[5])-1]
	fake := parameters + base64.RawStdEncoding.EncodeToString(make([]byte, len(salt))) +
		"$" + base64.RawStdEncoding.EncodeToString(make([]byte, len(key)))
	return Hash{text: []byte(text), fake: []byte(fake), algo: argon2idAlgorithm{}}, nil
}

// bcryptAlgorithm reads 72 bytes of a password and repeats it with a NUL in
// between: for it "a" and "a\x00a" are one password.
type bcryptAlgorithm struct{}

func (bcryptAlgorithm) Compare(hashed, password []byte) (bool, error) {
	return caddyauth.BcryptHash{}.Compare(hashed, password)
}

func (bcryptAlgorithm) fits(password []byte) ([]byte, bool) {
	const limit = 72
	whole := len(password) <= limit && bytes.IndexByte(password, 0) < 0
	return password[:min(len(password), limit)], whole
}

type argon2idAlgorithm struct{}

func (argon2idAlgorithm) Compare(hashed, password []byte) (bool, error) {
	return caddyauth.Argon2idHash{}.Compare(hashed, password)
}

func (argon2idAlgorithm) fits(password []byte) ([]byte, bool) {
	return password[:min(len(password), MaxPassword)], len(password) <= MaxPassword
}

// Interface guards
var (
	_ algorithm = bcryptAlgorithm{}
	_ algorithm = argon2idAlgorithm{}
)
