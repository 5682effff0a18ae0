// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package apikey

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func parse(text string) (*APIKey, error) {
	tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
	if err != nil {
		return nil, err
	}
	a := new(APIKey)
	return a, a.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
}

var full = `api_key {
	header Authorization Bearer
	header X-Key
	cookie key
	query api_key
	key ci-bot ` + sha(keyCI) + ` {
		permissions admin.read admin.write
		staff
		superuser
		expires 2026-12-31
		disabled
		meta team build
		meta note "a <b> {env.C}"
	}
	key worker {env.WORKER_KEY}
	file /etc/caddy/keys.json
	max_size 1KiB
}`

func TestCaddyfile(t *testing.T) {
	t.Parallel()
	a, err := parse(full)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"sources":[{"header":"Authorization","scheme":"Bearer"},{"header":"X-Key"},{"cookie":"key"},{"query":"api_key"}],` +
		`"keys":[{"name":"ci-bot","key":"` + sha(keyCI) + `","permissions":["admin.read","admin.write"],"staff":true,"superuser":true,` +
		`"expires":"2026-12-31","disabled":true,"meta":{"note":"a \u003cb\u003e {env.C}","team":"build"}},` +
		`{"name":"worker","key":"{env.WORKER_KEY}"}],"file":"/etc/caddy/keys.json","max_size":1024}`
	if string(raw) != want {
		t.Errorf("JSON is\n%s\nwant\n%s", raw, want)
	}
}

func TestCaddyfileWritesNoDefaults(t *testing.T) {
	t.Parallel()
	a, err := parse("api_key {\n\tkey a {env.X}\n}")
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := json.Marshal(a); err != nil || string(raw) != `{"keys":[{"name":"a","key":"{env.X}"}]}` {
		t.Errorf("JSON is %s, %v", raw, err)
	}
}

func TestCaddyfileErrors(t *testing.T) {
	t.Parallel()
	block := func(lines string) string { return "api_key {\n" + lines + "\n}" }
	inKey := func(line string) string { return block("\tkey a " + keyCI + " {\n\t\t" + line + "\n\t}") }
	for _, tc := range []struct{ name, text, want string }{
		{"argument", "api_key " + keyCI, `api_key takes no argument: write key <name> <value> in its block, at Caddyfile:1`},
		{"nothing", "api_key", `api_key needs a key <name> <value> or a file <path>, at Caddyfile:1`},
		{"no key", block("\tquery k"), `api_key needs a key <name> <value> or a file <path>, at Caddyfile:3`},
		{"unknown option", block("\tkeys a b"), `unrecognized api_key option "keys"; there are: header, cookie, query, key, file, max_size, at Caddyfile:2`},
		{"header without name", block("\theader"), `option "header" needs a name, at Caddyfile:2`},
		{"header that Caddy drops", block("\theader X_API_Key"), `Caddy drops headers whose name holds "_" or ".", such as "X_API_Key", before any module sees them (see expected_underscore_headers and expected_dot_headers of Caddy's servers option): use hyphens, at Caddyfile:2`},
		{"header with a dot", block("\theader X.API.Key"), `Caddy drops headers whose name holds "_" or ".", such as "X.API.Key", before any module sees them (see expected_underscore_headers and expected_dot_headers of Caddy's servers option): use hyphens, at Caddyfile:2`},
		{"source twice", block("\tquery k\n\tquery k"), `query k is given twice, at Caddyfile:3`},
		{"source in another case", block("\theader x-key\n\theader X-Key"), `header X-Key is given twice, at Caddyfile:3`},
		{"file twice", block("\tfile a\n\tfile b"), `option "file" was given already at line 2, at Caddyfile:3`},
		{"file without path", block("\tfile"), `option "file" needs an argument, at Caddyfile:2`},
		{"bad size", block("\tmax_size big"), `option "max_size": "big" is not a size such as 16KiB or 20000, at Caddyfile:2`},
		{"size of nothing", block("\tmax_size 0"), `option "max_size": "0" is not a size such as 16KiB or 20000, at Caddyfile:2`},
		{"key without name", block("\tkey " + keyCI), `key takes a name and a value, at Caddyfile:2`},
		{"key with more", block("\tkey a " + keyCI + " " + keyWorker), `key takes a name and a value, at Caddyfile:2`},
		{"key without value", block("\tkey a \"\""), `key takes a name and a value, at Caddyfile:2`},
		{"key in place of its name", block("\tkey sk/0123+456= a"), `the name of a key has letters, digits and - _ . @ only, at Caddyfile:2`},
		{"one name twice", block("\tkey a " + keyCI + "\n\tkey b " + keyOld + "\n\tkey a " + keyWorker), `key "a" was given already at line 2, at Caddyfile:4`},
		{"one value twice", block("\tkey a " + keyCI + "\n\tkey b " + sha(keyCI)), `keys "a", at line 2, and "b" have one value, at Caddyfile:3`},
		{"one placeholder twice", block("\tkey a {env.X}\n\tkey b {env.X}"), `keys "a", at line 2, and "b" have one value, at Caddyfile:3`},
		{"short digest", block("\tkey a sha256:9f86d0"), `key "a": sha256: is followed by 64 hexadecimal digits, at Caddyfile:2`},
		{"digest that is none", block("\tkey a sha256:" + strings.Repeat("x", 64)), `key "a": sha256: is followed by 64 hexadecimal digits, at Caddyfile:2`},
		{"digest of another kind", block("\tkey a sha1:" + strings.Repeat("a", 40)), `key "a": it looks like a hash of another kind than sha256:, at Caddyfile:2`},
		{"digest of nothing", block("\tkey a " + sha("")), `key "a": sha256: is followed by the digest of an empty text, at Caddyfile:2`},
		{"unknown key option", inKey("permission a"), `unrecognized key option "permission"; there are: permissions, staff, superuser, expires, disabled, meta, at Caddyfile:3`},
		{"no permissions", inKey("permissions"), `option "permissions" needs at least one argument, at Caddyfile:3`},
		{"permissions twice", inKey("permissions a\n\t\tpermissions b"), `option "permissions" was given already at line 3, at Caddyfile:4`},
		{"permission with a blank", inKey(`permissions "a b"`), `permissions: "a b" holds blanks or control characters, at Caddyfile:3`},
		{"flag with argument", inKey("staff yes"), `option "staff" has an argument too many: "yes", at Caddyfile:3`},
		{"flag twice", inKey("superuser\n\t\tsuperuser"), `option "superuser" was given already at line 3, at Caddyfile:4`},
		{"bad date", inKey("expires 31.12.2026"), `option "expires": "31.12.2026" is not a date such as 2026-12-31 or a time such as 2026-12-31T12:00:00Z, at Caddyfile:3`},
		{"meta without value", inKey("meta team"), `meta takes a name and a value, at Caddyfile:3`},
		{"meta twice", inKey("meta team a\n\t\tmeta team b"), `meta "team" was given already, at Caddyfile:4`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(tc.text)
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != tc.want {
				t.Errorf("error is\n%v\nwant\n%v", err, tc.want)
			}
			if strings.Contains(err.Error(), "sk-") || strings.Contains(err.Error(), "sk/") {
				t.Error("the error shows the key")
			}
		})
	}
}

// What is parsed survives being written as JSON and read again.
func FuzzCaddyfile(f *testing.F) {
	f.Add(full)
	f.Add("api_key {\n\tkey a " + keyCI + "\n}")
	f.Add("api_key {\n\tfile x\n}")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "import") || strings.Contains(text, "{$") {
			return // the tokenizer's business
		}
		a, err := parse(text)
		if err != nil {
			return
		}
		raw, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var again APIKey
		if err := caddy.StrictUnmarshalJSON(raw, &again); err != nil {
			t.Fatal(err)
		}
		second, err := json.Marshal(&again)
		if err != nil || string(second) != string(raw) {
			t.Errorf("%s became %s, %v", raw, second, err)
		}
	})
}
