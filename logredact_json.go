// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"bytes"
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/caddybolt/caddy-bolt/internal/redact"
)

// cleanReflected returns the value without credentials. Loggers encode such a
// value as JSON, so that is where the names of its fields are found. A value
// that holds no credential is returned as it is.
func cleanReflected(key string, value any) (any, error) {
	switch value := value.(type) {
	case nil, bool, int, int64, uint64, float64:
		return value, nil
	case string: // stays one: Caddy's filters see no other type
		return redact.Current().Field(key, value), nil
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	c := jsonCleaner{
		names: redact.Current(),
		dec:   jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)),
		enc:   jsontext.NewEncoder(&out, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)),
	}
	if err := c.value("", key); err != nil {
		return redact.Text, nil //nolint:nilerr // it cannot be looked into, so none of it is shown
	}
	if !c.changed {
		return value, nil
	}
	return json.RawMessage(out.Bytes()), nil
}

// isSecretOption reports whether a member of that name, of the member parent, is
// an option of this project that holds a secret. Caddy logs whole
// configurations at debug level.
func isSecretOption(parent, name string) bool {
	switch name {
	case "secret", "private_key":
		return true
	}
	return parent == "keys" && name == "key"
}

// jsonCleaner copies JSON.
type jsonCleaner struct {
	names   *redact.Set
	dec     *jsontext.Decoder
	enc     *jsontext.Encoder
	changed bool
}

// value copies one value: the member key, or an element of it, of an object that
// is itself the member parent, or an element of it.
func (c *jsonCleaner) value(parent, key string) error {
	switch c.dec.PeekKind() {
	case '"':
		token, err := c.dec.ReadToken()
		if err != nil {
			return err
		}
		text := token.String()
		clean := c.names.Field(key, text)
		if text != "" && isSecretOption(parent, key) {
			clean = redact.Text
		}
		c.changed = c.changed || clean != text
		return c.enc.WriteToken(jsontext.String(clean))
	case '{', '[':
		return c.compound(parent, key)
	default:
		value, err := c.dec.ReadValue()
		if err != nil {
			return err
		}
		return c.enc.WriteValue(value)
	}
}

// compound copies an object or an array.
func (c *jsonCleaner) compound(parent, key string) error {
	begin, err := c.dec.ReadToken()
	if err != nil {
		return err
	}
	isObject := begin.Kind() == '{'
	if err := c.enc.WriteToken(begin); err != nil {
		return err
	}
	if isObject {
		parent = key
	}
	for kind := c.dec.PeekKind(); kind != '}' && kind != ']'; kind = c.dec.PeekKind() {
		if isObject {
			name, err := c.dec.ReadToken()
			if err != nil {
				return err
			}
			key = name.String()
			if err := c.enc.WriteToken(jsontext.String(key)); err != nil {
				return err
			}
		}
		if err := c.value(parent, key); err != nil {
			return err
		}
	}
	end, err := c.dec.ReadToken()
	if err != nil {
		return err
	}
	return c.enc.WriteToken(end)
}
