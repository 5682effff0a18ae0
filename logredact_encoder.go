// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"slices"

	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

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
	if values, ok := array.(caddyhttp.LoggableStringArray); ok {
		return o.ObjectEncoder.AddArray(key, cleanStrings(key, values))
	}
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

// cleanStrings returns the values of a header without credentials. The type
// stays, since Caddy's filters look into an array of this type alone: whatever
// else they are given, they let pass.
func cleanStrings(key string, values caddyhttp.LoggableStringArray) caddyhttp.LoggableStringArray {
	names := redact.Current()
	var out caddyhttp.LoggableStringArray
	for i, value := range values {
		clean := names.Field(key, value)
		if clean != value && out == nil {
			out = slices.Clone(values) // the request's own header
		}
		if out != nil {
			out[i] = clean
		}
	}
	if out == nil {
		return values
	}
	return out
}

func cleanBytes(key string, value []byte) []byte {
	text := string(value)
	if clean := redact.Current().Field(key, text); clean != text {
		return []byte(clean)
	}
	return value
}

// Interface guards
var _ zapcore.Encoder = (*redactingEncoder)(nil)
