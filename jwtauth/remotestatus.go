// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import "github.com/caddybolt/caddy-bolt/auth"

// KeyStatus implements auth.KeyReporter. It says nothing of keys that the
// configuration holds.
func (j *JWT) KeyStatus() []auth.KeyStatus {
	if j.remote == nil {
		return nil
	}
	return []auth.KeyStatus{j.remote.remote.status()}
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
