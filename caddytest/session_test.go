// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// sessionSite has refresh tokens, for programs and for browsers, and exchanges
// API keys. The hash is that of "secret".
const sessionSite = `
{
	auth {
		secret {env.CADDYBOLT_SECRET}
		jwt {
			issuer https://app.example.com
			header Authorization Bearer
			cookie session
		}
		users static {
			user alice {env.CADDYBOLT_HASH} {
				id 7
				permissions PERMISSION
			}
		}
	}
}
http://:PORT {
	auth_token /auth/token {
		include permissions
		refresh 30d {
			idle 7d
		}
	}
	auth_token /auth/login {
		refresh 30d
		cookie session
	}
	auth_logout /auth/logout {
		redirect /bye
	}
	auth_logout /auth/everywhere {
		all
	}
	auth {
		public /auth/logout /bye
		login_url /auth/login
		when /exchange {
			api_key {
				key ci 0123456789abcdef {
					permissions builds.write
					staff
				}
			}
			jwt {
				secret "the secret of another issuer, of 32 bytes and more"
				issuer https://idp.example.com
			}
		}
	}
	handle /exchange {
		auth_token {
			exchange
			include permissions
		}
	}
	respond "{http.auth.user.id} {http.auth.user.permissions} {http.auth.user.is_staff}"
}`

// tokens is what a token endpoint answers.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Error   string `json:"error"`
}

// ask posts a form to the token endpoint.
func ask(t *testing.T, target string, fields ...string) (int, tokens) {
	t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	status, body := post(t, target, "application/x-www-form-urlencoded", form.Encode())
	var answer tokens
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%d %s", status, body)
	}
	return status, answer
}

func logsIn(t *testing.T, target string) tokens {
	t.Helper()
	status, answer := ask(t, target, "grant_type", "password", "username", "alice", "password", "secret")
	if status != 200 || answer.Access == "" || answer.Refresh == "" {
		t.Fatalf("%d %+v", status, answer)
	}
	return answer
}

func refreshes(t *testing.T, target, token string) tokens {
	t.Helper()
	status, answer := ask(t, target, "grant_type", "refresh_token", "refresh_token", token)
	if status != 200 || answer.Access == "" || answer.Refresh == "" {
		t.Fatalf("%d %+v", status, answer)
	}
	return answer
}

func refusesRefresh(t *testing.T, target, token string) {
	t.Helper()
	status, answer := ask(t, target, "grant_type", "refresh_token", "refresh_token", token)
	if status != 400 || answer.Error != "invalid_grant" || answer.Access != "" {
		t.Errorf("%d %+v", status, answer)
	}
}

// sessionFile writes the site with the permission.
func sessionFile(t *testing.T, port, permission string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "Caddyfile")
	text := strings.NewReplacer("PORT", port, "PERMISSION", permission).Replace(sessionSite)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func setPassword(t *testing.T) {
	t.Helper()
	hash, err := caddyCommand(t, "", "hash-password", "--plaintext", "secret", "--bcrypt-cost", "4")
	if err != nil {
		t.Fatalf("%v %s", err, hash)
	}
	t.Setenv("CADDYBOLT_HASH", strings.TrimSpace(hash))
	t.Setenv("CADDYBOLT_SECRET", hmacSecret)
}

// Refresh tokens of a real store: they survive a restart, load the user again,
// and end with a log-out, with the user's tokens, and with their second use.
func TestSessionsGoOnUntilSomebodyEndsThem(t *testing.T) {
	setPassword(t)
	port := freePort(t)
	site := "http://127.0.0.1:" + port
	endpoint := site + "/auth/token"
	p := startFile(t, sessionFile(t, port, "reports.read"), port)
	first := logsIn(t, endpoint)
	want(t, 200, "7 reports.read false", site, bearer(first.Access))
	second := refreshes(t, endpoint, first.Refresh)
	again := refreshes(t, endpoint, first.Refresh) // another tab
	if again != second {
		t.Errorf("%+v and %+v", again, second)
	}
	p.stop()

	p = startIn(t, p.home, sessionFile(t, port, "reports.write"), port)
	content, err := os.ReadFile(sessionFile(t, port, "reports.write"))
	if err != nil {
		t.Fatal(err)
	}
	if status := p.reload(string(content)); status != 200 {
		t.Fatalf("reload: %d", status)
	}
	third := refreshes(t, endpoint, second.Refresh)
	want(t, 200, "7 reports.write false", site, bearer(third.Access))

	// Attack: a copy of an older token is used.
	other := logsIn(t, endpoint)
	refusesRefresh(t, endpoint, first.Refresh)
	refusesRefresh(t, endpoint, third.Refresh)
	want(t, 401, "", site, bearer(third.Access))
	want(t, 401, "", site, bearer(first.Access))
	want(t, 200, "7 reports.write false", site, bearer(other.Access)) // the control
	if !strings.Contains(p.log.String(), "refresh token used again") || strings.Contains(p.log.String(), first.Refresh) {
		t.Errorf("the log:\n%s", p.log)
	}

	// A log-out ends refresh tokens.
	if status, body := post(t, site+"/auth/logout", "text/plain", "", bearer(other.Access)); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	refusesRefresh(t, endpoint, other.Refresh)

	// So does revoking all tokens of the user.
	one, two := logsIn(t, endpoint), logsIn(t, endpoint)
	if status, body := post(t, site+"/auth/everywhere", "text/plain", "", bearer(one.Access)); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	refusesRefresh(t, endpoint, one.Refresh)
	refusesRefresh(t, endpoint, two.Refresh)
	refreshes(t, endpoint, logsIn(t, endpoint).Refresh) // the control
	p.stop()
}

// visitor is a browser without a script.
type visitor struct {
	t       *testing.T
	site    string
	cookies map[string]*http.Cookie
}

// do sends what a browser sends and keeps the cookies.
func (v *visitor) do(method, path string, form url.Values) *http.Response {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.site+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range v.cookies {
		if path == c.Path || strings.HasPrefix(path, strings.TrimSuffix(c.Path, "/")+"/") {
			req.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	resp.Body.Close()
	for _, c := range resp.Cookies() {
		if v.cookies[c.Name] = c; c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		}
	}
	return resp
}

func (v *visitor) goesTo(resp *http.Response, want string) {
	v.t.Helper()
	if got := resp.Header.Get("Location"); resp.StatusCode != 303 || got != want {
		v.t.Errorf("%d to %q, want %q", resp.StatusCode, got, want)
	}
}

// A browser without a script signs in, is not asked again when its access token
// runs out, and logs out then, too.
func TestBrowsersWithoutAScriptStaySignedIn(t *testing.T) {
	setPassword(t)
	port := freePort(t)
	p := startFile(t, sessionFile(t, port, "reports.read"), port)
	v := &visitor{t: t, site: "http://127.0.0.1:" + port, cookies: map[string]*http.Cookie{}}
	v.goesTo(v.do(http.MethodGet, "/page", nil), "/auth/login?next=%2Fpage")
	v.goesTo(v.do(http.MethodPost, "/auth/login?next=%2Fpage", url.Values{"username": {"alice"}, "password": {"wrong"}}),
		"/auth/login?error=invalid_grant&next=%2Fpage#invalid_grant")
	v.goesTo(v.do(http.MethodPost, "/auth/login?next=%2Fpage", url.Values{"username": {"alice"}, "password": {"secret"}}), "/page")
	if resp := v.do(http.MethodGet, "/page", nil); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
	if c := v.cookies["session_refresh"]; c == nil || c.Path != "/auth" || !c.HttpOnly {
		t.Fatalf("%+v", c)
	}
	// The access token runs out. Whoever logs out then is logged out.
	delete(v.cookies, "session")
	ended := v.cookies["session_refresh"]
	v.goesTo(v.do(http.MethodPost, "/auth/logout", nil), "/bye")
	if len(v.cookies) != 0 {
		t.Errorf("%v", v.cookies)
	}
	v.cookies["session_refresh"] = ended
	if resp := v.do(http.MethodGet, "/auth/login", nil); resp.StatusCode != 200 || len(v.cookies) != 0 {
		t.Errorf("%d %v", resp.StatusCode, v.cookies)
	}
	p.stop()
}

// Attack: whoever names API keys becomes a user, or signs in again and again
// with what was issued.
func TestAPIKeysAreExchangedForTokensOfTheirOwn(t *testing.T) {
	setPassword(t)
	port := freePort(t)
	site := "http://127.0.0.1:" + port
	p := startFile(t, sessionFile(t, port, "reports.read"), port)
	status, body := post(t, site+"/exchange", "text/plain", "", "X-API-Key: 0123456789abcdef")
	var answer tokens
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 || answer.Refresh != "" {
		t.Fatalf("%d %s", status, body)
	}
	claims := jwt.MapClaims{}
	if _, err := jwt.ParseWithClaims(answer.Access, claims, func(*jwt.Token) (any, error) { return []byte(hmacSecret), nil }, jwt.WithIssuer("https://app.example.com")); err != nil {
		t.Fatal(err)
	}
	if claims["sub"] != "exchanged:local:api_key|apikey:ci" || claims["is_staff"] != true {
		t.Errorf("%v", claims)
	}
	want(t, 200, "exchanged:local:api_key|apikey:ci builds.write true", site, bearer(answer.Access))
	// Attack: the user 7 of another issuer, whose tokens are taken for what they are.
	foreign := mint(t, jwt.SigningMethodHS256, []byte("the secret of another issuer, of 32 bytes and more"),
		jwt.MapClaims{"iss": "https://idp.example.com", "sub": "7", "is_superuser": true, "exp": time.Now().Add(time.Minute).Unix()})
	status, body = post(t, site+"/exchange", "text/plain", "", bearer(foreign))
	var other tokens
	if err := json.Unmarshal([]byte(body), &other); err != nil || status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	want(t, 200, "exchanged:https://idp.example.com|7  false", site, bearer(other.Access))
	want(t, 401, "", site, bearer(foreign))
	for _, header := range []string{"X-API-Key: wrong", bearer(answer.Access)} {
		if status, _ := post(t, site+"/exchange", "text/plain", "", header); status != 401 {
			t.Errorf("%s: %d", header[:9], status)
		}
	}
	p.stop()
}

// Each refresh asks a real Django's tables: what somebody may do today is in the
// new token, and who may not sign in any more gets none, not even when the
// database was away or the account is opened again.
func TestRefreshAsksDjangoAgain(t *testing.T) {
	d := startDjango(t, `
{
	auth {
		secret {env.DJANGO_SECRET_KEY}
		jwt
		users sql {env.DJANGO_DATABASE} {
			schema django
			timeout 20s
		}
	}
}
http://localhost:PORT {
	auth_token /auth/token {
		include permissions
		refresh 30d
	}
	auth
	respond "{http.auth.user.id} {http.auth.user.is_staff} {http.auth.user.is_superuser}"
}`)
	db, err := sql.Open("pgx", os.Getenv("DJANGO_DATABASE"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	alter := func(query string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	endpoint, alice := d.url+"/auth/token", d.users["alice"]
	status, first := ask(t, endpoint, "username", "alice", "password", alice.Password)
	if status != 200 {
		t.Fatalf("%d %+v", status, first)
	}
	alter("UPDATE auth_user SET is_staff = false, is_superuser = true WHERE username = 'alice'")
	second := refreshes(t, endpoint, first.Refresh)
	want(t, 200, alice.ID+" false true", d.url, bearer(second.Access))

	d.server.Stop()
	if status, answer := ask(t, endpoint, "grant_type", "refresh_token", "refresh_token", second.Refresh); status != 503 || answer.Error != "temporarily_unavailable" {
		t.Errorf("without the database: %d %+v", status, answer)
	}
	d.server.Start(t)
	third := refreshes(t, endpoint, second.Refresh)

	alter("UPDATE auth_user SET is_active = false WHERE username = 'alice'")
	refusesRefresh(t, endpoint, third.Refresh)
	alter("UPDATE auth_user SET is_active = true WHERE username = 'alice'")
	refusesRefresh(t, endpoint, third.Refresh)
	if status, _ := ask(t, endpoint, "username", "alice", "password", alice.Password); status != 200 {
		t.Errorf("the control: %d", status)
	}
}
