// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

// ledger is a store that lists everything in one go, and notes what it is told.
type ledger struct {
	mu    sync.Mutex
	list  []auth.Revocation
	calls int // that changed something
	err   error
}

func (l *ledger) Revoked(context.Context, auth.TokenRef) (bool, error) { return false, l.err }

func (l *ledger) Revoke(_ context.Context, token auth.TokenRef, until time.Time) error {
	return l.add(auth.Revocation{ID: token.ID, SessionID: token.SessionID, User: auth.UserRef{Issuer: token.User.Issuer}, Until: until})
}

func (l *ledger) RevokeUser(_ context.Context, user auth.UserRef, before, until time.Time) error {
	return l.add(auth.Revocation{User: user, IssuedBefore: before, Until: until})
}

func (l *ledger) add(r auth.Revocation) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	if l.err == nil {
		l.list = append(l.list, r)
	}
	return l.err
}

func (l *ledger) List(context.Context) ([]auth.Revocation, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]auth.Revocation(nil), l.list...), l.err
}

func (l *ledger) Unrevoke(_ context.Context, token auth.TokenRef) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	for i, r := range l.list {
		if r.ID == token.ID && r.SessionID == token.SessionID && r.User.Issuer == token.User.Issuer && (r.User.ID == "" || r.User.ID == token.User.ID) {
			l.list = append(l.list[:i], l.list[i+1:]...)
			break
		}
	}
	return l.err
}

// admin sends a request and returns the status, the answer and the sentence of
// an error.
func admin(t *testing.T, a *App, method, target, body string, headers ...string) (int, map[string]any, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	err := a.serveRevocations(w, r)
	var refusal caddy.APIError
	switch {
	case errors.As(err, &refusal):
		if w.Body.Len() != 0 {
			t.Errorf("%s %s: an answer beside an error: %s", method, target, w.Body)
		}
		return refusal.HTTPStatus, nil, refusal.Err.Error()
	case err != nil:
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return w.Code, answer, ""
}

// inAnHour is a time for "until".
func inAnHour() time.Time { return time.Now().Add(time.Hour).UTC().Truncate(time.Second) }

func TestAdminRevokesWhatTheBodyNames(t *testing.T) {
	t.Parallel()
	until := inAnHour()
	text, number := until.Format(time.RFC3339), strconv.FormatInt(until.Unix(), 10)
	before := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	keep := until.Add(24 * time.Hour) // as a log-out does
	for name, c := range map[string]struct {
		body string
		want auth.Revocation
	}{
		"a token":                 {`{"jti":"a","until":"` + text + `"}`, auth.Revocation{ID: "a", Until: keep}},
		"a token, exp":            {`{"jti":"a","until":` + number + `}`, auth.Revocation{ID: "a", Until: keep}},
		"a token, no lifetime":    {`{"jti":"a"}`, auth.Revocation{ID: "a"}},
		"a token of an issuer":    {`{"jti":"a/b\u0022 %2F","issuer":"x"}`, auth.Revocation{ID: `a/b" %2F`, User: auth.UserRef{Issuer: "x"}}},
		"a session":               {`{"sid":"s","until":"` + text + `"}`, auth.Revocation{SessionID: "s", Until: until}},
		"a user":                  {`{"user":"7","issued_before":"` + before.Format(time.RFC3339) + `","until":"` + text + `"}`, auth.Revocation{User: auth.UserRef{Issuer: "https://here", ID: "7"}, IssuedBefore: before, Until: until}},
		"a user of another":       {`{"user":"7","issuer":"x","issued_before":` + strconv.FormatInt(before.Unix(), 10) + `}`, auth.Revocation{User: auth.UserRef{Issuer: "x", ID: "7"}, IssuedBefore: before}},
		"a user without issuer":   {`{"user":"7","issuer":"","issued_before":` + strconv.FormatInt(before.Unix(), 10) + `}`, auth.Revocation{User: auth.UserRef{ID: "7"}, IssuedBefore: before}},
		"a time in another zone":  {`{"sid":"s","until":"` + until.In(time.FixedZone("", 7200)).Format(time.RFC3339) + `"}`, auth.Revocation{SessionID: "s", Until: until}},
		"with white space around": {" \n{\"jti\" : \"a\"}\n", auth.Revocation{ID: "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := new(ledger)
			a := &App{revocation: l, issuers: []string{"https://here", "https://here"}}
			status, answer, sentence := admin(t, a, http.MethodPost, "/auth/revocations", c.body, "Content-Type: application/json; charset=utf-8")
			if status != 200 || len(l.list) != 1 {
				t.Fatalf("%d %s, %d entries", status, sentence, len(l.list))
			}
			if got := l.list[0]; got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if answer["jti"] == nil && answer["sid"] == nil && answer["user"] == nil {
				t.Errorf("the answer names nothing: %v", answer)
			}
		})
	}
}

// A user's cut-off that is not given is now.
func TestAdminRevokesAUserUntilNow(t *testing.T) {
	t.Parallel()
	l := new(ledger)
	a := &App{revocation: l, issuers: []string{""}}
	before := time.Now()
	status, answer, sentence := admin(t, a, http.MethodPost, "/auth/revocations", `{"user":"7"}`)
	if status != 200 || len(l.list) != 1 {
		t.Fatalf("%d %s", status, sentence)
	}
	if at := l.list[0].IssuedBefore; at.Before(before) || at.After(time.Now()) {
		t.Errorf("cut-off %s, now %s", at, before)
	}
	if issuer, ok := answer["issuer"]; !ok || issuer != "" {
		t.Errorf("the answer does not say which issuer: %v", answer)
	}
}

func TestAdminRefusesWhatItDoesNotUnderstandAndChangesNothing(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", maxName+1)
	past := time.Now().Add(-time.Minute).Format(time.RFC3339)
	for name, c := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"empty":                  {" ", 400, "not a JSON object"},
		"text":                   {"jti=a", 400, "not a JSON object"},
		"cut short":              {`{"jti":"a"`, 400, "not a JSON object"},
		"something behind":       {`{"jti":"a"} {}`, 400, "not a JSON object"},
		"a list":                 {`[{"jti":"a"}]`, 400, "not a JSON object"},
		"null":                   {`null`, 400, "not a JSON object"},
		"bad UTF-8":              {"{\"jti\":\"\xff\"}", 400, "not a JSON object"},
		"a member twice":         {`{"jti":"a","jti":"b"}`, 400, "names a member twice"},
		"a member twice, spelt":  {`{"jti":"a","\u006ati":"b"}`, 400, "names a member twice"},
		"another case":           {`{"JTI":"a"}`, 400, `unrecognized member "JTI"; there are: jti, sid, user`},
		"an unknown member":      {`{"jti":"a","reason":"x"}`, 400, `unrecognized member "reason"`},
		"a long unknown member":  {`{"` + long[:300] + `":1}`, 400, "…"},
		"nothing":                {`{}`, 400, `give one of "jti", "sid" and "user"`},
		"only a time":            {`{"until":"2100-01-01T00:00:00Z"}`, 400, "give one of"},
		"two":                    {`{"jti":"a","user":"b"}`, 400, "give one of"},
		"an empty jti":           {`{"jti":""}`, 400, `"jti" is empty`},
		"an empty user":          {`{"user":"","issuer":"x"}`, 400, `"user" is empty`},
		"a token of no issuer":   {`{"jti":"x","issuer":""}`, 400, `"issuer" is empty`},
		"a session of no issuer": {`{"sid":"x","issuer":""}`, 400, `"issuer" is empty`},
		"a number":               {`{"jti":7}`, 400, `"jti" is not text`},
		"jti null":               {`{"jti":null}`, 400, `"jti" is not text`},
		"an oversized jti":       {`{"jti":"` + long + `"}`, 400, "longer than"},
		"an oversized user":      {`{"user":"` + long + `","issuer":"x"}`, 400, "longer than"},
		"an oversized issuer":    {`{"jti":"a","issuer":"` + long + `"}`, 400, "longer than"},
		"a giant body":           {`{"jti":"` + strings.Repeat("a", maxAdminBody) + `"}`, 413, "the body is longer than"},
		"the past":               {`{"jti":"a","until":"` + past + `"}`, 400, `"until" has passed`},
		"the past, in seconds":   {`{"user":"a","issuer":"x","until":1}`, 400, `"until" has passed`},
		"a date":                 {`{"jti":"a","until":"2100-01-01"}`, 400, `"until" is neither`},
		"no time":                {`{"jti":"a","until":""}`, 400, `"until" is neither`},
		"a fraction":             {`{"jti":"a","until":4102444800.5}`, 400, `"until" is neither`},
		"milliseconds":           {`{"jti":"a","until":4102444800000}`, 400, `"until" is neither`},
		"a huge number":          {`{"jti":"a","until":1e300}`, 400, `"until" is neither`},
		"before 1970":            {`{"jti":"a","until":-1}`, 400, `"until" is neither`},
		"until true":             {`{"jti":"a","until":true}`, 400, `"until" is neither`},
		"a cut-off of a token":   {`{"jti":"a","issued_before":"` + past + `"}`, 400, `"issued_before" belongs to "user"`},
		"a cut-off that is bad":  {`{"user":"a","issuer":"x","issued_before":"now"}`, 400, `"issued_before" is neither`},
		"a cut-off in a century": {`{"user":"a","issuer":"x","issued_before":"2100-01-01T00:00:00Z"}`, 400, "lies ahead"},
		"a user of many issuers": {`{"user":"a"}`, 400, "several"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := new(ledger)
			a := &App{revocation: l, issuers: []string{"a", "b"}}
			status, _, sentence := admin(t, a, http.MethodPost, "/auth/revocations", c.body)
			if status != c.status || !strings.Contains(sentence, c.says) || len(sentence) > 300 {
				t.Errorf("%d %q, want %d %q", status, sentence, c.status, c.says)
			}
			if l.calls != 0 {
				t.Errorf("%d changes", l.calls)
			}
		})
	}
	l := new(ledger)
	if status, _, sentence := admin(t, &App{revocation: l}, http.MethodPost, "/auth/revocations", `{"user":"a"}`); status != 400 || !strings.Contains(sentence, `"issuer" is missing, and no auth_token`) || l.calls != 0 {
		t.Errorf("a user where nobody issues: %d %s", status, sentence)
	}
}

// Attack: a page elsewhere makes the operator's browser post here. Without a
// preflight it can send these content types alone.
func TestAdminTakesJSONAlone(t *testing.T) {
	t.Parallel()
	l := new(ledger)
	a := &App{revocation: l}
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", "application/json, text/plain", "application/jsonp"} {
		if status, _, _ := admin(t, a, http.MethodPost, "/auth/revocations", `{"jti":"a"}`, "Content-Type: "+contentType); status != http.StatusUnsupportedMediaType {
			t.Errorf("%q: %d", contentType, status)
		}
	}
	if l.calls != 0 {
		t.Error("something changed")
	}
	if status, _, _ := admin(t, a, http.MethodPost, "/auth/revocations", `{"jti":"a"}`); status != 200 || l.calls != 1 {
		t.Errorf("control: %d", status)
	}
}

func TestAdminSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	down := &ledger{err: errors.New("connection refused")}
	for name, c := range map[string]struct {
		app    *App
		status map[string]int // by method
		says   string
	}{
		"no store":   {new(App), map[string]int{"GET": 404, "POST": 404, "DELETE": 404}, "no revocation store is configured"},
		"store down": {&App{revocation: down}, map[string]int{"GET": 503, "POST": 503, "DELETE": 503}, "connection refused"},
		"store that lists nothing": {
			&App{revocation: struct{ auth.RevocationStore }{new(ledger)}},
			map[string]int{"GET": 501, "POST": 200, "DELETE": 501},
			"this store",
		},
	} {
		for method, want := range c.status {
			target, body := "/auth/revocations", ""
			switch method {
			case http.MethodPost:
				body = `{"jti":"a"}`
			case http.MethodDelete:
				target += "/a"
			}
			status, _, sentence := admin(t, c.app, method, target, body)
			if status != want || status != 200 && !strings.Contains(sentence, c.says) {
				t.Errorf("%s, %s: %d %q, want %d %q", name, method, status, sentence, want, c.says)
			}
		}
	}
	a := &App{revocation: new(ledger)}
	for target, methods := range map[string][]string{
		"/auth/revocations":   {http.MethodPut, http.MethodPatch, http.MethodHead, http.MethodOptions},
		"/auth/revocations/a": {http.MethodGet, http.MethodPost, http.MethodPut},
	} {
		for _, method := range methods {
			if status, _, _ := admin(t, a, method, target, ""); status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, target, status)
			}
		}
	}
}

func TestStatusSaysHowTheStoreIs(t *testing.T) {
	t.Parallel()
	if s := new(App).status(t.Context()); s.Revocation != nil {
		t.Errorf("no store: %+v", s.Revocation)
	}
	l := new(ledger)
	_ = l.Revoke(t.Context(), auth.TokenRef{ID: "a"}, inAnHour())
	if s := (&App{revocation: l}).status(t.Context()).Revocation; !s.Deciding || s.Count == nil || *s.Count != 1 || s.Error != "" {
		t.Errorf("%+v", s)
	}
	l.err = errors.New("connection refused")
	if s := (&App{revocation: l}).status(t.Context()).Revocation; s.Deciding || s.Count != nil || s.Error != "connection refused" {
		t.Errorf("down: %+v", s)
	}
	silent := &App{revocation: struct{ auth.RevocationStore }{new(ledger)}}
	if s := silent.status(t.Context()).Revocation; !s.Deciding || s.Count != nil {
		t.Errorf("lists nothing: %+v", s)
	}
}

// Whatever a body holds, what is understood names one thing, and an end that
// is given is kept.
func FuzzRevocationBody(f *testing.F) {
	for _, seed := range []string{`{"jti":"a"}`, `{"user":"7","issuer":"","issued_before":1,"until":"2100-01-01T00:00:00Z"}`, `{"sid":"\u0000"}`, `[]`, `{"jti":"a","jti":"b"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		asked, err := parseRevocation(body)
		if (asked == nil) == (err == nil) {
			t.Fatal("an answer beside an error, or neither")
		}
		if err != nil {
			if len(err.Error()) > 400 {
				t.Errorf("the error repeats the body: %d bytes", len(err.Error()))
			}
			return
		}
		if namesOne(asked.ID, asked.SessionID, asked.User.ID) != nil {
			t.Errorf("%+v", asked)
		}
		if got, err := parseCursor(cursor(asked.Revocation)); err != nil || compareRevocations(got, asked.Revocation) != 0 {
			t.Errorf("%+v became %+v, error %v", asked.Revocation, got, err)
		}
	})
}
