// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"strings"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
)

// wantAllocations fails the test when asking for the token allocates more than
// at most. Allocations, unlike times, are exact.
func wantAllocations(t *testing.T, j *JWT, token string, atMost float64) {
	t.Helper()
	if raceEnabled {
		t.Skip("allocations are not exact under the race detector")
	}
	r := bearer(token)
	if n := testing.AllocsPerRun(500, func() { _, _ = j.Authenticate(r) }); n > atMost {
		t.Errorf("%v allocations, want at most %v", n, atMost)
	}
}

// What is accepted costs the identity, its text, its claims and the list of its
// permissions.
func TestAllocationsOfATokenNeverSeen(t *testing.T) {
	j, token := benchBlock(t, algHS256)
	wantAllocations(t, j, token, 4)
	bare := mustLoad(t, &JWT{Secret: secretRef, Cache: new(int)})
	wantAllocations(t, bare, hs256(t, validPayload), 3)
}

// A token seen before costs no memory at all.
func TestAllocationsOfATokenSeenBefore(t *testing.T) {
	j := mustLoad(t, &JWT{Secret: secretRef})
	token := hs256(t, benchPayload)
	wantAccepted(t, j, token)
	wantAllocations(t, j, token, 0)
}

// A flood of bad tokens must be cheap: these are refused without any memory.
func TestRefusingBeforeTheSignatureAllocatesNothing(t *testing.T) {
	j := mustLoad(t, &JWT{Secret: secretRef, Issuers: []string{"https://id.example.com"}})
	for name, c := range map[string]struct {
		token  string
		reason auth.Reason
	}{
		"no token":     {"sk-prod-123abc", auth.ReasonMalformedToken},
		"many dots":    {strings.Repeat(".", 10_000), auth.ReasonMalformedToken},
		"bad base64":   {"!!!!.????.****", auth.ReasonMalformedToken},
		"alg none":     {encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(validPayload)) + ".", auth.ReasonUnsupportedAlgorithm},
		"wrong issuer": {joined(t, `{"alg":"HS256"}`, `{"iss":"https://evil.example.com"}`, hs(algHS256, testSecret)), auth.ReasonWrongIssuer},
		"wrong secret": {joined(t, `{"alg":"HS256"}`, `{"iss":"https://id.example.com"}`, hs(algHS256, "another secret of thirty-two bytes")), auth.ReasonBadSignature},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefused(t, j, c.token, c.reason)
			wantAllocations(t, j, c.token, 0)
		})
	}
}
