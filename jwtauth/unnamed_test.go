// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"fmt"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
)

// countingVerifier counts what a token costs.
type countingVerifier struct {
	verifier
	calls *int
}

func (v countingVerifier) verify(alg algorithm, signed string, signature []byte) bool {
	*v.calls++
	return v.verifier.verify(alg, signed, signature)
}

// Attack: a flood of bad tokens that name no key, each of which is tried with
// all keys of a large set.
func TestTokenWithoutKIDIsTriedWithFewKeys(t *testing.T) {
	t.Parallel()
	private := keyFor(t, algES512)
	calls := 0
	set := func(named int, others ...*key) *keySet {
		keys := others
		for i := range named {
			other := private
			if i < named-1 { // the key that signs is the last
				other = otherKeyFor(t, algES512)
			}
			k, err := keyRules{}.newPublicKey(other.Public(), fmt.Sprint(i), 0)
			if err != nil {
				t.Fatal(err)
			}
			k.verifier = countingVerifier{k.verifier, &calls}
			keys = append(keys, k)
		}
		return newKeySet(keys, [32]byte{})
	}
	unnamed, err := keyRules{}.newPublicKey(private.Public(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	const signed = "header.payload"
	good, err := with(algES512, private)(signed)
	if err != nil {
		t.Fatal(err)
	}
	bad, err := with(algES512, private)("another")
	if err != nil {
		t.Fatal(err)
	}
	other, err := keyRules{}.newPublicKey(keyFor(t, algES256).Public(), "other", 0)
	if err != nil {
		t.Fatal(err)
	}
	without, last := &header{alg: algES512}, func(n int) *header {
		return &header{alg: algES512, withKid: true, kid: fmt.Append(nil, n-1)}
	}
	for name, tc := range map[string]struct {
		set       *keySet
		header    *header
		signature []byte
		reason    auth.Reason // empty: accepted
		calls     int
	}{
		"20 keys, bad token":                      {set(20), without, bad, auth.ReasonUnknownKey, 0},
		"20 keys, good token":                     {set(20), without, good, auth.ReasonUnknownKey, 0},
		"5 keys, good token":                      {set(5), without, good, auth.ReasonUnknownKey, 0},
		"20 keys and one without kid, good token": {set(20, unnamed), without, good, "", 0},
		"20 keys and one without kid, bad token":  {set(20, unnamed), without, bad, auth.ReasonUnknownKey, 0},
		// Controls.
		"4 keys, good token":                     {set(4), without, good, "", 4},
		"4 keys, bad token":                      {set(4), without, bad, auth.ReasonBadSignature, 4},
		"4 keys and one of another alg":          {set(4, other), without, good, "", 4},
		"20 keys, good token with kid":           {set(20), last(20), good, "", 1},
		"20 keys, bad token with kid":            {set(20), last(20), bad, auth.ReasonBadSignature, 1},
		"20 keys, good token with another's kid": {set(20), last(2), good, auth.ReasonBadSignature, 1},
	} {
		calls = 0
		err := tc.set.verify(tc.header, signed, tc.signature)
		if (err == nil) != (tc.reason == "") || err != nil && auth.ReasonOf(err) != tc.reason || calls != tc.calls {
			t.Errorf("%s: %v after %d signatures, want %q after %d", name, err, calls, tc.reason, tc.calls)
		}
	}
}
