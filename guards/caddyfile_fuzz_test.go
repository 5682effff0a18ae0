// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// FuzzGuardCaddyfile: what is parsed becomes JSON that says the same again when
// it is read and written, that parses to the same a second time, and that loads
// or is refused with an error.
func FuzzGuardCaddyfile(f *testing.F) {
	for _, text := range []string{
		"allow_any", "optional", "authenticated", "staff", "superuser x", "permission reports.view", `permission "a b"`,
		"any_permission a b", "all_permissions a b", "claim tenant", `claim https://acme.com/roles ops ""`, "claim a..b",
		"scope read write", "backend jwt api_key", "backend x", "user email a@b", "user",
		"match path /a", "match {\n\tmethod GET\n\tpath /a\n}", "match expression `1 == 1`", "match not path /a",
		"any {\n\tpermission a.b\n\tstaff\n}", "all {\n\tany {\n\t\tstaff\n\t}\n\tnot permission banned\n}",
		"not {\n\tany {\n\t\tstaff\n\t\tsuperuser\n\t}\n}", "not not not staff", "not {\n\tallow_any\n}", "any {\n}",
		"any {\n\tstaff {\n\t}\n}", "claim a {$X:b}", "any staff", "not", "\"\"", "permission \x00", "any {\n\t}\n}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 300 || strings.Contains(text, "import") {
			return // import reads files
		}
		raw, err := parse(text)
		if err != nil {
			return
		}
		again, err := parse(text)
		if err != nil || !bytes.Equal(raw, again) {
			t.Fatalf("%q parses to %s and to %s, %v", text, raw, again, err)
		}
		if rewritten := rewrite(t, raw); !bytes.Equal(raw, rewritten) {
			t.Errorf("%q: JSON %s is written again as %s", text, raw, rewritten)
		}
		g, err := load(t, string(raw))
		if (g == nil) == (err == nil) {
			t.Errorf("%q: not exactly one of guard and error", text)
		}
		if g == nil {
			return
		}
		if opens(g) {
			return
		}
		if err := g.Check(withClaims(t, nil), nil); outcomeOf(err) != unauthenticated {
			t.Errorf("%q: nobody: %v", text, err)
		}
	})
}

// rewrite reads the JSON of a guard into its module and writes it again.
func rewrite(t *testing.T, raw json.RawMessage) json.RawMessage {
	t.Helper()
	var object map[string]json.RawMessage
	var name string
	if err := json.Unmarshal(raw, &object); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(object["guard"], &name); err != nil {
		t.Fatal(err)
	}
	info, err := caddy.GetModule(guardSpace + "." + name)
	if err != nil {
		t.Fatal(err)
	}
	delete(object, "guard")
	config, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	mod := info.New()
	if err := caddy.StrictUnmarshalJSON(config, mod); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	written, err := json.Marshal(mod)
	if err != nil {
		t.Fatal(err)
	}
	clear(object)
	if err := json.Unmarshal(written, &object); err != nil {
		t.Fatal(err)
	}
	object["guard"] = json.RawMessage(`"` + name + `"`)
	written, err = json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return written
}
