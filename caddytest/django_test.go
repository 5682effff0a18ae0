// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

const djangoSite = `
{
	auth {
		secret {env.DJANGO_SECRET_KEY}
		jwt
		basic
		api_key {
			key ci sk-ci-0123456789abcdef0123
		}
		users sql {env.DJANGO_DATABASE} {
			schema django
			timeout 20s
		}
	}
}

http://localhost:PORT {
	auth_token /auth/token {
		include permissions
	}
	auth {
		when /groups/* {
			guard permission auth.change_group
		}
		when /users/delete/* {
			guard permission auth.delete_user
		}
		when /root/* {
			guard superuser
		}
		when /mail/* {
			guard user email alice@example.com
		}
		when /app/* {
			forward {
				X-User-ID id
				X-User-Email user.email
			}
		}
	}
	respond /quiet/* "{http.auth.user.id}"
	respond "{http.auth.user.id} by {http.auth.backend}: {http.auth.user.username} {http.auth.user.first_name} <{http.auth.user.email}>"
}
`

// django is a real Django on a real PostgreSQL, and a Caddy over it.
type django struct {
	*process
	server *testservers.Server
	users  map[string]testservers.DjangoUser
	url    string
}

func startDjango(t *testing.T, caddyfile string) *django {
	t.Helper()
	server := testservers.OwnPostgreSQL(t)
	dsn := server.DSN(server.NewDatabase(t))
	users := testservers.Django(t, dsn)
	t.Setenv("DJANGO_SECRET_KEY", hmacSecret)
	t.Setenv("DJANGO_DATABASE", dsn)
	port := freePort(t)
	p := start(t, strings.ReplaceAll(caddyfile, "PORT", port), port)
	return &django{p, server, users, "http://localhost:" + port}
}

// login asks for a token as Django-Bolt's clients do.
func (d *django) login(t *testing.T, username, password string) (status int, token string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"username": username, "password": password})
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Post(d.url+"/auth/token", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	_ = json.Unmarshal(text, &answer)
	if (resp.StatusCode == http.StatusOK) != (answer.AccessToken != "") {
		t.Errorf("%s: %d %s", username, resp.StatusCode, text)
	}
	return resp.StatusCode, answer.AccessToken
}

// python runs a script of Debian's Python with python3-jwt.
func python(t *testing.T, script string, args ...string) string {
	t.Helper()
	_, err := exec.Command(testservers.Python, "-c", "import jwt").Output()
	needTool(t, "python3 with jwt", err)
	out, err := exec.Command(testservers.Python, append([]string{"-c", script}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("python3: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// decodeToken is how an application of Django-Bolt reads a token.
const decodeToken = `
import json, jwt, sys
print(json.dumps(jwt.decode(sys.argv[1], sys.argv[2], algorithms=["HS256"])))`

// createToken is what create_jwt_for_user of Django-Bolt does, by its guide.
const createToken = `
import jwt, sys, time
print(jwt.encode({
    "sub": sys.argv[2], "username": sys.argv[3], "is_staff": sys.argv[4] == "true", "is_superuser": sys.argv[5] == "true",
    "iat": int(time.time()), "exp": int(time.time()) + 3600,
}, sys.argv[1], algorithm="HS256"))`

func TestUsersThatDjangoMadeLogInThroughCaddy(t *testing.T) {
	d := startDjango(t, djangoSite)
	alice, root := d.users["alice"], d.users["root"]
	for name, known := range d.users {
		wantStatus := http.StatusBadRequest
		if known.Authenticated && !slices.Contains([]string{"md5", "unsalted_md5", "sha1"}, name) {
			wantStatus = http.StatusOK
		}
		status, token := d.login(t, name, known.Password)
		if status != wantStatus {
			t.Errorf("%s: %d, want %d", name, status, wantStatus)
		}
		if token == "" {
			continue
		}
		var claims struct {
			Sub         string   `json:"sub"`
			Username    string   `json:"username"`
			Staff       bool     `json:"is_staff"`
			Superuser   bool     `json:"is_superuser"`
			Permissions []string `json:"permissions"`
		}
		if err := json.Unmarshal([]byte(python(t, decodeToken, token, hmacSecret)), &claims); err != nil {
			t.Fatal(err)
		}
		if claims.Sub != known.ID || claims.Username != name || claims.Staff != known.Staff || claims.Superuser != known.Superuser || !slices.Equal(claims.Permissions, known.Permissions) {
			t.Errorf("%s: python3-jwt reads %+v", name, claims)
		}
	}
	// Attack: what is not the password, and whose names only look alike.
	for _, l := range [][2]string{{"alice", "pw of root"}, {"alice", alice.Hash}, {"Alice", alice.Password}, {"alice ", alice.Password}, {"nobody", alice.Password}} {
		if status, _ := d.login(t, l[0], l[1]); status != http.StatusBadRequest {
			t.Errorf("%q: %d", l, status)
		}
	}

	_, token := d.login(t, "alice", alice.Password)
	full := "Alice <alice@example.com>"
	want(t, 200, alice.ID+" by jwt: alice "+full, d.url+"/", bearer(token))
	want(t, 200, "*", d.url+"/groups/", bearer(token))
	want(t, 403, "*", d.url+"/users/delete/", bearer(token))
	want(t, 403, "*", d.url+"/root/", bearer(token))
	want(t, 200, "*", d.url+"/mail/", bearer(token))
	_, rootToken := d.login(t, "root", root.Password)
	want(t, 200, "*", d.url+"/users/delete/", bearer(rootToken))
	want(t, 200, "*", d.url+"/root/", bearer(rootToken))
	want(t, 403, "*", d.url+"/mail/", bearer(rootToken))

	basic := func(name, password string) string {
		r, _ := http.NewRequest(http.MethodGet, "/", nil)
		r.SetBasicAuth(name, password)
		return "Authorization: " + r.Header.Get("Authorization")
	}
	want(t, 200, alice.ID+" by basic: alice "+full, d.url+"/", basic("alice", alice.Password))
	want(t, 200, "*", d.url+"/groups/", basic("alice", alice.Password))
	want(t, 401, "*", d.url+"/", basic("alice", "pw of root"))
	want(t, 401, "*", d.url+"/", basic("inactive", d.users["inactive"].Password))
	// An API key is nobody's user: its fields are empty.
	want(t, 200, "apikey:ci by api_key:   <>", d.url+"/", "X-API-Key: sk-ci-0123456789abcdef0123")
	want(t, 403, "*", d.url+"/mail/", "X-API-Key: sk-ci-0123456789abcdef0123")

	made := python(t, createToken, hmacSecret, alice.ID, "alice", "true", "false")
	want(t, 200, alice.ID+" by jwt: alice "+full, d.url+"/", bearer(made))
	gone := python(t, createToken, hmacSecret, "4711", "gone", "false", "false")
	want(t, 200, "4711 by jwt:   <>", d.url+"/", bearer(gone))
	want(t, 403, "*", d.url+"/mail/", bearer(gone))

	// The database is gone: what needs it is 503, what does not is not; and it is
	// over by itself.
	d.server.Stop()
	want(t, 200, alice.ID, d.url+"/quiet/", bearer(token))
	want(t, 503, "*", d.url+"/mail/", bearer(token))
	want(t, 503, "*", d.url+"/app/", bearer(token))
	want(t, 503, "*", d.url+"/", basic("alice", alice.Password))
	if status, _ := d.login(t, "alice", alice.Password); status != http.StatusServiceUnavailable {
		t.Errorf("logging in without a database: %d", status)
	}
	d.server.Start(t)
	want(t, 200, "*", d.url+"/mail/", bearer(token))
	want(t, 200, "*", d.url+"/app/", bearer(token))
	if status, _ := d.login(t, "alice", alice.Password); status != http.StatusOK {
		t.Errorf("logging in when the database is back: %d", status)
	}
	log := d.log.String()
	if n := strings.Count(log, "the database of users cannot be asked"); n != 1 {
		t.Errorf("%d lines say that the database is gone", n)
	}
	for what, secret := range map[string]string{
		"the database's password": d.server.Password, "a user's password": alice.Password, "a hash": alice.Hash[:30], "a token": token,
	} {
		if strings.Contains(log, secret) {
			t.Errorf("the log shows %s", what)
		}
	}
}

const countingSite = `
{
	auth {
		secret {env.DJANGO_SECRET_KEY}
		jwt
		users sql {env.DJANGO_DATABASE} {
			verify_query "SELECT username AS id, username, password FROM auth_user WHERE username = $1"
			load_query "SELECT id, username, email, first_name FROM counted($1)"
			timeout 20s
			no_issuer
		}
	}
}

http://localhost:PORT {
	handle /all/* {
		auth {
			guard user email
			guard user username alice
			forward {
				X-User-Email user.email
				X-User-Name user.username
			}
		}
		auth
		header X-Name "{http.auth.user.first_name}"
		respond "{http.auth.user.email} {http.auth.user.first_name} {http.auth.user.first_name}"
	}
	handle {
		auth {
			forward {
				X-User-ID id
			}
		}
		respond "{http.auth.user.id} {http.auth.user.is_staff} {http.auth.claims.username}"
	}
}
`

// A user is loaded when something asks, and once per request; a token that the
// application made names one of its users where that is said.
func TestUserIsLoadedOnceAndOnlyWhenSomethingAsks(t *testing.T) {
	server := testservers.PostgreSQL(t)
	dsn := server.DSN(server.NewDatabase(t))
	users := testservers.Django(t, dsn)
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		"CREATE SEQUENCE loads",
		`CREATE FUNCTION counted(asked text) RETURNS TABLE (id int, username text, email text, first_name text) LANGUAGE plpgsql AS $$
		BEGIN
			PERFORM nextval('loads');
			RETURN QUERY SELECT u.id, u.username::text, u.email::text, u.first_name::text FROM auth_user u WHERE u.id::text = asked;
		END $$`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	loads := func() (n int) {
		t.Helper()
		if err := db.QueryRowContext(t.Context(), "SELECT nextval('loads')").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	t.Setenv("DJANGO_SECRET_KEY", hmacSecret)
	t.Setenv("DJANGO_DATABASE", dsn)
	port := freePort(t)
	start(t, strings.ReplaceAll(countingSite, "PORT", port), port)
	url := "http://localhost:" + port
	token := bearer(python(t, createToken, hmacSecret, users["alice"].ID, "alice", "true", "false"))
	want(t, 200, "alice@example.com Alice Alice", url+"/all/", token)
	for deadline := time.Now().Add(time.Minute); loads() < 3; { // what Caddy tries out when it starts is in it
		if time.Now().After(deadline) {
			t.Fatal("the store did not try out its queries")
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	before := loads()
	for range 5 {
		want(t, 200, users["alice"].ID+" true alice", url+"/", token)
	}
	if n := loads() - before - 1; n != 0 {
		t.Errorf("loaded %d times when nothing asked", n)
	}
	before = loads()
	for range 5 {
		want(t, 200, "alice@example.com Alice Alice", url+"/all/", token)
	}
	if n := loads() - before - 1; n != 5 {
		t.Errorf("loaded %d times for 5 requests", n)
	}
}

// Attack: another key than the application's signs tokens without an issuer, as
// a partner's may: its user 1 is not the application's.
func TestTokensOfAnotherKeyWithoutIssuerAreNotOfLocalUsers(t *testing.T) {
	const site = `
{
	auth {
		secret {env.DJANGO_SECRET_KEY}
		jwt
		PARTNER
		users static {
			user ann $2a$04$Zl1vn7HoLXpKWOZ9dmEIEOJ0xk5wuFw9pj4zSVJJW0BFH5Lj5yq2m {
				id 1
				field email ann@example.com
			}
		}
	}
}

http://localhost:PORT {
	auth_token /auth/token
	auth
	respond "{http.auth.user.id} <{http.auth.user.email}>"
}
`
	t.Setenv("DJANGO_SECRET_KEY", hmacSecret)
	for partner, email := range map[string]string{
		"": "ann@example.com", // control
		"jwt {\n\tsecret \"the partner's secret, of more than 32 bytes\"\n}":                                   "",
		"jwt {\n\tsecret \"the partner's secret, of more than 32 bytes\"\n\tissuer https://partner.example\n}": "ann@example.com",
	} {
		port := freePort(t)
		p := start(t, strings.NewReplacer("PORT", port, "PARTNER", partner).Replace(site), port)
		want(t, 200, "1 <"+email+">", "http://localhost:"+port+"/", bearer(python(t, createToken, hmacSecret, "1", "ann", "false", "false")))
		if warned := strings.Contains(p.log.String(), "jwts_without_issuer"); warned != (email == "") {
			t.Errorf("with %q a warning: %t", partner, warned)
		}
		p.stop()
	}
}

const pooledSite = `
{
	auth {
		secret {env.DJANGO_SECRET_KEY}
		basic
		users sql {env.DJANGO_DATABASE} {
			verify_query "SELECT id, username, password FROM people WHERE username = $1"
			load_query "SELECT id, username, email FROM people WHERE id::text = $1"
			timeout TIMEOUT
			max_connections 1
		}
	}
}

http://localhost:PORT {
	auth
	respond "MARK {http.auth.user.email}"
}
`

// A reload that changes nothing of the store opens no connection, one that is
// rejected closes none, and one that changes it leaves none behind.
func TestConnectionsOfTheUserStoreOutliveReloads(t *testing.T) {
	server := testservers.PostgreSQL(t)
	dsn := server.DSN(server.NewDatabase(t))
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		"CREATE TABLE people (id int, username text, password text, email text)",
		"INSERT INTO people VALUES (1, 'ann', '$2a$04$syvzuIKACw.aR2A5r.BgROf50wIuG8XzM/2EspkG9Pk4btu0OgSIa', 'ann@example.com')",
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	proxy := testservers.NewProxy(t, server.Port)
	t.Setenv("DJANGO_SECRET_KEY", hmacSecret)
	t.Setenv("DJANGO_DATABASE", strings.Replace(dsn, ":"+server.Port, ":"+proxy.Port, 1))
	port := freePort(t)
	site := func(mark, timeout string) string {
		return strings.NewReplacer("PORT", port, "MARK", mark, "TIMEOUT", timeout).Replace(pooledSite)
	}
	p := start(t, site("one", "20s"), port)
	url := "http://localhost:" + port
	ann := "Authorization: Basic YW5uOmNvcnJlY3QgaG9yc2U="
	want(t, 200, "one ann@example.com", url, ann)
	for i := range 5 {
		mark := string(rune('a' + i))
		if status := p.reload(site(mark, "20s")); status != 200 {
			t.Fatalf("reload: %d\n%s", status, p.log)
		}
		want(t, 200, mark+" ann@example.com", url, ann)
		broken := strings.Replace(site("rejected", "20s"), "basic", "basic\n\t\tjwt {\n\t\t\tsecret short\n\t\t}", 1)
		if status := p.reload(broken); status < 400 {
			t.Fatalf("the broken one: %d", status)
		}
		want(t, 200, mark+" ann@example.com", url, ann)
	}
	if n := proxy.Accepted(); n != 1 {
		t.Errorf("%d connections were opened", n)
	}
	before := p.goroutines()
	for i := range 5 {
		if status := p.reload(site("other", strconv.Itoa(21+i)+"s")); status != 200 {
			t.Fatalf("reload: %d\n%s", status, p.log)
		}
		want(t, 200, "other ann@example.com", url, ann)
	}
	if n := proxy.Accepted(); n != 6 {
		t.Errorf("%d connections were opened for 6 configurations", n)
	}
	var after, open int
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").Scan(&open); err != nil {
			t.Fatal(err)
		}
		if after = p.goroutines(); after <= before+3 && open == 1 {
			return
		}
	}
	t.Errorf("%d goroutines before, %d after; %d connections are open", before, after, open)
}
