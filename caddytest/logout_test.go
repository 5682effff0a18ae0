// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// loginSite has a log-in, a log-out and a page. The hash is that of "secret".
const loginSite = `
{
	auth {
		secret {env.CADDYBOLT_SECRET}
		jwt {
			issuer https://app.example.com
			audience my-app
			header Authorization Bearer
			cookie session
		}
		users static {
			user alice {env.CADDYBOLT_HASH} {
				id 7
				staff
				permissions reports.read
				field email alice@example.com
			}
		}
	}
}
http://:PORT {
	auth_token /auth/token {
		include permissions
	}
	auth_logout /auth/logout
	auth {
		strip_credentials
	}
	respond "{http.auth.user.id} {http.auth.claims.username} {http.auth.user.is_staff} {http.auth.user.permissions} {http.auth.user.email}"
}`

// post sends a body and returns the answer.
func post(t *testing.T, url, contentType, body string, headers ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// login logs alice in and returns the token.
func login(t *testing.T, url string) string {
	t.Helper()
	status, body := post(t, url+"/auth/token", "application/json", `{"username":"alice","password":"secret"}`)
	var answer struct {
		Token     string `json:"access_token"`
		Type      string `json:"token_type"`
		ExpiresIn int    `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 || answer.Type != "bearer" ||
		answer.ExpiresIn > 3600 || answer.ExpiresIn < 3600-30 { // a second may end while it is made
		t.Fatalf("%d %s", status, body)
	}
	return answer.Token
}

// Logging out ends the token here and now, and after a restart; another token of
// the same user goes on.
func TestALogOutIsReal(t *testing.T) {
	hash, err := caddyCommand(t, "", "hash-password", "--plaintext", "secret", "--bcrypt-cost", "4")
	if err != nil {
		t.Fatalf("%v %s", err, hash)
	}
	t.Setenv("CADDYBOLT_HASH", strings.TrimSpace(hash))
	t.Setenv("CADDYBOLT_SECRET", hmacSecret)
	port := freePort(t)
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(loginSite, "PORT", port)), 0o600); err != nil {
		t.Fatal(err)
	}
	url := "http://127.0.0.1:" + port
	p := startFile(t, file, port)
	token, other := login(t, url), login(t, url)
	const page = "7 alice true reports.read alice@example.com"
	want(t, 200, page, url, bearer(token))
	want(t, 200, page, url, "Cookie: session="+token)

	parsed, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return []byte(hmacSecret), nil }, jwt.WithIssuer("https://app.example.com"), jwt.WithAudience("my-app"))
	if err != nil {
		t.Fatalf("an independent implementation refuses the token: %v", err)
	}
	for _, name := range []string{"sub", "username", "is_staff", "is_superuser", "iat", "exp", "jti"} {
		if parsed.Claims.(jwt.MapClaims)[name] == nil {
			t.Errorf("no claim %q", name)
		}
	}

	if status, _ := post(t, url+"/auth/token", "application/json", `{"username":"alice","password":"wrong"}`); status != 400 {
		t.Errorf("a wrong password: %d", status)
	}
	// a page elsewhere cannot log anybody out, though the cookie is stripped
	if status, _ := post(t, url+"/auth/logout", "text/plain", "", "Cookie: session="+token, "Sec-Fetch-Site: cross-site"); status != 403 {
		t.Errorf("from another site: %d", status)
	}
	want(t, 200, page, url, bearer(token))
	if status, body := post(t, url+"/auth/logout", "text/plain", "", "Cookie: session="+token, "Sec-Fetch-Site: same-origin"); status != 200 || strings.TrimSpace(body) != `{"status":"logged out"}` {
		t.Errorf("%d %s", status, body)
	}
	want(t, 401, "", url, bearer(token))
	want(t, 401, "", url, "Cookie: session="+token)
	want(t, 200, page, url, bearer(other))
	p.stop()

	again := startIn(t, p.home, file, port)
	want(t, 401, "", url, bearer(token))
	want(t, 200, page, url, bearer(other))
	again.stop()
}
