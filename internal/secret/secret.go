// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package secret holds text that must never be shown, and resolves where the
// configuration says that it stands.
package secret

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2"
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

// ErrEmpty is the error of a secret that resolves to nothing.
var ErrEmpty = errors.New("resolves to an empty value")

var errBraces = errors.New("it holds braces that are no placeholder: write \\{ for a brace")

// Resolve returns the text with Caddy's global placeholders, such as
// {env.SECRET_KEY} and {file./run/secrets/key}, replaced by what they stand
// for. Call it in Provision, once. A placeholder that is unknown or empty is
// an error, which never shows a value. It names a placeholder that is empty, and
// not one that is unknown: such braces may be a piece of the secret itself.
func Resolve(text string) (string, error) {
	if text == "" {
		return "", ErrEmpty
	}
	out, err := caddy.NewReplacer().ReplaceOrErr(text, true, true)
	if err != nil {
		if strings.HasPrefix(err.Error(), "evaluated placeholder {") { // a known one
			return "", err
		}
		return "", errBraces
	}
	if strings.TrimSpace(out) == "" {
		return "", ErrEmpty
	}
	return out, nil
}

// IsInline reports whether the text is the secret itself rather than a
// placeholder for it: Caddy's admin API, autosave file and debug log show such text.
func IsInline(text string) bool {
	return text != "" && !strings.Contains(text, "{env.") && !strings.Contains(text, "{file.")
}
