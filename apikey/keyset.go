// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package apikey

import (
	"crypto/subtle"
	"fmt"
)

// keySet is the keys in force at one moment. It never changes.
type keySet struct {
	byDigest map[digest]*prepared
}

// newKeySet puts lists of keys together. No two keys have one name or one
// value: which of the two a request comes from could not be told.
func newKeySet(lists ...[]prepared) (*keySet, error) {
	n := 0
	for _, list := range lists {
		n += len(list)
	}
	s := &keySet{byDigest: make(map[digest]*prepared, n)}
	names := make(map[string]struct{}, n)
	for _, list := range lists {
		for i := range list {
			k := &list[i]
			if _, ok := names[k.name]; ok {
				return nil, fmt.Errorf("there are two keys named %q", k.name)
			}
			if other, ok := s.byDigest[k.digest]; ok {
				return nil, fmt.Errorf("keys %q and %q have one value", other.name, k.name)
			}
			names[k.name] = struct{}{}
			s.byDigest[k.digest] = k
		}
	}
	return s, nil
}

// find returns the key with this digest, or nil.
//
// How long the map takes may tell something about the digest, from which
// nothing follows for the key. The comparison is there so that no way of
// looking up, this one or a later one, lets anything in but the whole digest.
func (s *keySet) find(d digest) *prepared {
	k := s.byDigest[d]
	if k == nil || subtle.ConstantTimeCompare(k.digest[:], d[:]) != 1 {
		return nil
	}
	return k
}
