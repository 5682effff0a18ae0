// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"crypto/sha256"

	"github.com/caddyserver/caddy/v2"
)

// caches are the caches of all blocks of all configurations that are loaded.
// A block that stays as it was keeps its cache over a reload; one that changed
// gets an empty one.
var caches = caddy.NewUsagePool()

// pooledCache is a cache and what it is pooled by.
type pooledCache struct {
	*tokenCache
	poolKey string
}

// Destruct implements caddy.Destructor. The memory goes with the last user.
func (*pooledCache) Destruct() error { return nil }

// openCache finds or makes the cache of the block, which must have its keys.
//
// It is pooled by everything that the block was built from but the keys of
// files, which come and go: whether an entry counts is decided by the identity
// that it was put in under, which covers those too.
func (j *JWT) openCache(config []byte, sources []keySource) error {
	tokens := defaultCache
	if j.Cache != nil {
		tokens = *j.Cache
	}
	if tokens <= 0 || tokens > maxCache { // Validate speaks of the others
		return nil
	}
	h := sha256.New()
	h.Write(config)
	for _, source := range sources {
		if keys, ok := source.(staticKeys); ok {
			for _, k := range keys {
				h.Write(k.fingerprint[:])
			}
		}
	}
	poolKey := string(h.Sum(nil))

	value, _, err := caches.LoadOrNew(poolKey, func() (caddy.Destructor, error) {
		return &pooledCache{newTokenCache(tokens), poolKey}, nil
	})
	if err != nil {
		return err
	}
	j.cache = value.(*pooledCache)
	j.keys.changed = j.cache.clear
	return nil
}

// closeCache gives up what openCache acquired. Requests that are still being
// served may go on using it.
func (j *JWT) closeCache() error {
	if j.cache == nil {
		return nil
	}
	_, err := caches.Delete(j.cache.poolKey)
	return err
}
