// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"strings"
	"testing"
	"time"
)

func TestKeysArePrintedOneSourceALine(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for body, want := range map[string]string{
		`{"keys":[]}`: "no keys are fetched from elsewhere\n",
		`{"keys":[{"source":"https://id.example.com","keys":2,"confirmed":"2026-11-23T11:59:00Z","fetches":3,"failures":1},` +
			`{"source":"https://b.example.com","keys":0,"fetches":1,"failures":1,"last_error":"answered with status 500"}]}`: "SOURCE                  KEYS  CONFIRMED  FETCHES  FAILURES  LAST ERROR\n" +
			"https://id.example.com  2     1m0s ago   3        1         -\n" +
			"https://b.example.com   0     never      1        1         answered with status 500\n",
	} {
		var out strings.Builder
		if err := printKeys(&out, []byte(body), now); err != nil || out.String() != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", body, err, out.String(), want)
		}
	}
	if err := printKeys(new(strings.Builder), []byte("<html>"), now); err == nil {
		t.Error("a page is taken for an answer")
	}
}

// Attack, of who pastes an address: Caddy takes "http://evil/x" for the network
// "http:" and what follows for a host.
func TestAddressesOfTheAdminAPIHaveNoPath(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"http://evil/x", "http://localhost:2019/", "http://localhost:2019", "localhost:2019/x",
		"tcp/localhost:2019/x", "a@localhost:1", "localhost:2019?x", "/x",
	} {
		r := run(t, keysCommand(), "", "--address", address)
		if r.code != 2 || !strings.Contains(r.err, "is more than a host and a port") || !strings.Contains(r.err, address) {
			t.Errorf("%s: %+v", address, r)
		}
	}
	for _, address := range []string{"", "localhost:2019", "[::1]:2019", "tcp/127.0.0.1:2019", "unix//run/caddy/admin.sock", "unix//run/caddy.sock|0200", "fd/3", ":2019"} {
		if err := checkAddress(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}
