// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
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
	Fetched time.Time `json:"fetched"`
	Set     []byte    `json:"jwks"`
}

// storageKey is where it stands: one place for an address and all that decides
// whether it is trusted. Keys that were fetched under another "ca" are not
// those that would be fetched now. The address itself may hold a secret and is
// not kept.
func (r *remote) storageKey() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%t\n%q\n%q\n%q\n%t", r.discovery, r.address, r.template, r.ca, r.insecureHTTP))
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
	text, err := json.Marshal(record{r.now(), set.data})
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
	if json.Unmarshal(text, &kept) != nil {
		return
	}
	keys, _, err := keyRules{weak: true}.parseRemote(kept.Set, r.template, anyIssuer)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if age := r.now().Sub(kept.Fetched); age >= r.stale || age < -time.Hour {
		return // too old, or of a clock that was wrong
	}
	if r.set == nil && r.confirmed.IsZero() {
		r.confirmed = kept.Fetched
		r.publish(&remoteSet{data: kept.Set, keys: len(keys), fetched: kept.Fetched})
	}
}
