// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// documents returns the Markdown files whose paths match, with what is in them.
func documents(t *testing.T, patterns ...string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found[file] = string(content)
		}
	}
	if len(found) == 0 {
		t.Fatalf("no documents match %q", patterns)
	}
	return found
}

// Every Caddyfile in the documentation is one that loads. Files that it names
// below /etc/caddy stand in testdata.
func TestEveryCaddyfileInTheDocumentationIsValid(t *testing.T) {
	testdata, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	variable := regexp.MustCompile(`\{env\.(\w+)\}`)
	block := regexp.MustCompile("(?ms)^```caddyfile\n(.*?)^```")
	for file, content := range documents(t, "README.md", "docs/*.md", "docs/*/*.md", "examples/*/README.md") {
		for _, m := range variable.FindAllStringSubmatch(content, -1) {
			value := m[1] + " of more than 64 bytes, enough for every hash: 0123456789abcdef"
			if strings.HasSuffix(m[1], "HASH") {
				value = "$2a$04$Zl1vn7HoLXpKWOZ9dmEIEOJ0xk5wuFw9pj4zSVJJW0BFH5Lj5yq2m"
			}
			t.Setenv(m[1], value)
		}
		for _, m := range block.FindAllStringSubmatch(content, -1) {
			text := m[1]
			if formatted := string(caddyfile.Format([]byte(text))); formatted != text {
				t.Errorf("%s: not formatted:\n%s\nwant\n%s", file, text, formatted)
			}
			path := filepath.Join(t.TempDir(), "Caddyfile")
			text = strings.ReplaceAll(text, "/etc/caddy/", testdata+"/")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := caddyCommand(t, "", "validate", "--config", path, "--adapter", "caddyfile"); err != nil {
				t.Errorf("%s: %v\n%s\n%s", file, err, text, out)
			}
		}
	}
}

var (
	fence   = regexp.MustCompile("(?ms)^```.*?^```")
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	link    = regexp.MustCompile(`\]\(([^)#:]*)(#[^):]*)?\)`)
	noSlug  = regexp.MustCompile(`[^\w\- ]`)
)

// anchors returns what a link may name behind "#": the headings, as GitHub
// writes them.
func anchors(markdown string) []string {
	var list []string
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(markdown, ""), -1) {
		list = append(list, "#"+strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return list
}

// A link to a file of the repository, or to a heading in one, leads to one that
// is there.
func TestLinksLeadSomewhere(t *testing.T) {
	files := documents(t, "*.md", "docs/*.md", "docs/*/*.md", "examples/*/README.md")
	for file, content := range files {
		for _, m := range link.FindAllStringSubmatch(content, -1) {
			target := file
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(file), m[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			if m[2] != "" && !slices.Contains(anchors(files[target]), m[2]) {
				t.Errorf("%s: %s has no heading %s", file, target, m[2])
			}
		}
	}
}

// pages are where the modules of a namespace are described: the page whose name
// is that of the module, or one for all.
var pages = map[string]func(name string) string{
	"http.handlers":            func(name string) string { return name },
	"http.auth.authenticators": func(name string) string { return name },
	"http.auth.guards":         func(string) string { return "guards" },
	"http.auth.users":          func(name string) string { return "users-" + name },
	"http.auth.revocation": func(name string) string {
		if name == "bolt" || name == "memory" {
			return "revocation"
		}
		return "revocation-" + name
	},
	"caddy.logging.encoders": func(name string) string { return name },
}

// ours returns the modules of this project, each with its page.
func ours(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{"auth": "auth"}
	for space, page := range pages {
		for _, info := range caddy.GetModules(space) {
			instance := info.New()
			if strings.HasPrefix(reflect.TypeOf(instance).Elem().PkgPath(), "github.com/caddybolt/caddy-bolt") {
				found[string(info.ID)] = page(info.ID.Name())
			}
		}
	}
	if len(found) < 20 {
		t.Fatalf("only these modules are there: %v", found)
	}
	return found
}

// Whoever adds an option says what it does on the page of the module.
func TestEveryOptionStandsOnThePageOfItsModule(t *testing.T) {
	for id, page := range ours(t) {
		content, err := os.ReadFile(filepath.Join(repository, "docs/modules", page+".md"))
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		info, err := caddy.GetModule(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, member := range members(reflect.TypeOf(info.New()).Elem()) {
			if !regexp.MustCompile(`["` + "`" + `]` + member + `\b`).Match(content) {
				t.Errorf("%s: its page does not name %q", id, member)
			}
		}
	}
}

// members returns the names in JSON of a struct's fields, and of the structs in
// it.
func members(of reflect.Type) []string {
	var names []string
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			names = append(names, name)
		}
		inner := field.Type
		for slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map}, inner.Kind()) {
			inner = inner.Elem()
		}
		if (name != "" || field.Anonymous) && inner.Kind() == reflect.Struct {
			names = append(names, members(inner)...)
		}
	}
	return names
}

// JSON in the documentation is JSON, and the modules in it have the members that
// it shows.
func TestEveryJSONInTheDocumentationIsOfItsModule(t *testing.T) {
	block := regexp.MustCompile("(?ms)^```json\n(.*?)^```")
	modules := 0
	for file, content := range documents(t, "README.md", "docs/*.md", "docs/*/*.md", "examples/*/README.md") {
		for _, m := range block.FindAllStringSubmatch(content, -1) {
			var value any
			if err := json.Unmarshal([]byte(m[1]), &value); err != nil {
				t.Errorf("%s: %v\n%s", file, err, m[1])
				continue
			}
			modules += checkModules(t, file, value)
		}
	}
	if modules < 20 {
		t.Errorf("the documentation shows %d modules only", modules)
	}
}

// checkModules decodes each module in the value, and counts them.
func checkModules(t *testing.T, file string, value any) (count int) {
	t.Helper()
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			count += checkModules(t, file, item)
		}
	case map[string]any:
		for _, item := range v {
			count += checkModules(t, file, item)
		}
		for key, spaces := range inlineKeys {
			name, ok := v[key].(string)
			if !ok {
				continue
			}
			count++
			if err := decodes(v, key, name, spaces); err != nil {
				t.Errorf("%s: %s %q: %v", file, key, name, err)
			}
		}
	}
	return count
}

// inlineKeys are the members that hold the name of a module, and where modules
// of this name are.
var inlineKeys = map[string][]string{
	"handler":       {"http.handlers."},
	"authenticator": {"http.auth.authenticators."},
	"guard":         {"http.auth.guards."},
	"store":         {"http.auth.users.", "http.auth.revocation."},
	"format":        {"caddy.logging.encoders."},
}

// decodes reports why no module of the name has these members.
func decodes(object map[string]any, key, name string, spaces []string) error {
	members := make(map[string]any, len(object))
	for member, value := range object {
		if member != key {
			members[member] = value
		}
	}
	text, err := json.Marshal(members)
	if err != nil {
		return err
	}
	for _, space := range spaces {
		var info caddy.ModuleInfo
		if info, err = caddy.GetModule(space + name); err != nil {
			continue
		}
		if err = caddy.StrictUnmarshalJSON(text, info.New()); err == nil {
			return nil
		}
	}
	return err
}
