// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/matching"
)

func init() { caddy.RegisterModule(Match{}) }

// Match lets pass the requests that Caddy's matchers match, of those who are
// signed in: networks with remote_ip, and any condition on claims with
// expression (CEL), where claims keep their types:
//
//	match expression `{http.auth.claims.level} >= 3 && "ops" in {http.auth.claims.groups}`
//
// A claim that is missing is null there, and most operators on null cannot be
// evaluated; "!=" can, and is true. Begin with "!= null", as in
// {http.auth.claims.level} != null && {http.auth.claims.level} >= 3.
//
// Who is not signed in gets 401, what does not match 403. What cannot be
// evaluated is 403 too, also within not, and writes no line in the log.
type Match struct {
	// MatchRaw are matcher sets, as of a route: the matchers of one set must all
	// match, one set of several is enough. At least one is required, and none
	// may be empty.
	MatchRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	sets *matching.Sets
}

// CaddyModule returns the Caddy module information.
func (Match) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.guards.match",
		New: func() caddy.Module { return new(Match) },
	}
}

var errNoMatchers = errors.New("at least one matcher is required")

// Provision loads the matchers.
func (m *Match) Provision(ctx caddy.Context) error {
	if len(m.MatchRaw) == 0 {
		return errNoMatchers
	}
	for _, set := range m.MatchRaw {
		if len(set) == 0 { // it would match everything
			return errNoMatchers
		}
	}
	var err error
	m.sets, err = matching.Load(ctx, m.MatchRaw)
	return err
}

var (
	errNoMatch  = auth.Forbidden("the request does not match")
	errEvaluate = fmt.Errorf("match: %w", auth.ErrEvaluation)
)

// Check asks the matchers. What they say when they fail is not told: it may hold
// the value of a claim.
func (m *Match) Check(r *http.Request, id *auth.Identity) error {
	if id == nil {
		return auth.ErrUnauthenticated
	}
	if m.sets == nil { // Provision saw to it that there are some
		return errNoMatchers
	}
	matches, err := m.sets.Match(r)
	switch {
	case errors.Is(err, matching.ErrFailed), errors.Is(err, matching.ErrTooEarly):
		return errEvaluate
	case err != nil:
		return err
	case !matches:
		return errNoMatch
	default:
		return nil
	}
}

// UnmarshalCaddyfile parses either of:
//
//	match <matcher> ...
//	match {
//	    <matcher> ...
//	}
//
// All matchers of the block must match.
func (m *Match) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	set, err := caddyhttp.ParseCaddyfileNestedMatcherSet(d)
	if err != nil {
		return err
	}
	if len(set) == 0 {
		return d.Errf("guard \"match\": %v", errNoMatchers)
	}
	if d.Next() {
		return d.Errf("guard \"match\" has a word too many: %q", d.Val())
	}
	m.MatchRaw = caddyhttp.RawMatcherSets{set}
	if err := matching.CheckPaths(m.MatchRaw); err != nil {
		return d.Errf("guard \"match\": %v", err)
	}
	return nil
}

// Interface guards
var (
	_ auth.Guard            = (*Match)(nil)
	_ caddy.Provisioner     = (*Match)(nil)
	_ caddyfile.Unmarshaler = (*Match)(nil)
)
