// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"reflect"
	"strconv"
	"testing"
)

func TestSetKeepsWordsInOrderAndOnce(t *testing.T) {
	t.Parallel()
	s := NewSet("b", "", "a", "b", "c", "a")
	if got := s.Words(); !reflect.DeepEqual(got, []string{"b", "a", "c"}) {
		t.Errorf("words are %q", got)
	}
	if s.Len() != 3 || s.String() != "b a c" || !reflect.DeepEqual(s.List(), List{"b", "a", "c"}) {
		t.Errorf("set is %d %q %v", s.Len(), s, s.List())
	}
	for word, want := range map[string]bool{"a": true, "b": true, "c": true, "A": false, "": false, "ab": false, "a b": false} {
		if s.Has(word) != want {
			t.Errorf("has %q is %t", word, !want)
		}
	}
}

// Around the length from which a set is indexed, nothing changes.
func TestSetOfAnyLengthHasItsWords(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, indexFrom - 1, indexFrom, indexFrom + 1, 1000} {
		var words []string
		for i := range n {
			words = append(words, "p"+strconv.Itoa(i), "p"+strconv.Itoa(i/2), "")
		}
		s := NewSet(words...)
		if s.Len() != n {
			t.Errorf("%d words are %d", n, s.Len())
		}
		for i := range n {
			if !s.Has("p" + strconv.Itoa(i)) {
				t.Errorf("%d of %d is missing", i, n)
			}
		}
		if s.Has("") || s.Has("p") || s.Has("p"+strconv.Itoa(n)) {
			t.Errorf("%d words have others", n)
		}
	}
}

func TestAnyAndAllOfASet(t *testing.T) {
	t.Parallel()
	s := NewSet("a", "b")
	for _, c := range []struct {
		words    []string
		any, all bool
	}{
		{nil, false, true},
		{[]string{"a"}, true, true},
		{[]string{"x"}, false, false},
		{[]string{"x", "b"}, true, false},
		{[]string{"b", "a"}, true, true},
		{[]string{""}, false, false},
	} {
		if s.HasAny(c.words) != c.any || s.HasAll(c.words) != c.all {
			t.Errorf("%q: any %t, all %t", c.words, !c.any, !c.all)
		}
	}
}

func TestSetOfAText(t *testing.T) {
	t.Parallel()
	if got := ParseSet("  read write\tadmin  read ").Words(); !reflect.DeepEqual(got, []string{"read", "write\tadmin"}) {
		t.Errorf("words are %q", got)
	}
	if s := ParseSet(" "); s.Len() != 0 || s.Has("") {
		t.Errorf("no words are %q", s)
	}
}

// Whoever holds the words does not hold the set.
func TestSetDoesNotChange(t *testing.T) {
	t.Parallel()
	words := []string{"a", "b"}
	s := NewSet(words...)
	words[0] = "root"
	s.Words()[1] = "root"
	s.List()[0] = "root"
	if s.Has("root") || s.String() != "a b" {
		t.Errorf("the set became %q", s)
	}
}

func TestEmptySet(t *testing.T) {
	t.Parallel()
	var s Set
	if s.Has("a") || s.Has("") || s.HasAny([]string{"a"}) || s.Len() != 0 || s.String() != "" || len(s.List()) != 0 || len(s.Words()) != 0 {
		t.Errorf("the zero set holds %q", s)
	}
}

// Attack: a permission "reports.read admin" in a list. Guards deny "admin", and an
// application that takes the text apart would see it.
func TestTextOfASetShowsNoWordsThatItDoesNotHave(t *testing.T) {
	t.Parallel()
	for _, several := range []string{"a admin", "a\tadmin", "a\nadmin", "a\u00a0admin", "a\u2028admin", "a\u3000admin", "a\x1fadmin", "a\u0085admin", "a\ufeffadmin", " admin"} {
		s := NewSet("read", several, "write")
		if s.String() != "read write" {
			t.Errorf("%q: %q", several, s)
		}
		if !s.Has(several) || s.Has("admin") || len(s.Words()) != 3 || len(s.List()) != 3 {
			t.Errorf("%q is no word of the set", several)
		}
	}
	if s := NewSet("read", "lesen.ä", "write"); s.String() != "read lesen.ä write" {
		t.Errorf("the control: %q", s)
	}
}
