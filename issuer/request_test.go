// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/internal/attempts"
)

func TestBadRequestsAreErrorsOfRFC6749(t *testing.T) {
	t.Parallel()
	const (
		j    = "application/json"
		f    = "application/x-www-form-urlencoded"
		good = `{"username":"ann","password":"pw"}`
	)
	for name, c := range map[string]struct {
		contentType, body string
		code              string
	}{
		"no content type":          {"", good, "invalid_request"},
		"text":                     {"text/plain", good, "invalid_request"},
		"multipart":                {"multipart/form-data; boundary=x", good, "invalid_request"},
		"malformed content type":   {"application/json; charset", good, "invalid_request"},
		"empty":                    {j, "", "invalid_request"},
		"null":                     {j, "null", "invalid_request"},
		"a list":                   {j, "[" + good + "]", "invalid_request"},
		"text in JSON":             {j, `"ann"`, "invalid_request"},
		"cut off":                  {j, good[:20], "invalid_request"},
		"two objects":              {j, good + good, "invalid_request"},
		"trailing bytes":           {j, good + "x", "invalid_request"},
		"repeated member":          {j, `{"username":"root","username":"ann","password":"pw"}`, "invalid_request"},
		"repeated, escaped":        {j, `{"username":"root","user\u006eame":"ann","password":"pw"}`, "invalid_request"},
		"repeated further in":      {j, `{"username":"ann","password":"pw","x":{"a":1,"a":2}}`, "invalid_request"},
		"bad UTF-8":                {j, "{\"username\":\"ann\xff\",\"password\":\"pw\"}", "invalid_request"},
		"half a surrogate":         {j, `{"username":"ann\ud800","password":"pw"}`, "invalid_request"},
		"no password":              {j, `{"username":"ann"}`, "invalid_request"},
		"no username":              {j, `{"password":"pw"}`, "invalid_request"},
		"empty username":           {j, `{"username":"","password":"pw"}`, "invalid_request"},
		"null password":            {j, `{"username":"ann","password":null}`, "invalid_request"},
		"password is a number":     {j, `{"username":"ann","password":1}`, "invalid_request"},
		"password is a list":       {j, `{"username":"ann","password":["pw"]}`, "invalid_request"},
		"username in other case":   {j, `{"Username":"ann","password":"pw"}`, "invalid_request"},
		"a NUL in the username":    {j, `{"username":"ann\u0000","password":"pw"}`, "invalid_request"},
		"grant is a number":        {j, `{"grant_type":1,"username":"ann","password":"pw"}`, "invalid_request"},
		"JSON as form":             {f, good, "invalid_request"},
		"form as JSON":             {j, "username=ann&password=pw", "invalid_request"},
		"form, repeated":           {f, "username=root&username=ann&password=pw", "invalid_request"},
		"form, repeated, escaped":  {f, "username=root&user%6eame=ann&password=pw", "invalid_request"},
		"form, repeated other":     {f, "scope=a&scope=b&username=ann&password=pw", "invalid_request"},
		"form, semicolon":          {f, "username=ann;password=pw", "invalid_request"},
		"form, bad escape":         {f, "username=ann&password=%zz", "invalid_request"},
		"form, bad UTF-8":          {f, "username=ann&password=%ff", "invalid_request"},
		"form, a NUL":              {f, "username=ann%00&password=pw", "invalid_request"},
		"form, empty":              {f, "", "invalid_request"},
		"refresh":                  {f, "grant_type=refresh_token&refresh_token=x", "unsupported_grant_type"},
		"client credentials":       {f, "grant_type=client_credentials", "unsupported_grant_type"},
		"unknown grant":            {j, `{"grant_type":"Password","username":"ann","password":"pw"}`, "unsupported_grant_type"},
		"wrong password":           {j, `{"username":"ann","password":"px"}`, "invalid_grant"},
		"unknown user":             {f, "username=bob&password=pw", "invalid_grant"},
		"password with blanks":     {f, "username=ann&password=+pw", "invalid_grant"},
		"the query holds it":       {f, "x=1", "invalid_request"},
		"deep":                     {j, strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000), "invalid_request"},
		"the longest there can be": {j, `{"username":"ann","password":"` + strings.Repeat("x", maxBody-33) + `"}`, "invalid_grant"},
	} {
		s := newServer()
		r := post(t, c.contentType, c.body)
		r.URL.RawQuery = "username=ann&password=pw"
		w := serve(s.token(t, "auth_token"), r)
		if code := errorOf(t, w); w.Code != http.StatusBadRequest || code != c.code {
			t.Errorf("%s: status %d, error %q, want %q", name, w.Code, code, c.code)
		}
		if cc := w.Header().Get("Cache-Control"); cc != "no-store" {
			t.Errorf("%s: Cache-Control %q", name, cc)
		}
		if strings.Contains(w.Body.String(), "ann") {
			t.Errorf("%s: the answer repeats what was sent", name)
		}
		if c.code == "invalid_request" && s.people.asked != 0 {
			t.Errorf("%s: the user store was asked", name)
		}
	}
}

func TestTwoContentTypesAreRefused(t *testing.T) {
	t.Parallel()
	r := logIn(t, "ann", "pw")
	r.Header.Add("Content-Type", "application/x-www-form-urlencoded")
	if w := serve(newServer().token(t, "auth_token"), r); w.Code != http.StatusBadRequest {
		t.Errorf("status %d", w.Code)
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	t.Parallel()
	h := newServer().token(t, "auth_token")
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "post"} {
		r := logIn(t, "ann", "pw")
		r.Method = method
		w := serve(h, r)
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: status %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
}

// live starts a real server, for what only connections do.
func live(t *testing.T, h caddyhttp.MiddlewareHandler) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, &caddyhttp.Server{})
		if err := h.ServeHTTP(w, r, nil); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestLongBodiesAreRefused(t *testing.T) {
	t.Parallel()
	s := newServer()
	addr := live(t, s.token(t, "auth_token"))
	long := `{"username":"ann","password":"pw","x":"` + strings.Repeat("x", maxBody) + `"}`
	for name, body := range map[string]io.Reader{
		"with its length":    strings.NewReader(long),
		"without its length": io.MultiReader(strings.NewReader(long)),
	} {
		resp, err := http.Post("http://"+addr, "application/json", body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
			t.Errorf("%s: status %d, close %t", name, resp.StatusCode, resp.Close)
		}
	}
	if s.people.asked != 0 {
		t.Error("the user store was asked")
	}
	resp, err := http.Post("http://"+addr, "application/json", strings.NewReader(`{"username":"ann","password":"pw"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("control: status %d", resp.StatusCode)
	}
}

// Attack: many connections that each send a byte now and then.
func TestSlowBodiesAreCut(t *testing.T) {
	if testing.Short() {
		t.Skip("waits as long as a slow client may")
	}
	t.Parallel()
	conn, err := net.Dial("tcp", live(t, newServer().token(t, "auth_token")))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n{\"user")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if took := time.Since(start); resp.StatusCode != http.StatusRequestTimeout || !resp.Close || took > 2*bodyTimeout {
		t.Errorf("status %d, close %t, after %s", resp.StatusCode, resp.Close, took)
	}
}

func FuzzTokenRequest(f *testing.F) {
	f.Add("application/json", `{"username":"ann","password":"pw"}`)
	f.Add("application/json; charset=utf-8", `{"username":"ann","username":"bob","password":"pw"}`)
	f.Add("application/x-www-form-urlencoded", "grant_type=password&username=ann&password=pw")
	f.Add("application/x-www-form-urlencoded", "username=ann&password=%70w&password")
	f.Add("", "")
	s := newServer()
	h := s.token(f, "auth_token")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		h.attempts = attempts.New()
		w := serve(h, post(t, contentType, body))
		var answer map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("status %d, body %q", w.Code, w.Body)
		}
		_, issued := answer["access_token"]
		_, failed := answer["error"]
		if w.Code >= 500 || issued == failed || issued != (w.Code == http.StatusOK) {
			t.Errorf("status %d, body %q", w.Code, w.Body)
		}
		// Whatever the body looks like, a token is for somebody who named ann
		// and her password.
		if issued && (claimsOf(t, w)["sub"] != "7" || !strings.Contains(contentType, "/")) {
			t.Errorf("body %q", w.Body)
		}
	})
}
