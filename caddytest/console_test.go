// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// A Markdown file shows a session in a block that is marked "console": lines
// that begin with "$ " are commands, the lines after them what they print.
// "..." alone is any number of lines, "…" within a line any text. "caddy run" is
// started in the background and ended when the file is through, or when the same
// configuration is run again, which then finds its data. Commands talk to the
// Caddy that was started last.

// step is a command and what it prints.
type step struct {
	line    int
	command string
	output  []string
}

// sessions returns the steps of all console blocks of a Markdown text.
func sessions(text string) []step {
	var steps []step
	inside := false
	for i, line := range strings.Split(text, "\n") {
		switch {
		case !inside && strings.TrimSpace(line) == "```console":
			inside = true
		case inside && strings.TrimSpace(line) == "```":
			inside = false
		case !inside:
		case strings.HasPrefix(line, "$ "):
			steps = append(steps, step{line: i + 1, command: line[2:]})
		case strings.HasPrefix(line, "> ") && len(steps) > 0 && strings.HasSuffix(steps[len(steps)-1].command, "\\"):
			last := &steps[len(steps)-1]
			last.command = strings.TrimSuffix(last.command, "\\") + line[2:]
		case len(steps) > 0:
			last := &steps[len(steps)-1]
			last.output = append(last.output, line)
		}
	}
	return steps
}

var trailingBlanks = regexp.MustCompile(`(?m)[ \r]+$`)

// matches compares what was printed with what the document shows.
func matches(shown []string, printed string) bool {
	for len(shown) > 0 && strings.TrimSpace(shown[len(shown)-1]) == "" {
		shown = shown[:len(shown)-1]
	}
	if len(shown) == 0 {
		return true
	}
	var pattern strings.Builder
	pattern.WriteString(`\A`)
	for _, line := range shown {
		if strings.TrimSpace(line) == "..." {
			pattern.WriteString(`(?:[^\n]*\n)*?`)
			continue
		}
		parts := strings.Split(strings.TrimRight(line, " \r"), "…")
		for i, part := range parts {
			if i > 0 {
				pattern.WriteString(`[^\n]*`)
			}
			pattern.WriteString(regexp.QuoteMeta(part))
		}
		pattern.WriteString(`\n`)
	}
	pattern.WriteString(`\z`)
	printed = trailingBlanks.ReplaceAllString(printed, "")
	if !strings.HasSuffix(printed, "\n") {
		printed += "\n"
	}
	return regexp.MustCompile(pattern.String()).MatchString(printed)
}

// examplePorts are what examples listen on; each run uses others.
var examplePorts = regexp.MustCompile(`\b(?:80[0-9]{2}|90[0-9]{2})\b`)

// follow runs every command of a Markdown file, as a reader would, from the root
// of the repository.
func follow(t *testing.T, markdown string) {
	t.Helper()
	content, err := os.ReadFile(markdown)
	if err != nil {
		t.Fatal(err)
	}
	steps := sessions(string(content))
	if len(steps) == 0 {
		t.Fatalf("%s shows no command", markdown)
	}
	scratch := t.TempDir()
	running := map[string]*process{}
	admin := "localhost:2019"
	ports := map[string]string{}
	translate := func(text string) string {
		return examplePorts.ReplaceAllStringFunc(text, func(port string) string {
			if ports[port] == "" {
				ports[port] = freePort(t)
			}
			return ports[port]
		})
	}
	for _, s := range steps {
		command := translate(s.command)
		if file, env, ok := runsCaddy(command); ok {
			if old := running[file]; old != nil {
				old.stop()
			}
			running[file] = runExample(t, scratch, file, env, translate)
			admin = running[file].Admin
			continue
		}
		command = strings.ReplaceAll(command, "go run ./cmd/caddy", binary(t))
		command = strings.ReplaceAll(command, "http://localhost:2019/", "http://"+admin+"/")
		cmd := exec.Command("bash", "-c", "set -o pipefail; "+command)
		cmd.Dir = repository
		home := filepath.Join(scratch, "home")
		cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home, "CADDY_ADMIN="+admin)
		var stdout bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stdout
		err := cmd.Run()
		shown := slices.Clone(s.output)
		for i := range shown {
			shown[i] = translate(shown[i])
		}
		if !matches(shown, stdout.String()) {
			t.Errorf("%s:%d: $ %s\nprinted\n%s\nthe document shows\n%s", markdown, s.line, command, stdout.String(), strings.Join(shown, "\n"))
		}
		if err != nil && len(s.output) == 0 {
			t.Errorf("%s:%d: $ %s\n%v\n%s", markdown, s.line, command, err, stdout.String())
		}
	}
}

// runsCaddy returns the configuration that a command starts Caddy with, and the
// variables that stand before the command.
func runsCaddy(command string) (file string, env []string, ok bool) {
	before, after, ok := strings.Cut(command, "go run ./cmd/caddy run ")
	fields := strings.Fields(after)
	i := slices.Index(fields, "--config")
	if !ok || i < 0 || i+1 >= len(fields) {
		return "", nil, false
	}
	return fields[i+1], strings.Fields(before), true
}

// runExample starts a copy of the configuration that listens on other ports.
func runExample(t *testing.T, scratch, file string, env []string, translate func(string) string) *process {
	t.Helper()
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	content, err := os.ReadFile(filepath.Join(repository, file))
	if err != nil {
		t.Fatal(err)
	}
	text := translate(string(content))
	copied := filepath.Join(scratch, filepath.Base(file))
	if err := os.WriteFile(copied, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var listening []string
	for _, m := range regexp.MustCompile(`(?m)^(?:http://)?(?:localhost)?:([0-9]+)\b|"listen": \["[^"]*:([0-9]+)"\]`).FindAllStringSubmatch(text, -1) {
		listening = append(listening, m[1]+m[2])
	}
	if len(listening) == 0 {
		t.Fatalf("%s listens nowhere", file)
	}
	return startIn(t, filepath.Join(scratch, "home-of-"+strings.NewReplacer("/", "-").Replace(file)), copied, listening...)
}

func TestTheReadmeDoesWhatItSays(t *testing.T) {
	follow(t, filepath.Join(repository, "README.md"))
}

func TestEveryExampleDoesWhatItsReadmeSays(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(repository, "examples/*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			if _, err := os.Stat(filepath.Join(folder, "package.json")); err == nil {
				for _, tool := range []string{"node", "npm"} {
					_, err := exec.LookPath(tool)
					needTool(t, tool, err)
				}
			}
			if _, err := os.Stat(filepath.Join(folder, "manage.py")); err == nil {
				testservers.NeedDjango(t)
				server := testservers.PostgreSQL(t)
				t.Setenv("DATABASE_URL", server.DSN(server.NewDatabase(t)))
				t.Setenv("PATH", filepath.Dir(testservers.Python)+string(os.PathListSeparator)+os.Getenv("PATH"))
			}
			if filepath.Base(folder) == "cluster" {
				t.Setenv("REDIS_ADDRESS", testservers.OwnRedis(t, testservers.RedisOptions{}).Address())
			}
			follow(t, filepath.Join(folder, "README.md"))
		})
	}
}

func TestEveryExampleIsFormattedAndValid(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://app@127.0.0.1/app")
	files, err := filepath.Glob(filepath.Join(repository, "examples/*/*addyfile"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(caddyfile.Format(content), content) {
			t.Errorf("%s is not formatted", file)
		}
		relative, err := filepath.Rel(repository, file)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := caddyCommand(t, "", "validate", "--config", relative, "--adapter", "caddyfile"); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}
