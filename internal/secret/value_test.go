// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const text = "hunter2-hunter2"

// wantHidden fails the test if the output tells the secret, in any of the ways
// in which bytes are printed.
func wantHidden(t *testing.T, how, output string) {
	t.Helper()
	for _, form := range []string{
		text, text[:7], hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text))),
		"aHVudGVy",                // base64
		"104 117 110", "104, 117", // decimal
		"0x68, 0x75", "68 75 6e", "0x68 0x75", "150 165", "1101000 1110101", "'h' 'u'", "U+0068", `\u0068`,
	} {
		if strings.Contains(output, form) {
			t.Errorf("%s: %s", how, output)
		}
	}
}

// Attack: whoever reads a log, an error or the dump of a struct. Each verb is
// tried, since a type that hides itself from some of them is printed byte by byte
// by the others.
func TestEveryVerbPrintsREDACTED(t *testing.T) {
	t.Parallel()
	v := New([]byte(text))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%+s", "%q", "%#q", "%x", "%X", "%#x", "% x", "%d", "%#d", "%o", "%b", "%c", "%U", "%e", "%t", "%20s", "%-20s", "%.3s", "%z"} {
		for kind, value := range map[string]any{"value": v, "pointer": &v} {
			got := fmt.Sprintf(verb, value)
			wantHidden(t, verb+" of a "+kind, got)
			if got != redacted {
				t.Errorf("%s of a %s: %q", verb, kind, got)
			}
		}
	}
	control := struct{ bytes []byte }{[]byte(text)}
	if !strings.Contains(fmt.Sprint(control), "104 117 110") {
		t.Error("control: fmt no longer prints bytes like that")
	}
}

// Attack: the verbs that ask no method, and what package fmt does of its own
// where there is no verb for a value, or a field that it may not ask.
func TestSecretIsHiddenWherePackageFmtAsksNoMethod(t *testing.T) {
	t.Parallel()
	type inner struct{ v Value }
	type outer struct {
		Shown  Value
		hidden Value
		inner  inner
		list   []Value
		byName map[string]Value
		any    any
	}
	v := New([]byte(text))
	o := outer{v, v, inner{v}, []Value{v}, map[string]Value{"a": v}, v}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T", "%t", "%c"} {
		for _, value := range []any{v, &v, o, &o, []Value{v}, [1]Value{v}, map[string]Value{"a": v}, []any{v}, o.list, o.byName, o.any} {
			wantHidden(t, fmt.Sprintf("%s of %T", verb, value), fmt.Sprintf(verb, value))
		}
	}
	for _, format := range []string{"nothing", "%", "%!", "%[3]v %[9]d %*d %.*d", "%[1]*v", "%v %s %p"} { // with arguments too many, or out of place
		wantHidden(t, format, fmt.Sprintf(format, v, o, v, &o))
	}
	wantHidden(t, "Sprint", fmt.Sprint(v, o)+fmt.Sprintln(&v, &o))
	wantHidden(t, "Errorf", fmt.Errorf("loading %v: %w", o, errors.New("x")).Error())
}

func TestMethodsOfASecretSayREDACTED(t *testing.T) {
	t.Parallel()
	v := New([]byte(text))
	marshaled, err := v.MarshalText()
	for how, got := range map[string]string{"String": v.String(), "GoString": v.GoString(), "MarshalText": string(marshaled)} {
		if got != redacted || err != nil {
			t.Errorf("%s: %q, %v", how, got, err)
		}
	}
}

func TestEncodedSecretIsREDACTED(t *testing.T) {
	t.Parallel()
	v := New([]byte(text))
	type config struct {
		Secret  Value            `json:"secret"`
		Pointer *Value           `json:"pointer"`
		Keys    map[string]Value `json:"keys"`
		hidden  Value
	}
	c := config{v, &v, map[string]Value{"a": v}, v}
	const want = `{"secret":"REDACTED","pointer":"REDACTED","keys":{"a":"REDACTED"}}`
	if got, err := json.Marshal(c); err != nil || string(got) != want {
		t.Errorf("encoding/json: %s, %v", got, err)
	}
	if got, err := jsonv2.Marshal(c); err != nil || string(got) != want {
		t.Errorf("json v2: %s, %v", got, err)
	}
	got, err := xml.Marshal(v)
	if err != nil || !bytes.Contains(got, []byte(redacted)) {
		t.Errorf("xml: %s, %v", got, err)
	}
	var buf bytes.Buffer
	_ = gob.NewEncoder(&buf).Encode(struct{ Secret Value }{v}) // an error is as good
	wantHidden(t, "gob", buf.String())
	_ = c.hidden
}

func TestLoggedSecretIsREDACTED(t *testing.T) {
	t.Parallel()
	v := New([]byte(text))
	type holder struct {
		Secret Value
		hidden Value
	}
	h := holder{v, v}
	fields := []zap.Field{
		zap.Any("any", v), zap.Any("pointer", &v), zap.Stringer("stringer", v), zap.Object("object", v),
		zap.Reflect("reflect", v), zap.Any("list", []Value{v}), zap.Any("map", map[string]Value{"a": v}),
		zap.Any("struct", h), zap.Inline(v), zap.Objects("objects", []Value{v}), zap.Stringers("stringers", []Value{v}),
		zap.Error(fmt.Errorf("with %v", v)),
	}
	for name, encoder := range map[string]zapcore.Encoder{
		"json":    zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()),
		"console": zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()),
	} {
		var buf bytes.Buffer
		logger := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&buf), zapcore.DebugLevel))
		logger.Info("loading", fields...)
		logger.Sugar().Infow("loading", "secret", v, "struct", h)
		logger.Sugar().Infof("loading %v %s %x %+v %p", v, v, v, h, h)
		wantHidden(t, "zap, "+name, buf.String())
		if n := strings.Count(buf.String(), redacted); n < len(fields) {
			t.Errorf("zap, %s: %s", name, buf.String())
		}
	}
	var buf bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&buf, nil), slog.NewJSONHandler(&buf, nil)} {
		slog.New(handler).Info("loading", "secret", v, "pointer", &v, "struct", h, "list", []Value{v})
	}
	wantHidden(t, "slog", buf.String())
}

func TestSecretIsACopyThatBytesGivesAway(t *testing.T) {
	t.Parallel()
	given := []byte(text)
	v := New(given)
	clear(given)
	if got := string(v.Bytes()); got != text {
		t.Errorf("%q", got)
	}
	for _, empty := range []Value{{}, New(nil), New([]byte{})} {
		if len(empty.Bytes()) != 0 || fmt.Sprint(empty) != redacted {
			t.Errorf("%q, %v", empty.Bytes(), empty)
		}
	}
}

// Interface guards
var (
	_ fmt.Formatter           = Value{}
	_ fmt.GoStringer          = Value{}
	_ fmt.Stringer            = Value{}
	_ json.Marshaler          = Value{}
	_ encoding.TextMarshaler  = Value{}
	_ zapcore.ObjectMarshaler = Value{}
)
