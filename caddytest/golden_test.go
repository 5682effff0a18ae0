// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddybolt/caddy-bolt"
	_ "github.com/caddybolt/caddy-bolt/revocation/redis"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// A golden file holds a Caddyfile, a line of dashes, and what it becomes: JSON,
// or, where the name begins with "error_", the error of adapting it or, where
// that succeeds, of provisioning it. In it, DIR stands for the folder testdata.
const dashes = "\n----------\n"

func TestCaddyfilesBecomeWhatTheGoldenFilesSay(t *testing.T) {
	files, err := filepath.Glob("caddyfile_adapt/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CADDYBOLT_EMPTY", "")
	t.Setenv("CADDYBOLT_SECRET", "a secret of more than 64 bytes, enough for every hash: 0123456789abcdef")
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, _ := strings.Cut(string(content), dashes)
			if formatted := string(caddyfile.Format([]byte(input))); strings.TrimRight(formatted, "\n") != strings.TrimRight(input, "\n") {
				t.Errorf("not formatted; want\n%s", formatted)
			}
			got := outcome(t, strings.ReplaceAll(strings.TrimRight(input, "\n"), "DIR", dir)+"\n", strings.HasPrefix(filepath.Base(file), "error_"))
			got = strings.ReplaceAll(got, dir, "DIR")
			if *update {
				if err := os.WriteFile(file, []byte(strings.TrimRight(input, "\n")+dashes+got+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if strings.TrimSpace(want) != got {
				t.Errorf("got\n%s\nwant\n%s", got, strings.TrimSpace(want))
			}
		})
	}
}

// outcome adapts the Caddyfile and provisions the result: every golden that is
// no error is a configuration that loads.
func outcome(t *testing.T, input string, wantError bool) string {
	t.Helper()
	adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input), map[string]any{"filename": "Caddyfile"})
	if err == nil {
		for _, w := range warnings {
			t.Errorf("warning: %s", w)
		}
		if err = load(t, adapted); err == nil {
			if wantError {
				t.Error("it is accepted")
			}
			var buf bytes.Buffer
			if err := json.Indent(&buf, adapted, "", "\t"); err != nil {
				t.Fatal(err)
			}
			return buf.String()
		}
		return "provisioning: " + shorten(err.Error())
	}
	if !wantError {
		t.Errorf("adapting: %v", err)
	}
	return "adapting: " + err.Error()
}

// shorten leaves out what Caddy puts before the error of a module that is deep
// within routes, which says nothing of ours and depends on which app comes
// first.
func shorten(text string) string {
	for _, begin := range []string{"loading auth app module: ", "provision http.handlers.auth", "http.handlers.auth"} {
		if i := strings.Index(text, begin); i >= 0 {
			return text[i:]
		}
	}
	return text
}

// load provisions a configuration without starting it, and cleans it up.
func load(t *testing.T, config []byte) error {
	t.Helper()
	cfg := new(caddy.Config)
	if err := caddy.StrictUnmarshalJSON(config, cfg); err != nil {
		return err
	}
	return caddy.Validate(cfg)
}

// Every error of a Caddyfile says where and what; one of provisioning says which
// module and option.
func TestErrorsOfCaddyfilesNameFileAndLine(t *testing.T) {
	files, err := filepath.Glob("caddyfile_adapt/error_*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, want, _ := strings.Cut(string(content), dashes)
		if strings.HasPrefix(want, "adapting: ") && !regexp.MustCompile(`at Caddyfile:\d+`).MatchString(want) {
			t.Errorf("%s names no line: %s", file, want)
		}
	}
}
