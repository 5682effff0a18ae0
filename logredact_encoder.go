// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"bytes"
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"github.com/caddybolt/caddy-bolt/internal/redact"
)

// redactingEncoder takes credentials out of entries and hands them on.
type redactingEncoder struct {
	redactingObject
	wrapped zapcore.Encoder
}

func newRedactingEncoder(wrapped zapcore.Encoder) *redactingEncoder {
	return &redactingEncoder{redactingObject{wrapped}, wrapped}
}

// Clone implements zapcore.Encoder.
func (e *redactingEncoder) Clone() zapcore.Encoder { return newRedactingEncoder(e.wrapped.Clone()) }

// EncodeEntry implements zapcore.Encoder. The fields are added to a copy of the
// wrapped encoder, since they belong to this entry only.
func (e *redactingEncoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	wrapped := e.wrapped.Clone()
	object := redactingObject{wrapped}
	for i := range fields {
		fields[i].AddTo(object)
	}
	entry.Message = redact.Current().Text(entry.Message)
	return wrapped.EncodeEntry(entry, nil)
}

// redactingObject takes credentials out of the fields of an object: of an entry
// itself or of whatever is nested in it. Numbers, booleans and times pass.
type redactingObject struct{ zapcore.ObjectEncoder }

// AddString implements zapcore.ObjectEncoder, as do the following.
func (o redactingObject) AddString(key, value string) {
	o.ObjectEncoder.AddString(key, redact.Current().Field(key, value))
}

func (o redactingObject) AddByteString(key string, value []byte) {
	o.ObjectEncoder.AddByteString(key, cleanBytes(key, value))
}

func (o redactingObject) AddBinary(key string, value []byte) {
	o.ObjectEncoder.AddBinary(key, cleanBytes(key, value))
}

func (o redactingObject) AddArray(key string, array zapcore.ArrayMarshaler) error {
	return o.ObjectEncoder.AddArray(key, redactedArray{key, array})
}

func (o redactingObject) AddObject(key string, object zapcore.ObjectMarshaler) error {
	return o.ObjectEncoder.AddObject(key, redactedObject{object})
}

func (o redactingObject) AddReflected(key string, value any) error {
	clean, err := cleanReflected(key, value)
	if err != nil {
		return err
	}
	return o.ObjectEncoder.AddReflected(key, clean)
}

// redactingArray takes credentials out of the elements of an array. They are
// fields of the name that the array has: a header has several values.
type redactingArray struct {
	zapcore.ArrayEncoder
	key string
}

func (a redactingArray) AppendString(value string) {
	a.ArrayEncoder.AppendString(redact.Current().Field(a.key, value))
}

func (a redactingArray) AppendByteString(value []byte) {
	a.ArrayEncoder.AppendByteString(cleanBytes(a.key, value))
}

func (a redactingArray) AppendArray(array zapcore.ArrayMarshaler) error {
	return a.ArrayEncoder.AppendArray(redactedArray{a.key, array})
}

func (a redactingArray) AppendObject(object zapcore.ObjectMarshaler) error {
	return a.ArrayEncoder.AppendObject(redactedObject{object})
}

func (a redactingArray) AppendReflected(value any) error {
	clean, err := cleanReflected(a.key, value)
	if err != nil {
		return err
	}
	return a.ArrayEncoder.AppendReflected(clean)
}

// redactedObject encodes an object without credentials.
type redactedObject struct{ object zapcore.ObjectMarshaler }

func (r redactedObject) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	return r.object.MarshalLogObject(redactingObject{enc})
}

// redactedArray encodes an array without credentials.
type redactedArray struct {
	key   string
	array zapcore.ArrayMarshaler
}

func (r redactedArray) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	return r.array.MarshalLogArray(redactingArray{enc, r.key})
}

func cleanBytes(key string, value []byte) []byte {
	text := string(value)
	if clean := redact.Current().Field(key, text); clean != text {
		return []byte(clean)
	}
	return value
}

// cleanReflected returns the value without credentials. Loggers encode such a
// value as JSON, so that is where the names of its fields are found. A value
// that holds no credential is returned as it is.
func cleanReflected(key string, value any) (any, error) {
	switch value.(type) {
	case nil, bool, int, int64, uint64, float64:
		return value, nil
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
	if err := c.value(key); err != nil {
		return redact.Text, nil //nolint:nilerr // it cannot be looked into, so none of it is shown
	}
	if !c.changed {
		return value, nil
	}
	return json.RawMessage(out.Bytes()), nil
}

// jsonCleaner copies JSON.
type jsonCleaner struct {
	names   *redact.Set
	dec     *jsontext.Decoder
	enc     *jsontext.Encoder
	changed bool
}

// value copies one value, a field of that name.
func (c *jsonCleaner) value(key string) error {
	switch c.dec.PeekKind() {
	case '"':
		token, err := c.dec.ReadToken()
		if err != nil {
			return err
		}
		text := token.String()
		clean := c.names.Field(key, text)
		c.changed = c.changed || clean != text
		return c.enc.WriteToken(jsontext.String(clean))
	case '{', '[':
		return c.compound(key)
	default:
		value, err := c.dec.ReadValue()
		if err != nil {
			return err
		}
		return c.enc.WriteValue(value)
	}
}

// compound copies an object or an array.
func (c *jsonCleaner) compound(key string) error {
	begin, err := c.dec.ReadToken()
	if err != nil {
		return err
	}
	isObject := begin.Kind() == '{'
	if err := c.enc.WriteToken(begin); err != nil {
		return err
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
		if err := c.value(key); err != nil {
			return err
		}
	}
	end, err := c.dec.ReadToken()
	if err != nil {
		return err
	}
	return c.enc.WriteToken(end)
}

// Interface guards
var _ zapcore.Encoder = (*redactingEncoder)(nil)
