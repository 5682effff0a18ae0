// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/zap"
)

// watchInterval is how often a file is looked at.
const watchInterval = time.Second

// skipped is a key of a set that cannot be used.
type skipped struct {
	index int
	why   error
}

// parseJWKS reads a JWK set (RFC 7517, section 5). A key that cannot be used is
// left out, as the RFC asks, and returned beside the others. A set of which
// nothing is left is an error, and so is one that leaves open which key a
// token means: one kid for two keys of one algorithm, secrets beside public
// keys.
func (r keyRules) parseJWKS(data []byte) ([]*key, []skipped, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, nil, errors.New("is not a JWK set, {\"keys\": [...]}")
	}
	var keys []*key
	var left []skipped
	secrets := 0
	meant := make(map[string]algorithmSet) // by kid, whether they can be used or not
	for i, raw := range set.Keys {
		j, k, err := r.member(raw)
		if j != nil && j.ID != "" {
			if meant[j.ID]&j.family() != 0 {
				return nil, nil, fmt.Errorf("keys[%d]: another key of the same type has the same kid %q", i, j.ID)
			}
			meant[j.ID] |= j.family()
		}
		if err != nil {
			left = append(left, skipped{i, err})
			continue
		}
		if j.Type == "oct" {
			secrets++
		}
		keys = append(keys, k)
	}
	switch {
	case len(keys) == 0 && len(left) > 0:
		return nil, nil, fmt.Errorf("holds no key that can be used: keys[%d]: %w", left[0].index, left[0].why)
	case len(keys) == 0:
		return nil, nil, errors.New("holds no key")
	case secrets > 0 && secrets < len(keys):
		return nil, nil, errors.New("holds secrets beside public keys: keep them in two files, one of which is private")
	}
	return keys, left, nil
}

// member reads one key of a set. The JWK is nil when the key is not meant for
// verifying signatures.
func (r keyRules) member(raw []byte) (*jwk, *key, error) {
	j, err := parseJWK(raw)
	if err != nil {
		return nil, nil, err
	}
	if _, err := j.usable("verify"); err != nil {
		return nil, nil, err
	}
	k, err := r.jwkKey(j)
	return j, k, err
}

// jwksFile is a JWK set in a file. The file is read again when it changes; the
// last set that could be used stays in force when it cannot be read.
type jwksFile struct {
	path   string
	rules  keyRules
	logger *zap.Logger
	ticks  <-chan time.Time // when to look; nil: every watchInterval
	stamp  stamp            // of what was read last; belongs to load, then to watch
}

// stamp tells one state of a file from the next.
type stamp struct {
	modified time.Time
	size     int64
	missing  bool
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{missing: true}
	}
	return stamp{modified: info.ModTime(), size: info.Size()}
}

func (f *jwksFile) load() ([]*key, error) {
	f.stamp = stampOf(f.path) // before reading, so that a change meanwhile is seen
	data, err := readKeyFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("jwks_file: reading %q: %w", f.path, cause(err))
	}
	keys, left, err := f.rules.parseJWKS(data)
	if err != nil {
		return nil, fmt.Errorf("jwks_file: %q %w", f.path, err)
	}
	for _, s := range left {
		f.logger.Warn("a key of the JWK set is not used",
			zap.String("jwks_file", f.path), zap.Int("index", s.index), zap.Error(s.why))
	}
	return keys, nil
}

func (f *jwksFile) watch(ctx context.Context, publish func([]*key)) {
	ticks, stop := f.ticks, func() {}
	if ticks == nil {
		ticker := time.NewTicker(watchInterval)
		ticks, stop = ticker.C, ticker.Stop
	}
	go func() {
		defer stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks:
				f.check(publish)
			}
		}
	}()
}

// check reads the file again if it changed.
func (f *jwksFile) check(publish func([]*key)) {
	if stampOf(f.path) == f.stamp {
		return
	}
	keys, err := f.load()
	if err != nil {
		f.logger.Warn("the JWK set changed and cannot be used; the former keys stay in force", zap.Error(err))
		return
	}
	publish(keys)
}

// Interface guards
var _ keySource = (*jwksFile)(nil)
