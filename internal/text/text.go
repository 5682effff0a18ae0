// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package text says whether names and words can be shown and listed as they
// are.
package text

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// IsPlain reports whether s is UTF-8 without control characters.
func IsPlain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// IsLocalPath reports whether a browser takes the address for one on the same
// site: one slash, then neither a slash nor a backslash, no control byte.
func IsLocalPath(address string) bool {
	if address == "" || address[0] != '/' || len(address) > 1 && (address[1] == '/' || address[1] == '\\') {
		return false
	}
	for i := range len(address) {
		if address[i] <= 0x20 || address[i] == 0x7f || address[i] == '\\' {
			return false
		}
	}
	return true
}

// CheckWords says which of the words of an option is none: they are shown
// separated by spaces, where "a b" would look like two.
func CheckWords(option string, words []string) error {
	for _, w := range words {
		switch {
		case w == "":
			return fmt.Errorf("%s: a word is empty", option)
		case !IsPlain(w) || strings.ContainsFunc(w, unicode.IsSpace):
			return fmt.Errorf("%s: %q holds blanks or control characters", option, w)
		}
	}
	return nil
}

var errClaimDots = errors.New("a path of a claim neither begins nor ends with a dot, nor has two in a row")

// CheckClaimPath refuses paths with empty parts, which no claim has.
func CheckClaimPath(path string) error {
	if strings.HasPrefix(path, ".") || strings.HasSuffix(path, ".") || strings.Contains(path, "..") {
		return errClaimDots
	}
	return nil
}
