// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"crypto"
	"fmt"
	"math/bits"
	"strings"
)

// algorithm is one of the signature algorithms that exist here. "none" and
// ES256K are not among them, so there is no switch that could turn them on.
type algorithm uint8

// The algorithms (RFC 7518, section 3.1; RFC 8037, section 3.1).
const (
	algHS256 algorithm = iota
	algHS384
	algHS512
	algRS256
	algRS384
	algRS512
	algPS256
	algPS384
	algPS512
	algES256
	algES384
	algES512
	algEdDSA
	algorithmCount
)

// algorithmTable says what each algorithm is called and which hash it uses.
var algorithmTable = [algorithmCount]struct {
	name string
	hash crypto.Hash
}{
	algHS256: {"HS256", crypto.SHA256},
	algHS384: {"HS384", crypto.SHA384},
	algHS512: {"HS512", crypto.SHA512},
	algRS256: {"RS256", crypto.SHA256},
	algRS384: {"RS384", crypto.SHA384},
	algRS512: {"RS512", crypto.SHA512},
	algPS256: {"PS256", crypto.SHA256},
	algPS384: {"PS384", crypto.SHA384},
	algPS512: {"PS512", crypto.SHA512},
	algES256: {"ES256", crypto.SHA256},
	algES384: {"ES384", crypto.SHA384},
	algES512: {"ES512", crypto.SHA512},
	algEdDSA: {"EdDSA", 0}, // hashes by itself
}

// algorithmNames is what a configuration may say.
var algorithmNames = func() []string {
	names := make([]string, algorithmCount)
	for alg, row := range algorithmTable {
		names[alg] = row.name
	}
	return names
}()

func (a algorithm) String() string    { return algorithmTable[a].name }
func (a algorithm) hash() crypto.Hash { return algorithmTable[a].hash }

// parseAlgorithm finds the algorithm of that name, to the letter: "hs256" and
// "NONE" are no names.
func parseAlgorithm[T string | []byte](name T) (algorithm, bool) {
	for alg := range algorithmTable {
		if algorithmTable[alg].name == string(name) {
			return algorithm(alg), true
		}
	}
	return 0, false
}

// algorithmSet is a set of algorithms: what one key may be used for.
type algorithmSet uint16

// The families. A key belongs to exactly one, and no configuration moves it to
// another: a public key never becomes the secret of an HMAC.
const (
	familyHMAC  = algorithmSet(1<<algHS256 | 1<<algHS384 | 1<<algHS512)
	familyRSA   = algorithmSet(1<<algRS256 | 1<<algRS384 | 1<<algRS512 | 1<<algPS256 | 1<<algPS384 | 1<<algPS512)
	familyEdDSA = algorithmSet(1 << algEdDSA)
	everyOne    = algorithmSet(1<<algorithmCount - 1)
)

func setOf(algs ...algorithm) algorithmSet {
	var s algorithmSet
	for _, a := range algs {
		s |= 1 << a
	}
	return s
}

func (s algorithmSet) has(a algorithm) bool { return s>>a&1 == 1 }

// first returns the first algorithm of the table that is in the set, which
// must not be empty.
func (s algorithmSet) first() algorithm {
	return algorithm(bits.TrailingZeros16(uint16(s)))
}

// each calls f for the algorithms of the set.
func (s algorithmSet) each(f func(algorithm)) {
	for a := range algorithmCount {
		if s.has(a) {
			f(a)
		}
	}
}

func (s algorithmSet) String() string {
	var names []string
	s.each(func(a algorithm) { names = append(names, a.String()) })
	return strings.Join(names, " ")
}

// parseAlgorithms returns the configured algorithms, in their order and as a
// set.
func parseAlgorithms(names []string) ([]algorithm, algorithmSet, error) {
	var list []algorithm
	var set algorithmSet
	for _, name := range names {
		alg, ok := parseAlgorithm(name)
		if !ok {
			return nil, 0, unknownAlgorithm(name)
		}
		if set.has(alg) {
			return nil, 0, fmt.Errorf("algorithm %s is given twice", name)
		}
		list = append(list, alg)
		set |= setOf(alg)
	}
	return list, set, nil
}

func unknownAlgorithm(name string) error {
	return fmt.Errorf("unrecognized algorithm %q; there are: %s", name, strings.Join(algorithmNames, ", "))
}
