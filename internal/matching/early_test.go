// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package matching

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

// In 0-RTT the address may be somebody else's; the client is to ask again.
func TestAddressBeforeTheEndOfTheHandshakeIsTooEarly(t *testing.T) {
	t.Parallel()
	ctx, _ := authtest.NewContext(t, nil)
	sets, err := Load(ctx, caddyhttp.RawMatcherSets{caddy.ModuleMap{"remote_ip": json.RawMessage(`{"ranges":["192.0.2.0/24"]}`)}})
	if err != nil {
		t.Fatal(err)
	}
	r := authtest.NewRequest(t, http.MethodGet, "https://app.example.com/")
	r.TLS = &tls.ConnectionState{}
	if ok, err := sets.Match(r); ok || !errors.Is(err, ErrTooEarly) {
		t.Errorf("%t, %v", ok, err)
	}
	r.TLS.HandshakeComplete = true
	if ok, err := sets.Match(r); !ok || err != nil {
		t.Errorf("control: %t, %v", ok, err)
	}
}
