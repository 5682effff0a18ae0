// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestReasonsOfErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("no connection")
	for _, c := range []struct {
		name   string
		err    error
		is     error
		reason Reason
	}{
		{"invalid", Invalid(ReasonTokenExpired, "x"), ErrInvalidCredentials, ReasonTokenExpired},
		{"invalid for somebody", InvalidFor("alice", ReasonTokenRevoked, "x"), ErrInvalidCredentials, ReasonTokenRevoked},
		{"unavailable", Unavailable(ReasonKeysUnavailable, cause), cause, ReasonKeysUnavailable},
		{"forbidden", Forbidden("x"), ErrForbidden, ReasonForbidden},
		{"forbidden scope", ForbiddenScope("a b", "x"), ErrForbidden, ReasonForbidden},
		{"wrapped", fmt.Errorf("loading: %w", Invalid(ReasonTokenExpired, "x")), ErrInvalidCredentials, ReasonTokenExpired},
		{"no credentials", ErrNoCredentials, ErrNoCredentials, ReasonMissingCredentials},
		{"not signed in", ErrUnauthenticated, ErrUnauthenticated, ReasonMissingCredentials},
		{"bare invalid", ErrInvalidCredentials, ErrInvalidCredentials, ReasonMalformedToken},
		{"bare forbidden", ErrForbidden, ErrForbidden, ReasonForbidden},
		{"not evaluated", fmt.Errorf("x: %w", ErrEvaluation), ErrEvaluation, ReasonForbidden},
		{"anything else", cause, cause, ReasonStoreUnavailable},
		{"cancelled", context.Canceled, context.Canceled, ReasonStoreUnavailable},
	} {
		if !errors.Is(c.err, c.is) || ReasonOf(c.err) != c.reason {
			t.Errorf("%s: %v has the reason %q, want %q", c.name, c.err, ReasonOf(c.err), c.reason)
		}
	}
	if ReasonOf(nil) != "" {
		t.Error("no error has a reason")
	}
}

// The four outcomes must not be taken for each other.
func TestKindsOfErrorsAreApart(t *testing.T) {
	t.Parallel()
	kinds := []error{ErrNoCredentials, ErrInvalidCredentials, ErrUnauthenticated, ErrForbidden, ErrEvaluation, ErrUserNotFound, ErrNoRevocation}
	for i, a := range kinds {
		for j, b := range kinds {
			if errors.Is(a, b) != (i == j) {
				t.Errorf("%v is %v: %t", a, b, i != j)
			}
		}
	}
	for name, err := range map[string]error{
		"unavailable": Unavailable(ReasonStoreUnavailable, errors.New("x")), "without a cause": Unavailable(ReasonStoreUnavailable, nil),
	} {
		for _, kind := range kinds {
			if errors.Is(err, kind) {
				t.Errorf("%s is %v", name, kind)
			}
		}
	}
}

func TestWhatErrorsCarry(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("wrapped: %w", InvalidFor("alice", ReasonTokenExpired, "expired 5 s ago"))
	if CandidateOf(err) != "alice" || ScopesOf(err) != "" {
		t.Errorf("candidate %q, scopes %q", CandidateOf(err), ScopesOf(err))
	}
	if err.Error() != "wrapped: token_expired: expired 5 s ago" {
		t.Errorf("%v", err) // the candidate is for a placeholder, not for the text
	}
	err = ForbiddenScope("read write", "1 of 2 is missing")
	if ScopesOf(err) != "read write" || CandidateOf(err) != "" || err.Error() != "forbidden: 1 of 2 is missing" {
		t.Errorf("scopes %q, candidate %q, %v", ScopesOf(err), CandidateOf(err), err)
	}
	if got := Invalid(ReasonBadPassword, "").Error(); got != "bad_password" {
		t.Errorf("got %q", got)
	}
	for _, err := range []error{nil, ErrForbidden, errors.New("x")} {
		if CandidateOf(err) != "" || ScopesOf(err) != "" {
			t.Errorf("%v carries something", err)
		}
	}
}

// One that was not looked at is neither good nor bad.
func TestTooManyAttemptsIsNoDecision(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("trying: %w", TooManyAttempts(90*time.Second))
	if ReasonOf(err) != ReasonTooManyAttempts || WaitOf(err) != 90*time.Second || WaitOf(TooManyAttempts(0)) <= 0 {
		t.Errorf("%v, wait %s", err, WaitOf(err))
	}
	for _, kind := range []error{ErrInvalidCredentials, ErrNoCredentials, ErrForbidden, ErrUnauthenticated} {
		if errors.Is(err, kind) {
			t.Errorf("it is %v", kind)
		}
	}
	for _, other := range []error{nil, errors.New("x"), Invalid(ReasonBadPassword, ""), Unavailable(ReasonStoreUnavailable, errors.New("x"))} {
		if WaitOf(other) != 0 {
			t.Errorf("%v has a wait", other)
		}
	}
}

// The words are an interface: dashboards and alerts are made of them.
func TestReasonsAreStable(t *testing.T) {
	t.Parallel()
	want := []Reason{
		"missing_credentials", "ambiguous_path", "malformed_token", "unsupported_algorithm", "wrong_issuer", "unknown_api_key",
		"unknown_key", "bad_signature", "bad_password", "missing_claim", "wrong_type", "wrong_audience", "token_not_yet_valid",
		"token_expired", "api_key_expired", "token_revoked", "forbidden",
		"too_many_attempts", "keys_unavailable", "store_unavailable",
	}
	got := Reasons()
	if !slices.Equal(got, want) {
		t.Errorf("reasons are %q", got)
	}
	for i, r := range got {
		if r.Telling() != i {
			t.Errorf("%q tells %d, want %d", r, r.Telling(), i)
		}
	}
	if Reason("because").Telling() != -1 {
		t.Error("an invented reason tells something")
	}
	got[0] = "changed"
	if Reasons()[0] == "changed" {
		t.Error("the reasons can be changed")
	}
}
