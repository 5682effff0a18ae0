// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/logging"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/redact"
)

// What these tests have authenticators read. The names are theirs alone: the
// list belongs to the process.
const (
	logHeader = "X-Logged-Key"
	logQuery  = "logged_token"
	logCookie = "logged_session"
	logSecret = "Zq9SecretZq9"
)

func init() {
	redact.Add([]auth.Source{{Header: logHeader}, {Query: logQuery}, {Cookie: logCookie}})
}

// redactor returns auth_redact around the encoder of that JSON, which may be
// empty.
func redactor(t testing.TB, wrap string) *LogRedact {
	t.Helper()
	l := new(LogRedact)
	if wrap != "" {
		l.WrappedRaw = json.RawMessage(wrap)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	if err := l.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	return l
}

// logged returns what a logger with the encoder writes.
func logged(enc zapcore.Encoder, log func(*zap.Logger)) string {
	var out bytes.Buffer
	log(zap.New(zapcore.NewCore(enc, zapcore.AddSync(&out), zapcore.DebugLevel)))
	return out.String()
}

// credentialed is a request that holds the secret wherever one is read.
func credentialed() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/p?a=1&"+logQuery+"="+logSecret+"&b=2", nil)
	r.Header.Set(logHeader, logSecret)
	r.Header.Set("Cookie", "theme=dark; "+logCookie+"="+logSecret)
	r.Header.Set("Referer", "https://example.com/?"+logQuery+"="+logSecret)
	r.Header.Set("X-Original-Uri", "/p?"+logQuery+"="+logSecret)
	r.Header.Set("User-Agent", "agent/1.0")
	return r
}

// stringer prints itself.
type stringer string

func (s stringer) String() string { return string(s) }

// environment is what Caddy's FastCGI transport logs at debug level.
type environment map[string]string

func (e environment) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	for k, v := range e {
		enc.AddString(k, v)
	}
	return nil
}

// Each entry shows the credential without auth_redact. An entry shows "agent",
// too, which stays.
var entries = map[string]func(*zap.Logger){
	"the request": func(l *zap.Logger) {
		l.Error("agent", zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: credentialed()}))
	},
	"the request, with log_credentials": func(l *zap.Logger) {
		l.Error("agent", zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: credentialed(), ShouldLogCredentials: true}))
	},
	"the request, added before": func(l *zap.Logger) {
		l.With(zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: credentialed()})).Error("agent")
	},
	"the request, added lazily": func(l *zap.Logger) {
		l.WithLazy(zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: credentialed()})).Error("agent")
	},
	"the request, added to one that has fields": func(l *zap.Logger) {
		l.With(zap.Int("a", 1)).Named("x").With(zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: credentialed()})).Error("agent", zap.Int("b", 2))
	},
	"the response": func(l *zap.Logger) {
		l.Info("agent", zap.Object("resp_headers", caddyhttp.LoggableHTTPHeader{Header: http.Header{
			logHeader: {"one", logSecret}, "Location": {"/next?" + logQuery + "=" + logSecret},
		}}))
	},
	"a cookie that is set, with log_credentials": func(l *zap.Logger) {
		l.Info("agent", zap.Object("resp_headers", caddyhttp.LoggableHTTPHeader{
			Header:               http.Header{"Set-Cookie": {"a=b", logCookie + "=" + logSecret + "; Path=/"}},
			ShouldLogCredentials: true,
		}))
	},
	"FastCGI": func(l *zap.Logger) {
		l.Debug("agent", zap.Object("env", environment{
			"HTTP_X_LOGGED_KEY": logSecret, "QUERY_STRING": logQuery + "=" + logSecret,
			"REQUEST_URI": "/?" + logQuery + "=" + logSecret, "HTTP_COOKIE": logCookie + "=" + logSecret,
		}))
	},
	"FastCGI, cookies in two lines": func(l *zap.Logger) {
		l.Debug("agent", zap.Object("env", environment{
			"HTTP_COOKIE": logCookie + "=x; a=1, " + logCookie + "=\"" + logSecret + "\"",
		}))
	},
	"text":         func(l *zap.Logger) { l.Info("agent", zap.String("uri", "/?"+logQuery+"="+logSecret)) },
	"bytes":        func(l *zap.Logger) { l.Info("agent", zap.ByteString("uri", []byte("/?"+logQuery+"="+logSecret))) },
	"a stringer":   func(l *zap.Logger) { l.Info("agent", zap.Stringer("uri", stringer("/?"+logQuery+"="+logSecret))) },
	"the header":   func(l *zap.Logger) { l.Info("agent", zap.String(strings.ToLower(logHeader), logSecret)) },
	"the message":  func(l *zap.Logger) { l.Info("agent got /?" + logQuery + "=" + logSecret) },
	"text, inline": func(l *zap.Logger) { l.Info("agent", zap.Inline(environment{logHeader: logSecret})) },
	"a namespace": func(l *zap.Logger) {
		l.With(zap.Namespace("deep")).Info("agent", zap.String(logHeader, logSecret))
	},
	"a dictionary": func(l *zap.Logger) {
		l.Info("agent", zap.Dict("a", zap.Dict("b", zap.String("c", "d"), zap.String(logHeader, logSecret))))
	},
	"texts": func(l *zap.Logger) { l.Info("agent", zap.Strings(logHeader, []string{logSecret})) },
	"objects": func(l *zap.Logger) {
		l.Info("agent", zap.Objects("requests", []caddyhttp.LoggableHTTPRequest{{Request: credentialed()}}))
	},
	"lists of lists": func(l *zap.Logger) {
		l.Info("agent", zap.Array(logHeader, zapcore.ArrayMarshalerFunc(func(enc zapcore.ArrayEncoder) error {
			enc.AppendByteString([]byte(logSecret))
			return errors.Join(
				enc.AppendReflected([]string{logSecret}),
				enc.AppendArray(caddyhttp.LoggableStringArray{logSecret}))
		})))
	},
	"an error": func(l *zap.Logger) {
		l.Error("agent", zap.Error(&url.Error{Op: "Get", URL: "http://h/?" + logQuery + "=" + logSecret, Err: errors.New("EOF")}))
	},
	"errors": func(l *zap.Logger) {
		l.Error("agent", zap.Errors("all", []error{errors.New("x"), fmt.Errorf("at /?%s=%s", logQuery, logSecret)}))
	},
	"anything: headers": func(l *zap.Logger) {
		l.Info("agent", zap.Any("headers", http.Header{logHeader: {logSecret}, "Accept": {"*/*"}}))
	},
	"anything: an address": func(l *zap.Logger) {
		l.Info("agent", zap.Reflect("location", struct{ URL any }{map[string]any{"RawQuery": logQuery + "=" + logSecret}}))
	},
	"anything: a map in a list": func(l *zap.Logger) {
		l.Info("agent", zap.Any("all", []any{1, nil, map[string]any{"x-logged-key": []string{logSecret}, "n": 1.5}}))
	},
	"anything: text": func(l *zap.Logger) { l.Info("agent", zap.Reflect("uri", "/?"+logQuery+"="+logSecret)) },
	"anything: a configuration": func(l *zap.Logger) {
		l.Debug("agent", zap.Reflect("http", map[string]any{"handle": []any{map[string]any{
			"secret": logSecret, "private_key": logSecret, "keys": []any{map[string]any{"key": logSecret, "id": "ci"}},
		}}}))
	},
	"anything: raw JSON": func(l *zap.Logger) {
		l.Info("agent", zap.Any("raw", json.RawMessage(`{"a":{"X-LOGGED-KEY":"`+logSecret+`"},"a":"\u003c"}`)))
	},
}

// Attack: whoever reads the logs signs in with what stands there.
func TestLogsLoseCredentials(t *testing.T) {
	t.Parallel()
	for name, entry := range entries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, format := range []string{"", `{"format":"json"}`, `{"format":"console"}`} {
				l := redactor(t, format)
				if bare := logged(l.wrapped.Clone(), entry); !strings.Contains(bare, logSecret) {
					t.Fatalf("the entry shows nothing to begin with: %s", bare)
				}
				got := logged(l, entry)
				if strings.Contains(got, logSecret) {
					t.Errorf("format %q shows the credential: %s", format, got)
				}
				if !strings.Contains(got, redact.Text) || !strings.Contains(got, "agent") {
					t.Errorf("format %q: %s", format, got)
				}
				if strings.Contains(format, "json") && !json.Valid([]byte(got)) {
					t.Errorf("not JSON: %s", got)
				}
			}
		})
	}
}

func TestBinaryFieldsLoseCredentials(t *testing.T) {
	t.Parallel()
	enc := redactor(t, "")
	one := logged(enc, func(l *zap.Logger) { l.Info("", zap.Binary(logHeader, []byte(logSecret))) })
	other := logged(enc, func(l *zap.Logger) { l.Info("", zap.Binary(logHeader, []byte("another"))) })
	if one[strings.Index(one, "msg"):] != other[strings.Index(other, "msg"):] {
		t.Errorf("two values look different: %s %s", one, other)
	}
}

// What cannot be looked into is not shown.
func TestWhatIsNotJSONIsNotShown(t *testing.T) {
	t.Parallel()
	got := logged(redactor(t, ""), func(l *zap.Logger) { l.Info("", zap.Any("f", func() {}), zap.String("a", "b")) })
	if !strings.Contains(got, `"fError"`) || !strings.Contains(got, `"a":"b"`) {
		t.Errorf("an entry with a function in it: %s", got)
	}
}

// point is an object that no field reader knows.
type point struct {
	X, Y int
	Note string `json:"note,omitempty"`
}

// Without credentials in it, an entry looks as it does without auth_redact.
func TestLogsKeepEverythingElse(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPost, "/p/q?a=%20b&c=<d>", nil)
	r.Header.Set("User-Agent", "agent/1.0 \"quoted\" \x01 \xff") // alone, because a map has no order
	r.TransferEncoding = []string{"chunked"}
	fields := []zap.Field{
		zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r}),
		zap.Bool("bool", true), zap.Int("int", -1), zap.Uint64("uint", 1<<63), zap.Float64("float", 1.5), zap.Float32("float32", 2.5),
		zap.Int8("int8", 1), zap.Int16("int16", 1), zap.Int32("int32", 1), zap.Uint("uint0", 1), zap.Uint8("uint8", 1),
		zap.Uint16("uint16", 1), zap.Uint32("uint32", 1), zap.Uintptr("ptr", 1), zap.Complex128("complex", 1i), zap.Complex64("c64", 1i),
		zap.Duration("duration", time.Second), zap.Time("time", time.Unix(1, 2)), zap.Times("times", []time.Time{time.Unix(3, 4)}),
		zap.Binary("binary", []byte{0, 1, 255}), zap.ByteString("bytes", []byte("b")), zap.Strings("none", nil), zap.Ints("ints", []int{1, 2}),
		zap.Error(errors.New("oh")), zap.Any("nil", nil), zap.Any("point", point{1, 2, "<&>"}), zap.Any("map", map[string]any{"b": 1, "a": []any{}}),
		zap.Object("resp_headers", caddyhttp.LoggableHTTPHeader{Header: http.Header{"Authorization": {"Basic x"}}}),
		zap.Inline(zapcore.ObjectMarshalerFunc(func(enc zapcore.ObjectEncoder) error {
			return errors.Join(
				enc.AddArray("Accept", caddyhttp.LoggableStringArray{"*/*", "a=b"}),
				enc.AddArray("Empty", caddyhttp.LoggableStringArray{}), enc.AddArray("Nil", caddyhttp.LoggableStringArray(nil)))
		})), zap.Reflect("text", "/?a=b"),
		zap.Any("points", []*point{{3, 4, ""}, nil}), zap.Skip(), zap.Namespace("deep"), zap.String("x", "y"),
	}
	for _, format := range []string{`{"format":"json"}`, `{"format":"console"}`, `{"format":"filter","fields":{"int":{"filter":"delete"}}}`} {
		l := redactor(t, format)
		log := func(logger *zap.Logger) {
			clock := zap.WithClock(stopped{})
			logger.WithOptions(clock).Named("name").With(fields[:3]...).Warn("message = one", fields[3:]...)
			logger.WithOptions(clock).Info("message two", zap.Int("n", 1)) // fields of the first do not show up again
		}
		want, got := logged(l.wrapped.Clone(), log), logged(l, log)
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", format, got, want)
		}
	}
}

type stopped struct{}

func (stopped) Now() time.Time                       { return time.Unix(1, 0) }
func (stopped) NewTicker(time.Duration) *time.Ticker { return nil }

// Somebody who asks for credentials with log_credentials gets those that no
// authenticator reads.
func TestLogCredentialsShowsTheCredentialsOfOthers(t *testing.T) {
	t.Parallel()
	r := credentialed()
	r.Header.Set("Proxy-Authorization", "Basic other")
	got := logged(redactor(t, ""), func(l *zap.Logger) {
		l.Info("", zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r, ShouldLogCredentials: true}))
	})
	for _, want := range []string{"Basic other", "theme=dark; " + logCookie + "=REDACTED"} {
		if !strings.Contains(got, want) {
			t.Errorf("does not show %q: %s", want, got)
		}
	}
}

// Loggers exist before the authenticators that add names.
func TestNamesAddedLaterCount(t *testing.T) {
	t.Parallel()
	got := logged(redactor(t, ""), func(l *zap.Logger) {
		l = l.Named("early").With(zap.Int("a", 1))
		redact.Add([]auth.Source{{Header: "X-Logged-Late"}})
		l.Info("", zap.String("X-Logged-Late", logSecret))
	})
	if strings.Contains(got, logSecret) {
		t.Error(got)
	}
}

func TestRedactWrapsWhatCaddyWouldUse(t *testing.T) {
	t.Parallel()
	l := redactor(t, "")
	if err := l.ConfigureDefaultFormat(caddy.DiscardWriter{}); err != nil {
		t.Fatal(err)
	}
	if _, ok := l.wrapped.(*logging.JSONEncoder); !ok {
		t.Errorf("a file gets %T", l.wrapped)
	}
	l = redactor(t, `{"format":"filter"}`)
	if err := l.ConfigureDefaultFormat(caddy.StderrWriter{}); err != nil { // the filter decides
		t.Fatal(err)
	}
	if _, ok := l.wrapped.(*logging.FilterEncoder); !ok {
		t.Errorf("a filter became %T", l.wrapped)
	}
}

func TestRedactCaddyfile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, in, want, err string }{
		{name: "bare", in: "auth_redact", want: `{}`},
		{name: "empty block", in: "auth_redact {\n}", want: `{}`},
		{name: "wrap", in: "auth_redact {\n wrap console\n}", want: `{"wrap":{"format":"console"}}`},
		{
			name: "wrap with options", in: "auth_redact {\n wrap filter {\n wrap json\n a delete\n }\n}",
			want: `{"wrap":{"fields":{"a":{"filter":"delete"}},"format":"filter","wrap":{"format":"json"}}}`,
		},
		{name: "argument", in: "auth_redact json", err: `takes no argument, not "json"`},
		{name: "unknown option", in: "auth_redact {\n fields a\n}", err: `unrecognized auth_redact option "fields"; there are: wrap, at Testfile:2`},
		{name: "no encoder", in: "auth_redact {\n wrap\n}", err: `option "wrap" needs an encoder`},
		{name: "unknown encoder", in: "auth_redact {\n wrap xml\n}", err: `unrecognized log format "xml"; there are: `},
		{name: "twice", in: "auth_redact {\n wrap json\n wrap json\n}", err: `option "wrap" was given already at line 2`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var l LogRedact
			err := l.UnmarshalCaddyfile(caddyfile.NewTestDispenser(tc.in))
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("error %v does not say %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := json.Marshal(&l); string(got) != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestRedactRefusesWhatIsNoEncoder(t *testing.T) {
	t.Parallel()
	l := LogRedact{WrappedRaw: json.RawMessage(`{"format":"xml"}`)}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	if err := l.Provision(ctx); err == nil {
		t.Error("an unknown encoder was accepted")
	}
}

// Whatever a request looks like, no listed value of it is in the entry.
func FuzzLoggedRequestHoldsNoCredential(f *testing.F) {
	f.Add("/p", "a=1&", "&b=2", "theme=dark; ", "; a=b", "x-logged-key", true)
	f.Add("/%3f", "%26", "#\"';", "\"", "\";", "X-LOGGED-KEY", false)
	enc := redactor(f, "")
	f.Fuzz(func(t *testing.T, path, before, after, cookies, moreCookies, header string, credentials bool) {
		if !strings.EqualFold(header, logHeader) {
			header = logHeader
		}
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{}, Header: http.Header{
			header:        {before + logSecret + after},
			"Cookie":      {cookies + "; " + logCookie + "=" + logSecret + strings.ReplaceAll(moreCookies, ";", "; ")},
			"Set-Cookie":  {logCookie + "=" + logSecret + moreCookies},
			"X-Forwarded": {path},
		}}
		r.RequestURI = "/" + path + "?" + before + "&" + logQuery + "=" + logSecret + after
		got := logged(enc, func(l *zap.Logger) {
			l.With(zap.Any("headers", r.Header)).Error(path, zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r, ShouldLogCredentials: credentials}))
		})
		if strings.Contains(path, logSecret) || strings.Contains(cookies, logSecret) || strings.Contains(moreCookies, logSecret) {
			return // shown under another name
		}
		if strings.Contains(got, logSecret) {
			t.Errorf("shown: %s", got)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("not JSON: %s", got)
		}
	})
}

func BenchmarkLoggedRequest(b *testing.B) {
	r := credentialed()
	l := redactor(b, "")
	for name, enc := range map[string]zapcore.Encoder{"plain": l.wrapped, "redacted": l} {
		b.Run(name, func(b *testing.B) {
			logger := zap.New(zapcore.NewCore(enc, zapcore.AddSync(discard{}), zapcore.DebugLevel))
			b.ReportAllocs()
			for b.Loop() {
				logger.Error("m", zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r}))
			}
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
