// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

// UnmarshalJSON refuses options that are there and empty: a key source that a
// template left empty would hand the block to the global secret, and an empty
// list of audiences would accept every one. Caddy does not look for unknown
// members in what unmarshals itself, so this does.
func (j *JWT) UnmarshalJSON(data []byte) error {
	type plain JWT
	said := struct {
		*plain
		Secret        *string        `json:"secret"`
		Public        *[]string      `json:"public_keys"`
		Private       *string        `json:"private_key"`
		JWKSFile      *string        `json:"jwks_file"`
		JWKSURL       *string        `json:"jwks_url"`
		OIDC          *string        `json:"oidc"`
		CA            *string        `json:"ca"`
		Algorithms    *[]string      `json:"algorithms"`
		Places        *[]auth.Source `json:"sources"`
		Issuers       *[]string      `json:"issuers"`
		Audiences     *[]string      `json:"audiences"`
		Subject       *string        `json:"subject"`
		Type          *string        `json:"type"`
		RequireClaims *[]string      `json:"require_claims"`
	}{plain: (*plain)(j)}
	if err := caddy.StrictUnmarshalJSON(data, &said); err != nil {
		return err
	}
	for _, text := range []struct {
		option string
		said   *string
		target *string
	}{
		{"secret", said.Secret, &j.Secret},
		{"private_key", said.Private, &j.Private},
		{"jwks_file", said.JWKSFile, &j.JWKSFile},
		{"jwks_url", said.JWKSURL, &j.JWKSURL},
		{"oidc", said.OIDC, &j.OIDC},
		{"ca", said.CA, &j.CA},
		{"subject", said.Subject, &j.Subject},
		{"type", said.Type, &j.Type},
	} {
		if err := take(text.option, text.said, text.target, func(s string) bool { return s == "" }); err != nil {
			return err
		}
	}
	for _, list := range []struct {
		option string
		said   *[]string
		target *[]string
	}{
		{"public_keys", said.Public, &j.Public},
		{"algorithms", said.Algorithms, &j.Algorithms},
		{"issuers", said.Issuers, &j.Issuers},
		{"audiences", said.Audiences, &j.Audiences},
		{"require_claims", said.RequireClaims, &j.RequireClaims},
	} {
		if err := take(list.option, list.said, list.target, func(s []string) bool { return len(s) == 0 }); err != nil {
			return err
		}
	}
	return take("sources", said.Places, &j.Places, func(s []auth.Source) bool { return len(s) == 0 })
}

// take stores what was said, if anything.
func take[T any](option string, said, target *T, empty func(T) bool) error {
	if said == nil {
		return nil
	}
	if empty(*said) {
		return fmt.Errorf("%s: is empty: leave it out, or say what it is", option)
	}
	*target = *said
	return nil
}

// Interface guards
var _ json.Unmarshaler = (*JWT)(nil)
