// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

func BenchmarkCheck(b *testing.B) {
	id := permitted("reports.view", "reports.add", "users.view")
	id.Staff = true
	claims, err := auth.NewClaims(map[string]any{
		"email": "alice@example.com", "scope": "openid profile reports", "tenant": "acme",
		"realm_access": map[string]any{"roles": []string{"offline_access", "uma_authorization"}},
	})
	if err != nil {
		b.Fatal(err)
	}
	id.Claims = claims
	for _, text := range []string{
		"authenticated", "staff", "permission users.view", "all_permissions reports.view users.view", "backend api_key jwt",
		"claim tenant acme", "claim realm_access.roles uma_authorization", "scope reports",
		"any {\n\tsuperuser\n\tpermission users.view\n}", "match {\n\tmethod GET\n}",
	} {
		name, _, _ := strings.Cut(text, " {")
		b.Run(name, func(b *testing.B) {
			g := mustLoad(b, text)
			r := authtest.NewRequest(b, http.MethodGet, "https://app.example.com/")
			b.ReportAllocs()
			for b.Loop() {
				if err := g.Check(r, id); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
