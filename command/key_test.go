// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// fields returns what "caddy auth key" printed by the word at the beginning.
func fields(t *testing.T, out string) map[string]string {
	t.Helper()
	got := map[string]string{}
	for line := range strings.Lines(out) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		got[word] = strings.TrimSpace(rest)
	}
	return got
}

func TestKeyComesWithTheLinesThatAcceptIt(t *testing.T) {
	t.Parallel()
	r := run(t, keyCommand(), "", "--name", "ci-bot")
	if r.code != 0 || r.err != "" {
		t.Fatalf("%+v", r)
	}
	got := fields(t, r.out)
	sum := sha256.Sum256([]byte(got["key"]))
	digest := "sha256:" + hex.EncodeToString(sum[:])
	if got["digest"] != digest {
		t.Errorf("digest %q, want %q", got["digest"], digest)
	}
	if want := "key ci-bot " + digest; got["Caddyfile"] != want {
		t.Errorf("Caddyfile line %q, want %q", got["Caddyfile"], want)
	}
	var entry map[string]string
	if err := json.Unmarshal([]byte(got["keys.json"]), &entry); err != nil || entry["name"] != "ci-bot" || entry["key"] != digest {
		t.Errorf("entry of keys.json %q: %v", got["keys.json"], err)
	}
	if strings.Count(r.out, got["key"]) != 1 {
		t.Error("the key stands in more than its own line")
	}
}

func TestKeysAreRandomAndRecognized(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`\Acaddybolt_[0-9A-Za-z]{49}\z`)
	seen := map[string]bool{}
	for range 1000 {
		key, err := newKey()
		if err != nil {
			t.Fatal(err)
		}
		body, check := key[:len(key)-checkDigits], key[len(key)-checkDigits:]
		if !form.MatchString(key) || checkSum(body) != check || seen[key] {
			t.Fatalf("key %q is malformed or not new", key)
		}
		seen[key] = true
	}
	largest := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 8*keyBytes), big.NewInt(1))
	if got := len(base62(largest, keyDigits)); got != keyDigits {
		t.Errorf("the largest key takes %d digits", got)
	}
	if got := checkSum("caddybolt_0"); got != "3X8oIL" { // by zlib
		t.Errorf("check sum %q", got)
	}
}

// Attack: a name that adds a line to the Caddyfile which somebody pastes.
func TestNamesThatAreNoWordAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "a b", "a\nkey b", "{env.X}", "#a", `"`, "-a", strings.Repeat("a", 65), "ä"} {
		if r := run(t, keyCommand(), "", "--name="+name); r.code != 2 || r.out != "" {
			t.Errorf("name %q: %+v", name, r)
		}
	}
	if r := run(t, keyCommand(), "", "--name", "Team_1.x@y-z"); r.code != 0 {
		t.Errorf("a good name: %+v", r)
	}
	if r := run(t, keyCommand(), "", "extra"); r.code != 2 {
		t.Errorf("an argument: %+v", r)
	}
}

func TestCaddyHasTheCommand(t *testing.T) {
	t.Parallel()
	registered, ok := caddycmd.Commands()["auth"]
	if !ok {
		t.Fatal("caddy auth is not registered")
	}
	parent := func() *cobra.Command {
		cmd := &cobra.Command{Use: "auth " + registered.Usage, Short: registered.Short, Long: registered.Long}
		registered.CobraFunc(cmd)
		return cmd
	}
	if r := run(t, parent(), "", "key"); r.code != 0 || !strings.HasPrefix(r.out, "key ") {
		t.Errorf("auth key: %+v", r)
	}
	if r := run(t, parent(), ""); r.code != 2 || !strings.Contains(r.err, "token, inspect, key, keys or revoke?") {
		t.Errorf("auth: %+v", r)
	}
	if r := run(t, parent(), "", "tokn"); r.code != 2 || !strings.Contains(r.err, `unrecognized command "tokn"; there are: token, inspect, key`) {
		t.Errorf("auth tokn: %+v", r)
	}
	for _, args := range [][]string{{"--help"}, {"token", "--help"}, {"key", "--help"}} {
		if r := run(t, parent(), "", args...); r.code != 0 || !strings.Contains(r.out, "caddy auth") && !strings.Contains(r.out, "Usage:") {
			t.Errorf("help %v: %+v", args, r)
		}
	}
}
