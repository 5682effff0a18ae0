// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"slices"
	"strings"
	"unicode"
)

// indexFrom is the length from which a Set is looked up by hash: below it,
// going through a short list is faster.
const indexFrom = 16

// Set is an immutable set of words, such as permissions, in the order in which
// they were given. The zero value is empty.
type Set struct {
	words []string
	index map[string]struct{}
}

// NewSet returns the set of the words. Empty words are left out.
func NewSet(words ...string) Set {
	var s Set
	if len(words) == 0 {
		return s
	}
	s.words = make([]string, 0, len(words))
	if len(words) >= indexFrom {
		s.index = make(map[string]struct{}, len(words))
	}
	for _, w := range words {
		if w == "" || s.Has(w) {
			continue
		}
		s.words = append(s.words, w)
		if s.index != nil {
			s.index[w] = struct{}{}
		}
	}
	return s
}

// ParseSet returns the set of the words that are separated by spaces, as in
// the claim "scope" (RFC 6749, section 3.3). Other blanks separate nothing.
func ParseSet(text string) Set { return NewSet(strings.Split(text, " ")...) }

// Has reports whether the word is in the set.
func (s Set) Has(word string) bool {
	if s.index != nil {
		_, ok := s.index[word]
		return ok
	}
	return slices.Contains(s.words, word)
}

// HasAny reports whether at least one of the words is in the set.
func (s Set) HasAny(words []string) bool { return slices.ContainsFunc(words, s.Has) }

// HasAll reports whether all of the words are in the set; of no words, all are.
func (s Set) HasAll(words []string) bool {
	for _, w := range words {
		if !s.Has(w) {
			return false
		}
	}
	return true
}

// Len returns how many words are in the set.
func (s Set) Len() int { return len(s.words) }

// Words returns a copy of the words.
func (s Set) Words() []string { return slices.Clone(s.words) }

// List returns the words as a List, for expressions.
func (s Set) List() List {
	list := make(List, len(s.words))
	for i, w := range s.words {
		list[i] = w
	}
	return list
}

// String returns the words separated by spaces, without those that hold a blank:
// whoever takes the text apart would see words that the set does not have.
func (s Set) String() string {
	words := s.words
	if slices.ContainsFunc(words, isSeveral) {
		words = slices.DeleteFunc(slices.Clone(words), isSeveral)
	}
	return strings.Join(words, " ")
}

// isSeveral reports whether somebody could take the word for several: one who
// splits at any blank, as Unicode, Python or JavaScript know them.
func isSeveral(word string) bool {
	return strings.ContainsFunc(word, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\ufeff'
	})
}
