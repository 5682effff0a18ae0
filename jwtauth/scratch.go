// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import "sync"

// scratch is the memory that one verification needs, reused by the next.
// Nothing of it leaves with the identity.
type scratch struct {
	header, payload, signature []byte
	headerMembers, claims      members

	// What the identity is made of, before it is made.
	issuer          string
	text            []byte
	words           []span // of the permissions, in text
	permissionWords []string
	digest          []byte
}

var scratches = sync.Pool{New: func() any {
	return &scratch{
		header:    make([]byte, 0, 256),
		payload:   make([]byte, 0, 2<<10),
		signature: make([]byte, 0, maxRSABits/8),
		text:      make([]byte, 0, 512),
	}
}}

// maxScratch is the largest token whose memory is kept for the next.
const maxScratch = 64 << 10

func (s *scratch) release() {
	if cap(s.payload)+cap(s.header)+cap(s.signature) > maxScratch {
		return
	}
	s.headerMembers.reset()
	s.claims.reset()
	s.issuer = ""
	scratches.Put(s)
}
