// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package testtool

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
)

// recorder is a test that somebody watches.
type recorder struct {
	testing.TB
	failed, skipped string
}

func (r *recorder) Helper() {}
func (r *recorder) Fatalf(format string, args ...any) {
	r.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skipf(format string, args ...any) {
	r.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func watch(t *testing.T, f func(testing.TB)) *recorder {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	return r
}

var needs = map[string]func(testing.TB){
	"program": func(t testing.TB) { Program(t, "no-such-program-at-all") },
	"python":  func(t testing.TB) { Python(t, "no_such_module_at_all") },
	"node":    func(t testing.TB) { Node(t, "no-such-package-at-all") },
}

func TestMissingToolsSkip(t *testing.T) {
	t.Setenv("CADDYBOLT_REQUIRE_TOOLS", "")
	for name, need := range needs {
		if r := watch(t, need); r.skipped == "" || r.failed != "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestMissingToolsFailWhereToolsAreRequired(t *testing.T) {
	t.Setenv("CADDYBOLT_REQUIRE_TOOLS", "1")
	for name, need := range needs {
		if r := watch(t, need); r.failed == "" || r.skipped != "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestToolsThatAreThereAreFound(t *testing.T) {
	t.Setenv("CADDYBOLT_REQUIRE_TOOLS", "1")
	if path := Program(t, "go"); !filepath.IsAbs(path) {
		t.Errorf("go is %q", path)
	}
}
