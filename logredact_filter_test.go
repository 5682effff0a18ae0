// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/internal/redact"
)

// filtering returns auth_redact around Caddy's filter with these lines.
func filtering(t *testing.T, lines string) *LogRedact {
	t.Helper()
	l := new(LogRedact)
	if err := l.UnmarshalCaddyfile(caddyfile.NewTestDispenser("auth_redact {\n wrap filter {\n wrap json\n" + lines + "\n}\n}")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	if err := l.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	return l
}

// personal is what an operator filters, beside the credential wherever one is
// read.
func personal(credential string) (request, response http.Header, uri string) {
	request = http.Header{
		logHeader:         {credential, credential},
		"X-Email":         {"ann@example.com", "bob@example.com"},
		"X-Text":          {"a secret word", "/?x=secret1&" + logQuery + "=" + credential},
		"X-Forwarded-For": {"192.0.2.77, 2001:db8:1::77", "198.51.100.77:1234"},
		"Referer":         {"https://example.com/?other=Oth3r&page=2&" + logQuery + "=" + credential},
		"Cookie":          {"theme=dark; other=Oth3r; " + logCookie + "=" + credential},
	}
	response = http.Header{
		"Set-Cookie": {"other=Oth3r; Path=/", "theme=dark", logCookie + "=" + credential + "; HttpOnly"},
	}
	return request, response, "/p?other=Oth3r&page=2&" + logQuery + "=" + credential
}

// Attack: an operator who hides more than credentials puts auth_redact around
// the filter, and the filter no longer sees what it filters.
func TestWrappedFiltersSeeWhatTheyFilter(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, lines string
		gone, stays []string // in an entry that was filtered
	}{
		{name: "hash", lines: "request>headers>X-Email hash", gone: []string{"ann@", "bob@"}},
		{name: "hash, with credentials", lines: "request>headers>X-Text hash", gone: []string{"secret"}},
		{name: "ip_mask", lines: "request>headers>X-Forwarded-For ip_mask 16 32", gone: []string{"192.0.2.77", ":77", "198.51.100.77"}, stays: []string{"192.0.0.0"}},
		{name: "ip_mask, address of the peer", lines: "request>remote_ip ip_mask {\n ipv4 16\n }", gone: []string{"192.0.2.1"}},
		{name: "regexp", lines: `request>headers>X-Text regexp "secret[ 0-9]" "GONE"`, gone: []string{"secret"}, stays: []string{"GONE"}},
		{
			name: "multi_regexp", lines: "request>headers>X-Text regexp \"secret .*\" GONE\nrequest>headers>X-Text regexp secret1 LEFT",
			gone: []string{"secret"}, stays: []string{"GONE", "LEFT"},
		},
		{name: "query, delete", lines: "request>headers>Referer query {\n delete other\n }\nrequest>uri query {\n delete other\n }", gone: []string{"com/?other", `"uri":"/p?other`}, stays: []string{"page=2"}},
		{name: "query, replace", lines: "request>headers>Referer query {\n replace page GONE\n }", stays: []string{"page=GONE"}},
		{name: "query, hash", lines: "request>headers>Referer query {\n hash " + logQuery + "\n hash page\n }"},
		{name: "cookie, delete", lines: "request>headers>Cookie cookie {\n delete other\n }", gone: []string{"dark; other"}, stays: []string{"theme=dark; logged"}},
		{name: "cookie, replace", lines: "request>headers>Cookie cookie {\n replace other GONE\n }", gone: []string{"dark; other=Oth3r"}, stays: []string{"other=GONE"}},
		{name: "cookie, hash", lines: "request>headers>Cookie cookie {\n hash other\n }", gone: []string{"dark; other=Oth3r"}},
		{name: "set_cookie, delete", lines: "resp_headers>Set-Cookie set_cookie {\n delete other\n }", gone: []string{"Oth3r; Path"}},
		{name: "set_cookie, replace", lines: "resp_headers>Set-Cookie set_cookie {\n replace theme GONE\n }", gone: []string{`"theme=dark"`}, stays: []string{`"theme=GONE"`}},
		{name: "delete", lines: "request>headers>X-Email delete", gone: []string{"ann@", "X-Email"}},
		{name: "delete, a credential", lines: "request>headers>" + logHeader + " delete", gone: []string{logHeader}},
		{name: "delete, an object", lines: "request>headers delete", gone: []string{"ann@", logHeader}},
		{name: "rename", lines: "request>headers>X-Email rename mail", gone: []string{"X-Email"}, stays: []string{`"mail":["ann@`}},
		{name: "rename, a credential", lines: "request>headers>" + logHeader + " rename other", gone: []string{logHeader}, stays: []string{`"other":["REDACTED","REDACTED"]`}},
		{name: "replace", lines: "request>headers>X-Email replace GONE", gone: []string{"ann@"}, stays: []string{`"X-Email":"GONE"`}},
		{name: "reflected", lines: "reflected query {\n delete other\n }", gone: []string{`"reflected":"/p?other`}},
		{name: "control: nothing", lines: "nothing delete", stays: []string{"ann@", "192.0.2.77", "a secret word", "theme=dark; other=Oth3r", "Oth3r; Path", "REDACTED"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			entry := func(credential string) func(*zap.Logger) {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				var response http.Header
				r.Header, response, r.RequestURI = personal(credential)
				return func(l *zap.Logger) {
					l.WithOptions(zap.WithClock(stopped{})).Info("m",
						zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r, ShouldLogCredentials: true}),
						zap.Object("resp_headers", caddyhttp.LoggableHTTPHeader{Header: response, ShouldLogCredentials: true}),
						zap.Reflect("reflected", r.RequestURI))
				}
			}
			l := filtering(t, tc.lines)
			got := logged(l, entry(logSecret))
			want := logged(l.wrapped.Clone(), entry(redact.Text)) // by Caddy alone
			if !reflect.DeepEqual(decoded(t, got), decoded(t, want)) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			for _, text := range append(tc.gone, logSecret) {
				if strings.Contains(got, text) {
					t.Errorf("shows %q: %s", text, got)
				}
			}
			for _, text := range tc.stays {
				if !strings.Contains(got, text) {
					t.Errorf("does not show %q: %s", text, got)
				}
			}
		})
	}
}

func decoded(t *testing.T, line string) (entry map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &entry); err != nil {
		t.Fatal(err)
	}
	return entry
}

// What is logged is the header that the request goes on with.
func TestLoggedHeadersStayAsTheyAre(t *testing.T) {
	t.Parallel()
	r := credentialed()
	before := r.Header.Clone()
	got := logged(redactor(t, ""), func(l *zap.Logger) {
		l.Info("", zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r, ShouldLogCredentials: true}))
	})
	if !strings.Contains(got, redact.Text) || !reflect.DeepEqual(r.Header, before) {
		t.Errorf("logged %s, and the request has %v", got, r.Header)
	}
}

// Of a configuration, the options that hold a secret are left out, and no other.
func TestLoggedConfigurationHoldsNoSecretOption(t *testing.T) {
	t.Parallel()
	const config = `{"auth":{"secret":"a","algorithms":["HS256"],"providers":[` +
		`{"private_key":"b","public_keys":["c"],"secret":""},{"keys":[{"key":"d","id":"e","keys":{"key":"f"}}],"key":"g"}]},"secrets":"h"}`
	const want = `{"auth":{"secret":"REDACTED","algorithms":["HS256"],"providers":[` +
		`{"private_key":"REDACTED","public_keys":["c"],"secret":""},{"keys":[{"key":"REDACTED","id":"e","keys":{"key":"REDACTED"}}],"key":"g"}]},"secrets":"h"}`
	for _, value := range []any{json.RawMessage(config), decoded(t, config)} {
		enc := zapcore.NewMapObjectEncoder()
		if err := (redactingObject{enc}).AddReflected("http", value); err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(enc.Fields["http"])
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(decoded(t, string(raw)), decoded(t, want)) {
			t.Errorf("got  %s\nwant %s", raw, want)
		}
	}
}
