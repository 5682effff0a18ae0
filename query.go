// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"strings"

	"github.com/caddybolt/caddy-bolt/internal/extract"
)

// cutParameter returns the query without the parameter of that name, and the
// pieces that it took out, encoded as they were.
func cutParameter(query, name string) (kept string, taken []string) {
	if !hasParameter(query, name) {
		return query, nil
	}
	var rest []string
	for part := range strings.SplitSeq(query, "&") {
		if key, ok := extract.ParameterName(part); ok && key == name {
			taken = append(taken, part)
			continue
		}
		rest = append(rest, part)
	}
	return strings.Join(rest, "&"), taken
}

// hasParameter reports whether the query has a parameter of that name.
func hasParameter(query, name string) bool {
	if query == "" {
		return false
	}
	for part := range strings.SplitSeq(query, "&") {
		if key, ok := extract.ParameterName(part); ok && key == name {
			return true
		}
	}
	return false
}
