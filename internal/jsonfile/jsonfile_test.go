// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jsonfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddybolt/caddy-bolt/internal/watched"
)

type document struct {
	Words []string `json:"words"`
}

func TestErrorsSayWhereAndQuoteNothing(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                               "it ends too early, at line 1",
		"{\n\"words\": [\"secret":        "it ends too early, at line 2",
		"{\"words\": [secret]}":          "it is not JSON, at line 1",
		"{\n\n\"secret\": 1}":            "it has an unknown member, at line 3",
		"{\"Words\": []}":                "it has an unknown member, at line 1",
		"{\"words\": [],\n\"words\":[]}": "it has a member twice, at line 2",
		"{\"words\": \"secret\"}":        "it has a member of the wrong type, at line 1",
		"{\"words\": []} secret":         "it is not JSON, at line 1",
	} {
		err := Decode([]byte(text), new(document))
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error quotes it", text)
		}
	}
}

func TestFileIsReadAndRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f.json")
	f := &watched.File{Path: path, Limit: 1 << 20}
	if _, err := Content(f); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := Content(&watched.File{Path: filepath.Dir(path), Limit: 1}); err == nil || err.Error() != "it is not a regular file" {
		t.Errorf("folder: %v", err)
	}
	if err := os.WriteFile(path, []byte(`{"words":["a"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if content, err := Content(f); err != nil || string(content) != `{"words":["a"]}` {
		t.Errorf("%s, %v", content, err)
	}
	if err := os.WriteFile(path, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Content(f); err == nil || err.Error() != "it is larger than 1 MiB" {
		t.Errorf("large: %v", err)
	}
}
