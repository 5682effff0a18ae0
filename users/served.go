// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"errors"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

// localBasic is the issuer of who signs in with HTTP Basic.
const localBasic = auth.LocalIssuer + "basic"

// served are the issuers whose subjects are the IDs of a store's users.
type served struct {
	named  []string
	none   bool                // tokens without an issuer are theirs as well
	issues auth.IssuerRegistry // nil where nobody knows
}

func newServed(ctx caddy.Context, named []string, none bool) (served, error) {
	if slices.Contains(named, "") {
		return served{}, errors.New("issuers: an issuer is empty")
	}
	services, err := auth.ServicesOf(ctx)
	if err != nil {
		return served{}, err
	}
	issues, _ := services.(auth.IssuerRegistry)
	return served{named: named, none: none, issues: issues}, nil
}

// serves reports whether the issuer's subjects are the users here. Without
// names they are those of HTTP Basic log-ins and of the tokens that are made
// here.
func (s *served) serves(issuer string) bool {
	if issuer == "" && s.none {
		return true
	}
	if issuer == localBasic || slices.Contains(s.named, issuer) {
		return true
	}
	return len(s.named) == 0 && s.issues != nil && s.issues.Issues(issuer)
}
