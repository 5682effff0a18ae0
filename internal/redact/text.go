// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"cmp"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
)

// maxNesting is how often a value may be percent-encoded within another before
// it is taken out without looking further.
const maxNesting = 4

// span is a part of a text: from, and up to but not including to.
type span struct{ from, to int }

// Text returns the text with the value of every listed query parameter taken
// out. The text is a URI, a query, or prose that quotes one: a request target,
// the header Referer or Location, the message of an error.
//
// A value reaches up to the next "&" or to the end of the text, since that is
// how much of it is read as the credential. It is found under a percent-encoded
// name too, and within the value of another parameter, as in
// "/login?next=%2Fa%3Ftoken%3Dx".
func (s *Set) Text(text string) string { return s.text(text, 0) }

func (s *Set) text(text string, nesting int) string {
	if len(s.queries) == 0 || !strings.ContainsAny(text, "=%") {
		return text
	}
	var spans []span
	quoted := quotedURL(text)
	for _, name := range s.queries {
		spans = plainNames(spans, text, name, quoted)
	}
	if strings.ContainsAny(text, "%+") {
		spans = s.encodedNames(spans, text, quoted)
		spans = s.nestedValues(spans, text, nesting)
	}
	if len(spans) == 0 {
		return text
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var out strings.Builder
	out.Grow(len(text) + len(Text))
	done := 0
	for _, sp := range spans {
		if sp.from < done { // within a value that was taken out already
			done = max(done, sp.to)
			continue
		}
		out.WriteString(text[done:sp.from])
		out.WriteString(Text)
		done = sp.to
	}
	out.WriteString(text[done:])
	return out.String()
}

// plainNames finds the values that follow the name, which ends in "=".
func plainNames(spans []span, text, name string, quoted span) []span {
	for at := 0; ; {
		i := strings.Index(text[at:], name)
		if i < 0 {
			return spans
		}
		i += at
		from := i + len(name)
		if i > 0 && isWord(text[i-1]) { // "my_token=" is not "token="
			at = i + 1
			continue
		}
		at = valueEnd(text, from, quoted)
		if from < at {
			spans = append(spans, span{from, at})
		}
	}
}

// isWord reports whether c may be part of the name of a parameter that stands
// as it is.
func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '_' || c == '-' || c == '.' || c == '~' || c == '%' || c == '+'
}

// encodedNames finds the values that follow a name of which something is
// percent-encoded. A name of n bytes takes at most three times as many.
func (s *Set) encodedNames(spans []span, text string, quoted span) []span {
	start := 0 // where the name may begin at the earliest
	for at := 0; at < len(text); at++ {
		switch text[at] {
		case '&':
			start = at + 1
		case '=':
			if s.encodedName(text, start, at) {
				if to := valueEnd(text, at+1, quoted); at+1 < to {
					spans = append(spans, span{at + 1, to})
					at = to - 1
				}
			}
			start = at + 1
		}
	}
	return spans
}

// encodedName reports whether what ends at the index is a listed name that
// begins at start, or after a byte that no name holds.
func (s *Set) encodedName(text string, start, end int) bool {
	earliest := max(start, end-3*s.longest)
	if !strings.ContainsAny(text[earliest:end], "%+") {
		return false
	}
	for i := earliest; i < end; i++ {
		if i != start && isWord(text[i-1]) {
			continue
		}
		if _, ok := s.byQuery[unescape(text[i:end])]; ok {
			return true
		}
	}
	return false
}

// nestedValues finds what holds a listed parameter once it is decoded: the
// values of other parameters, and what stands before the first one.
func (s *Set) nestedValues(spans []span, text string, nesting int) []span {
	for from := 0; from < len(text); {
		to := len(text)
		if i := strings.IndexByte(text[from:], '&'); i >= 0 {
			to = from + i
		}
		value := from
		if i := strings.IndexByte(text[from:to], '='); i >= 0 {
			value = from + i + 1
		}
		if s.nested(text[from:value], nesting) {
			spans = append(spans, span{from, value})
		}
		if s.nested(text[value:to], nesting) {
			spans = append(spans, span{value, to})
		}
		from = to + 1
	}
	return spans
}

func (s *Set) nested(value string, nesting int) bool {
	if strings.IndexByte(value, '%') < 0 {
		return false
	}
	decoded := unescape(value)
	if len(decoded) == len(value) { // nothing was escaped
		return false
	}
	return nesting == maxNesting || s.text(decoded, nesting+1) != decoded
}

// unescape decodes as lenient readers do: what is no escape stands for itself.
func unescape(text string) string {
	if decoded, err := url.QueryUnescape(text); err == nil {
		return decoded
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '%' && i+2 < len(text) {
			if b, err := hex.DecodeString(text[i+1 : i+3]); err == nil {
				out = append(out, b[0])
				i += 2
				continue
			}
		}
		if c == '+' {
			c = ' '
		}
		out = append(out, c)
	}
	return string(out)
}

// valueEnd returns where the value ends that begins at from.
func valueEnd(text string, from int, quoted span) int {
	to := len(text)
	if i := strings.IndexByte(text[from:], '&'); i >= 0 {
		to = from + i
	}
	if quoted.from <= from && from <= quoted.to {
		to = min(to, quoted.to)
	}
	return to
}

// quotedURL finds the URL in the message of a url.Error, as in
// Get "https://host/path?query": reason. What follows it is worth keeping. A
// request target holds quotes too, but begins with a slash.
func quotedURL(text string) span {
	open := strings.Index(text, ` "`)
	if open < 1 || text[0] == '/' {
		return span{to: -1}
	}
	from := open + 2
	for i := from; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return span{from, i}
		case ' ', '\t':
			return span{to: -1}
		}
	}
	return span{to: -1}
}
