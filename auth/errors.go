// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"errors"
	"time"
)

// What an authenticator answers. Any other error means that it could not
// decide: the request is then refused with 503, or with 429 for one made with
// TooManyAttempts, unless another authenticator accepts it.
var (
	// ErrNoCredentials: the request holds nothing that is mine.
	ErrNoCredentials = errors.New("no credentials")

	// ErrInvalidCredentials: the request holds something that is mine, and it
	// is bad. Made with Invalid, which gives it a reason.
	ErrInvalidCredentials = errors.New("invalid credentials")
)

// What a guard answers. Any other error means that it could not decide: 503.
var (
	// ErrUnauthenticated: nobody is signed in. 401.
	ErrUnauthenticated = errors.New("not signed in")

	// ErrForbidden: signed in, and lacking something. 403. The guard "not"
	// turns it, and it alone, into a pass.
	ErrForbidden = errors.New("forbidden")

	// ErrEvaluation: the condition could not be evaluated for this identity,
	// such as an expression on a claim that is missing. 403, and never a pass,
	// not within "not" either.
	ErrEvaluation = errors.New("condition could not be evaluated")
)

// What a store answers.
var (
	// ErrUserNotFound: there is no such user, or the store does not serve the
	// user's issuer.
	ErrUserNotFound = errors.New("user not found")

	// ErrSessionNotFound: there is no such session, or it has ended.
	ErrSessionNotFound = errors.New("session not found")

	// ErrNoRevocation: no revocation store is configured.
	ErrNoRevocation = errors.New("no revocation store is configured")
)

// Reason says in one word why a request was refused. The words are stable:
// they are the values of {http.auth.error}, of a metric label and of a log
// field. Clients never see them.
type Reason string

// The reasons, from those that say least about a credential to those that say
// most. The handler reports the one that says most.
const (
	ReasonMissingCredentials   Reason = "missing_credentials"
	ReasonAmbiguousPath        Reason = "ambiguous_path"
	ReasonMalformedToken       Reason = "malformed_token"
	ReasonUnsupportedAlgorithm Reason = "unsupported_algorithm"
	ReasonWrongIssuer          Reason = "wrong_issuer"
	ReasonUnknownAPIKey        Reason = "unknown_api_key"
	ReasonUnknownKey           Reason = "unknown_key"
	ReasonBadSignature         Reason = "bad_signature"
	ReasonBadPassword          Reason = "bad_password"
	ReasonMissingClaim         Reason = "missing_claim"
	ReasonWrongType            Reason = "wrong_type"
	ReasonWrongAudience        Reason = "wrong_audience"
	ReasonTokenNotYetValid     Reason = "token_not_yet_valid"
	ReasonTokenExpired         Reason = "token_expired"
	ReasonAPIKeyExpired        Reason = "api_key_expired"
	ReasonTokenRevoked         Reason = "token_revoked"
	ReasonForbidden            Reason = "forbidden"
	ReasonTooManyAttempts      Reason = "too_many_attempts"
	ReasonKeysUnavailable      Reason = "keys_unavailable"
	ReasonStoreUnavailable     Reason = "store_unavailable"
)

// reasons are all of them, in the order above.
var reasons = []Reason{
	ReasonMissingCredentials, ReasonAmbiguousPath, ReasonMalformedToken,
	ReasonUnsupportedAlgorithm, ReasonWrongIssuer, ReasonUnknownAPIKey,
	ReasonUnknownKey, ReasonBadSignature, ReasonBadPassword, ReasonMissingClaim,
	ReasonWrongType, ReasonWrongAudience, ReasonTokenNotYetValid,
	ReasonTokenExpired, ReasonAPIKeyExpired, ReasonTokenRevoked,
	ReasonForbidden, ReasonTooManyAttempts, ReasonKeysUnavailable, ReasonStoreUnavailable,
}

// Reasons returns every reason, from the least to the most telling.
func Reasons() []Reason { return append([]Reason(nil), reasons...) }

// Telling ranks the reason by how much it says about the credential; a higher
// rank says more. A word that is no reason of this package has rank -1.
func (r Reason) Telling() int {
	for i, known := range reasons {
		if known == r {
			return i
		}
	}
	return -1
}

// Invalid returns an error that wraps ErrInvalidCredentials and carries the
// reason. The detail is for the operator's debug log: it may name a claim or
// a count, never a value that the client sent.
func Invalid(reason Reason, detail string) error {
	return &refusal{kind: ErrInvalidCredentials, reason: reason, detail: detail}
}

// InvalidFor is Invalid for a credential that was proven to belong to the
// candidate, such as a token with a good signature that has expired. The
// candidate becomes {http.auth.candidate.id}.
func InvalidFor(candidate string, reason Reason, detail string) error {
	return &refusal{kind: ErrInvalidCredentials, reason: reason, detail: detail, candidate: candidate}
}

// Unavailable returns an error that means "could not decide" and carries the
// reason; it wraps the cause.
func Unavailable(reason Reason, cause error) error {
	return &refusal{kind: cause, reason: reason, detail: "could not decide"}
}

// TooManyAttempts returns an error that means "could not decide", since too many
// attempts have failed: nobody looked at this one. Unless another authenticator
// accepts the request, it is refused with 429, which tells how long to wait.
func TooManyAttempts(wait time.Duration) error {
	return &refusal{kind: errAttempts, reason: ReasonTooManyAttempts, detail: "could not decide", wait: max(wait, 1)}
}

var errAttempts = errors.New("too many failed attempts")

// WaitOf returns how long to wait, as err says that was made with
// TooManyAttempts; 0 for every other error.
func WaitOf(err error) time.Duration {
	var r *refusal
	if errors.As(err, &r) {
		return r.wait
	}
	return 0
}

// Forbidden returns an error that wraps ErrForbidden. The detail is for the
// operator's debug log.
func Forbidden(detail string) error {
	return &refusal{kind: ErrForbidden, reason: ReasonForbidden, detail: detail}
}

// ForbiddenScope is Forbidden for a token that lacks scopes. The scopes,
// separated by spaces, are told to the client (RFC 6750, section 3.1).
func ForbiddenScope(scopes, detail string) error {
	return &refusal{kind: ErrForbidden, reason: ReasonForbidden, detail: detail, scopes: scopes}
}

// ReasonOf returns the reason that err carries; without one, the reason that
// fits the kind of error: missing_credentials, malformed_token, forbidden, and
// store_unavailable for whatever is none of these.
func ReasonOf(err error) Reason {
	var r *refusal
	switch {
	case err == nil:
		return ""
	case errors.As(err, &r):
		return r.reason
	case errors.Is(err, ErrNoCredentials), errors.Is(err, ErrUnauthenticated):
		return ReasonMissingCredentials
	case errors.Is(err, ErrInvalidCredentials):
		return ReasonMalformedToken
	case errors.Is(err, ErrForbidden), errors.Is(err, ErrEvaluation):
		return ReasonForbidden
	default:
		return ReasonStoreUnavailable
	}
}

// CandidateOf returns the candidate that err was made for with InvalidFor.
func CandidateOf(err error) string {
	var r *refusal
	if errors.As(err, &r) {
		return r.candidate
	}
	return ""
}

// ScopesOf returns the scopes that err was made for with ForbiddenScope.
func ScopesOf(err error) string {
	var r *refusal
	if errors.As(err, &r) {
		return r.scopes
	}
	return ""
}

// refusal is an error with a reason.
type refusal struct {
	kind      error
	reason    Reason
	detail    string
	candidate string
	scopes    string
	wait      time.Duration
}

func (r *refusal) Error() string {
	msg := string(r.reason)
	if r.detail != "" {
		msg += ": " + r.detail
	}
	return msg
}

func (r *refusal) Unwrap() error { return r.kind }
