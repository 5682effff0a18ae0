// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// revokingSite is loginSite with a store that lasts.
func revokingSite(port string) string {
	return strings.ReplaceAll(strings.Replace(loginSite, "users static", "revocation bolt\n\t\tusers static", 1), "PORT", port)
}

// startRevoking starts revokingSite and returns its address.
func startRevoking(t *testing.T) (p *process, file, port, url string) {
	t.Helper()
	hash, err := caddyCommand(t, "", "hash-password", "--plaintext", "secret", "--bcrypt-cost", "4")
	if err != nil {
		t.Fatalf("%v %s", err, hash)
	}
	t.Setenv("CADDYBOLT_HASH", strings.TrimSpace(hash))
	t.Setenv("CADDYBOLT_SECRET", hmacSecret)
	port = freePort(t)
	file = filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(revokingSite(port)), 0o600); err != nil {
		t.Fatal(err)
	}
	return startFile(t, file, port), file, port, "http://127.0.0.1:" + port
}

const alicesPage = "7 alice true reports.read alice@example.com"

// jtiOf returns the jti of a token.
func jtiOf(t *testing.T, token string) string {
	t.Helper()
	parsed, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return []byte(hmacSecret), nil })
	if err != nil {
		t.Fatal(err)
	}
	jti, _ := parsed.Claims.(jwt.MapClaims)["jti"].(string)
	if jti == "" {
		t.Fatal("no jti")
	}
	return jti
}

// revocations returns what the admin API lists.
func (p *process) revocations(t *testing.T) (count int, list []map[string]string) {
	t.Helper()
	resp, body := do(t, http.MethodGet, "http://"+p.Admin+"/auth/revocations")
	var answer struct {
		Count       *int                `json:"count"`
		Revocations []map[string]string `json:"revocations"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || resp.StatusCode != 200 || answer.Count == nil || answer.Revocations == nil {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	return *answer.Count, answer.Revocations
}

// An operator revokes through the admin API and takes it back; a reload that is
// rejected changes nothing, and a restart neither.
func TestTheAdminAPIRevokes(t *testing.T) {
	p, file, port, url := startRevoking(t)
	api := "http://" + p.Admin + "/auth/revocations"
	if count, list := p.revocations(t); count != 0 || len(list) != 0 {
		t.Fatalf("%d %v", count, list)
	}
	token, other := login(t, url), login(t, url)
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	status, body := post(t, api, "application/json", `{"jti":"`+jtiOf(t, token)+`","until":"`+until+`"}`)
	if status != 200 || !strings.Contains(body, jtiOf(t, token)) {
		t.Fatalf("%d %s", status, body)
	}
	want(t, 401, "", url, bearer(token))
	want(t, 200, alicesPage, url, bearer(other))

	if status := p.reload("{\n\tauth {\n\t\trevocation memory\n\t\tnonsense\n\t}\n}"); status < 400 {
		t.Fatalf("a bad configuration: %d", status)
	}
	// and one that is rejected when its modules are provisioned, those of the
	// admin API before all
	rejected := strings.Replace(strings.Replace(revokingSite(port), "revocation bolt", "revocation memory", 1), "{env.CADDYBOLT_SECRET}", "{file./does/not/exist}", 1)
	if status := p.reload(rejected); status < 400 {
		t.Fatalf("a bad configuration: %d", status)
	}
	if count, list := p.revocations(t); count != 1 || list[0]["jti"] != jtiOf(t, token) {
		t.Errorf("after a rejected reload: %d %v", count, list)
	}
	if status := p.reload(revokingSite(port)); status != 200 {
		t.Fatalf("reload: %d\n%s", status, p.log)
	}
	want(t, 401, "", url, bearer(token))

	// the user, by the issuer of this Caddy
	if status, body := post(t, api, "application/json", `{"user":"7"}`); status != 200 || !strings.Contains(body, `"issuer":"https://app.example.com"`) {
		t.Fatalf("%d %s", status, body)
	}
	want(t, 401, "", url, bearer(other))
	again := login(t, url)
	want(t, 200, alicesPage, url, bearer(again))

	if _, body := do(t, http.MethodGet, "http://"+p.Admin+"/auth/status"); !strings.Contains(body, `"revocation":{"store":"bolt","deciding":true,"count":2}`) {
		t.Errorf("status: %s", body)
	}
	p.stop()
	p = startIn(t, p.home, file, port)
	api = "http://" + p.Admin + "/auth/revocations"
	want(t, 401, "", url, bearer(token))
	want(t, 401, "", url, bearer(other))
	want(t, 200, alicesPage, url, bearer(again))
	if resp, body := do(t, http.MethodDelete, api+"/"+jtiOf(t, token)); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	want(t, 401, "", url, bearer(token)) // its user is still revoked until then
	if resp, body := do(t, http.MethodDelete, api+"?user=7"); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	want(t, 200, alicesPage, url, bearer(token))
	want(t, 200, alicesPage, url, bearer(other))
	if resp, _ := do(t, http.MethodDelete, api+"/"+jtiOf(t, token)); resp.StatusCode != 404 {
		t.Errorf("forgotten twice: %d", resp.StatusCode)
	}
	if status := p.reload(strings.ReplaceAll(simple, "PORT", port)); status != 200 {
		t.Fatalf("reload: %d\n%s", status, p.log)
	}
	if resp, body := do(t, http.MethodGet, api); resp.StatusCode != 404 || !strings.Contains(body, "no revocation store is configured") {
		t.Errorf("without a store: %d %s", resp.StatusCode, body)
	}
}

// Attacks: a page elsewhere that the operator's browser shows; a name that leads
// to the machine; bodies without end; paths that mean another.
func TestTheAdminAPICannotBeTricked(t *testing.T) {
	p, _, _, url := startRevoking(t)
	api := "http://" + p.Admin + "/auth/revocations"
	token := login(t, url)
	body := `{"jti":"` + jtiOf(t, token) + `"}`
	for what, c := range map[string]struct {
		contentType string
		body        string
		headers     []string
	}{
		"a form":                      {"application/x-www-form-urlencoded", "jti=" + jtiOf(t, token), nil},
		"JSON as text":                {"text/plain", body, nil},
		"no content type":             {"", body, nil},
		"another origin":              {"application/json", body, []string{"Origin: https://evil.example"}},
		"another origin, no-cors":     {"text/plain", body, []string{"Sec-Fetch-Mode: no-cors", "Sec-Fetch-Site: cross-site"}},
		"a browser without an origin": {"application/json", body, []string{"Sec-Fetch-Mode: cors", "Sec-Fetch-Site: cross-site"}},
		"a frame":                     {"application/json", body, []string{"Origin: null"}},
		"a giant body":                {"application/json", `{"jti":"` + strings.Repeat("a", 10<<20) + `"}`, nil},
		"a deep body":                 {"application/json", `{"jti":` + strings.Repeat("[", 100_000), nil},
	} {
		if status, answer := post(t, api, c.contentType, c.body, c.headers...); status < 400 || status >= 500 || len(answer) > 1000 {
			t.Errorf("%s: %d %.200s", what, status, answer)
		}
	}
	// another host name that leads here (DNS rebinding)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "evil.example:2019"
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 403 {
		t.Errorf("another host: %d", resp.StatusCode)
	}
	// no page elsewhere is told that it may
	resp, _ = do(t, http.MethodOptions, api, "Origin: https://evil.example", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type")
	if resp.StatusCode < 400 || resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a preflight: %d %v", resp.StatusCode, resp.Header)
	}
	if count, list := p.revocations(t); count != 0 {
		t.Errorf("%d revocations: %v", count, list)
	}
	want(t, 200, alicesPage, url, bearer(token))

	// The control, with a jti that is a path, and one that is an escape.
	port := p.Admin[strings.LastIndexByte(p.Admin, ':')+1:]
	names := []string{"a/b", "a%2Fb", "../x", "a//b", "x", "é?#&=", "."}
	for _, name := range names {
		text, _ := json.Marshal(map[string]string{"jti": name})
		if status, answer := post(t, api, "application/json", string(text)); status != 200 {
			t.Fatalf("%q: %d %s", name, status, answer)
		}
	}
	remove := func(path string) string {
		return raw(t, port, "DELETE /auth/revocations"+path+" HTTP/1.1\r\nHost: "+p.Admin+"\r\nConnection: close\r\n\r\n")
	}
	for _, path := range []string{"/y/../x", "/../revocations/x", "/./x", "//x", "/%zz", "/", "/y", "/x/"} {
		if line := remove(path); strings.Contains(line, " 200 ") {
			t.Errorf("%s: %s", path, line)
		}
	}
	if count, list := p.revocations(t); count != len(names) {
		t.Fatalf("%d of %d are left: %v", count, len(names), list)
	}
	for i, path := range []string{"/a%2Fb", "/a%252Fb", "?jti=../x", "?jti=a//b", "/x", "/%C3%A9%3F%23%26%3D", "?jti=."} {
		line := remove(path)
		if count, list := p.revocations(t); !strings.Contains(line, " 200 ") || count != len(names)-i-1 {
			t.Errorf("%s: %s, %d left: %v", path, line, count, list)
		}
	}
}

// The commands of an operator, against a running Caddy.
func TestTheCommandLineRevokes(t *testing.T) {
	p, file, _, url := startRevoking(t)
	revoke := func(stdin string, args ...string) (string, error) {
		t.Helper()
		return caddyCommand(t, stdin, append([]string{"auth", "revoke", "--address", p.Admin}, args...)...)
	}
	token, other, third := login(t, url), login(t, url), login(t, url)
	if out, err := revoke("", "--list"); err != nil || out != "nothing is revoked\n" {
		t.Errorf("%v %s", err, out)
	}
	if out, err := revoke("", jtiOf(t, token)); err != nil || out != "revoked token "+jtiOf(t, token)+"\n" {
		t.Errorf("%v %s", err, out)
	}
	want(t, 401, "", url, bearer(token))
	if out, err := revoke(other+"\n", "--token-file", "-"); err != nil || strings.Contains(out, other) {
		t.Errorf("%v %s", err, out)
	}
	want(t, 401, "", url, bearer(other))
	want(t, 200, alicesPage, url, bearer(third))
	out, err := revoke("", "--list")
	if err != nil || !strings.Contains(out, "token "+jtiOf(t, token)) || !strings.Contains(out, "token "+jtiOf(t, other)) || strings.Contains(out, jtiOf(t, third)) {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := revoke("", jtiOf(t, token), "--undo"); err != nil {
		t.Errorf("%v %s", err, out)
	}
	want(t, 200, alicesPage, url, bearer(token))
	if out, err := revoke("", "--user", "7", "--for", "30d"); err != nil || !strings.HasPrefix(out, "revoked user 7: tokens issued until ") {
		t.Errorf("%v %s", err, out)
	}
	want(t, 401, "", url, bearer(third))
	want(t, 401, "", url, bearer(token))

	// the address comes from the configuration, too
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(config, []byte(strings.Replace(string(text), "{\n", "{\n\tadmin "+p.Admin+"\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := caddyCommand(t, "", "auth", "revoke", "--user", "7", "--undo", "--config", config); err != nil || !strings.Contains(out, "no longer revoked: user 7") {
		t.Errorf("%v %s", err, out)
	}
	want(t, 200, alicesPage, url, bearer(third))
	if out, err := revoke("", "nobody", "--undo"); err == nil || !strings.Contains(out, "Error: it is not revoked") {
		t.Errorf("%v %s", err, out)
	}
	p.stop()
	if out, err := revoke("", "a"); err == nil || !strings.Contains(out, "refused") {
		t.Errorf("without a Caddy: %v %s", err, out)
	}
}

// What an operator revokes gets no new tokens either: a refresh token of the
// session, or of the user, is refused, here and after a restart.
func TestARevocationEndsRefreshTokens(t *testing.T) {
	setPassword(t)
	port := freePort(t)
	site := "http://127.0.0.1:" + port
	endpoint := site + "/auth/token"
	file := sessionFile(t, port, "reports.read")
	p := startFile(t, file, port)
	first, second, third := logsIn(t, endpoint), logsIn(t, endpoint), logsIn(t, endpoint)
	parsed, err := jwt.Parse(first.Access, func(*jwt.Token) (any, error) { return []byte(hmacSecret), nil })
	if err != nil {
		t.Fatal(err)
	}
	sid, _ := parsed.Claims.(jwt.MapClaims)["sid"].(string)
	revoke := func(args ...string) {
		t.Helper()
		if out, err := caddyCommand(t, "", append([]string{"auth", "revoke", "--address", p.Admin}, args...)...); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	revoke("--sid", sid)
	refusesRefresh(t, endpoint, first.Refresh)
	want(t, 401, "", site, bearer(first.Access))
	second = refreshes(t, endpoint, second.Refresh) // the control
	want(t, 200, "7 reports.read false", site, bearer(second.Access))

	revoke("--user", "7")
	refusesRefresh(t, endpoint, second.Refresh)
	p.stop()
	p = startIn(t, p.home, file, port)
	refusesRefresh(t, endpoint, third.Refresh)
	want(t, 401, "", site, bearer(third.Access))
	last := refreshes(t, endpoint, logsIn(t, endpoint).Refresh) // the control
	want(t, 200, "7 reports.read false", site, bearer(last.Access))
	p.stop()
}
