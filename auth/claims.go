// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// errNotObject: claims are a JSON object and nothing else.
var errNotObject = errors.New("not a JSON object")

// Claims are an immutable JSON object. The zero value is the empty object.
//
// They are kept as text and read when somebody asks: most requests ask for one
// claim or none.
type Claims struct {
	raw jsontext.Value
}

// Object and List are JSON's object and list. They print as JSON; expressions
// see a map and a list.
type (
	Object map[string]any
	List   []any
)

// String returns the object as JSON.
func (o Object) String() string { return jsonText(o) }

// String returns the list as JSON.
func (l List) String() string { return jsonText(l) }

func jsonText(v any) string {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false) // shown as it is, not inside a page
	if err := enc.Encode(v); err != nil {
		return ""
	}
	return strings.TrimSuffix(buf.String(), "\n")
}

// ParseClaims returns the claims of a JSON object, of which it keeps raw. It
// refuses duplicate members, at any depth, and invalid UTF-8.
func ParseClaims(raw []byte) (Claims, error) {
	v := jsontext.Value(raw)
	if !v.IsValid() {
		return Claims{}, errors.New("not valid JSON")
	}
	if v.Kind() != '{' {
		return Claims{}, errNotObject
	}
	return Claims{raw: v}, nil
}

// TrustedClaims is ParseClaims for an object that was found valid already. It
// keeps raw, which must not change from then on.
func TrustedClaims(raw []byte) Claims { return Claims{raw: raw} }

// NewClaims returns the claims of an object that exists in memory.
func NewClaims(object map[string]any) (Claims, error) {
	if len(object) == 0 {
		return Claims{}, nil
	}
	raw, err := json.Marshal(object)
	if err != nil {
		return Claims{}, fmt.Errorf("encoding claims: %w", err)
	}
	return ParseClaims(raw)
}

// JSON returns the claims as text. It must not be changed.
func (c Claims) JSON() []byte {
	if len(c.raw) == 0 {
		return []byte("{}")
	}
	return c.raw
}

// Size returns how many bytes the claims take in memory.
func (c Claims) Size() int { return cap(c.raw) }

// Object returns all claims.
func (c Claims) Object() Object {
	v, err := decodeValue(decoderOf(c.JSON()))
	if err != nil {
		return Object{}
	}
	o, _ := v.(Object)
	return o
}

// Lookup returns the claim at the path: names of members and indexes of lists,
// separated by dots, as in "realm_access.roles.0". A member whose name itself
// holds dots is found first, the longest name before shorter ones:
// "https://acme.com/roles" is one name.
//
// The value is a string, a bool, nil for JSON's null, an int64 or, where it
// does not fit, a json.Number for a whole number, a float64 for any other, a
// List or an Object.
func (c Claims) Lookup(path string) (any, bool) {
	raw, ok := c.LookupJSON(path)
	if !ok {
		return nil, false
	}
	if text, ok := plainText(raw); ok { // what is asked for most
		return string(text), true
	}
	v, err := decodeValue(decoderOf(raw))
	if err != nil {
		return nil, false
	}
	return v, true
}

// LookupJSON is Lookup for the text of the value, which is not decoded. It must
// not be changed.
func (c Claims) LookupJSON(path string) ([]byte, bool) {
	if len(c.raw) == 0 || path == "" {
		return nil, false
	}
	return lookup(c.raw, path)
}

// Text returns the claim at the path if it is a string.
func (c Claims) Text(path string) (string, bool) {
	v, ok := c.Lookup(path)
	if !ok {
		return "", false
	}
	s, ok := v.(string)
	return s, ok
}

// decoderOf returns a decoder that reads where the text stands, without copying
// it first.
func decoderOf(raw []byte) *jsontext.Decoder { return jsontext.NewDecoder(bytes.NewBuffer(raw)) }

// decodeValue reads one value.
func decodeValue(dec *jsontext.Decoder) (any, error) {
	token, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case 'n':
		return nil, nil
	case 't', 'f':
		return token.Bool(), nil
	case '"':
		return token.String(), nil
	case '0':
		return decodeNumber(token.String()), nil
	case '[':
		list := List{}
		for dec.PeekKind() != ']' {
			v, err := decodeValue(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.ReadToken()
		return list, err
	case '{':
		object := Object{}
		for dec.PeekKind() != '}' {
			name, err := dec.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String() // before the next read, which reuses the token's memory
			v, err := decodeValue(dec)
			if err != nil {
				return nil, err
			}
			object[key] = v
		}
		_, err := dec.ReadToken()
		return object, err
	default:
		return nil, fmt.Errorf("unexpected %s", token.Kind())
	}
}

// decodeNumber keeps whole numbers whole: a float64 holds no identifier of 18
// digits.
func decodeNumber(text string) any {
	if !strings.ContainsAny(text, ".eE") {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
		return json.Number(text)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return json.Number(text)
	}
	return f
}
