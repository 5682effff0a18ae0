// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// What follows finds values in JSON that was found valid before, without
// decoding it and without copying: a decoder would check everything again, for
// every claim that a request asks for. In text that is not JSON it finds
// nothing, or something that is not JSON either; it stays within the text.

// lookup finds the value at the path within raw.
func lookup(raw []byte, path string) ([]byte, bool) {
	raw = trimSpace(raw)
	if path == "" {
		return raw, len(raw) > 0
	}
	if len(raw) == 0 {
		return nil, false
	}
	switch raw[0] {
	case '{':
		return lookupMember(raw, path)
	case '[':
		return lookupElement(raw, path)
	default:
		return nil, false
	}
}

// lookupMember tries the members whose name begins the path, the longest first.
func lookupMember(raw []byte, path string) ([]byte, bool) {
	type candidate struct {
		length int
		value  []byte
	}
	var found []candidate
	rest := trimSpace(raw[1:])
	for len(rest) > 0 && rest[0] == '"' {
		name, after, ok := cutValue(rest)
		after = trimSpace(after)
		if !ok || len(after) == 0 || after[0] != ':' {
			return nil, false
		}
		value, after, ok := cutValue(trimSpace(after[1:]))
		if !ok {
			return nil, false
		}
		if length, ok := begins(name, path); ok {
			if length == len(path) { // nothing is longer
				return value, true
			}
			found = append(found, candidate{length, value})
		}
		if rest, ok = nextItem(after); !ok {
			break
		}
	}
	for len(found) > 0 {
		best := 0
		for i := range found {
			if found[i].length > found[best].length {
				best = i
			}
		}
		if rest := path[found[best].length+1:]; rest != "" {
			if v, ok := lookup(found[best].value, rest); ok {
				return v, true
			}
		}
		found = append(found[:best], found[best+1:]...)
	}
	return nil, false
}

// begins reports whether a name is the path or what stands before one of its
// dots, and how long the name is.
func begins(quoted []byte, path string) (length int, ok bool) {
	name, plain := plainText(quoted)
	if !plain {
		var err error
		if name, err = jsontext.AppendUnquote(nil, quoted); err != nil {
			return 0, false
		}
	}
	n := len(name)
	if n > len(path) || string(name) != path[:n] || n < len(path) && path[n] != '.' {
		return 0, false
	}
	return n, true
}

// lookupElement goes to the element that the path begins with.
func lookupElement(raw []byte, path string) ([]byte, bool) {
	head, deeper, more := strings.Cut(path, ".")
	index, err := strconv.ParseUint(head, 10, 31)
	if err != nil || strconv.FormatUint(index, 10) != head || more && deeper == "" {
		return nil, false // "01", "+1" and "0." are no indexes
	}
	rest := trimSpace(raw[1:])
	if len(rest) > 0 && rest[0] == ']' {
		return nil, false
	}
	for ; ; index-- {
		value, after, ok := cutValue(rest)
		if !ok {
			return nil, false
		}
		if index == 0 {
			return lookup(value, deeper)
		}
		if rest, ok = nextItem(after); !ok {
			return nil, false
		}
	}
}

// nextItem returns what stands after the comma, false if there is none.
func nextItem(b []byte) ([]byte, bool) {
	b = trimSpace(b)
	if len(b) == 0 || b[0] != ',' {
		return nil, false
	}
	return trimSpace(b[1:]), true
}

// cutValue cuts the first value off.
func cutValue(b []byte) (value, after []byte, ok bool) {
	end := 0
	if len(b) > 0 {
		switch b[0] {
		case '"':
			end = endOfString(b)
		case '{', '[':
			end = endOfGroup(b)
		default:
			for end < len(b) && strings.IndexByte(",:]} \t\r\n", b[end]) < 0 {
				end++
			}
		}
	}
	return b[:end:end], b[end:], end > 0
}

// endOfString returns where a string ends that b begins with, 0 if it does not.
func endOfString(b []byte) int {
	for end := 1; ; {
		quote := bytes.IndexByte(b[end:], '"')
		if quote < 0 {
			return 0
		}
		escape := bytes.IndexByte(b[end:end+quote], '\\')
		if escape < 0 {
			return end + quote + 1
		}
		if end += escape + 2; end >= len(b) {
			return 0
		}
	}
}

// endOfGroup returns where an object or list ends that b begins with, 0 if it
// does not.
func endOfGroup(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			n := endOfString(b[i:])
			if n == 0 {
				return 0
			}
			i += n - 1
		}
	}
	return 0
}

// plainText returns the text of a string that is written without escapes.
func plainText(value []byte) ([]byte, bool) {
	n := len(value)
	if n < 2 || value[0] != '"' || value[n-1] != '"' || bytes.IndexByte(value, '\\') >= 0 {
		return nil, false
	}
	return value[1 : n-1], true
}

// trimSpace removes the blanks that stand before a token.
func trimSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	return b
}
