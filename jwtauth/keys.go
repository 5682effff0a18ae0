// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"sync/atomic"
)

// key is one key and what it may be used for. It is immutable.
type key struct {
	kid        string // empty: serves tokens with any kid and with none
	algorithms algorithmSet
	verifier   verifier

	// fingerprint identifies the key, kid and algorithms included. It is kept in
	// memory and never shown.
	fingerprint [sha256.Size]byte
}

// newKey returns a key; material is what the key consists of.
func newKey(kid string, algorithms algorithmSet, v verifier, material []byte) *key {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint16(nil, uint16(algorithms)))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(kid))))
	h.Write([]byte(kid))
	h.Write(material)
	k := &key{kid: kid, algorithms: algorithms, verifier: v}
	h.Sum(k.fingerprint[:0])
	return k
}

// maxUnnamed is how many keys with a kid there may be for a token that has
// none.
const maxUnnamed = 4

// keySet is the keys of one block, of all its sources, at one moment. It is
// immutable.
type keySet struct {
	keys       []*key
	algorithms algorithmSet        // that at least one key serves
	named      [algorithmCount]int // how many keys with a kid serve each

	// identity is that of the block and these keys: what was accepted under one
	// identity says nothing under another.
	identity [sha256.Size]byte
}

// newKeySet returns the set; fingerprint is that of the block's configuration.
func newKeySet(keys []*key, fingerprint [sha256.Size]byte) *keySet {
	set := &keySet{keys: keys}
	h := sha256.New()
	h.Write(fingerprint[:])
	for _, k := range keys {
		set.algorithms |= k.algorithms
		if k.kid != "" {
			k.algorithms.each(func(alg algorithm) { set.named[alg]++ })
		}
		h.Write(k.fingerprint[:])
	}
	h.Sum(set.identity[:0])
	return set
}

// verify checks the signature with the keys that the token's "kid" and "alg"
// leave. A key without a kid is tried whatever the token's says, a token
// without one with every key of the right kind, unless those with a kid are
// too many: a token that says nothing must not cost dozens of signatures. It
// never tries a key with an algorithm that the key was not configured for.
func (s *keySet) verify(h *header, signed string, signature []byte) error {
	tried, otherUse := false, false
	tooMany := !h.withKid && s.named[h.alg] > maxUnnamed
	for _, k := range s.keys {
		named := k.kid != "" && h.withKid
		if named && k.kid != string(h.kid) || tooMany && k.kid != "" {
			continue
		}
		if !k.algorithms.has(h.alg) {
			otherUse = otherUse || named
			continue
		}
		tried = true
		if k.verifier.verify(h.alg, signed, signature) {
			return nil
		}
	}
	switch {
	case tooMany:
		return errNoKID
	case tried:
		return errSignature
	case otherUse:
		return errKeyUse
	default:
		return errUnknownKey
	}
}

// keySource is where keys come from: the configuration itself, a file.
type keySource interface {
	// load returns the keys there are when the configuration is loaded. None
	// is an error.
	load() ([]*key, error)

	// watch calls publish with the new keys whenever they changed, until the
	// context ends. It returns at once.
	watch(ctx context.Context, publish func([]*key))
}

// keyring keeps the keys of several sources together. Requests read a pointer
// and never wait for a source.
type keyring struct {
	fingerprint [sha256.Size]byte // of the block's configuration
	awaited     algorithmSet      // of keys that may still come
	changed     func()            // called after a change, if not nil
	mu          sync.Mutex        // held by those who publish
	parts       [][]*key          // by source
	current     atomic.Pointer[keySet]
}

// open loads the sources.
func (r *keyring) open(sources []keySource) error {
	for _, source := range sources {
		keys, err := source.load()
		if err != nil {
			return err
		}
		r.parts = append(r.parts, keys)
	}
	r.rebuild()
	return nil
}

// watch follows the sources until the context ends.
func (r *keyring) watch(ctx context.Context, sources []keySource) {
	for i, source := range sources {
		source.watch(ctx, func(keys []*key) { r.publish(i, keys) })
	}
}

// publish exchanges the keys of one source.
func (r *keyring) publish(source int, keys []*key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.parts[source] = keys
	r.rebuild()
	if r.changed != nil {
		r.changed()
	}
}

func (r *keyring) rebuild() {
	var all []*key
	for _, part := range r.parts {
		all = append(all, part...)
	}
	set := newKeySet(all, r.fingerprint)
	set.algorithms |= r.awaited
	r.current.Store(set)
}

// set returns the present keys. The result is never nil once open returned.
func (r *keyring) set() *keySet { return r.current.Load() }

// staticKeys are keys that the configuration holds or points to once.
type staticKeys []*key

func (s staticKeys) load() ([]*key, error)             { return s, nil }
func (staticKeys) watch(context.Context, func([]*key)) {}

// Interface guards
var _ keySource = staticKeys(nil)
