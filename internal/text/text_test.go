// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package text

import "testing"

func TestIsPlain(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"": true, "bob": true, "böb": true, "a b": true, "ci@example.com": true,
		"a\x00b": false, "a\n": false, "\x7f": false, "\u0085": false, "\xff": false,
	} {
		if got := IsPlain(s); got != want {
			t.Errorf("IsPlain(%q) = %t, want %t", s, got, want)
		}
	}
}

// Attack: a permission "reports.view admin" is shown to the application as two.
func TestCheckWords(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]bool{
		"admin.read": true, "app:read": true, "läsen": true,
		"": false, "a b": false, "a\tb": false, "a\u00a0b": false, "a\x00": false, "\xff": false,
	} {
		if err := CheckWords("permissions", []string{"ok", word}); (err == nil) != want {
			t.Errorf("CheckWords(%q) = %v", word, err)
		}
	}
}
