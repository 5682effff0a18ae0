// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import "github.com/caddybolt/caddy-bolt/auth"

// Refusals whose token was not proven to belong to anybody, made once: a flood
// of bad tokens allocates nothing.
var (
	errShape     = auth.Invalid(auth.ReasonMalformedToken, "not three parts separated by dots")
	errBase64    = auth.Invalid(auth.ReasonMalformedToken, "not strict unpadded base64url")
	errHeader    = auth.Invalid(auth.ReasonMalformedToken, "the header is not one strict JSON object")
	errPayload   = auth.Invalid(auth.ReasonMalformedToken, "the payload is not one strict JSON object")
	errNoAlg     = auth.Invalid(auth.ReasonMalformedToken, `the header has no "alg"`)
	errCritical  = auth.Invalid(auth.ReasonMalformedToken, `the header has "crit", of which nothing is understood`)
	errB64       = auth.Invalid(auth.ReasonMalformedToken, `the header has "b64"`)
	errNested    = auth.Invalid(auth.ReasonMalformedToken, `the header's "cty" says that the token holds another`)
	errHeaderTyp = auth.Invalid(auth.ReasonMalformedToken, "a member of the header is not text")

	errAlgorithm  = auth.Invalid(auth.ReasonUnsupportedAlgorithm, `"alg" is not allowed here`)
	errKeyUse     = auth.Invalid(auth.ReasonUnsupportedAlgorithm, `the key of this "kid" does not serve this "alg"`)
	errIssuer     = auth.Invalid(auth.ReasonWrongIssuer, `claim "iss": missing, or not one of those accepted`)
	errIssuerType = auth.Invalid(auth.ReasonMalformedToken, `claim "iss": not text`)
	errLocal      = auth.Invalid(auth.ReasonWrongIssuer, `claim "iss": reserved for credentials that are no tokens`)
	errUnknownKey = auth.Invalid(auth.ReasonUnknownKey, `no key has this "kid"`)
	errNoKID      = auth.Invalid(auth.ReasonUnknownKey, `the header has no "kid" and there are more than 4 keys for its "alg"`)
	errSignature  = auth.Invalid(auth.ReasonBadSignature, "no key verifies the signature")
)
