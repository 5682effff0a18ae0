// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// revokedBy asks a running Caddy what revoked the token that was accepted as
// id; empty for nothing. It is what a revocation store says of it.
func (f *adminFlags) revokedBy(id *auth.Identity) (string, error) {
	for _, asked := range []struct {
		kind, id, said string
		revokes        func(revocation) bool
	}{
		{"jti", id.TokenID, "its token was revoked", func(r revocation) bool { return r.covers(id.Issuer) }},
		{"sid", id.SessionID, "its session was revoked", func(r revocation) bool { return r.covers(id.Issuer) }},
		{"user", id.ID, "all tokens of its user were revoked until %s", func(r revocation) bool { return r.cutsOff(id) }},
	} {
		if asked.id == "" {
			continue
		}
		answer, err := f.ask(http.MethodGet, "/auth/revocations?"+url.Values{asked.kind: {asked.id}}.Encode(), nil)
		if err != nil {
			return "", err
		}
		var list struct {
			Count       *int         `json:"count"`
			Revocations []revocation `json:"revocations"`
		}
		if err := json.Unmarshal(answer, &list); err != nil || list.Count == nil {
			return "", errNotOurs
		}
		for _, r := range list.Revocations {
			switch {
			case !asked.revokes(r):
			case r.IssuedBefore != nil:
				return fmt.Sprintf(asked.said, r.IssuedBefore.Format(time.RFC3339)), nil
			default:
				return asked.said, nil
			}
		}
	}
	return "", nil
}

// covers reports whether the entry of a token or session is that of the issuer.
// A token without an issuer is revoked by the entry of any.
func (r revocation) covers(issuer string) bool {
	return r.Issuer == nil || *r.Issuer == "" || issuer == "" || *r.Issuer == issuer
}

// cutsOff reports whether the entry of a user covers the token.
func (r revocation) cutsOff(id *auth.Identity) bool {
	if r.IssuedBefore == nil || r.Issuer == nil || *r.Issuer != id.Issuer {
		return false
	}
	return id.IssuedAt.IsZero() || !id.IssuedAt.After(*r.IssuedBefore)
}
