// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package secret holds text that must never be shown, and resolves where the
// configuration says that it stands.
package secret

import (
	"bytes"
	"fmt"

	"go.uber.org/zap/zapcore"
)

const redacted = "REDACTED"

// Value is a secret. However it is printed, logged or encoded, it reads
// REDACTED; Bytes alone gives it away.
type Value struct {
	// A function, since package fmt prints what a field of a struct holds, and
	// asks no method where the field is unexported, or for the verb %p.
	reveal func() []byte
}

// New returns a secret of its own copy of b.
func New(b []byte) Value {
	b = bytes.Clone(b)
	return Value{reveal: func() []byte { return b }}
}

// Bytes returns the secret. It must not be changed.
func (v Value) Bytes() []byte {
	if v.reveal == nil {
		return nil
	}
	return v.reveal()
}

// String, GoString, Format, MarshalText, MarshalJSON and MarshalLogObject show
// that there is a secret, and nothing of it.
func (Value) String() string               { return redacted }
func (Value) GoString() string             { return redacted }
func (Value) Format(s fmt.State, _ rune)   { _, _ = s.Write([]byte(redacted)) }
func (Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Value) MarshalJSON() ([]byte, error) { return []byte(`"REDACTED"`), nil }
func (Value) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("secret", redacted)
	return nil
}
