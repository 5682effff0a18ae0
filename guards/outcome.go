// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"errors"
	"fmt"

	"github.com/caddybolt/caddy-bolt/auth"
)

// outcome is what a guard said, from the one that weighs least to the one that
// weighs most. Of several guards that did not let pass, the heaviest answer is
// the answer: "forbidden" is the only one that the guard not turns into a pass,
// and it must not hide behind itself what nobody decided.
type outcome int

const (
	passed          outcome = iota
	forbidden               // auth.ErrForbidden
	notEvaluated            // auth.ErrEvaluation
	unauthenticated         // auth.ErrUnauthenticated
	notDecided              // anything else
)

// outcomeOf sorts the error. What wraps several sentinels is the heaviest of
// them, and what carries the reason of an outage is not forbidden, whatever it
// wraps: in doubt, nobody decided.
func outcomeOf(err error) outcome {
	switch {
	case err == nil:
		return passed
	case errors.Is(err, auth.ErrUnauthenticated):
		return unauthenticated
	case errors.Is(err, auth.ErrEvaluation):
		return notEvaluated
	case errors.Is(err, auth.ErrForbidden) && auth.ReasonOf(err) == auth.ReasonForbidden:
		return forbidden
	default:
		return notDecided
	}
}

// heavier returns the answer of two guards that did not let pass; first may be
// nil, when there is no answer yet.
func heavier(first, second error) error {
	if first == nil || outcomeOf(second) > outcomeOf(first) {
		return second
	}
	return first
}

// undecided returns an error that means "could not decide" to everybody: a
// cause that wraps an answer of guards is shown and not wrapped.
func undecided(what string, cause error) error {
	err := fmt.Errorf("%s: %w", what, cause)
	for _, answer := range []error{auth.ErrForbidden, auth.ErrEvaluation, auth.ErrUnauthenticated} {
		if errors.Is(cause, answer) {
			err = fmt.Errorf("%s: unexpected answer: %v", what, cause) //nolint:errorlint // on purpose
		}
	}
	return auth.Unavailable(auth.ReasonStoreUnavailable, err)
}
