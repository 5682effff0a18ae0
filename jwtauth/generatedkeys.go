// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	jwxkey "github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/module"
)

// generatedPool holds the generated keys of all blocks of all configurations
// that are loaded.
var generatedPool = caddy.NewUsagePool()

// generatedKeys are the generated keys as one block uses them.
type generatedKeys struct {
	generated *generated
	rules     keyRules
	rotate    time.Duration // 0: never
	leeway    time.Duration
	typ       string
	former    *signingKey // of private_key, published beside them; nil: none

	mu      sync.Mutex
	ids     []string // of the keys that are in force
	keys    map[string]*key
	signing map[string]*signingKey
	set     []byte // JWK set
	publish func([]*key)
}

// checkGenerated judges what the block says about generated keys.
func (j *JWT) checkGenerated() error {
	if !j.Generated {
		if j.Rotate != nil {
			return errors.New("rotate belongs to generated_key")
		}
		return nil
	}
	if rotate := j.rotate(); rotate != 0 && rotate < leastRotate {
		return fmt.Errorf("rotate: is shorter than %s", leastRotate)
	}
	if len(j.Algorithms) > 0 && !slices.Contains(j.Algorithms, algES256.String()) {
		return errors.New("generated_key: algorithms lack ES256, which it is for")
	}
	if !isStorageName(j.Label) {
		return fmt.Errorf("generated_key: its place in the storage bears the name of the block, which has at most 64 lower-case letters, digits, \"-\" and \"_\"; %q has others", j.Label)
	}
	return nil
}

func (j *JWT) rotate() time.Duration {
	if j.Rotate == nil {
		return defaultRotate
	}
	return time.Duration(*j.Rotate)
}

// isStorageName keeps a name from being a path, and two names from being one
// file or one lock.
func isStorageName(name string) bool {
	return len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == "" && name == strings.ToLower(name)
}

// openGenerated finds or makes the keys of the block. It touches no storage:
// "caddy validate" works beside a running server.
func (j *JWT) openGenerated(ctx caddy.Context, rules keyRules) (keySource, error) {
	if j.storage == nil {
		j.storage = ctx.Storage()
	}
	place := generatedPlace{storage: storageName(j.storage), name: j.Label}
	value, _, err := generatedPool.LoadOrNew(place, func() (caddy.Destructor, error) { return newGenerated(place), nil })
	if err != nil {
		return nil, err
	}
	j.generated = &generatedKeys{
		generated: value.(*generated), rules: rules, rotate: j.rotate(), leeway: j.leeway(), typ: j.Type,
		keys: make(map[string]*key), signing: make(map[string]*signingKey),
	}
	if j.Private != "" {
		j.generated.former = j.signing
	}
	return j.generated, nil
}

// storageName tells storages apart. Each configuration has a value of its own,
// for the same storage too; those that do not say what they are count as
// different ones, whose keys are read anew at each reload.
func storageName(s keyStorage) string {
	if named, ok := s.(fmt.Stringer); ok {
		return fmt.Sprintf("%T %s", s, named)
	}
	return fmt.Sprintf("%T %p", s, s)
}

// closeGenerated gives up what openGenerated acquired.
func (j *JWT) closeGenerated() error {
	if j.generated == nil {
		return nil
	}
	_, err := generatedPool.Delete(j.generated.generated.generatedPlace)
	return err
}

// Start reads the generated keys or makes them, and begins to fetch remote ones.
func (j *JWT) Start(ctx context.Context) error {
	if j.generated != nil {
		if err := j.generated.generated.open(ctx, j.storage); err != nil {
			return fmt.Errorf("generated_key: %w", err)
		}
	}
	j.startRemote(ctx)
	return nil
}

// Look is Start for those who only look, such as "caddy auth inspect": it writes
// nothing into the storage, where a file of another user would be in Caddy's way,
// and makes no key.
func (j *JWT) Look(ctx context.Context) error {
	if j.generated != nil {
		if err := j.generated.generated.look(ctx, j.storage); err != nil {
			return fmt.Errorf("generated_key: %w", err)
		}
	}
	if j.remote == nil {
		return nil
	}
	if c, ok := ctx.(caddy.Context); ok {
		j.remote.remote.use(unwritten{c.Storage()})
	}
	j.remote.remote.begin() //nolint:contextcheck // it outlives the configuration
	return nil
}

// unwritten is a storage that forgets what it is given.
type unwritten struct{ storage }

func (unwritten) Store(context.Context, string, []byte) error { return nil }

// loaded reports whether there are keys.
func (s *generatedKeys) loaded() bool { return s.generated.current.Load() != nil }

// errNotStarted is what a token gets before the keys were read.
var errNotStarted = auth.Unavailable(auth.ReasonKeysUnavailable, errors.New("the generated key is not loaded yet"))

// load implements keySource. There are no keys before the first start.
func (s *generatedKeys) load() ([]*key, error) {
	set := s.generated.current.Load()
	if set == nil {
		return nil, nil
	}
	return s.of(set.kept(s.generated.now(), s.leeway))
}

// watch implements keySource.
func (s *generatedKeys) watch(ctx context.Context, publish func([]*key)) {
	s.mu.Lock()
	s.publish = publish
	s.mu.Unlock()
	context.AfterFunc(ctx, s.generated.subscribe(s))
}

// take exchanges the keys, unless they are those that are there.
func (s *generatedKeys) take(generated []*generatedKey) {
	if !s.differs(generated) {
		return
	}
	keys, err := s.of(generated)
	if err != nil {
		return // such a key was used before it was stored
	}
	s.publish(keys)
}

func (s *generatedKeys) differs(generated []*generatedKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.EqualFunc(generated, s.ids, func(k *generatedKey, id string) bool { return k.kid == id })
}

// of makes the keys as the block uses them, and the set that it publishes.
func (s *generatedKeys) of(generated []*generatedKey) ([]*key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	var keys []*key
	known, signing := make(map[string]*key), make(map[string]*signingKey)
	for _, k := range generated {
		if s.keys[k.kid] == nil {
			public, err := s.rules.newPublicKey(k.private.Public(), k.kid, 0)
			if err != nil {
				return nil, err
			}
			signer, err := newPrivateSigner(public, k.private, nil, s.typ)
			if err != nil {
				return nil, err
			}
			s.keys[k.kid], s.signing[k.kid] = public, signer
		}
		known[k.kid], signing[k.kid] = s.keys[k.kid], s.signing[k.kid]
		ids, keys = append(ids, k.kid), append(keys, s.keys[k.kid])
	}
	published := make([]jwxkey.Key, 0, len(ids)+1)
	for _, id := range ids {
		published = append(published, signing[id].public)
	}
	if s.former != nil {
		published = append(published, s.former.public)
	}
	set, err := publicSet(published...)
	if err != nil {
		return nil, err
	}
	s.ids, s.keys, s.signing, s.set = ids, known, signing, set
	return keys, nil
}

// signer returns what signs a token with those claims.
func (s *generatedKeys) signer(ctx context.Context, claims auth.Claims) (*signingKey, error) {
	now := s.generated.now()
	expires, err := expiry(claims, now)
	if err != nil {
		return nil, err
	}
	k, err := s.generated.signer(ctx, expires)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	signing := s.signing[k.kid]
	s.mu.Unlock()
	if signing == nil {
		return nil, errors.New("the generated key is being exchanged")
	}
	return signing, nil
}

// expiry returns when a token with those claims is over. One without "exp" is
// none that the block accepts.
func expiry(claims auth.Claims, now time.Time) (time.Time, error) {
	text, _ := claims.LookupJSON("exp")
	expires, ok := timeOf(text)
	if !ok {
		return now, errors.New(`payload: a token of a generated key has an "exp"`)
	}
	if expires.Sub(now) > maxLifetime {
		return now, fmt.Errorf(`payload: claim "exp": more than %d days ahead`, maxLifetime/(24*time.Hour))
	}
	return expires, nil
}

// public returns the JWK set.
func (s *generatedKeys) public() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.set == nil {
		return nil, errors.New("the generated key is not loaded yet")
	}
	return s.set, nil
}

// parseRotate parses how long a key signs.
func (j *JWT) parseRotate(d *caddyfile.Dispenser, opts *module.Options) error {
	var text string
	if err := opts.Text(&text); err != nil {
		return err
	}
	var rotate caddy.Duration
	if text != "off" {
		duration, err := caddy.ParseDuration(text)
		if err != nil || duration <= 0 {
			return d.Errf("option \"rotate\": %q is neither a duration such as 12h or 30d nor \"off\"", text)
		}
		rotate = caddy.Duration(duration)
	}
	j.Rotate = &rotate
	return nil
}

// Interface guards
var (
	_ keySource        = (*generatedKeys)(nil)
	_ caddy.Destructor = (*generated)(nil)
)
