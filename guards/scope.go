// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
)

func init() { caddy.RegisterModule(Scope{}) }

// Scope lets pass whose token has every one of several scopes (RFC 6749, section
// 3.3). They stand in the claim "scope" or, if there is none, in the claim
// "scp", separated by spaces or as a list of texts.
//
// Who is not signed in gets 401, who lacks one of them 403 with
// error="insufficient_scope" and the scopes asked for (RFC 6750, section 3.1).
type Scope struct {
	// Scopes are the scopes. At least one is required.
	Scopes []string `json:"scopes,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Scope) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.guards.scope",
		New: func() caddy.Module { return new(Scope) },
	}
}

// Validate makes sure that there are scopes, and that they are scopes.
func (s *Scope) Validate() error { return checkScopes(s.Scopes) }

// checkScopes keeps to the characters of RFC 6749, section 3.3: the scopes are
// told to the client within quotes.
func checkScopes(scopes []string) error {
	if err := checkWords("scope", scopes); err != nil {
		return err
	}
	for _, scope := range scopes {
		if strings.ContainsFunc(scope, func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r > '~' }) {
			return fmt.Errorf("%q is not a scope: write each as a word of its own, of ASCII letters, digits and signs", scope)
		}
	}
	return nil
}

// Check asks for the scopes.
func (s *Scope) Check(_ *http.Request, id *auth.Identity) error {
	if id == nil {
		return auth.ErrUnauthenticated
	}
	has, missing := scopesOf(id.Claims), 0
	for _, scope := range s.Scopes {
		if !slices.Contains(has, scope) {
			missing++
		}
	}
	if missing > 0 || len(s.Scopes) == 0 {
		return auth.ForbiddenScope(strings.Join(s.Scopes, " "),
			fmt.Sprintf("%d of %d scopes are missing", missing, len(s.Scopes)))
	}
	return nil
}

// scopesOf returns the scopes of the first claim that is present. One that is
// neither a text nor a list holds none.
func scopesOf(claims auth.Claims) []string {
	value, ok := claims.Lookup("scope")
	if !ok {
		value, _ = claims.Lookup("scp")
	}
	switch v := value.(type) {
	case string:
		return strings.Split(v, " ")
	case auth.List:
		scopes := make([]string, 0, len(v))
		for _, element := range v {
			if scope, ok := element.(string); ok {
				scopes = append(scopes, scope)
			}
		}
		return scopes
	default:
		return nil
	}
}

// UnmarshalCaddyfile parses:
//
//	scope <scopes...>
func (s *Scope) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	scopes, err := parseWords(d, "scope", unlimited)
	if err != nil {
		return err
	}
	if err := checkScopes(scopes); err != nil {
		return d.Errf("guard \"scope\": %v", err)
	}
	s.Scopes = scopes
	return nil
}

// Interface guards
var (
	_ auth.Guard            = (*Scope)(nil)
	_ caddy.Validator       = (*Scope)(nil)
	_ caddyfile.Unmarshaler = (*Scope)(nil)
)
