// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package passhash

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // PBKDF2 with HMAC-SHA-1 is what the database holds
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math/bits"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/scrypt"
)

// Bounds on the cost of Django's own formats; Django 6 writes 1,200,000
// iterations, and scrypt with 16384, 8 and 5.
const (
	maxIterations = 10_000_000
	maxScryptMem  = 1 << 30 // bytes: 128 * N * r
	maxScryptWork = 1 << 28 // N * r * p
)

// ErrUnusable means that no password opens: Django writes "!" and random
// letters for a user who is not to sign in with one.
var ErrUnusable = errors.New("there is no usable password")

// ErrUnknownFormat is the error of a hash of no known format.
var ErrUnknownFormat = errors.New("not a password hash of a known format")

var (
	pbkdf2Shape = regexp.MustCompile(`^(pbkdf2_sha256|pbkdf2_sha1)\$([0-9]{1,10})\$([^$]{1,128})\$([A-Za-z0-9+/]+=*)$`)
	scryptShape = regexp.MustCompile(`^scrypt\$([0-9]{1,10})\$([^$]{1,128})\$([0-9]{1,10})\$([0-9]{1,10})\$([A-Za-z0-9+/]+=*)$`)
	argon2Shape = regexp.MustCompile(`^(argon2id|argon2i)\$v=19\$m=([0-9]{1,9}),t=([0-9]{1,9}),p=([0-9]{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$`)
)

// ParseAny returns the hash that the text holds, as "caddy hash-password" or as
// Django writes it.
func ParseAny(text string) (Hash, error) {
	if !strings.HasPrefix(text, "$") {
		return ParseDjango(text)
	}
	h, err := Parse(text)
	if errors.Is(err, ErrFormat) {
		return Hash{}, ErrUnknownFormat
	}
	return h, err
}

// ParseDjango returns the hash that a column "password" of Django holds:
// pbkdf2_sha256, pbkdf2_sha1, argon2 (argon2id, and argon2i of Django before
// 3.2), bcrypt_sha256, bcrypt or scrypt. Its other hashers are too fast to
// keep a password.
func ParseDjango(text string) (Hash, error) {
	name, rest, ok := strings.Cut(text, "$")
	switch {
	case text == "" || strings.HasPrefix(text, "!"):
		return Hash{}, ErrUnusable
	case !ok:
		return Hash{}, ErrUnknownFormat
	}
	switch name {
	case "pbkdf2_sha256", "pbkdf2_sha1":
		return parsePBKDF2(text)
	case "scrypt":
		return parseScrypt(text)
	case "argon2":
		return parseArgon2(text, rest)
	case "bcrypt":
		return parseWrapped(text, rest, djangoBcrypt{})
	case "bcrypt_sha256":
		return parseWrapped(text, rest, djangoBcryptSHA256{})
	default:
		return Hash{}, ErrUnknownFormat
	}
}

// parseWrapped parses Django's name of bcrypt and what bcrypt itself writes.
func parseWrapped(text, inner string, algo algorithm) (Hash, error) {
	h, err := parseBcrypt(inner)
	if errors.Is(err, ErrFormat) {
		err = ErrUnknownFormat
	}
	if err != nil {
		return Hash{}, err
	}
	prefix := text[:len(text)-len(inner)]
	return Hash{text: []byte(text), fake: append([]byte(prefix), h.fake...), algo: algo}, nil
}

func parsePBKDF2(text string) (Hash, error) {
	m := pbkdf2Shape.FindStringSubmatch(text)
	if m == nil {
		return Hash{}, ErrUnknownFormat
	}
	n, err := strconv.Atoi(m[2])
	if err != nil || n < 1 || n > maxIterations {
		return Hash{}, fmt.Errorf("%s iterations are not between 1 and %d", m[1], maxIterations)
	}
	algo := pbkdf2SHA256
	if m[1] == "pbkdf2_sha1" {
		algo = pbkdf2SHA1
	}
	at := pbkdf2Shape.FindStringSubmatchIndex(text)
	return salted(text, at[6], at[7], algo.size, algo)
}

func parseScrypt(text string) (Hash, error) {
	m := scryptShape.FindStringSubmatch(text)
	if m == nil {
		return Hash{}, ErrUnknownFormat
	}
	n, r, p := scryptCosts(m)
	if n < 2 || bits.OnesCount64(n) != 1 || r < 1 || p < 1 || r > 64 || p > 64 || 128*n*r > maxScryptMem || n*r*p > maxScryptWork {
		return Hash{}, fmt.Errorf("scrypt work factor is no power of 2, or block size and parallelism are not between 1 and 64, or together they cost more than %d MiB or %d rounds", maxScryptMem>>20, maxScryptWork)
	}
	at := scryptShape.FindStringSubmatchIndex(text)
	return salted(text, at[4], at[5], scryptSize, scryptAlgorithm{})
}

// scryptCosts returns work factor, block size and parallelism; 0 for what is
// no number.
func scryptCosts(m []string) (n, r, p uint64) {
	n, _ = strconv.ParseUint(m[1], 10, 32)
	r, _ = strconv.ParseUint(m[3], 10, 32)
	p, _ = strconv.ParseUint(m[4], 10, 32)
	return n, r, p
}

// salted returns a hash whose salt stands there, and whose key, in padded
// base64, has so many bytes and stands last.
func salted(text string, saltFrom, saltTo, size int, algo algorithm) (Hash, error) {
	keyFrom := strings.LastIndexByte(text, '$') + 1
	decoded, err := base64.StdEncoding.Strict().DecodeString(text[keyFrom:])
	if err != nil || len(decoded) != size {
		return Hash{}, ErrUnknownFormat
	}
	fake := text[:saltFrom] + strings.Repeat("0", saltTo-saltFrom) + text[saltTo:keyFrom] +
		base64.StdEncoding.EncodeToString(make([]byte, size))
	return Hash{text: []byte(text), fake: []byte(fake), algo: algo}, nil
}

func parseArgon2(text, inner string) (Hash, error) {
	m := argon2Shape.FindStringSubmatch(inner)
	if m == nil {
		return Hash{}, ErrUnknownFormat
	}
	// The two differ in nothing that is checked.
	h, err := parseArgon2id("$argon2id" + strings.TrimPrefix(inner, m[1]))
	if errors.Is(err, ErrFormat) {
		err = ErrUnknownFormat
	}
	if err != nil {
		return Hash{}, err
	}
	fake := "argon2$" + m[1] + strings.TrimPrefix(string(h.fake), "$argon2id")
	return Hash{text: []byte(text), fake: []byte(fake), algo: djangoArgon2{}}, nil
}

// fitsDjango refuses what HMAC cannot tell apart: a key is filled up with NULs.
func fitsDjango(password []byte) ([]byte, bool) {
	whole := len(password) <= MaxPassword && bytes.IndexByte(password, 0) < 0
	return password[:min(len(password), MaxPassword)], whole
}

// pbkdf2Algorithm is PBKDF2 with HMAC over one hash function.
type pbkdf2Algorithm struct {
	name string
	size int
}

var (
	pbkdf2SHA256 = pbkdf2Algorithm{"pbkdf2_sha256", sha256.Size}
	pbkdf2SHA1   = pbkdf2Algorithm{"pbkdf2_sha1", sha1.Size}
)

func (a pbkdf2Algorithm) Compare(hashed, password []byte) (bool, error) {
	m := pbkdf2Shape.FindSubmatch(hashed)
	if m == nil {
		return false, ErrUnknownFormat
	}
	n, err := strconv.Atoi(string(m[2]))
	if err != nil {
		return false, ErrUnknownFormat
	}
	function := sha256.New
	if a == pbkdf2SHA1 {
		function = func() hash.Hash { return sha1.New() } //nolint:gosec // see the import
	}
	key, err := pbkdf2.Key(function, string(password), m[3], n, a.size)
	if err != nil {
		return false, err
	}
	return sameKey(m[4], key), nil
}

func (pbkdf2Algorithm) fits(password []byte) ([]byte, bool) { return fitsDjango(password) }

// scryptSize is how long a key Django asks scrypt for.
const scryptSize = 64

type scryptAlgorithm struct{}

func (scryptAlgorithm) Compare(hashed, password []byte) (bool, error) {
	m := scryptShape.FindStringSubmatch(string(hashed))
	if m == nil {
		return false, ErrUnknownFormat
	}
	n, r, p := scryptCosts(m)
	key, err := scrypt.Key(password, []byte(m[2]), int(n), int(r), int(p), scryptSize)
	if err != nil {
		return false, err
	}
	return sameKey([]byte(m[5]), key), nil
}

func (scryptAlgorithm) fits(password []byte) ([]byte, bool) { return fitsDjango(password) }

// sameKey compares a key in base64 with one that was computed.
func sameKey(encoded, key []byte) bool {
	want, err := base64.StdEncoding.DecodeString(string(encoded))
	return err == nil && len(want) > 0 && subtle.ConstantTimeCompare(want, key) == 1
}

type djangoArgon2 struct{}

func (djangoArgon2) Compare(hashed, password []byte) (bool, error) {
	m := argon2Shape.FindStringSubmatch(strings.TrimPrefix(string(hashed), "argon2$"))
	if m == nil {
		return false, ErrUnknownFormat
	}
	var costs [3]uint64
	for i := range costs {
		costs[i], _ = strconv.ParseUint(m[i+2], 10, 32)
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(m[5])
	want, wantErr := base64.RawStdEncoding.DecodeString(m[6])
	if saltErr != nil || wantErr != nil || len(want) < minKey || costs[1] < 1 || costs[2] < 1 || costs[2] > maxArgon2Threads {
		return false, ErrUnknownFormat
	}
	compute := argon2.IDKey
	if m[1] == "argon2i" {
		compute = argon2.Key
	}
	key := compute(password, salt, uint32(costs[1]), uint32(costs[0]), uint8(costs[2]), uint32(len(want)))
	return subtle.ConstantTimeCompare(want, key) == 1, nil
}

func (djangoArgon2) fits(password []byte) ([]byte, bool) { return fitsDjango(password) }

// djangoBcrypt is bcrypt under Django's name.
type djangoBcrypt struct{ bcryptAlgorithm }

func (a djangoBcrypt) Compare(hashed, password []byte) (bool, error) {
	return a.bcryptAlgorithm.Compare(bytes.TrimPrefix(hashed, []byte("bcrypt$")), password)
}

// djangoBcryptSHA256 is bcrypt over the SHA-256 of the password in hexadecimal:
// it reads all of a password.
type djangoBcryptSHA256 struct{}

func (djangoBcryptSHA256) Compare(hashed, password []byte) (bool, error) {
	sum := sha256.Sum256(password)
	digest := hex.AppendEncode(nil, sum[:])
	return bcryptAlgorithm{}.Compare(bytes.TrimPrefix(hashed, []byte("bcrypt_sha256$")), digest)
}

func (djangoBcryptSHA256) fits(password []byte) ([]byte, bool) { return fitsDjango(password) }

// Interface guards
var (
	_ algorithm = pbkdf2Algorithm{}
	_ algorithm = scryptAlgorithm{}
	_ algorithm = djangoArgon2{}
	_ algorithm = djangoBcrypt{}
	_ algorithm = djangoBcryptSHA256{}
)
