// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// signer returns the key that signs a token until the time given. Where that is
// longer than the storage knows the key to be needed, it is told first.
func (g *generated) signer(ctx context.Context, expires time.Time) (*generatedKey, error) {
	if k := g.ready(expires); k != nil {
		return k, nil
	}
	if err := g.begin(ctx); err != nil {
		return nil, err
	}
	defer g.end()
	if k := g.ready(expires); k != nil {
		return k, nil // somebody else did it
	}
	if g.current.Load() == nil {
		return nil, errors.New("the generated key is not loaded yet")
	}
	if g.looking {
		return nil, errOnlyLooking
	}
	now := g.now()
	if pause := now.Sub(g.tried); pause >= 0 && pause < failPause {
		return nil, errKeyStorage
	}
	err := g.change(ctx, func(set *generatedSet) (*generatedSet, error) {
		if set == nil {
			return nil, removedError(g.key())
		}
		return set.extended(set.signer(now), now, expires), nil
	})
	if k := g.ready(expires); err == nil && k != nil {
		return k, nil
	}
	g.tried = now
	if err == nil {
		err = errKeyStorage
	}
	return nil, err
}

// errOnlyLooking: the key would have to be kept for longer, which its storage is
// not told by those who only look.
var errOnlyLooking = fmt.Errorf("a token of a generated key that is valid for more than %s is for a running Caddy to make: it keeps the key for so long", slack)

// errKeyStorage: whether other nodes would accept the token is not known.
var errKeyStorage = errors.New("the storage of the generated key could not be asked")

// ready returns the key that signs, if its tokens are accepted for long enough.
func (g *generated) ready(expires time.Time) *generatedKey {
	set := g.current.Load()
	if set == nil {
		return nil
	}
	k := set.keys[set.signer(g.now())]
	if expires.After(k.promised(set.at)) {
		return nil
	}
	return k
}
