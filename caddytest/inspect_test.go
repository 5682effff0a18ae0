// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// inspectedSite has a jwt of the global block, one of a policy in a cookie, and
// one of a rule whose keys are fetched.
const inspectedSite = `
{
	auth {
		secret {env.CADDYBOLT_SECRET}
		jwt {
			issuer https://app.example.com
		}
		revocation
		policy kiosk {
			jwt kiosk {
				cookie kiosk
				issuer https://kiosk.example.com
			}
		}
	}
}
http://:PORT {
	auth {
		when /partner/* {
			jwt {
				jwks_url KEYS
				audience my-app
				query token
			}
		}
	}
	respond "{http.auth.user.id}"
}`

// Beside the running Caddy, or without one, the command says what each jwt of
// the configuration makes of a token, and opens no store.
func TestInspectAsksTheConfiguration(t *testing.T) {
	set, err := os.ReadFile("testdata/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) }))
	defer server.Close()
	t.Setenv("CADDYBOLT_SECRET", hmacSecret)
	file := filepath.Join(t.TempDir(), "Caddyfile")
	text := strings.NewReplacer("KEYS", server.URL, "PORT", freePort(t)).Replace(inspectedSite)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	inspect := func(token string, args ...string) (string, error) {
		t.Helper()
		return runCaddy(t, home, token, append([]string{"auth", "inspect", "--config", file}, args...)...)
	}
	app := hs256(t, jwt.MapClaims{"iss": "https://app.example.com", "jti": "j"})
	kiosk := hs256(t, jwt.MapClaims{"iss": "https://kiosk.example.com"})
	stale := hs256(t, jwt.MapClaims{"iss": "https://app.example.com", "exp": time.Now().Add(-time.Hour).Unix()})
	nobody := mint(t, jwt.SigningMethodHS256, []byte("another secret of more than 32 bytes........"), jwt.MapClaims{"iss": "https://app.example.com"})

	out, err := inspect(app)
	if err != nil || strings.Contains(out, app) || strings.Contains(out, hmacSecret) {
		t.Errorf("%v\n%s", err, out)
	}
	for _, line := range []string{
		"/apps/auth/authenticators/0: accepted, user alice of https://app.example.com, jti j\n",
		"kiosk at /apps/auth/policies/kiosk/authenticators/0: refused, wrong_issuer",
		"/rules/0/authenticators/0: refused, unsupported_algorithm",
	} {
		if !strings.Contains(out, line) {
			t.Errorf("it does not say %q:\n%s", line, out)
		}
	}
	if strings.Contains(out, `"level"`) {
		t.Errorf("a log among it:\n%s", out)
	}
	if out, err := inspect(kiosk); err != nil || !strings.Contains(out, "kiosk at /apps/auth/policies/kiosk/authenticators/0: accepted") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := inspect(stale); err == nil || !strings.Contains(out, `authenticators/0: refused, token_expired: claim "exp": in the past, user alice`) || !strings.Contains(out, "accepted by none of 3 jwt") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := inspect(nobody); err == nil || !strings.Contains(out, "refused, bad_signature") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(home, "caddy", "auth", "revocations.db")); !os.IsNotExist(err) {
		t.Errorf("it opened the store: %v", err)
	}
	if out, err := caddyCommand(t, app, "auth", "inspect", "--config", "caddytest/testdata/empty.json"); err == nil || !strings.Contains(out, "there is no jwt in the configuration") {
		t.Errorf("%v\n%s", err, out)
	}
	bad := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(bad, []byte("{\n\tauth {\n\t\tjwtt\n\t}\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := caddyCommand(t, app, "auth", "inspect", "--config", bad); err == nil || !strings.Contains(out, "Error: --config: ") || !strings.Contains(out, ":3") {
		t.Errorf("%v\n%s", err, out)
	}
}

// A token for a user of the configuration, made beside the running Caddy whose
// store it cannot open, is what the log-in would issue.
func TestTokenOfAUserOfTheConfiguration(t *testing.T) {
	p, file, _, url := startRevoking(t)
	mintFor := func(args ...string) (string, error) {
		t.Helper()
		return caddyCommandIn(t, p.home, append([]string{"auth", "token", "--config", file}, args...)...)
	}
	out, err := mintFor("--user", "7")
	if err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	token := strings.TrimSpace(out)
	want(t, 200, alicesPage, url, bearer(token))
	if out, err := runCaddy(t, p.home, token, "auth", "inspect", "--config", file); err != nil || !strings.Contains(out, "accepted, user 7 of https://app.example.com, jti "+jtiOf(t, token)) {
		t.Errorf("%v\n%s", err, out)
	}
	parsed, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return []byte(hmacSecret), nil }, jwt.WithAudience("my-app"), jwt.WithIssuer("https://app.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	if claims := parsed.Claims.(jwt.MapClaims); claims["username"] != "alice" || claims["is_staff"] != true || claims["permissions"] == nil {
		t.Errorf("%v", claims)
	}
	if out, err := mintFor("--user", "7", "--expires-in", "30d"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := mintFor("--user", "8"); err == nil || !strings.Contains(out, `Error: there is no user with the ID "8" who may sign in`) {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := mintFor("--user", "7", "--for", "kiosk"); err == nil || !strings.Contains(out, `no auth_token for "kiosk"`) {
		t.Errorf("%v\n%s", err, out)
	}
	inspectThere := func() (string, error) {
		t.Helper()
		return runCaddy(t, p.home, token, "auth", "inspect", "--config", file, "--address", p.Admin)
	}
	if out, err := inspectThere(); err != nil || !strings.Contains(out, "accepted, user 7") {
		t.Errorf("%v\n%s", err, out)
	}
	// what was revoked since stays revoked
	if out, err := caddyCommand(t, token, "auth", "revoke", "--address", p.Admin, "--token-file", "-"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	want(t, 401, "", url, bearer(token))
	if out, err := inspectThere(); err == nil || !strings.Contains(out, "refused, token_revoked: its token was revoked, user 7") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, args := range [][]string{{jtiOf(t, token), "--undo"}, {"--user", "7"}} {
		if out, err := caddyCommand(t, "", append([]string{"auth", "revoke", "--address", p.Admin}, args...)...); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	want(t, 401, "", url, bearer(token))
	if out, err := inspectThere(); err == nil || !strings.Contains(out, "refused, token_revoked: all tokens of its user were revoked until ") {
		t.Errorf("%v\n%s", err, out)
	}
	p.stop()
	if out, err := inspectThere(); err == nil || !strings.Contains(out, "asking whether the token was revoked") {
		t.Errorf("%v\n%s", err, out)
	}
}
