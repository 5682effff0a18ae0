// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"testing"

	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

func TestBackendAsksWhoAcceptedTheRequest(t *testing.T) {
	t.Parallel()
	token, key, claim := signedIn(`{}`), signedIn(`{}`), signedIn(`{"backend":"api_key"}`)
	key.Backend, key.Issuer, key.TokenID = "api_key", "local:api_key", ""
	authtest.TestGuard(t, authtest.GuardCase{
		New: from("backend api_key"), Pass: ids{"key": key}, Refuse: ids{"token": token, "claim": claim},
	})
	authtest.TestGuard(t, authtest.GuardCase{New: from("backend api_key jwt"), Pass: ids{"key": key, "token": token}})
}

// A word that is misspelt would let everybody pass within not.
func TestBackendsInTheConfiguration(t *testing.T) {
	t.Parallel()
	adapts(t, map[string]string{"backend jwt api_key": `{"backends":["jwt","api_key"],"guard":"backend"}`})
	refused(t, map[string]string{
		"backend":                              `guard "backend" needs a backend`,
		"backend jwtt":                         `unrecognized backend "jwtt"; there are: api_key, jwt`,
		"not backend jwtt":                     `unrecognized backend "jwtt"`,
		`backend ""`:                           "a backend is empty",
		`{"guard":"backend"}`:                  "at least one backend is required",
		`{"guard":"backend","backends":["x"]}`: `unrecognized backend "x"`,
	})
}
