// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestTokenOfAUserTakesNothingElse(t *testing.T) {
	t.Parallel()
	config := file(t, "{}")
	for _, c := range []struct {
		says string
		args []string
	}{
		{"--config and --user go together", []string{"--config", config}},
		{"--config and --user go together", []string{"--user", "alice"}},
		{"--config and --user go together", []string{"--config", "", "--user", "alice"}},
		{"--config and --user go together", []string{"--for", "main", "--sub", "alice", "--secret-file", "-"}},
		{"--sub does not go with --user", []string{"--config", config, "--user", "alice", "--sub", "root"}},
		{"--staff does not go with --user", []string{"--config", config, "--user", "alice", "--staff"}},
		{"--claim does not go with --user", []string{"--config", config, "--user", "alice", "--claim", "a=b"}},
		{"--secret-file does not go with --user", []string{"--config", config, "--user", "alice", "--secret-file", "-"}},
		{"--expires-in: \"soon\"", []string{"--config", config, "--user", "alice", "--expires-in", "soon"}},
	} {
		if r := runToken(t, testSecret, c.args...); r.code != 2 || r.out != "" || !strings.Contains(r.err, c.says) {
			t.Errorf("%q: %+v, want %q", c.args, r, c.says)
		}
	}
}

// The endpoint is the one that a client would log in at.
func TestTokenEndpointIsFoundWhereverItStands(t *testing.T) {
	t.Parallel()
	c := &configuration{apps: map[string]json.RawMessage{
		"http": json.RawMessage(`{"servers":{"b":{"routes":[{"handle":[{"handler":"subroute","routes":[
			{"handle":[{"handler":"auth_token","exchange":true}]},
			{"handle":[{"handler":"auth_token","for":"kiosk","include":["email"]}]}]}]}]},
			"a":{"routes":[{"handle":[{"handler":"auth_token"}]}]}}}`),
		"auth": json.RawMessage(`{"handler":"something else"}`),
	}}
	for _, tc := range []struct {
		name  string
		named bool
		path  string
		raw   string
	}{
		{"", false, "/apps/http/servers/a/routes/0/handle/0", `{}`},
		{"kiosk", true, "/apps/http/servers/b/routes/0/handle/0/routes/1/handle/0", `{"for":"kiosk","include":["email"]}`},
		{"", true, "/apps/http/servers/a/routes/0/handle/0", `{}`},
		{"other", true, "", ""},
	} {
		at, err := c.tokenEndpoint(tc.name, tc.named)
		if at.path != tc.path || string(at.raw) != tc.raw || (err == nil) != (tc.path != "") {
			t.Errorf("%q: %q %s, error %v", tc.name, at.path, at.raw, err)
		}
	}
	if _, err := new(configuration).tokenEndpoint("", false); err == nil {
		t.Error("an endpoint of an empty configuration")
	}
}
