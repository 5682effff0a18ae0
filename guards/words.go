// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// unlimited is the number of words of a guard that takes any number.
const unlimited = math.MaxInt

// parseBare parses a guard that is a word and nothing else.
func parseBare(d *caddyfile.Dispenser) error {
	d.Next()
	guard := d.Val()
	if d.NextArg() {
		return d.Errf("guard %q takes no argument, not %q", guard, d.Val())
	}
	return parseEnd(d, guard)
}

// parseEnd refuses whatever else stands in the guard's segment. An empty block
// does not: Caddy drops it before any module sees it.
func parseEnd(d *caddyfile.Dispenser, guard string) error {
	if d.Next() {
		return d.Errf("guard %q takes no block", guard)
	}
	return nil
}

// parseWords parses a guard whose arguments are words, at least one and at most
// most of them.
func parseWords(d *caddyfile.Dispenser, kind string, most int) ([]string, error) {
	d.Next()
	guard := d.Val()
	words := d.RemainingArgs()
	if len(words) == 0 {
		return nil, d.Errf("guard %q needs a %s", guard, kind)
	}
	if len(words) > most {
		return nil, d.Errf("guard %q has an argument too many: %q", guard, words[most])
	}
	if err := checkWords(kind, words); err != nil {
		return nil, d.Errf("guard %q: %v", guard, err)
	}
	return words, parseEnd(d, guard)
}

// placeholder is what Caddy replaces elsewhere.
var placeholder = regexp.MustCompile(`\{\$?[a-zA-Z][\w.\-]*\}`)

// checkWords says what is wrong with a list of words that must not be empty.
func checkWords(kind string, words []string) error {
	if len(words) == 0 {
		return fmt.Errorf("at least one %s is required", kind)
	}
	if slices.Contains(words, "") {
		return fmt.Errorf("a %s is empty", kind)
	}
	return checkLiteral(kind, words)
}

// checkLiteral refuses placeholders: a guard compares with what is written, so
// that one of these would never be equal to anything, without a word.
func checkLiteral(kind string, words []string) error {
	for _, word := range words {
		if placeholder.MatchString(word) {
			return fmt.Errorf("%s %q holds a placeholder, which guards do not replace: compare with \"match { expression ... }\"", kind, word)
		}
	}
	return nil
}

var errEmptyValues = errors.New("values are an empty list: leave them out to ask whether there is a value")

// checkValues says what is wrong with the values of a guard that works without
// any. A list that is there and empty was meant to hold something, and without
// values the guard asks for less.
func checkValues(values []string) error {
	if values != nil && len(values) == 0 {
		return errEmptyValues
	}
	return checkLiteral("value", values)
}
