// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// KeyStatus implements auth.KeyReporter. It says nothing of keys that the
// configuration holds.
func (j *JWT) KeyStatus() []auth.KeyStatus {
	var all []auth.KeyStatus
	if j.generated != nil {
		all = append(all, j.generated.generated.status(j.leeway()))
	}
	if j.remote != nil {
		status := j.remote.remote.status()
		if j.remote.none.Load() {
			status.Keys = 0 // others may take keys that are older
		}
		all = append(all, status)
	}
	return all
}

// status returns how it stands with the keys, of which it shows no part.
func (g *generated) status(leeway time.Duration) auth.KeyStatus {
	s := auth.KeyStatus{
		Source:   "storage:" + g.key(),
		Fetches:  g.reads.Load(),
		Failures: g.failed.Load(),
	}
	if set := g.current.Load(); set != nil {
		s.Keys, s.Confirmed = len(set.kept(g.now(), leeway)), set.at
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lastError != nil {
		s.LastError = g.lastError.Error()
	}
	return s
}

// status returns how it stands with the keys.
func (r *remote) status() auth.KeyStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := auth.KeyStatus{
		Source:    r.label(),
		Confirmed: r.confirmed,
		Fetches:   r.fetches.Load(),
		Failures:  r.failed.Load(),
	}
	if r.set != nil {
		s.Keys = r.set.keys
	}
	if r.lastError != nil {
		s.LastError = r.lastError.Error()
	}
	return s
}

// Interface guards
var _ auth.KeyReporter = (*JWT)(nil)
