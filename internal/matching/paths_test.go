// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package matching

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

// Attack, against oneself: "admin/*" for "/admin/*", or a variable that is not set.
// The matcher never matches, and what it was to protect is open.
func TestPathsThatCanNeverMatchDoNotLoad(t *testing.T) {
	for name, value := range map[string]string{"EMPTY": "", "BLANK": " ", "WORD": "admin", "BRACE": "/{http.request.uri}", "ESCAPE": `/a\`} {
		t.Setenv("CADDYBOLT_"+name, value)
	}
	for text, want := range map[string]string{
		`["admin/*"]`:                      `matcher path: "admin/*" begins with neither / nor *`,
		`["/a","admin"]`:                   `"admin" begins`,
		`[""]`:                             `"" begins`,
		`[" /admin"]`:                      `begins with neither`,
		`["?admin"]`:                       `begins with neither`,
		`["%2fadmin"]`:                     `begins with neither`,
		`["admin/{http.request.host}"]`:    `begins with neither`,
		`[]`:                               `the list is empty`,
		`null`:                             `the list is empty`,
		`["{env.CADDYBOLT_WORD}/*"]`:       `"admin/*" begins with neither`,
		`["{env.CADDYBOLT_EMPTY}"]`:        `placeholder {env.CADDYBOLT_EMPTY} is empty`,
		`["/{env.CADDYBOLT_EMPTY}/*"]`:     `placeholder {env.CADDYBOLT_EMPTY} is empty`,
		`["/a/{env.CADDYBOLT_UNSET_X}"]`:   `placeholder {env.CADDYBOLT_UNSET_X} is empty`,
		`["/{env.CADDYBOLT_BLANK}"]`:       `resolves to an empty value`,
		`["/{file./nonexistent/caddy}/*"]`: `is empty: no such file or directory`,
		`["{env.CADDYBOLT_BRACE}"]`:        `a brace or a backslash`,
		`["{env.CADDYBOLT_ESCAPE}{x}"]`:    `a brace or a backslash`,
	} {
		for _, sets := range []string{`[{"path":` + text + `}]`, `[{"method":["GET"]},{"not":[{"path":` + text + `}]}]`} {
			if _, err := load(t, sets); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", sets, err, want)
			}
		}
	}
}

// The same within an expression.
func TestPathsOfExpressionsThatCanNeverMatchDoNotLoad(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		`path('admin/*')`:                                      `expression: path: "admin/*" begins with neither / nor *`,
		`!(method('GET') && path('/ok', 'admin'))`:             `"admin" begins`,
		`{http.request.host} == 'a' ? path('') : true`:         `"" begins`,
		`['a'].exists(x, path('admin'))`:                       `"admin" begins`,
		`path('{env.HOME}/*')`:                                 `begins with neither`, // Caddy replaces nothing there
		`path('/admin/*') || path('*.php')`:                    "",
		`path('\{http.request.uri}')`:                          "",
		`path({http.request.uri.path})`:                        "",
		`'admin'.startsWith('path') && 'path("admin")' == 'x'`: "",
		"path('/a') // path('admin')":                          "",
	} {
		text, err := json.Marshal(expr)
		if err != nil {
			t.Fatal(err)
		}
		for _, sets := range []string{`[{"expression":` + string(text) + `}]`, `[{"not":[{"expression":{"expr":` + string(text) + `,"name":"x"}}]}]`} {
			_, err := load(t, sets)
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: %v, want %q", sets, err, want)
			}
		}
	}
}

// What a file says when the configuration is loaded holds, also when it is gone
// later; what a request says is asked for each request.
func TestPathsWithPlaceholdersMatch(t *testing.T) {
	t.Setenv("CADDYBOLT_PATH", "/Reports")
	file := filepath.Join(t.TempDir(), "path")
	if err := os.WriteFile(file, []byte("reports\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRequest(t)
	for pattern, want := range map[string]string{
		`{env.CADDYBOLT_PATH}`:               "match",
		`{env.CADDYBOLT_PATH}*`:              "match",
		`{env.CADDYBOLT_PATH}/*`:             "no match",
		`/{file.` + file + `}`:               "match",
		`{http.request.uri.path}`:            "match",
		`/{test.nothing}reports`:             "match",
		`/\\{env.CADDYBOLT_PATH}`:            "no match",
		`/{env.CADDYBOLT_PATH`:               "no match",
		`/rep*`:                              "match",
		`*ports`:                             "match",
		`/{test.nothing}{file.` + file + `}`: "match",
	} {
		s := mustLoad(t, `[{"path":["`+pattern+`"]}]`)
		if err := os.Rename(file, file+".gone"); err != nil {
			t.Fatal(err)
		}
		if got := outcome(s.Match(r)); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
		if err := os.Rename(file+".gone", file); err != nil {
			t.Fatal(err)
		}
	}
}

// A Caddyfile is read where the environment of the server need not be there.
func TestCheckPathsResolvesNothing(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		`[{"path":["{env.CADDYBOLT_UNSET_X}/*","/a","*"]}]`: true,
		`[{"path":["{file./nonexistent}"]}]`:                true,
		`[{"method":["GET"]},{}]`:                           true,
		`[{"path":["admin/{env.CADDYBOLT_UNSET_X}"]}]`:      false,
		`[{"not":[{"path":["admin"]}]}]`:                    false,
	} {
		if err := CheckPaths(raw(t, text)); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
	ctx, _ := authtest.NewContext(t, nil)
	if _, err := Load(ctx, nil); err != nil {
		t.Error(err)
	}
}
