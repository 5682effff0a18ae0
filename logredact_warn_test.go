// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/redact"
)

// warnings returns what warnReadable says about a configuration with these logs,
// whose files are in a folder of the test, and this server.
func warnings(t *testing.T, logs map[string]string, server string, sources ...auth.Source) []observer.LoggedEntry {
	t.Helper()
	folder := t.TempDir()
	all := map[string]json.RawMessage{}
	if _, ok := logs["default"]; !ok {
		logs["default"] = `{}`
	}
	for name, log := range logs {
		// Not to standard error: a test has no terminal, and needs no noise.
		file, _ := json.Marshal(filepath.Join(folder, name))
		all[name] = json.RawMessage(`{"writer":{"output":"file","filename":` + string(file) + `},` + strings.TrimPrefix(log, "{"))
		if log == "{}" {
			all[name] = json.RawMessage(`{"writer":{"output":"file","filename":` + string(file) + `}}`)
		}
		if strings.Contains(log, `"output":"discard"`) {
			all[name] = json.RawMessage(log)
		}
	}
	apps := map[string]any{}
	if server != "" {
		apps["http"] = json.RawMessage(`{"servers":{"s":` + server + `}}`)
	}
	raw, err := json.Marshal(map[string]any{
		"admin": map[string]any{"disabled": true}, "logging": map[string]any{"logs": all}, "apps": apps,
	})
	if err != nil {
		t.Fatal(err)
	}
	var config caddy.Config
	if err := json.Unmarshal(raw, &config); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&config)
	if err != nil {
		t.Fatal(err)
	}
	core, seen := observer.New(zapcore.DebugLevel)
	warnReadable(ctx, zap.New(core), sources)
	return seen.All()
}

// keepLogs puts the process's default log back when the test is over: each
// configuration replaces it.
func keepLogs(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if _, err := caddy.ProvisionContext(nil); err != nil {
			t.Error(err)
		}
	})
}

// A server whose sites a and b have logs of their own, "log0" and "log1".
const (
	plainServer = `{}`
	siteServer  = `{"logs":{"logger_names":{"a.example.com":["log0"],"b.example.com":["log1"]},"skip_unmapped_hosts":true}}`
	defaultOnly = `{"exclude":["http.log.access.log0","http.log.access.log1"]`
	redacted    = `"encoder":{"format":"auth_redact"}`
)

var (
	keySource   = auth.Source{Header: "X-Readable-Key"}
	querySource = auth.Source{Query: "readable_token"}
	safeSources = []auth.Source{{Header: "authorization", Scheme: "Bearer"}, {Header: "Proxy-Authorization"}, {Cookie: "session"}}
)

// Attack: a dead upstream's 502 prints the API key to the default log, which
// nobody configured.
func TestReadableCredentialsAreWarnedOf(t *testing.T) { // not parallel: logs belong to the process
	keepLogs(t)
	redact.Add([]auth.Source{keySource, querySource}) // as loading an authenticator does
	for _, tc := range []struct {
		name        string
		logs        map[string]string
		server      string
		credentials string // what the warning names; "" for no warning
		places      string
	}{
		{"no logs at all", map[string]string{}, plainServer, "header X-Readable-Key, query readable_token", "errors"},
		{"redacted", map[string]string{"default": `{` + redacted + `}`}, plainServer, "", ""},
		{"redacted around console", map[string]string{"default": `{"encoder":{"format":"auth_redact","wrap":{"format":"console"}}}`}, plainServer, "", ""},
		{"redacted within another encoder", map[string]string{"default": `{"encoder":{"format":"append","fields":{"a":"b"},"wrap":{"format":"auth_redact"}}}`}, plainServer, "", ""},
		{"console", map[string]string{"default": `{"encoder":{"format":"console"}}`}, plainServer, "header X-Readable-Key, query readable_token", "errors"},
		{"a filter of one of the two", map[string]string{"default": `{"encoder":{"format":"filter","fields":{"request>headers>X-Readable-Key":{"filter":"delete"}}}}`}, plainServer, "query readable_token", "errors"},
		{
			"a filter of both",
			map[string]string{"default": `{"encoder":{"format":"filter","fields":{"request>headers>X-Readable-Key":{"filter":"delete"},"request>uri":{"filter":"query","actions":[{"type":"replace","parameter":"readable_token","value":"x"}]}}}}`},
			plainServer, "", "",
		},
		{"discarded", map[string]string{"default": `{"writer":{"output":"discard"}}`}, plainServer, "", ""},
		{"sampled", map[string]string{"default": `{"sampling":{"first":1}}`}, plainServer, "header X-Readable-Key, query readable_token", "errors"},
		{"requests excluded", map[string]string{"default": `{"exclude":["http"]}`}, plainServer, "", ""},
		{"only a site's log is redacted", map[string]string{"default": defaultOnly + `}`, "log0": `{"include":["http.log.access.log0"],` + redacted + `}`, "log1": `{"include":["http.log.access.log1"],` + redacted + `}`}, siteServer, "header X-Readable-Key, query readable_token", "errors"},
		{"a site's log is forgotten", map[string]string{"default": defaultOnly + `,` + redacted + `}`, "log0": `{"include":["http.log.access.log0"],` + redacted + `}`, "log1": `{"include":["http.log.access.log1"]}`}, siteServer, "header X-Readable-Key, query readable_token", "access log of b.example.com"},
		{"all are redacted", map[string]string{"default": defaultOnly + `,` + redacted + `}`, "log0": `{"include":["http.log.access.log0"],` + redacted + `}`, "log1": `{"include":["http.log.access.log1"],` + redacted + `}`}, siteServer, "", ""},
		{
			"a site's log is not the log of the others",
			map[string]string{"default": `{"exclude":["http.log.access.log0"],` + redacted + `}`, "log0": `{"include":["http.log.access.log0"]}`},
			`{"logs":{"logger_names":{"a.example.com":["log0"]}}}`, "header X-Readable-Key, query readable_token", "access log of a.example.com",
		},
		{"an access log for all sites", map[string]string{"default": `{` + redacted + `}`, "more": `{"include":["http.log.access"]}`}, `{"logs":{}}`, "header X-Readable-Key, query readable_token", "access log"},
		{"no server", map[string]string{}, "", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all := warnings(t, tc.logs, tc.server, append(safeSources, keySource, querySource, auth.Source{Header: "X-Readable-Key", Scheme: "Key"})...)
			if tc.credentials == "" {
				if len(all) > 0 {
					t.Fatalf("a warning without need: %v", all)
				}
				return
			}
			if len(all) != 1 || all[0].Level != zapcore.WarnLevel {
				t.Fatalf("want one warning, got %v", all)
			}
			fields := all[0].ContextMap()
			if got := joined(fields["credentials"]); strings.Replace(got, "header X-Readable-Key, header X-Readable-Key Key", "header X-Readable-Key", 1) != tc.credentials {
				t.Errorf("credentials %q, want %q", got, tc.credentials)
			}
			if got := joined(fields["logs"]); got != tc.places {
				t.Errorf("logs %q, want %q", got, tc.places)
			}
			if got := joined(fields["lines"]); !strings.Contains(got, "format auth_redact") {
				t.Errorf("lines %q", got)
			}
		})
	}
}

func TestWhatCaddyHidesIsNotWarnedOf(t *testing.T) { // not parallel: logs belong to the process
	keepLogs(t)
	if all := warnings(t, map[string]string{}, plainServer, safeSources...); len(all) > 0 {
		t.Errorf("warns of what Caddy hides: %v", all)
	}
	if all := warnings(t, map[string]string{}, plainServer); len(all) > 0 {
		t.Errorf("warns of nothing: %v", all)
	}
}

func joined(v any) string {
	var words []string
	for _, w := range v.([]any) {
		words = append(words, w.(string))
	}
	return strings.Join(words, ", ")
}
