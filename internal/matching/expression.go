// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package matching

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Caddy's matcher "expression" writes a line at ERROR for every evaluation that
// fails, with the text of the failure, which may quote a claim: anybody with a
// token that lacks a claim, or a query, could fill the log. So an expression E
// is rewritten into
//
//	(((E) ? {held} : {denied}) || {failed}) && {verdict}
//
// which never fails, and in which E stands once: CEL bounds the length. What is
// before {verdict} is true whatever becomes of E:
//   - E is true: {held} is read, notes it and is true; so is {verdict}.
//   - E is false: {denied} is read, notes it and is true; {verdict} is false.
//   - E fails: so does the choice, and || goes on where one side decides by
//     itself: {failed} is read, notes it and is true; {verdict} is what the
//     probe assumes. The note makes an error of it where the assumption matters.
const (
	heldKey        = "caddybolt.match.held"
	deniedKey      = "caddybolt.match.denied"
	failedKey      = "caddybolt.match.failed"
	failedInNotKey = "caddybolt.match.failed_in_not" // a match of E speaks against one of the set
	verdictKey     = "caddybolt.match.verdict"
	probeKey       = "caddybolt.match.probe"
)

func watchedExpression(expr string, inNot bool) string {
	failed := failedKey
	if inNot {
		failed = failedInNotKey
	}
	// a comment at the end of the expression must not swallow what follows
	return fmt.Sprintf("(((%s\n) ? {%s} : {%s}) || {%s}) && {%s}", expr, heldKey, deniedKey, failed, verdictKey)
}

// probe answers the placeholders for one request.
type probe struct {
	favor   bool // what fails is assumed to be what makes a set match, or not to
	failed  bool // an expression failed since this was reset
	verdict bool // of the expression that is being evaluated
}

func (p *probe) get(key string) (any, bool) {
	switch key {
	case heldKey:
		p.verdict = true
		return true, true
	case deniedKey:
		p.verdict = false
		return true, true
	case failedKey:
		p.failed, p.verdict = true, p.favor
		return true, true
	case failedInNotKey:
		p.failed, p.verdict = true, !p.favor
		return true, true
	case verdictKey:
		verdict := p.verdict
		p.verdict = false
		return verdict, true
	case probeKey:
		return p, true
	default:
		return nil, false
	}
}

// probeOf returns the probe that answers for the request, or nil for a request
// that has no replacer.
func probeOf(r *http.Request) *probe {
	ctx := r.Context()
	repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok || ctx.Value(caddyhttp.VarsCtxKey) == nil {
		return nil
	}
	// The replacer asks the first that was mapped: no other may be trusted.
	value, taken := repl.Get(probeKey)
	if !taken {
		repl.Map(new(probe).get)
		value, _ = repl.Get(probeKey)
	}
	p, _ := value.(*probe)
	return p
}

// watchExpressions returns the matcher sets with every expression rewritten,
// those within Caddy's own "not" too, and whether there are any. Expressions are
// compiled as they are first, so that an error shows what was written. With inNot
// a match of the sets speaks against one of those that hold them.
func watchExpressions(ctx caddy.Context, sets caddyhttp.RawMatcherSets, inNot bool) (caddyhttp.RawMatcherSets, bool, error) {
	watched := false
	out := make(caddyhttp.RawMatcherSets, len(sets))
	for i, set := range sets {
		out[i] = make(caddy.ModuleMap, len(set))
		for name, raw := range set {
			var err error
			var found bool
			switch name {
			case "expression":
				raw, err = watchExpression(ctx, raw, inNot)
				found = true
			case "not":
				raw, found, err = watchNot(ctx, raw, inNot)
			}
			if err != nil {
				return nil, false, err
			}
			out[i][name] = raw
			watched = watched || found
		}
	}
	return out, watched, nil
}

// watchExpression rewrites one expression: a text, or an object with a name for
// the captures of regular expressions.
func watchExpression(ctx caddy.Context, raw json.RawMessage, inNot bool) (json.RawMessage, error) {
	var m struct {
		Expr string `json:"expr"`
		Name string `json:"name"`
	}
	if json.Unmarshal(raw, &m.Expr) != nil {
		if err := caddy.StrictUnmarshalJSON(raw, &m); err != nil {
			return nil, fmt.Errorf("expression: %w", err)
		}
	}
	written := &caddyhttp.MatchExpression{Expr: m.Expr, Name: m.Name}
	if err := written.Provision(ctx); err != nil {
		return nil, fmt.Errorf("expression: %w", err)
	}
	if err := checkCELPaths(m.Expr); err != nil {
		return nil, fmt.Errorf("expression: %w", err)
	}
	return json.Marshal(caddyhttp.MatchExpression{Expr: watchedExpression(m.Expr, inNot), Name: m.Name})
}

// watchNot rewrites the expressions within Caddy's matcher "not".
func watchNot(ctx caddy.Context, raw json.RawMessage, inNot bool) (json.RawMessage, bool, error) {
	var sets caddyhttp.RawMatcherSets
	if err := json.Unmarshal(raw, &sets); err != nil {
		return nil, false, fmt.Errorf("not: %w", err)
	}
	sets, watched, err := watchExpressions(ctx, sets, !inNot)
	if err != nil {
		return nil, false, err
	}
	raw, err = json.Marshal(sets)
	return raw, watched, err
}
