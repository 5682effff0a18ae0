// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// storage is what is needed of Caddy's storage.
type storage interface {
	Load(ctx context.Context, key string) ([]byte, error)
	Store(ctx context.Context, key string, value []byte) error
}

// storeTimeout is how long the storage may take.
const storeTimeout = 5 * time.Second

// record is a set as the storage keeps it, so that a start during an outage of
// the issuer verifies tokens.
type record struct {
	Address string    `json:"address"`
	URI     string    `json:"jwks_uri"`
	ETag    string    `json:"etag,omitempty"`
	Fetched time.Time `json:"fetched"`
	Set     []byte    `json:"jwks"`
}

// storageKey is where it stands: one place for an address, whatever the other
// settings are.
func (r *remote) storageKey() string {
	kind := "jwks_url "
	if r.discovery {
		kind = "oidc "
	}
	sum := sha256.Sum256([]byte(kind + r.address))
	return "auth/jwks/" + hex.EncodeToString(sum[:]) + ".json"
}

// use says which storage to keep the keys in from now on.
func (r *remote) use(s storage) {
	if s != nil {
		r.store.Store(&s)
	}
}

// save keeps the set. A storage that fails is no reason to refuse tokens; Caddy
// complains about it by itself.
func (r *remote) save(set *remoteSet) {
	s := r.store.Load()
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, storeTimeout)
	defer cancel()
	text, err := json.Marshal(record{r.address, set.uri, set.etag, r.now(), set.data})
	if err == nil {
		_ = (*s).Store(ctx, r.storageKey(), text)
	}
}

// restore takes the set from the storage, unless a fetch was faster or it is too
// old.
func (r *remote) restore() {
	s := r.store.Load()
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, storeTimeout)
	defer cancel()
	text, err := (*s).Load(ctx, r.storageKey())
	if err != nil {
		return
	}
	var kept record
	if json.Unmarshal(text, &kept) != nil || kept.Address != r.address {
		return
	}
	now := r.now()
	if age := now.Sub(kept.Fetched); age >= r.stale || age < -time.Hour {
		return // too old, or of a clock that was wrong
	}
	keys, _, err := keyRules{weak: true}.parseRemote(kept.Set, r.template)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.set == nil && r.confirmed.IsZero() {
		r.confirmed = kept.Fetched
		r.publish(&remoteSet{data: kept.Set, keys: len(keys), etag: kept.ETag, uri: kept.URI, fetched: kept.Fetched})
	}
}
