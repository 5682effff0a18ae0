// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestResolve(t *testing.T) { // not parallel: it sets the environment
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return "{file." + path + "}"
	}
	t.Setenv("SECRET_TEST_SET", "hunter2")
	t.Setenv("SECRET_TEST_SPACED", " hunter2 ")
	t.Setenv("SECRET_TEST_EMPTY", "")
	t.Setenv("SECRET_TEST_BLANK", " \t\n")
	t.Setenv("SECRET_TEST_BRACES", "{env.SECRET_TEST_SET}")
	if err := os.Unsetenv("SECRET_TEST_UNSET"); err != nil {
		t.Fatal(err)
	}

	for _, tc := range []struct{ name, text, want string }{
		{"plain", "hunter2", "hunter2"},
		{"plain with blanks", " hunter 2 ", " hunter 2 "},
		{"environment", "{env.SECRET_TEST_SET}", "hunter2"},
		{"environment, blanks stay", "{env.SECRET_TEST_SPACED}", " hunter2 "},
		{"environment within text", "a-{env.SECRET_TEST_SET}-{env.SECRET_TEST_SET}", "a-hunter2-hunter2"},
		{"escaped", `a\{env.SECRET_TEST_SET\}`, "a{env.SECRET_TEST_SET}"},
		{"a brace that nothing closes", "a{b", "a{b"},
		// Attack: a value that reads like a placeholder is expanded once more.
		{"a value is not expanded again", "{env.SECRET_TEST_BRACES}", "{env.SECRET_TEST_SET}"},
		{"file", file("plain", "hunter2"), "hunter2"},
		{"file, its last line break goes", file("line", "hunter2\n"), "hunter2"},
		{"file, and that of Windows", file("windows", "hunter2\r\n"), "hunter2"},
		{"file, one line break only", file("lines", "hunter2\n\n"), "hunter2\n"},
		{"file, which is not expanded", file("braces", "{env.SECRET_TEST_SET}"), "{env.SECRET_TEST_SET}"},
	} {
		if got, err := Resolve(tc.text); err != nil || got != tc.want {
			t.Errorf("%s: %q, %v; want %q", tc.name, got, err, tc.want)
		}
	}

	// Attack: a secret that is not set is the empty secret, which everybody
	// knows.
	missing := "{file." + filepath.Join(dir, "missing") + "}"
	empty := file("empty", "")
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", "", ErrEmpty.Error()},
		{"blanks", " \t\r\n", ErrEmpty.Error()},
		{"blank beyond ASCII", "\u00a0\u2003", ErrEmpty.Error()},
		{"environment, not set", "{env.SECRET_TEST_UNSET}", "{env.SECRET_TEST_UNSET} is empty"},
		{"environment, empty", "{env.SECRET_TEST_EMPTY}", "{env.SECRET_TEST_EMPTY} is empty"},
		{"environment, blank", "{env.SECRET_TEST_BLANK}", ErrEmpty.Error()},
		{"environment, one of two not set", "{env.SECRET_TEST_SET}{env.SECRET_TEST_UNSET}", "{env.SECRET_TEST_UNSET} is empty"},
		{"environment, no name", "{env.}", "{env.} is empty"},
		{"file, missing", missing, missing + " is empty: no such file or directory"},
		{"file, a folder", "{file." + dir + "}", " is empty: is not a regular file"},
		{"file, too large", file("large", strings.Repeat("hunter2", 1<<18)), " is empty: is larger than 1048576 bytes"},
		{"file, empty", empty, empty + " is empty"},
		{"file, a line break", file("newline", "\n"), " is empty"},
		{"file, blank", file("blank", "  \n \n"), ErrEmpty.Error()},
		{"unknown", "{evn.SECRET_TEST_SET}", errBraces.Error()},
		{"of a request", "{http.request.header.X-Secret}", errBraces.Error()},
		{"no name at all", "{}", errBraces.Error()},
		{"unknown, behind a known one", "{env.SECRET_TEST_SET}{nothing}", errBraces.Error()},
		{"a secret with braces", "hunter2{hunter2}b", errBraces.Error()},
		{"a secret with braces around a placeholder", "{hunter2{env.SECRET_TEST_SET}", errBraces.Error()},
		{"a secret with many braces", strings.Repeat("{hunter2", 200), errBraces.Error()},
		{"of the Caddyfile, too late", "{$SECRET_TEST_SET}", errBraces.Error()},
	} {
		got, err := Resolve(tc.text)
		if got != "" || err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %q, %v; want %q", tc.name, got, err, tc.want)
			continue
		}
		if errors.Is(err, ErrEmpty) != (tc.want == ErrEmpty.Error()) {
			t.Errorf("%s: %v", tc.name, err)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells a value: %v", tc.name, err)
		}
	}
}

func TestInlineIsWhatIsNoPlaceholder(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"hunter2": true, "{nothing}": true, "{$SECRET}": true, " ": true, "env.SECRET": true, "{ env.SECRET}": true, "{environment}": true,
		"": false, "{env.SECRET}": false, "{file./run/secrets/key}": false, "base64:{env.SECRET}": false,
	} {
		if got := IsInline(text); got != want {
			t.Errorf("IsInline(%q) = %t", text, got)
		}
	}
}
