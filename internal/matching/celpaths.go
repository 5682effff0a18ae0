// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package matching

import (
	"fmt"
	"regexp"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/parser"
)

// How Caddy's matcher "expression" reads placeholders, within texts too.
var (
	placeholder        = regexp.MustCompile(`([^\\]|^){([a-zA-Z][\w.-]+)}`)
	escapedPlaceholder = regexp.MustCompile(`\\{([a-zA-Z][\w.-]+)}`)
)

// checkCELPaths refuses an expression that asks for a path which no request can
// have, as CheckPaths does. The expression has been compiled.
func checkCELPaths(expr string) error {
	expr = placeholder.ReplaceAllString(expr, `${1}ph(req, "${2}")`)
	expr = escapedPlaceholder.ReplaceAllString(expr, `{${1}}`)
	p, err := parser.NewParser()
	if err != nil {
		return err
	}
	parsed, errs := p.Parse(common.NewTextSource(expr))
	if len(errs.GetErrors()) > 0 {
		return nil // in a dialect of Caddy's, which has compiled it
	}
	for _, call := range ast.MatchDescendants(ast.NavigateAST(parsed), isPathCall) {
		for _, arg := range call.AsCall().Args() {
			patterns := []ast.Expr{arg}
			if arg.Kind() == ast.ListKind {
				patterns = arg.AsList().Elements()
			}
			for _, pattern := range patterns {
				text, ok := "", false
				if pattern.Kind() == ast.LiteralKind {
					text, ok = pattern.AsLiteral().Value().(string)
				}
				if !ok {
					continue // known later
				}
				if err := checkPattern(text); err != nil {
					return fmt.Errorf("path: %w", err)
				}
			}
		}
	}
	return nil
}

func isPathCall(e ast.NavigableExpr) bool {
	return e.Kind() == ast.CallKind && e.AsCall().FunctionName() == "path" && !e.AsCall().IsMemberFunction()
}
