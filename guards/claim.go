// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/text"
)

func init() { caddy.RegisterModule(Claim{}) }

// Claim lets pass whose token has a claim or, for an API key, whose key has a
// meta entry.
//
// Without values, the claim must be there and say something: not null, false,
// 0, nor an empty text, list or object. With values, it must be equal to one of
// them or, if it is a list, contain one of them. A text is compared to the
// letter, a number or a boolean as JSON writes it: the value "true" is met by
// true and by "true", the value "1" by 1, by 1.0 and by "1", the value "1.0" by
// "1.0" alone. null, objects and lists within lists are equal to nothing.
//
// Who is not signed in gets 401, whose claim is another 403. Neither the
// answer nor a log shows the claim.
type Claim struct {
	// Claim is the path of the claim: names of members and indexes of lists,
	// separated by dots, such as "realm_access.roles". A name that itself holds
	// dots is found too: "https://acme.com/roles". Required.
	Claim string `json:"claim,omitempty"`

	// Values are the values of which one must be there. Without them, any that
	// says something will do. They are taken as written: placeholders are
	// refused.
	Values []string `json:"values,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Claim) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.guards.claim",
		New: func() caddy.Module { return new(Claim) },
	}
}

var errNoClaim = errors.New("a claim is required")

// checkClaim says what is wrong with the path of a claim.
func checkClaim(path string) error {
	if path == "" {
		return errNoClaim
	}
	if err := text.CheckClaimPath(path); err != nil {
		return err
	}
	return checkLiteral("claim", []string{path})
}

// Validate makes sure that there is a claim, and no empty list of values.
func (c *Claim) Validate() error {
	if err := checkClaim(c.Claim); err != nil {
		return err
	}
	return checkValues(c.Values)
}

// Check asks for the claim.
func (c *Claim) Check(_ *http.Request, id *auth.Identity) error {
	if id == nil {
		return auth.ErrUnauthenticated
	}
	value, ok := id.Claims.Lookup(c.Claim)
	switch {
	case !ok:
		return auth.Forbidden(fmt.Sprintf("claim %q is missing", c.Claim))
	case len(c.Values) == 0 && !isSet(value):
		return auth.Forbidden(fmt.Sprintf("claim %q is empty", c.Claim))
	case len(c.Values) > 0 && !equalsAny(value, c.Values):
		return auth.Forbidden(fmt.Sprintf("claim %q: none of %d values accepted", c.Claim, len(c.Values)))
	default:
		return nil
	}
}

// UnmarshalCaddyfile parses:
//
//	claim <path> [<values...>]
func (c *Claim) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	path, values, err := parseValues(d, "the path of a claim", checkClaim)
	c.Claim, c.Values = path, values
	return err
}

// parseValues parses a guard that takes a name, and values or none.
func parseValues(d *caddyfile.Dispenser, kind string, check func(string) error) (string, []string, error) {
	d.Next()
	guard := d.Val()
	args := d.RemainingArgs()
	if len(args) == 0 {
		return "", nil, d.Errf("guard %q needs %s", guard, kind)
	}
	var values []string
	if len(args) > 1 {
		values = args[1:]
	}
	err := check(args[0])
	if err == nil {
		err = checkValues(values)
	}
	if err != nil {
		return "", nil, d.Errf("guard %q: %v", guard, err)
	}
	return args[0], values, parseEnd(d, guard)
}

// Interface guards
var (
	_ auth.Guard            = (*Claim)(nil)
	_ caddy.Validator       = (*Claim)(nil)
	_ caddyfile.Unmarshaler = (*Claim)(nil)
)
