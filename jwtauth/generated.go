// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	jwxkey "github.com/lestrrat-go/jwx/v2/jwk"
)

// The life of a generated key.
const (
	// lead is how long a key is published before it signs: everybody has it by
	// then who keeps a set for the 5 minutes that auth_jwks allows, and every
	// node that shares the storage, which looks every pollEvery.
	lead = 10 * time.Minute

	// slack is how much longer than the longest token that it signed a key is
	// kept. For so long a node can do without the storage, and without knowing
	// the next key.
	slack = 24 * time.Hour

	defaultRotate = 30 * 24 * time.Hour
	leastRotate   = time.Hour

	// maxLifetime is the longest that a token may be valid: a year and some.
	maxLifetime = 400 * 24 * time.Hour

	// maxGenerated is how many keys there may be. Tokens that are valid for long
	// keep many of them when they are rotated often; then they are rotated later.
	maxGenerated = 50

	// maxGeneratedFile is the largest document that is read.
	maxGeneratedFile = 1 << 20
)

// generatedKey is one key, which makes signatures from some time on. It is
// immutable.
type generatedKey struct {
	kid       string // its thumbprint
	private   *ecdsa.PrivateKey
	created   time.Time
	signsFrom time.Time
	signsTill time.Time     // zero while there is no next key
	lifetime  time.Duration // that its tokens may have left then
}

// newGeneratedKey makes a key.
func newGeneratedKey(now, signsFrom time.Time) (*generatedKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	kid, err := thumbprintOf(private)
	if err != nil {
		return nil, err
	}
	return &generatedKey{kid: kid, private: private, created: now.UTC(), signsFrom: signsFrom.UTC(), lifetime: slack}, nil
}

// end returns when the last token of the key has expired, leeway apart; false
// while there is no next key.
func (k *generatedKey) end() (time.Time, bool) {
	return k.signsTill.Add(k.lifetime), !k.signsTill.IsZero()
}

func thumbprintOf(private *ecdsa.PrivateKey) (string, error) {
	public, err := jwxkey.FromRaw(private.Public())
	if err != nil {
		return "", err
	}
	return thumbprint(public)
}

// generatedSet is the keys that a storage holds, by the time from which they
// sign, each until the next one does. There is at least one. It is immutable.
type generatedSet struct {
	keys []*generatedKey
	text []byte // as it is stored
}

// signer returns the index of the key that signs now.
func (s *generatedSet) signer(now time.Time) int {
	signs := 0 // of a clock that is behind, the oldest
	for i, k := range s.keys {
		if !now.Before(k.signsFrom) {
			signs = i
		}
	}
	return signs
}

// kept returns the keys of which a token may still be accepted.
func (s *generatedSet) kept(now time.Time, leeway time.Duration) []*generatedKey {
	var kept []*generatedKey
	for _, k := range s.keys {
		if end, ends := k.end(); !ends || now.Before(end.Add(leeway)) {
			kept = append(kept, k)
		}
	}
	return kept
}

// promised returns until when tokens of the key are certainly accepted by
// everybody who shares the storage, which confirmed its set at the time given. A
// next key that is not known here was made after that.
func (k *generatedKey) promised(confirmed time.Time) time.Time {
	if end, ok := k.end(); ok {
		return end
	}
	return confirmed.Add(lead + k.lifetime)
}

// due returns when the next key is to be made.
func (s *generatedSet) due(rotate time.Duration) time.Time {
	return s.keys[len(s.keys)-1].signsFrom.Add(rotate - lead)
}

// rotated returns the set with a next key, and without keys that are over. It
// returns s when nothing is due.
func (s *generatedSet) rotated(now time.Time, rotate, leeway time.Duration) (*generatedSet, error) {
	if rotate == 0 || now.Before(s.due(rotate)) {
		return s, nil
	}
	keys := s.kept(now, leeway+slack) // other nodes may have another leeway
	if len(keys) >= maxGenerated {
		return s, fmt.Errorf("%d keys are still needed for tokens that are valid for long: rotate less often", len(keys))
	}
	signsFrom := s.due(rotate).Add(lead)
	if earliest := now.Add(lead); signsFrom.Before(earliest) {
		signsFrom = earliest
	}
	next, err := newGeneratedKey(now, signsFrom)
	if err != nil {
		return s, err
	}
	last := *keys[len(keys)-1] // never over: there was none after it
	last.signsTill = next.signsFrom
	keys[len(keys)-1] = &last
	return &generatedSet{keys: append(keys, next)}, nil
}

// extended returns the set with a key that is kept for tokens until the time
// given. It returns s when it is already.
func (s *generatedSet) extended(i int, now, expires time.Time) *generatedSet {
	need := (expires.Sub(now) + slack).Truncate(time.Hour) + time.Hour // few steps for tokens of many lengths
	if s.keys[i].lifetime >= need {
		return s
	}
	keys := slices.Clone(s.keys)
	longer := *keys[i]
	longer.lifetime = need
	keys[i] = &longer
	return &generatedSet{keys: keys}
}

// storedKeys is the document of the storage.
type storedKeys struct {
	Keys []storedKey `json:"keys"`
}

type storedKey struct {
	ID        string    `json:"kid"`
	Created   time.Time `json:"created"`
	SignsFrom time.Time `json:"signs_from"`
	SignsTill time.Time `json:"signs_till,omitzero"`
	Lifetime  int64     `json:"lifetime"` // in seconds
	Private   string    `json:"private_key"`
}

const privatePEMType = "PRIVATE KEY"

// encode returns the document.
func (s *generatedSet) encode() ([]byte, error) {
	var doc storedKeys
	for _, k := range s.keys {
		der, err := x509.MarshalPKCS8PrivateKey(k.private)
		if err != nil {
			return nil, err
		}
		doc.Keys = append(doc.Keys, storedKey{
			ID: k.kid, Created: k.created, SignsFrom: k.signsFrom, SignsTill: k.signsTill,
			Lifetime: int64(k.lifetime / time.Second),
			Private:  string(pem.EncodeToMemory(&pem.Block{Type: privatePEMType, Bytes: der})),
		})
	}
	return json.Marshal(doc)
}

// parseGenerated reads the document. It takes what encode writes and nothing
// else: what a newer version added would be lost with the next key. Errors quote
// nothing of it.
func parseGenerated(text []byte) (*generatedSet, error) {
	if len(text) > maxGeneratedFile {
		return nil, fmt.Errorf("has more than %d bytes", maxGeneratedFile)
	}
	var doc storedKeys
	if err := json.Unmarshal(text, &doc, json.RejectUnknownMembers(true)); err != nil {
		return nil, errors.New("is not a document of keys, or that of a newer version")
	}
	set := &generatedSet{text: bytes.Clone(text)}
	for i, stored := range doc.Keys {
		k, err := stored.key()
		if err != nil {
			return nil, fmt.Errorf("keys[%d]: %w", i, err)
		}
		if i > 0 && !set.keys[i-1].signsFrom.Before(k.signsFrom) {
			return nil, fmt.Errorf("keys[%d]: does not sign after the one before it", i)
		}
		if last := i == len(doc.Keys)-1; last != k.signsTill.IsZero() || !last && !k.signsFrom.Before(k.signsTill) {
			return nil, fmt.Errorf("keys[%d]: ends when it should not", i)
		}
		if slices.ContainsFunc(set.keys, func(other *generatedKey) bool { return other.kid == k.kid }) {
			return nil, fmt.Errorf("keys[%d]: is there twice", i)
		}
		set.keys = append(set.keys, k)
	}
	switch {
	case len(set.keys) == 0:
		return nil, errors.New("holds no key")
	case len(set.keys) > maxGenerated:
		return nil, fmt.Errorf("holds more than %d keys", maxGenerated)
	}
	return set, nil
}

func (s *storedKey) key() (*generatedKey, error) {
	if s.Created.IsZero() || s.SignsFrom.IsZero() {
		return nil, errors.New("has no times")
	}
	lifetime := time.Duration(s.Lifetime) * time.Second
	if s.Lifetime < int64(slack/time.Second) || s.Lifetime > int64((maxLifetime+slack+time.Hour)/time.Second) {
		return nil, errors.New("has a lifetime that no key has")
	}
	block, rest := pem.Decode([]byte(s.Private))
	if block == nil || block.Type != privatePEMType || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("holds no private key in PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || private.Curve != elliptic.P256() {
		return nil, errors.New("holds no private key for ES256")
	}
	kid, err := thumbprintOf(private)
	if err != nil || kid != s.ID {
		return nil, errors.New("has a kid that is not that of its key")
	}
	return &generatedKey{kid, private, s.Created, s.SignsFrom, s.SignsTill, lifetime}, nil
}
