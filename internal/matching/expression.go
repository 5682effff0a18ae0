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
//	(E) || ((!(E) || {failed}) && {verdict})
//
// which never fails. CEL's operators go on where one side decides by itself:
//   - E is true: so is the whole.
//   - E is false: !(E) decides before {failed} is read, {verdict} is false.
//   - E fails: {failed} is read, notes it and is true; {verdict} is true, and
//     the whole is true. The note makes an error of it.
const (
	failedKey  = "caddybolt.match.failed"
	verdictKey = "caddybolt.match.verdict"
)

func watchedExpression(expr string) string {
	// a comment at the end of the expression must not swallow what follows
	return fmt.Sprintf("(%s\n) || ((!(%s\n) || {%s}) && {%s})", expr, expr, failedKey, verdictKey)
}

// probe answers the two placeholders for one request.
type probe struct {
	failed  bool // an expression failed since this was reset
	pending bool // {failed} was read, {verdict} was not
}

func (p *probe) get(key string) (any, bool) {
	switch key {
	case failedKey:
		p.failed, p.pending = true, true
		return true, true
	case verdictKey:
		verdict := p.pending
		p.pending = false
		return verdict, true
	default:
		return nil, false
	}
}

// probeVar is the request variable that keeps the probe.
const probeVar = "caddybolt.match"

// probeOf returns the probe of the request, or nil for a request that has no
// replacer.
func probeOf(r *http.Request) *probe {
	ctx := r.Context()
	if p, ok := caddyhttp.GetVar(ctx, probeVar).(*probe); ok {
		return p
	}
	repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok || ctx.Value(caddyhttp.VarsCtxKey) == nil {
		return nil
	}
	p := new(probe)
	repl.Map(p.get)
	caddyhttp.SetVar(ctx, probeVar, p)
	return p
}

// watchExpressions returns the matcher sets with every expression rewritten,
// those within Caddy's own "not" too, and whether there are any. Expressions are
// compiled as they are first, so that an error shows what was written.
func watchExpressions(ctx caddy.Context, sets caddyhttp.RawMatcherSets) (caddyhttp.RawMatcherSets, bool, error) {
	watched := false
	out := make(caddyhttp.RawMatcherSets, len(sets))
	for i, set := range sets {
		out[i] = make(caddy.ModuleMap, len(set))
		for name, raw := range set {
			var err error
			var found bool
			switch name {
			case "expression":
				raw, err = watchExpression(ctx, raw)
				found = true
			case "not":
				raw, found, err = watchNot(ctx, raw)
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
func watchExpression(ctx caddy.Context, raw json.RawMessage) (json.RawMessage, error) {
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
	return json.Marshal(caddyhttp.MatchExpression{Expr: watchedExpression(m.Expr), Name: m.Name})
}

// watchNot rewrites the expressions within Caddy's matcher "not".
func watchNot(ctx caddy.Context, raw json.RawMessage) (json.RawMessage, bool, error) {
	var sets caddyhttp.RawMatcherSets
	if err := json.Unmarshal(raw, &sets); err != nil {
		return nil, false, fmt.Errorf("not: %w", err)
	}
	sets, watched, err := watchExpressions(ctx, sets)
	if err != nil {
		return nil, false, err
	}
	raw, err = json.Marshal(sets)
	return raw, watched, err
}
