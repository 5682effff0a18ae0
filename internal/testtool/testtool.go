// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package testtool finds the programs, other than Go, that tests need.
//
// "make test" installs them where it can. A test whose tool is missing is
// skipped, unless CADDYBOLT_REQUIRE_TOOLS is set: then it fails, so that nothing
// goes untested unnoticed.
package testtool

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Program returns the path of the program.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name)
	}
	return path
}

// Python returns a Python 3 that has the module: the system's own comes first,
// since that is the one that Debian's python3-* packages are for.
func Python(t testing.TB, module string) string {
	t.Helper()
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if exec.CommandContext(t.Context(), path, "-c", "import "+module).Run() == nil {
			return path
		}
	}
	missing(t, "the module "+module+" of python3")
	return ""
}

// Node returns Node.js and the folder in which it finds the npm package, which
// scripts run in.
func Node(t testing.TB, module string) (node, folder string) {
	t.Helper()
	node = Program(t, "node")
	_, self, _, _ := runtime.Caller(0)
	folder = filepath.Join(filepath.Dir(self), "..", "..", "scripts", "interop")
	if _, err := os.Stat(filepath.Join(folder, "node_modules", module)); err != nil {
		missing(t, "the npm package "+module)
	}
	return node, folder
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CADDYBOLT_REQUIRE_TOOLS") != "" {
		t.Fatalf("%s is not installed; make tools installs it where it can", what)
	}
	t.Skipf("%s is not installed", what)
}
