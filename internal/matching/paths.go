// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package matching

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/internal/secret"
)

// CheckPaths refuses matchers "path" that can never match, within "not" too: what
// they were to protect would be open. It says what it can without resolving
// placeholders, as long as a Caddyfile is being read.
func CheckPaths(sets caddyhttp.RawMatcherSets) error {
	_, err := eachPath(sets, func(pattern string) (string, error) { return pattern, checkPattern(pattern) })
	return err
}

// resolvePaths checks the patterns with {env.*} and {file.*} replaced by what they
// stand for, and returns the sets with these: a file that is gone later would
// leave a pattern that never matches.
func resolvePaths(sets caddyhttp.RawMatcherSets) (caddyhttp.RawMatcherSets, error) {
	return eachPath(sets, func(pattern string) (string, error) {
		resolved, err := resolvePattern(pattern)
		if err != nil {
			return "", err
		}
		return resolved, checkPattern(resolved)
	})
}

// eachPath returns the sets with every pattern of a matcher "path" exchanged.
func eachPath(sets caddyhttp.RawMatcherSets, exchange func(string) (string, error)) (caddyhttp.RawMatcherSets, error) {
	out := make(caddyhttp.RawMatcherSets, len(sets))
	for i, set := range sets {
		out[i] = make(map[string]json.RawMessage, len(set))
		for name, raw := range set {
			var err error
			switch name {
			case "path":
				raw, err = exchangePaths(raw, exchange)
			case "not":
				raw, err = exchangeWithinNot(raw, exchange)
			}
			if err != nil {
				return nil, err
			}
			out[i][name] = raw
		}
	}
	return out, nil
}

var errNoPath = errors.New("matcher path: the list is empty, and so matches nothing")

func exchangePaths(raw json.RawMessage, exchange func(string) (string, error)) (json.RawMessage, error) {
	var patterns []string
	if json.Unmarshal(raw, &patterns) != nil {
		return raw, nil //nolint:nilerr // Caddy says it better, when it loads the matcher
	}
	if len(patterns) == 0 {
		return nil, errNoPath
	}
	for i, pattern := range patterns {
		var err error
		if patterns[i], err = exchange(pattern); err != nil {
			return nil, fmt.Errorf("matcher path: %w", err)
		}
	}
	return json.Marshal(patterns)
}

func exchangeWithinNot(raw json.RawMessage, exchange func(string) (string, error)) (json.RawMessage, error) {
	var sets caddyhttp.RawMatcherSets
	if json.Unmarshal(raw, &sets) != nil || sets == nil {
		return raw, nil //nolint:nilerr // likewise
	}
	sets, err := eachPath(sets, exchange)
	if err != nil {
		return nil, fmt.Errorf("not: %w", err)
	}
	return json.Marshal(sets)
}

// checkPattern refuses what no path begins with. What a placeholder stands for
// that begins the pattern is known later.
func checkPattern(pattern string) error {
	if pattern != "" && strings.IndexByte("/*{", pattern[0]) >= 0 {
		return nil
	}
	return fmt.Errorf("%q begins with neither / nor *, and so matches nothing", pattern)
}

// resolvePattern replaces the placeholders that are known at load.
func resolvePattern(pattern string) (string, error) {
	var sb strings.Builder
	rest := pattern
	for {
		i := strings.IndexByte(rest, '{')
		if i < 0 {
			break
		}
		end := strings.IndexByte(rest[i:], '}')
		if end < 0 {
			break
		}
		placeholder := rest[i : i+end+1]
		escaped := i > 0 && rest[i-1] == '\\'
		if escaped || !strings.HasPrefix(placeholder, "{env.") && !strings.HasPrefix(placeholder, "{file.") {
			sb.WriteString(rest[:i+1])
			rest = rest[i+1:]
			continue
		}
		value, err := secret.Resolve(placeholder)
		if err != nil {
			return "", fmt.Errorf("%q: %w", pattern, err)
		}
		if strings.ContainsAny(value, `{}\`) { // which would be read as a part of the pattern
			return "", fmt.Errorf("%q: %s stands for text with a brace or a backslash", pattern, placeholder)
		}
		sb.WriteString(rest[:i])
		sb.WriteString(value)
		rest = rest[i+end+1:]
	}
	sb.WriteString(rest)
	return sb.String(), nil
}
