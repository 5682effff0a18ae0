// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/internal/matching"
)

// Rule gives the requests that it matches settings of their own. The first rule
// of a block that matches applies; if none does, the block's own settings do.
type Rule struct {
	// Which requests. As in a route: one of the sets must match, and of a set
	// all matchers. A matcher must not ask who is signed in: nobody is yet.
	// None matches every request.
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	// The name of a policy of the global block.
	Policy PolicyName `json:"policy,omitempty"`

	Settings

	matchers  *matching.Sets
	effective *effective
}

// PolicyName is the name of a policy of the global block.
type PolicyName string

// UnmarshalJSON refuses the empty name: whoever writes a policy wants one.
func (p *PolicyName) UnmarshalJSON(data []byte) error {
	var name *string
	if err := json.Unmarshal(data, &name); err != nil {
		return err
	}
	if name == nil { // null
		return nil
	}
	if *name == "" {
		return errors.New("policy is empty: leave it out, or name one")
	}
	*p = PolicyName(*name)
	return nil
}

// checkSets refuses an empty list of matcher sets: nobody can tell "all requests"
// from "none" by it.
func checkSets(sets caddyhttp.RawMatcherSets) error {
	if sets != nil && len(sets) == 0 {
		return errors.New("match must not be an empty list: leave it out for all requests")
	}
	return nil
}

var errMatcherAsksIdentity = errors.New("a matcher of a rule cannot ask who is signed in ({http.auth...}), since nobody is yet: use guards")

// checkMatchers refuses matchers that look at who is signed in.
func checkMatchers(sets caddyhttp.RawMatcherSets) error {
	for _, set := range sets {
		for name, raw := range set {
			if strings.Contains(name, "http.auth.") || mentions(raw, "http.auth.") {
				return errMatcherAsksIdentity
			}
		}
	}
	return nil
}

// mentions reports whether some text of the JSON value holds the words.
func mentions(raw json.RawMessage, words string) bool {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return bytes.Contains(raw, []byte(words))
	}
	return valueMentions(value, words)
}

func valueMentions(value any, words string) bool {
	switch v := value.(type) {
	case string:
		return strings.Contains(v, words)
	case []any:
		for _, element := range v {
			if valueMentions(element, words) {
				return true
			}
		}
	case map[string]any:
		for name, element := range v {
			if strings.Contains(name, words) || valueMentions(element, words) {
				return true
			}
		}
	}
	return false
}

// covers reports whether every request that later matches is matched by
// earlier, so that a rule with later can never apply after one with earlier.
// It may miss cases; it never claims one that is not.
func covers(earlier, later caddyhttp.RawMatcherSets) bool {
	if len(earlier) == 0 {
		return true
	}
	if len(later) == 0 {
		return setsCover(earlier, caddy.ModuleMap{})
	}
	for _, set := range later {
		if !setsCover(earlier, set) {
			return false
		}
	}
	return true
}

func setsCover(earlier caddyhttp.RawMatcherSets, set caddy.ModuleMap) bool {
	for _, e := range earlier {
		if setCovers(e, set) {
			return true
		}
	}
	return false
}

// setCovers: all that earlier asks for, later asks for as well.
func setCovers(earlier, later caddy.ModuleMap) bool {
	for name, raw := range earlier {
		other, ok := later[name]
		if ok && equalJSON(raw, other) {
			continue
		}
		if name != "path" || !pathsCover(raw, other) {
			return false
		}
	}
	return true
}

func equalJSON(a, b json.RawMessage) bool {
	var bufA, bufB bytes.Buffer
	return json.Compact(&bufA, a) == nil && json.Compact(&bufB, b) == nil && bytes.Equal(bufA.Bytes(), bufB.Bytes())
}

func pathsCover(earlier, later json.RawMessage) bool {
	var e, l []string
	if json.Unmarshal(earlier, &e) != nil {
		return false
	}
	for _, p := range e {
		if p == "*" || p == "/*" {
			return true
		}
	}
	if json.Unmarshal(later, &l) != nil || len(l) == 0 {
		return false
	}
	for _, pattern := range l {
		if !anyPathCovers(e, strings.ToLower(pattern)) {
			return false
		}
	}
	return true
}

func anyPathCovers(earlier []string, pattern string) bool {
	for _, p := range earlier {
		if pathCovers(strings.ToLower(p), pattern) {
			return true
		}
	}
	return false
}

// pathCovers compares two patterns of Caddy's path matcher.
func pathCovers(earlier, later string) bool {
	if earlier == later {
		return true
	}
	if strings.ContainsAny(earlier+later, "{%") { // known at request time only
		return false
	}
	if strings.Contains(later, "//") != strings.Contains(earlier, "//") {
		return false // slashes are merged for one and not for the other
	}
	prefix, ok := strings.CutSuffix(earlier, "*")
	if ok && !strings.Contains(prefix, "*") {
		return strings.HasPrefix(literalPrefix(later), prefix)
	}
	suffix, ok := strings.CutPrefix(earlier, "*")
	if ok && !strings.Contains(suffix, "*") {
		return strings.HasSuffix(literalSuffix(later), suffix)
	}
	return false
}

// literalPrefix is the part of the pattern that every match begins with.
func literalPrefix(pattern string) string {
	if i := strings.IndexAny(pattern, "*?[\\"); i >= 0 {
		return pattern[:i]
	}
	return pattern
}

// literalSuffix is the part of the pattern that every match ends with.
func literalSuffix(pattern string) string {
	if strings.ContainsAny(pattern, "?[\\") {
		return ""
	}
	return pattern[strings.LastIndexByte(pattern, '*')+1:]
}
