// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"os"
	"strings"
	"testing"

	"go.uber.org/zap"
)

// Whoever reads a folder, a pipe or a device waits, or never ends.
func TestKeysAreReadFromRegularFilesOnly(t *testing.T) {
	t.Parallel()
	for _, path := range append(irregular(t), t.TempDir()) {
		for _, j := range []*JWT{{Secret: secretRef, Public: []string{path}}, {Private: path}, {JWKSFile: path}} {
			if err := load(t, j); err == nil || !strings.Contains(err.Error(), `reading "`+path+`": is not a regular file`) {
				t.Errorf("error is %v", err)
			}
		}
		f := followSet(t, "", setOfRSA("a", testKeys().rsa))
		if err := os.Remove(f.path); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, f.path); err != nil {
			t.Skipf("no links here: %v", err)
		}
		for range 3 {
			f.look()
		}
		if f.logs.FilterLevelExact(zap.WarnLevel).Len() != 1 || f.logs.Len() != 1 {
			t.Errorf("%s: log %v", path, f.logs.All())
		}
		wantAccepted(t, f.JWT, joined(t, `{"alg":"RS256","kid":"a"}`, validPayload, with(algRS256, testKeys().rsa)))
	}
	if err := load(t, &JWT{JWKSFile: writeFile(t, setOfRSA("a", testKeys().rsa))}); err != nil {
		t.Errorf("control: %v", err)
	}
}
