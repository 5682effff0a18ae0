// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
)

// needTool ends the test when a tool is missing: as a failure where the tools
// are required, else by skipping it.
func needTool(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("CADDYBOLT_REQUIRE_TOOLS") == "1" {
		t.Fatalf("%s: %v", what, err)
	}
	t.Skipf("%s: %v", what, err)
}

// mint runs a script of testdata/interop and returns a token per algorithm.
func mint(t *testing.T, keys map[string]string, command *exec.Cmd) map[string]string {
	t.Helper()
	order, err := json.Marshal(map[string]any{"now": testNow.Unix(), "keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	command.Stdin = bytes.NewReader(order)
	out, err := command.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%v: %v\n%s", command.Args, err, exit.Stderr)
		}
		t.Fatalf("%v: %v", command.Args, err)
	}
	var tokens map[string]string
	if err := json.Unmarshal(out, &tokens); err != nil {
		t.Fatal(err)
	}
	return tokens
}

// Tokens of other implementations, minted while the test runs, in every
// algorithm.
func TestTokensOfOtherImplementationsAreAccepted(t *testing.T) {
	t.Parallel()
	keys := make(map[string]string)
	for alg := range algorithmCount {
		if familyHMAC.has(alg) {
			keys[alg.String()] = testSecret
		} else {
			keys[alg.String()] = privatePEM(t, keyFor(t, alg))
		}
	}
	for name, command := range map[string]func(*testing.T) *exec.Cmd{
		"PyJWT": func(t *testing.T) *exec.Cmd {
			python := "/usr/bin/python3" // Debian's, which sees Debian's packages
			if _, err := os.Stat(python); err != nil {
				python = "python3"
			}
			needTool(t, "python3 with PyJWT and cryptography", exec.Command(python, "-c", "import jwt, cryptography").Run())
			return exec.Command(python, "testdata/interop/mint.py")
		},
		"jose": func(t *testing.T) *exec.Cmd {
			_, err := exec.LookPath("node")
			needTool(t, "node", err)
			dir := t.TempDir()
			for _, file := range []string{"package.json", "mint.mjs"} {
				data, err := os.ReadFile(filepath.Join("testdata", "interop", file))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			install := exec.Command("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefer-offline")
			install.Dir = dir
			needTool(t, "npm install", install.Run())
			mint := exec.Command("node", "mint.mjs")
			mint.Dir = dir
			return mint
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tokens := mint(t, keys, command(t))
			for alg := range algorithmCount {
				token := tokens[alg.String()]
				if token == "" {
					t.Errorf("%s: no token", alg)
					continue
				}
				j := &JWT{Algorithms: []string{alg.String()}, Issuers: []string{"https://id.example.com"}, Audiences: []string{"my-app"}}
				other := &JWT{Algorithms: j.Algorithms, Issuers: j.Issuers, Audiences: j.Audiences}
				if familyHMAC.has(alg) {
					j.Secret, other.Secret = secretRef, "{env.CADDYBOLT_TEST_SECRET}x"
				} else {
					j.Public = []string{writeFile(t, publicPEM(t, keyFor(t, alg)))}
					other.Public = []string{writeFile(t, publicPEM(t, otherKeyFor(t, alg)))}
				}
				id := wantAccepted(t, mustLoad(t, j), token)
				username, _ := id.Claims.Text("username")
				if id.ID != "42" || !id.Staff || id.Superuser || username != "älice" ||
					!slices.Equal(id.Permissions.Words(), []string{"reports.view", "reports.add"}) || !id.IssuedAt.Equal(testNow) {
					t.Errorf("%s: identity %+v, username %q", alg, id, username)
				}
				wantRefused(t, mustLoad(t, other), token, auth.ReasonBadSignature)
			}
		})
	}
}
