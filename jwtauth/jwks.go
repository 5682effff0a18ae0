// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/zap"

	"github.com/caddybolt/caddy-bolt/internal/watched"
)

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
	file    watched.File
	name    string // of the file, as the configuration writes it
	rules   keyRules
	logger  *zap.Logger
	ticks   <-chan time.Time // when to look; nil: every watched.Every
	problem string           // with the file, said already; belongs to watch
}

// newJWKSFile returns the file of that path. Errors and warnings say its name:
// what a placeholder stands for may be the keys themselves.
func newJWKSFile(name, path string, rules keyRules, logger *zap.Logger) *jwksFile {
	return &jwksFile{file: watched.File{Path: path, Limit: maxKeyFile}, name: name, rules: rules, logger: logger}
}

// load returns the keys of the file, or watched.ErrUnchanged if it would say
// again what it said last.
func (f *jwksFile) load() ([]*key, error) {
	data, err := f.file.Read()
	if err == nil && len(bytes.TrimSpace(data)) == 0 {
		err = errEmptyFile
	}
	if err != nil {
		return nil, fmt.Errorf("jwks_file: reading %q: %w", f.name, err)
	}
	keys, left, err := f.rules.parseJWKS(data)
	if err != nil {
		return nil, fmt.Errorf("jwks_file: %q %w", f.name, err)
	}
	for _, s := range left {
		f.logger.Warn("a key of the JWK set is not used",
			zap.String("jwks_file", f.name), zap.Int("index", s.index), zap.Error(s.why))
	}
	return keys, nil
}

func (f *jwksFile) watch(ctx context.Context, publish func([]*key)) {
	ticks, stop := f.ticks, func() {}
	if ticks == nil {
		ticker := time.NewTicker(watched.Every)
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

// check reads the file again if it changed. What is wrong with it is said once.
func (f *jwksFile) check(publish func([]*key)) {
	keys, err := f.load()
	if errors.Is(err, watched.ErrUnchanged) {
		return
	}
	if err != nil {
		if problem := err.Error(); problem != f.problem {
			f.problem = problem
			f.logger.Warn("the JWK set changed and cannot be used; the former keys stay in force", zap.Error(err))
		}
		return
	}
	f.problem = ""
	publish(keys)
}

// Interface guards
var _ keySource = (*jwksFile)(nil)
