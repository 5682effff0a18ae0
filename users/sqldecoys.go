// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"hash/maphash"
	"sync"

	"github.com/caddybolt/caddy-bolt/internal/passhash"
)

// decoys are hashes as they are in use, so that an unknown name takes as long
// as a wrong password. For one name it is always the hash in the same place:
// repeated attempts tell nothing.
type decoys struct {
	seed maphash.Seed

	mu     sync.RWMutex
	places [256]passhash.Hash
}

func newDecoys() *decoys { return &decoys{seed: maphash.MakeSeed()} }

func (d *decoys) place(username string) int {
	return int(maphash.String(d.seed, username) % uint64(len(d.places)))
}

// learn notes what kind of hash a user has.
func (d *decoys) learn(username string, hash passhash.Hash) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.places[d.place(username)] = hash
}

// unseen is what an unknown name costs before any user was seen.
var unseen = func() passhash.Hash {
	hash, err := passhash.ParseDjango("pbkdf2_sha256$600000$0000000000000000000000$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	if err != nil {
		panic(err)
	}
	return hash
}()

// pick returns the hash to compute for a name that nobody has.
func (d *decoys) pick(username string) passhash.Hash {
	d.mu.RLock()
	defer d.mu.RUnlock()
	begin := d.place(username)
	for i := range d.places {
		if hash := d.places[(begin+i)%len(d.places)]; !hash.IsZero() {
			return hash
		}
	}
	return unseen
}
