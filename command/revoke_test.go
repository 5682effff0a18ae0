// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// fakeAdmin notes what it is asked and answers what it is told.
type fakeAdmin struct {
	*httptest.Server
	mu      sync.Mutex
	asked   []string // "POST /auth/revocations {...}"
	status  int
	answers []string
}

func newFakeAdmin(t *testing.T, status int, answers ...string) *fakeAdmin {
	t.Helper()
	f := &fakeAdmin{status: status, answers: answers}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		f.asked = append(f.asked, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+string(body)))
		if len(body) > 0 && r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusUnsupportedMediaType)
			return
		}
		w.WriteHeader(f.status)
		answer := f.answers[min(len(f.asked), len(f.answers))-1]
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeAdmin) run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	at := clock.Func(func() time.Time { return testTime })
	return run(t, newRevokeCommand(at), stdin, append(args, "--address", strings.TrimPrefix(f.URL, "http://"))...)
}

// tokenOf returns a token with this payload, which nobody signed.
func tokenOf(payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"HS256"}`)) + "." + encode([]byte(payload)) + "." + encode([]byte("signature"))
}

func TestRevokeAsksForWhatTheCommandLineNames(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte(`{"sub":"a"}`))
	digest := hex.EncodeToString(sum[:])
	exp := testTime.Add(time.Hour).Unix()
	for name, c := range map[string]struct {
		args  []string
		stdin string
		want  string
	}{
		"a jti":             {[]string{"a/b c"}, "", `POST /auth/revocations {"jti":"a/b c"}`},
		"with an issuer":    {[]string{"a", "--issuer", "x"}, "", `POST /auth/revocations {"jti":"a","issuer":"x"}`},
		"for a while":       {[]string{"a", "--for", "2d"}, "", `POST /auth/revocations {"jti":"a","until":"2026-05-06T03:02:01Z"}`},
		"until a day":       {[]string{"a", "--until", "2027-01-02T15:04:05+02:00"}, "", `POST /auth/revocations {"jti":"a","until":"2027-01-02T15:04:05+02:00"}`},
		"a session":         {[]string{"--sid", "s"}, "", `POST /auth/revocations {"sid":"s"}`},
		"a user":            {[]string{"--user", "7"}, "", `POST /auth/revocations {"user":"7"}`},
		"a user of nobody":  {[]string{"--user", "7", "--issuer", ""}, "", `POST /auth/revocations {"user":"7","issuer":""}`},
		"a user until then": {[]string{"--user", "7", "--issued-before", "2026-01-01T00:00:00Z"}, "", `POST /auth/revocations {"user":"7","issued_before":"2026-01-01T00:00:00Z"}`},
		"a token":           {[]string{"--token-file", "-"}, tokenOf(`{"jti":"j","iss":"x","exp":`+fmt.Sprint(exp)+`}`) + "\n", `POST /auth/revocations {"jti":"j","issuer":"x","until":"2026-05-04T04:02:01Z"}`},
		"a token for long":  {[]string{"--token-file", "-", "--for", "1d"}, tokenOf(`{"jti":"j","exp":1}`), `POST /auth/revocations {"jti":"j","until":"2026-05-05T03:02:01Z"}`},
		"expired just now":  {[]string{"--token-file", "-"}, tokenOf(`{"jti":"j","exp":` + fmt.Sprint(testTime.Unix()-5) + `}`), `POST /auth/revocations {"jti":"j","until":"2026-05-05T03:02:01Z"}`},
		"without a jti":     {[]string{"--token-file", "-"}, tokenOf(`{"sub":"a"}`), `POST /auth/revocations {"jti":"` + digest + `"}`},
		"with an empty jti": {[]string{"--token-file", "-", "--issuer", ""}, tokenOf(`{"sub":"a","jti":"","iss":"x"}`), `POST /auth/revocations {"jti":"`},
		"undo":              {[]string{"../a?b&c", "--undo"}, "", `DELETE /auth/revocations?jti=..%2Fa%3Fb%26c`},
		"undo a user":       {[]string{"--user", "7", "--issuer", "", "--undo"}, "", `DELETE /auth/revocations?issuer=&user=7`},
		"undo a session":    {[]string{"--sid", "s", "--undo"}, "", `DELETE /auth/revocations?sid=s`},
		"undo a token":      {[]string{"--token-file", "-", "--undo"}, tokenOf(`{"jti":"j","exp":1}`), `DELETE /auth/revocations?jti=j`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := `{"jti":"done","removed":1}`
			f := newFakeAdmin(t, 200, answer)
			r := f.run(t, c.stdin, c.args...)
			if r.code != 0 || r.err != "" || len(f.asked) != 1 || !strings.HasPrefix(f.asked[0], c.want) {
				t.Errorf("%+v\nasked %q\nwant %q", r, f.asked, c.want)
			}
			if !strings.Contains(r.out, "revoked") {
				t.Errorf("printed %q", r.out)
			}
			if strings.TrimSpace(c.stdin) != "" && strings.Contains(r.out+r.err, strings.TrimSpace(c.stdin)) {
				t.Error("the token is printed")
			}
		})
	}
}

// Attack: whoever copied a token copied the refresh token beside it, which goes on
// when the token alone is revoked.
func TestRevokingATokenFileEndsItsSession(t *testing.T) {
	t.Parallel()
	exp := testTime.Add(time.Hour).Unix()
	for name, c := range map[string]struct {
		claims string
		args   []string
		want   []string
	}{
		"revoke": {fmt.Sprintf(`{"jti":"j","sid":"s","iss":"x","exp":%d}`, exp), nil, []string{
			`POST /auth/revocations {"jti":"j","issuer":"x","until":"2026-05-04T04:02:01Z"}`,
			`POST /auth/revocations {"sid":"s","issuer":"x"}`,
		}},
		"expired long ago": {`{"jti":"j","sid":"s","exp":5}`, nil, []string{`POST /auth/revocations {"sid":"s"}`}},
		"undo":             {`{"jti":"j","sid":"s","exp":5}`, []string{"--undo"}, []string{`DELETE /auth/revocations?jti=j`, `DELETE /auth/revocations?sid=s`}},
	} {
		f := newFakeAdmin(t, 200, `{"jti":"done","removed":1}`, `{"sid":"done","removed":1}`)
		r := f.run(t, tokenOf(c.claims), append([]string{"--token-file", "-"}, c.args...)...)
		if r.code != 0 || len(f.asked) != len(c.want) {
			t.Errorf("%s: %+v, asked %q", name, r, f.asked)
			continue
		}
		for i, want := range c.want {
			if !strings.HasPrefix(f.asked[i], want) {
				t.Errorf("%s: asked %q, want %q", name, f.asked[i], want)
			}
		}
		if len(c.want) == 2 && !strings.Contains(r.out, "session ") {
			t.Errorf("%s: printed %q", name, r.out)
		}
	}
	f := newFakeAdmin(t, 404, `{"error":"it is not revoked"}`)
	if r := f.run(t, tokenOf(`{"jti":"j","sid":"s"}`), "--token-file", "-", "--undo"); r.code != 1 || len(f.asked) != 2 {
		t.Errorf("neither is revoked: %+v, %q", r, f.asked)
	}
	f = newFakeAdmin(t, 503, `{"error":"down"}`)
	if r := f.run(t, tokenOf(`{"jti":"j","sid":"s"}`), "--token-file", "-"); r.code != 1 || len(f.asked) != 2 {
		t.Errorf("the second is not tried: %+v, %q", r, f.asked)
	}
}

func TestRevokeSaysWhatWasDone(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t, 200, `{"user":"7\u001b[31m","issuer":"x","issued_before":"2026-01-01T00:00:00Z"}`)
	if r := f.run(t, "", "--user", "7"); r.out != "revoked user 7\\u001b[31m: tokens issued until 2026-01-01T00:00:00Z\n" {
		t.Errorf("%+v", r)
	}
	if r := f.run(t, "", "--user", "7", "--json"); r.out != f.answers[0] {
		t.Errorf("%+v", r)
	}
}

func TestRevokeListsAllPages(t *testing.T) {
	t.Parallel()
	pages := []string{
		`{"count":4,"revocations":[{"jti":"a","issuer":"x","until":"2027-01-02T15:04:05Z"},{"jti":"b\n","until":"2027-01-02T15:04:05Z"}],"next":"n+/1"}`,
		`{"count":4,"revocations":[{"sid":"s","until":"2027-01-02T15:04:05Z"},{"user":"7","issuer":"","issued_before":"2026-01-01T00:00:00Z","until":"2027-01-02T15:04:05Z"}]}`,
	}
	f := newFakeAdmin(t, 200, pages...)
	r := f.run(t, "", "--list")
	var rows []string
	for line := range strings.Lines(r.out) {
		rows = append(rows, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"WHAT ISSUER ISSUED UNTIL REMEMBERED UNTIL",
		"token a x - 2027-01-02T15:04:05Z",
		`token b\u000a every - 2027-01-02T15:04:05Z`,
		"session s every - 2027-01-02T15:04:05Z",
		`user 7 "" 2026-01-01T00:00:00Z 2027-01-02T15:04:05Z`,
	}
	if r.code != 0 || strings.Join(rows, "\n") != strings.Join(want, "\n") {
		t.Errorf("%+v", r)
	}
	if len(f.asked) != 2 || f.asked[1] != "GET /auth/revocations?from=n%2B%2F1" {
		t.Errorf("asked %q", f.asked)
	}
	f = newFakeAdmin(t, 200, pages...)
	if r := f.run(t, "", "--list", "--json"); strings.Count(r.out, "\n") != 4 || !strings.HasPrefix(r.out, `{"jti":"a","issuer":"x"`) {
		t.Errorf("%+v", r)
	}
	f = newFakeAdmin(t, 200, `{"count":0,"revocations":[]}`)
	if r := f.run(t, "", "--list"); r.out != "nothing is revoked\n" {
		t.Errorf("%+v", r)
	}
	// an answer that leads to itself does not go on for ever
	f = newFakeAdmin(t, 200, `{"count":1,"revocations":[],"next":"n"}`)
	if r := f.run(t, "", "--list"); r.code != 1 || len(f.asked) != 2 {
		t.Errorf("%+v, asked %d times", r, len(f.asked))
	}
}

func TestRevokeThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status       int
		answer, says string
		args         []string
		stdin        string
	}{
		"no store":             {404, `{"error":"no revocation store is configured"}`, "Error: no revocation store is configured\n", []string{"a"}, ""},
		"store down":           {503, `{"error":"the revocation could not be written: \u001b[2J"}`, `could not be written: \u001b[2J`, []string{"a"}, ""},
		"another program":      {200, `<html>`, "does not answer as a Caddy with caddy-bolt", []string{"a"}, ""},
		"an empty answer":      {200, `{}`, "does not answer as a Caddy with caddy-bolt", []string{"a"}, ""},
		"Caddy without it":     {404, `404 page not found`, "404 page not found", []string{"a"}, ""},
		"undo, nothing there":  {404, `{"error":"it is not revoked"}`, "Error: it is not revoked\n", []string{"a", "--undo"}, ""},
		"no token":             {200, `{}`, "there is no token", []string{"--token-file", "-"}, " \n"},
		"not a token":          {200, `{}`, "not a JSON Web Token", []string{"--token-file", "-"}, "a.b"},
		"padding":              {200, `{}`, "not a JSON Web Token", []string{"--token-file", "-"}, "e30=.e30.x"},
		"claims that are none": {200, `{}`, "not a JSON object", []string{"--token-file", "-"}, tokenOf(`[]`)},
		"a claim twice":        {200, `{}`, "twice", []string{"--token-file", "-"}, tokenOf(`{"jti":"a","jti":"b"}`)},
		"a jti that is none":   {200, `{}`, `"jti" is not text`, []string{"--token-file", "-"}, tokenOf(`{"jti":7}`)},
		"an exp that is none":  {200, `{}`, `"exp" is not a number`, []string{"--token-file", "-"}, tokenOf(`{"exp":"7"}`)},
		"expired long ago":     {200, `{}`, "has expired at 1970-01-01T00:00:05Z already", []string{"--token-file", "-"}, tokenOf(`{"exp":5}`)},
		"giant token":          {200, `{}`, "larger than", []string{"--token-file", "-"}, strings.Repeat("a", maxToken+1)},
		"no file":              {200, `{}`, "no such file", []string{"--token-file", "/does/not/exist"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeAdmin(t, c.status, c.answer)
			r := f.run(t, c.stdin, c.args...)
			if r.code != 1 || r.out != "" || !strings.Contains(r.err, c.says) {
				t.Errorf("%+v, want %q", r, c.says)
			}
			if c.stdin != "" && len(f.asked) != 0 {
				t.Errorf("asked %q", f.asked)
			}
		})
	}
	gone := newFakeAdmin(t, 200, "{}")
	gone.Close()
	if r := gone.run(t, "", "a"); r.code != 1 || !strings.Contains(r.err, "refused") {
		t.Errorf("nobody there: %+v", r)
	}
}

func TestRevokeCommandLinesThatAreWrong(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t, 200, `{"jti":"a"}`)
	for _, c := range []struct {
		says string
		args []string
	}{
		{"give one of <jti>", nil},
		{"give one of <jti>", []string{"a", "--user", "b"}},
		{"give one of <jti>", []string{"a", "--list"}},
		{"give one jti; 2 were given", []string{"a", "b"}},
		{"the jti is empty", []string{""}},
		{"--user is empty", []string{"--user", ""}},
		{"--token-file is empty", []string{"--token-file", ""}},
		{"give one of --until and --for", []string{"a", "--until", "2027-01-02T15:04:05Z", "--for", "1h"}},
		{"--until: \"tomorrow\" is not a time", []string{"a", "--until", "tomorrow"}},
		{"--for: \"0s\" is not a duration", []string{"a", "--for", "0s"}},
		{"--issued-before goes with --user", []string{"a", "--issued-before", "2027-01-02T15:04:05Z"}},
		{"--issued-before: \"now\"", []string{"--user", "a", "--issued-before", "now"}},
		{"do not go with --undo", []string{"a", "--undo", "--for", "1h"}},
		{"--undo does not go with --list", []string{"--list", "--undo"}},
		{"unknown flag: --jti", []string{"--jti", "a"}},
	} {
		if r := f.run(t, "", c.args...); r.code != 2 || r.out != "" || !strings.Contains(r.err, c.says) || !strings.Contains(r.err, "--help") {
			t.Errorf("%q: %+v, want %q", c.args, r, c.says)
		}
	}
	if len(f.asked) != 0 {
		t.Errorf("asked %q", f.asked)
	}
}

func FuzzToken(f *testing.F) {
	f.Add(tokenOf(`{"jti":"a","iss":"b","exp":1.5}`))
	f.Add(tokenOf(`{}`))
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		token := &jws{text: text}
		ids, err := token.identifiers()
		if err == nil && ids.id == "" {
			t.Error("nothing to revoke it by")
		}
		if err != nil && len(text) > 40 && strings.Contains(err.Error(), text) {
			t.Error("the error shows the token")
		}
	})
}
