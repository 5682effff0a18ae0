// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"time"
)

// remoteSettings is what a block says about its key server. Without the times it
// is the key in the pool: blocks that differ in these share the keys.
type remoteSettings struct {
	address      string // of the JWK set, or the issuer
	discovery    bool   // address is the issuer
	template     string // of issuers; see entraTemplate
	ca           string // PEM
	insecureHTTP bool
	remoteTimes
}

// remoteTimes is how a block wants its keys fetched.
type remoteTimes struct {
	refreshLeast time.Duration
	refreshMost  time.Duration
	minRefresh   time.Duration
	stale        time.Duration
	timeout      time.Duration
}

// place returns the settings without the times.
func (s remoteSettings) place() remoteSettings {
	s.remoteTimes = remoteTimes{}
	return s
}

// with returns times with which both are served: keys are fetched as often as
// the one asks for who asks for more, and kept as long as the one needs them who
// needs them longer. Nobody sees keys that are too old for them; see publish.
func (t remoteTimes) with(other remoteTimes) remoteTimes {
	return remoteTimes{
		refreshLeast: min(t.refreshLeast, other.refreshLeast),
		refreshMost:  min(t.refreshMost, other.refreshMost),
		minRefresh:   min(t.minRefresh, other.minRefresh),
		stale:        max(t.stale, other.stale),
		timeout:      max(t.timeout, other.timeout),
	}
}
