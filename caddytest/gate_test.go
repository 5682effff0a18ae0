// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Each test here states what somebody else's gate once let through, and holds
// a control that passes.

// gate starts a Caddy whose site is the text, at PORT. It returns the URL.
func gate(t *testing.T, text string) (*process, string) {
	t.Helper()
	t.Setenv("CADDYBOLT_SECRET", hmacSecret)
	t.Setenv("CADDYBOLT_LEAK", "leaked")
	port := freePort(t)
	p := start(t, strings.ReplaceAll(text, "PORT", port), port)
	return p, "http://127.0.0.1:" + port
}

const simple = `
http://:PORT {
	auth {
		jwt {
			secret {env.CADDYBOLT_SECRET}
		}
	}
	respond "in {http.auth.user.id}"
}`

// The algorithm is the configuration's: a public key is no secret, "none" is
// none, and a name that nobody knows is not HS256.
func TestTheTokenDoesNotChooseItsAlgorithm(t *testing.T) {
	k := newKeys(t)
	file := filepath.Join(t.TempDir(), "rsa.pem")
	if err := os.WriteFile(file, []byte(k.rsaPEM), 0o600); err != nil {
		t.Fatal(err)
	}
	_, url := gate(t, `
http://:PORT {
	auth {
		jwt {
			public_key `+file+`
		}
	}
	respond "in {http.auth.user.id}"
}`)
	want(t, 200, "in alice", url, bearer(mint(t, jwt.SigningMethodRS256, k.rsa, nil)))
	for _, secret := range []string{k.rsaPEM, strings.TrimSpace(k.rsaPEM), k.rsaPEM + "\n", ""} {
		want(t, 401, "", url, bearer(mint(t, jwt.SigningMethodHS256, []byte(secret), nil)))
	}
	want(t, 401, "", url, bearer(mint(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil)))
	good := mint(t, jwt.SigningMethodRS256, k.rsa, nil)
	parts := strings.Split(good, ".")
	for _, alg := range []string{"none", "None", "NONE", "", "rs256", "RS257", "ES256K"} {
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"` + alg + `","typ":"JWT"}`))
		want(t, 401, "", url, bearer(header+"."+parts[1]+"."+parts[2]))
		want(t, 401, "", url, bearer(header+"."+parts[1]+"."))
	}
	for _, name := range []string{"ALG", "Alg"} {
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"` + name + `":"RS256","typ":"JWT"}`))
		want(t, 401, "", url, bearer(header+"."+parts[1]+"."+parts[2]))
	}
}

// A configured issuer and audience are required, and a list of audiences is
// one.
func TestIssuerAndAudienceAreEnforcedWhenAbsent(t *testing.T) {
	_, url := gate(t, `
http://:PORT {
	auth {
		jwt {
			secret {env.CADDYBOLT_SECRET}
			issuer https://id.example.com
			audience my-app other
		}
	}
	respond in
}`)
	iss, aud := "https://id.example.com", "my-app"
	want(t, 200, "in", url, bearer(hs256(t, jwt.MapClaims{"iss": iss, "aud": aud})))
	want(t, 200, "in", url, bearer(hs256(t, jwt.MapClaims{"iss": iss, "aud": []string{"x", aud}})))
	for _, claims := range []jwt.MapClaims{
		{},
		{"iss": iss},
		{"aud": aud},
		{"iss": iss, "aud": "x"},
		{"iss": "x", "aud": aud},
		{"iss": iss, "aud": []string{}},
		{"iss": iss, "aud": map[string]any{aud: aud}},
		{"iss": []string{iss}, "aud": aud},
		{"iss": iss + "/", "aud": aud},
		{"iss": iss, "aud": "My-App"},
		{"iss": iss, "aud": []any{1, aud}},
	} {
		want(t, 401, "", url, bearer(hs256(t, claims)))
	}
}

func TestExpiryIsEnforced(t *testing.T) {
	_, url := gate(t, simple)
	now := time.Now()
	want(t, 200, "in alice", url, bearer(hs256(t, nil)))
	want(t, 200, "in alice", url, bearer(hs256(t, jwt.MapClaims{"exp": now.Add(-10 * time.Second).Unix()}))) // within the leeway
	for _, exp := range []any{0, -1, now.Add(-time.Minute).Unix(), "9999999999", true, nil, []int{1}, 1e300 * -1} {
		want(t, 401, "", url, bearer(hs256(t, jwt.MapClaims{"exp": exp})))
	}
	want(t, 401, "", url, bearer(hs256(t, jwt.MapClaims{"nbf": now.Add(time.Hour).Unix()})))
}

// Nothing that the header asks for is understood, so nothing is ignored.
func TestCriticalHeadersAreRefused(t *testing.T) {
	_, url := gate(t, simple)
	key := []byte(hmacSecret)
	for _, header := range []map[string]any{
		{"crit": []string{"exp"}, "exp": 1}, {"crit": []string{}}, {"crit": []string{"b64"}, "b64": true}, {"b64": false}, {"cty": "JWT"}, {"cty": "jwt"},
	} {
		want(t, 401, "", url, bearer(mintHeader(t, jwt.SigningMethodHS256, key, nil, header)))
	}
	want(t, 200, "in alice", url, bearer(mintHeader(t, jwt.SigningMethodHS256, key, nil, map[string]any{
		"jku": "http://127.0.0.1:1/", "jwk": map[string]any{"kty": "oct", "k": "AA"}, "x5u": "http://127.0.0.1:1/", "kid": "x",
	})))
}

// One token has one spelling.
func TestVariantsOfATokenAreRefused(t *testing.T) {
	_, url := gate(t, simple)
	good := hs256(t, nil)
	want(t, 200, "in alice", url, bearer(good))
	parts := strings.Split(good, ".")
	last := parts[2]
	for _, token := range []string{
		good + "=", good + ".", good + ".x", "." + good, good + "AA", good[:len(good)-1],
		parts[0] + "=." + parts[1] + "." + last, parts[0] + "." + parts[1] + "=." + last,
		parts[0] + "." + parts[1] + "." + nextInAlphabet(last), // the unused bits of the last character
		strings.ToUpper(good), parts[0] + "." + parts[1],
		parts[0] + "." + parts[1] + "." + last[:4] + "%20" + last[4:],
	} {
		want(t, 401, "", url, bearer(token))
	}
	want(t, 401, "", url, bearer(good), bearer(good))
	want(t, 401, "", url, bearer(good), "Authorization: Basic YTpi")
	want(t, 401, "", url, "Authorization: Bearerx "+good)
	want(t, 401, "", url, "Authorization: "+good)
	want(t, 200, "in alice", url, "Authorization: bearer "+good)
}

// nextInAlphabet changes only bits that the decoded bytes do not hold.
func nextInAlphabet(text string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(alphabet, text[len(text)-1])
	return text[:len(text)-1] + string(alphabet[i^1])
}

func TestClaimsOfTheWrongTypeAreRefused(t *testing.T) {
	_, url := gate(t, simple)
	for _, claims := range []jwt.MapClaims{
		{"sub": []string{"alice"}},
		{"sub": nil},
		{"sub": ""},
		{"sub": true},
		{"sub": "apikey:ci-bot"},
		{"aud": map[string]any{}},
		{"permissions": 7},
		{"permissions": map[string]any{}},
		{"jti": 7},
		{"iss": 7},
		{"iat": "now"},
		{"nbf": []int{}},
		{"iss": "local:api_key"},
	} {
		want(t, 401, "", url, bearer(hs256(t, claims)))
	}
}

// A flood of nonsense is neither slow, nor a 5xx, nor a line in the log.
func TestHostileTokensAreRefusedQuietly(t *testing.T) {
	p, url := gate(t, "{\n\tservers {\n\t\tmax_header_size 20MB\n\t}\n}\n"+simple)
	huge := strings.Repeat("a", 100_000)
	b64 := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	head := b64(`{"alg":"HS256"}`)
	for name, token := range map[string]string{
		"100 KB":          head + "." + huge + "." + huge,
		"a million dots":  strings.Repeat(".", 1_000_000),
		"deep nesting":    head + "." + b64(strings.Repeat("[", 5000)+strings.Repeat("]", 5000)) + ".AA",
		"deep header":     b64(`{"alg":`+strings.Repeat(`{"a":`, 2000)+"1"+strings.Repeat("}", 2000)+"}") + ".e30.AA",
		"a huge number":   head + "." + b64(`{"exp":`+strings.Repeat("9", 4000)+"}") + ".AA",
		"a huge exponent": head + "." + b64(`{"exp":1e999999999}`) + ".AA",
		"dots only":       "..",
		"not a token":     "x",
		"quotes":          `"`,
	} {
		begun := time.Now()
		resp, _ := do(t, http.MethodGet, url, bearer(token))
		if resp.StatusCode != 401 {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
	}
	want(t, 200, "in alice", url, bearer(hs256(t, nil)))
	p.saidNothing()
}

// A claim is data wherever it goes.
func TestAClaimIsNeverExpanded(t *testing.T) {
	_, url := gate(t, `
http://:PORT {
	auth {
		jwt {
			secret {env.CADDYBOLT_SECRET}
		}
		forward X-Claim claims.evil
		guard claim evil
	}
	route {
		auth {
			jwt {
				secret {env.CADDYBOLT_SECRET}
			}
		}
		vars copied {http.auth.claims.evil}
		map {http.auth.claims.evil} {mapped} {
			default {http.auth.claims.evil}
		}
		header X-Out {http.auth.claims.evil}
		templates {
			mime text/plain
		}
		header Content-Type text/plain
		respond "{vars.copied}|{mapped}|{http.request.header.X-Claim}|{{placeholder \"http.auth.claims.evil\"}}"
	}
}`)
	const text = "{env.CADDYBOLT_LEAK}"
	token := hs256(t, jwt.MapClaims{"evil": text})
	resp, body := do(t, http.MethodGet, url, bearer(token))
	if resp.StatusCode != 200 || body != strings.Join([]string{text, text, text, text}, "|") || resp.Header.Get("X-Out") != text {
		t.Errorf("%d, body %q, header %q", resp.StatusCode, body, resp.Header.Get("X-Out"))
	}
}

// A global secret is not valid beside a local key.
func TestALocalKeyReplacesTheGlobalSecret(t *testing.T) {
	k := newKeys(t)
	file := filepath.Join(t.TempDir(), "ec.pem")
	if err := os.WriteFile(file, []byte(k.ecPEM), 0o600); err != nil {
		t.Fatal(err)
	}
	_, url := gate(t, `
{
	auth {
		secret {env.CADDYBOLT_SECRET}
		jwt
	}
}
http://:PORT {
	auth {
		when /local/* {
			jwt {
				public_key `+file+`
			}
		}
	}
	respond in
}`)
	want(t, 200, "in", url+"/", bearer(hs256(t, nil)))
	want(t, 401, "", url+"/local/x", bearer(hs256(t, nil)))
	want(t, 200, "in", url+"/local/x", bearer(mint(t, jwt.SigningMethodES256, k.ec, nil)))
	want(t, 401, "", url+"/", bearer(mint(t, jwt.SigningMethodES256, k.ec, nil)))
}

// The key is a secret; its name is who uses it.
func TestAnAPIKeyIsKnownByItsName(t *testing.T) {
	_, url := gate(t, `
http://:PORT {
	auth {
		jwt {
			secret {env.CADDYBOLT_SECRET}
		}
		api_key {
			header Authorization Bearer
			header X-API-Key
			key ci-bot key_0123456789abcdef {
				permissions admin.read
				meta team infra
			}
		}
	}
	respond "{http.auth.backend} {http.auth.user.id} {http.auth.user.permissions} {http.auth.claims.team}"
}`)
	want(t, 200, "api_key apikey:ci-bot admin.read infra", url, "X-API-Key: key_0123456789abcdef")
	want(t, 200, "api_key apikey:ci-bot admin.read infra", url, bearer("key_0123456789abcdef"))
	want(t, 200, "jwt alice  ", url, bearer(hs256(t, nil)))
	want(t, 401, "", url, "X-API-Key: key_0123456789abcdeF")
	want(t, 401, "", url, "X-API-Key: ")
	want(t, 401, "", url, "X-API-Key: key_0123456789abcdef", "X-API-Key: key_0123456789abcdef")
}

// A dead upstream's 502 prints the request, API key included, unless the log is
// told not to; Caddy says so at start.
func TestCredentialsStayOutOfTheLog(t *testing.T) {
	const site = `
http://:PORT {
	log
	auth {
		api_key {
			header X-API-Key
			query api_key
			key ci-bot key_0123456789abcdef
		}
	}
	reverse_proxy 127.0.0.1:1
}`
	const key = "key_0123456789abcdef"
	plain, url := gate(t, site)
	want(t, 502, "*", url, "X-API-Key: "+key)
	want(t, 502, "*", url+"/?api_key="+key)
	plain.stop()
	if !strings.Contains(plain.log.String(), key) {
		t.Fatal("the control does not log the key: nothing to hide")
	}
	if !strings.Contains(plain.log.String(), "auth_redact") {
		t.Errorf("nobody warned:\n%s", plain.log)
	}
	clean, url := gate(t, "{\n\tlog {\n\t\tformat auth_redact\n\t}\n}\n"+strings.Replace(site, "\tlog\n", "\tlog {\n\t\tformat auth_redact\n\t}\n", 1))
	want(t, 502, "*", url, "X-API-Key: "+key, "Referer: http://a.example/?api_key="+key)
	want(t, 502, "*", url+"/?a=b&api_key="+key)
	want(t, 401, "*", url+"/?a=b&api_key="+key+"x")
	clean.stop()
	if strings.Contains(clean.log.String(), key) {
		t.Errorf("the key is in the log:\n%s", clean.log)
	}
	if !strings.Contains(clean.log.String(), `"status":502`) {
		t.Errorf("nothing was logged:\n%s", clean.log)
	}
}

// What is presented where nobody accepts it does not pass as anonymous.
func TestOptionalRefusesWhatIsBad(t *testing.T) {
	_, url := gate(t, `
http://:PORT {
	auth {
		jwt {
			secret {env.CADDYBOLT_SECRET}
		}
		guard optional
	}
	respond "in {http.auth.user.id}"
}`)
	want(t, 200, "in ", url)
	want(t, 200, "in alice", url, bearer(hs256(t, nil)))
	want(t, 401, "", url, bearer(hs256(t, jwt.MapClaims{"exp": 1})))
	want(t, 401, "", url, bearer("x"))
	want(t, 401, "", url, "Authorization: Bearer")
	want(t, 200, "in ", url, "Authorization: Digest x")
}

// An expression on a claim that is missing is no pass, no 500 and no error in
// the log; within "not" neither.
func TestAnExpressionThatCannotBeEvaluatedIs403(t *testing.T) {
	p, url := gate(t, `
http://:PORT {
	auth {
		jwt {
			secret {env.CADDYBOLT_SECRET}
		}
		guard match {
			expression `+"`\"admin\" in {http.auth.claims.roles}`"+`
		}
		when /not/* {
			guard not {
				match {
					expression `+"`\"admin\" in {http.auth.claims.roles}`"+`
				}
			}
		}
	}
	respond in
}`)
	admin := bearer(hs256(t, jwt.MapClaims{"roles": []string{"admin"}}))
	user := bearer(hs256(t, jwt.MapClaims{"roles": []string{"user"}}))
	none := bearer(hs256(t, nil))
	want(t, 200, "in", url, admin)
	want(t, 403, "", url, user)
	want(t, 403, "", url, none)
	want(t, 403, "", url+"/not/x", admin)
	want(t, 200, "in", url+"/not/x", user)
	want(t, 403, "", url+"/not/x", none)
	want(t, 401, "", url+"/not/x")
	p.stop()
	if strings.Contains(p.log.String(), `"level":"error"`) {
		t.Errorf("logged:\n%s", p.log)
	}
}

// X_User_Id is dropped by Caddy and by us; the upstream is the judge.
func TestSpoofedHeadersNeverReachTheUpstream(t *testing.T) {
	upstream := freePort(t)
	_, url := gate(t, `
{
	servers {
		expected_underscore_headers X_User_Id
	}
}
http://:PORT {
	auth {
		jwt {
			secret {env.CADDYBOLT_SECRET}
		}
		public /public/*
		forward X-User-Id id
	}
	reverse_proxy 127.0.0.1:`+upstream+`
}`)
	received := make(chan http.Header, 1)
	srv := &http.Server{Addr: "127.0.0.1:" + upstream, ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		received <- r.Header.Clone()
	})}
	go func() { _ = srv.ListenAndServe() }()
	t.Cleanup(func() { _ = srv.Close() })
	time.Sleep(100 * time.Millisecond)
	for _, c := range []struct {
		path string
		want string
		with []string
	}{
		{"/", "alice", []string{bearer(hs256(t, nil))}},
		{"/public/x", "", nil},
		{"/public/x", "alice", []string{bearer(hs256(t, nil))}},
	} {
		want(t, 200, "", url+c.path, append(c.with, "X-User-Id: root", "X_User_Id: root", "X-User_Id: root", "X.User.Id: root", "Connection: X-User-Id")...)
		h := <-received
		for name, values := range h {
			folded := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
			if folded == "x-user-id" && (len(values) != 1 || values[0] != c.want || c.want == "") {
				t.Errorf("%s: the upstream read %s: %q", c.path, name, values)
			}
		}
		if got := h.Get("X-User-Id"); got != c.want {
			t.Errorf("%s: X-User-Id %q, want %q", c.path, got, c.want)
		}
	}
}

func TestValidateWorksBesideARunningServer(t *testing.T) {
	port := freePort(t)
	file := filepath.Join(t.TempDir(), "Caddyfile")
	text := strings.ReplaceAll("{\n\tauth {\n\t\trevocation\n\t}\n}\n"+simple, "PORT", port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CADDYBOLT_SECRET", hmacSecret)
	p := startFile(t, file, port)
	cmd := []string{"validate", "--config", file, "--adapter", "caddyfile"}
	if out, err := caddyCommandIn(t, p.home, cmd...); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	want(t, 200, "in alice", "http://127.0.0.1:"+port, bearer(hs256(t, nil)))
}

// Request targets that no URL parser likes go over the wire as they are.
func TestOddRequestTargetsAreRefused(t *testing.T) {
	_, url := gate(t, `
http://:PORT {
	auth {
		jwt {
			secret {env.CADDYBOLT_SECRET}
		}
		public /public/*
		when /admin/* {
			guard superuser
		}
	}
	respond in
}`)
	port := url[strings.LastIndexByte(url, ':')+1:]
	token := bearer(hs256(t, nil))
	for target, status := range map[string]string{
		"/x": "200", "/public/x": "200", "/admin/x": "403",
		"x:http://127.0.0.1/admin/x": "400", "x:admin/x": "400", "x:/admin/x": "403", "http://127.0.0.1/admin/x": "403",
		"http://127.0.0.1": "400", "/public/..;/admin/x": "400", "//admin/x": "400", "/public/../admin/x": "400",
	} {
		line := raw(t, port, "GET "+target+" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"+token+"\r\n\r\n")
		if !strings.HasPrefix(line, "HTTP/1.1 "+status) {
			t.Errorf("%s: %s, want %s", target, line, status)
		}
	}
}

// A host with a dot at the end is the same to DNS and another to Caddy: it is no
// way into the site, past its auth.
func TestAHostWithADotAtTheEndIsNoWayIn(t *testing.T) {
	p, url := gate(t, `
http://app.test:PORT {
	auth {
		jwt {
			secret {env.CADDYBOLT_SECRET}
		}
	}
	respond "in {http.auth.user.id}"
}`)
	port := url[strings.LastIndexByte(url, ':')+1:]
	ask := func(host, credential string) string {
		t.Helper()
		conn, err := net.DialTimeout("tcp", "127.0.0.1:"+port, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n"+credential+"\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		return string(answer)
	}
	good := bearer(mint(t, jwt.SigningMethodHS256, []byte(hmacSecret), nil)) + "\r\n"
	if answer := ask("app.test", good); !strings.Contains(answer, "in alice") {
		t.Errorf("control: %s\n%s", answer, p.log)
	}
	for _, host := range []string{"app.test", "APP.test", "app.test.", "app.test.:" + port, "app.test..", ".app.test", "app.test:" + port} {
		if answer := ask(host, ""); strings.Contains(answer, "in ") {
			t.Errorf("%q: %s", host, answer)
		}
	}
}
