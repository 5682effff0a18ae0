// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxRemoteKeys is how many keys of a remote set are used: a token without a
// "kid" is tried with each of its kind.
const maxRemoteKeys = 100

// parseRemote reads a JWK set that somebody else maintains. What cannot be used
// is left out, key by key, and so are secrets: what is published is none. Two
// keys of one kid are both used; the token's signature decides.
//
// A key with a member "issuer" signs for that issuer alone, as Microsoft Entra
// says it; it is used if that is the template, or the one issuer there is.
func (r keyRules) parseRemote(data []byte, template string, serves func(issuer string) bool) ([]*key, []skipped, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, nil, errors.New("is not a JWK set, {\"keys\": [...]}")
	}
	var keys []*key
	var left []skipped
	seen := make(map[[32]byte]bool)
	for i, raw := range set.Keys {
		k, err := r.remoteMember(raw, template, serves)
		switch {
		case err != nil:
			left = append(left, skipped{i, err})
		case seen[k.fingerprint]:
		case len(keys) == maxRemoteKeys:
			left = append(left, skipped{i, fmt.Errorf("there are more than %d", maxRemoteKeys)})
		default:
			seen[k.fingerprint] = true
			keys = append(keys, k)
		}
	}
	switch {
	case len(keys) == 0 && len(left) > 0:
		return nil, left, fmt.Errorf("holds no key that can be used: keys[%d]: %w", left[0].index, left[0].why)
	case len(keys) == 0:
		return nil, nil, errors.New("holds no key")
	}
	return keys, left, nil
}

func (r keyRules) remoteMember(raw []byte, template string, serves func(issuer string) bool) (*key, error) {
	var about struct {
		Type   string `json:"kty"`
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(raw, &about); err != nil {
		return nil, errors.New("is not a JWK")
	}
	if about.Type == "oct" {
		return nil, errors.New("is a secret, and published")
	}
	if about.Issuer != "" && about.Issuer != template && !serves(about.Issuer) {
		return nil, errors.New("signs for another issuer")
	}
	_, k, err := r.member(raw)
	return k, err
}

// remoteKeys are the keys of a remote set as one block may use them.
type remoteKeys struct {
	remote     *remote
	settings   remoteSettings
	rules      keyRules
	algorithms algorithmSet // that such a key may serve
	published  []*key       // belongs to load, then to the subscription
	issuers    []string     // of the block
	none       atomic.Bool  // no keys that are young enough
}

// anyIssuer is for those who only look whether there are keys.
func anyIssuer(string) bool { return true }

// serves reports whether a key of that issuer may sign for the block: for all of
// its issuers, since nobody compares later.
func (s *remoteKeys) serves(issuer string) bool {
	for _, one := range s.issuers {
		if one != issuer && !(strings.Contains(issuer, tenantPlace) && isTenant(issuer, one)) {
			return false
		}
	}
	return len(s.issuers) > 0
}

// of returns the keys of the set that the block takes; none when there is no
// set.
func (s *remoteKeys) of(set *remoteSet) []*key {
	if set == nil {
		return nil
	}
	keys, _, err := s.rules.parseRemote(set.data, s.remote.template, s.serves)
	if err != nil {
		return nil // nothing of it is for this block
	}
	return keys
}
