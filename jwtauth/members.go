// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var (
	errNotObject = errors.New("not an object")
	errTooDeep   = errors.New("nested too deep")
)

// members finds the members of a JSON object that somebody asks for, in one
// pass over the text and without decoding the others. The whole text is held
// to the strict rules: one object and nothing after it, no duplicate member at
// any depth, names to the letter, valid UTF-8.
type members struct {
	raw   []byte
	index map[string]int // name -> slot
	spans []span         // by slot
	name  []byte         // for names that are written with escapes
}

// span is where a value stands in raw. The empty span is no value.
type span struct{ start, end int }

// parse reads raw, which is kept until reset, and fills in the slots.
func (m *members) parse(raw []byte, index map[string]int, slots int) error {
	m.raw, m.index = raw, index
	if cap(m.spans) < slots {
		m.spans = make([]span, slots)
	}
	m.spans = m.spans[:slots]
	clear(m.spans)
	if isTooDeep(raw) {
		return errTooDeep
	}
	return json.Unmarshal(raw, m)
}

// maxDepth is how deep objects and lists may stand within each other. The
// decoder would go to 10,000, at a hundred times the cost of other text of the
// same length, before it is known who sent it.
const maxDepth = 64

// isTooDeep reports whether raw goes deeper. Text with few brackets cannot, and
// is not looked at byte by byte.
func isTooDeep(raw []byte) bool {
	if bytes.Count(raw, []byte{'{'})+bytes.Count(raw, []byte{'['}) <= maxDepth {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// UnmarshalJSONFrom reads the object. It is called by parse alone.
func (m *members) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '{' {
		return errNotObject
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadValue()
		if err != nil {
			return err
		}
		slot, wanted := m.index[string(m.unquoted(name))]
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if wanted {
			end := int(dec.InputOffset())
			m.spans[slot] = span{end - len(value), end}
		}
	}
	_, err := dec.ReadToken()
	return err
}

// unquoted returns the text of a valid JSON string, without copying it where it
// holds no escape.
func (m *members) unquoted(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	m.name, _ = jsontext.AppendUnquote(m.name[:0], quoted) // valid: the decoder read it
	return m.name
}

func (m *members) has(slot int) bool { return m.spans[slot].end > 0 }

// value returns the JSON of the member, nil when it is not there.
func (m *members) value(slot int) []byte {
	if !m.has(slot) {
		return nil
	}
	s := m.spans[slot]
	return m.raw[s.start:s.end]
}

// text returns the member if it is a string.
func (m *members) text(slot int) ([]byte, bool) { return textOf(m.value(slot)) }

// reset forgets the text, not the memory.
func (m *members) reset() {
	m.raw = nil
	clear(m.spans)
}

// textOf returns the text of a valid JSON value if it is a string.
func textOf(value []byte) ([]byte, bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], true
	}
	text, err := jsontext.AppendUnquote(nil, value)
	return text, err == nil
}

// eachText calls f for the elements of a valid JSON list. It returns false
// when value is no list or one of its elements no string.
func eachText(value []byte, f func([]byte)) bool {
	if len(value) < 2 || value[0] != '[' {
		return false
	}
	rest := skipSpace(value[1:])
	for rest[0] != ']' {
		if rest[0] != '"' {
			return false
		}
		end := 1
		for rest[end] != '"' {
			if rest[end] == '\\' {
				end++
			}
			end++
		}
		text, ok := textOf(rest[:end+1])
		if !ok {
			return false
		}
		f(text)
		rest = skipSpace(rest[end+1:])
		if rest[0] == ',' {
			rest = skipSpace(rest[1:])
		}
	}
	return true
}

// skipSpace skips what is between the tokens of valid JSON.
func skipSpace(b []byte) []byte {
	for len(b) > 0 && b[0] <= ' ' {
		b = b[1:]
	}
	return b
}
