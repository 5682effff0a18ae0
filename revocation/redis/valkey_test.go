// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// slowTests are those in which it does not matter whose server it is.
const slowTests = "TestAMillion|TestNothingPilesUp|TestSlowServer|TestErrorsDoNotShow|TestHandshake"

// All other tests of this package, with Valkey in the place of Redis.
func TestValkeyStandsForRedis(t *testing.T) {
	t.Parallel()
	_, err := exec.LookPath("valkey-server")
	testservers.Need(t, "Valkey", err)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	again := exec.CommandContext(t.Context(), self, "-test.v", "-test.timeout=10m", "-test.skip=TestValkey|"+slowTests)
	again.Env = append(os.Environ(), "CADDYBOLT_REDIS=valkey")
	out, err := again.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "\n--- PASS: TestServerIsTheOneAskedFor") {
		t.Errorf("the tests did not run:\n%s", out)
	}
}

func TestServerIsTheOneAskedFor(t *testing.T) {
	t.Parallel()
	info := own(t).CLI(t, "INFO", "server")
	if is := strings.Contains(info, "valkey_version"); is != (testservers.RedisProgram("cli") == "valkey-cli") {
		t.Errorf("Valkey: %t\n%s", is, info)
	}
}
