// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

func TestAdminListsInPages(t *testing.T) {
	t.Parallel()
	l := new(ledger)
	a := &App{revocation: l}
	until := inAnHour()
	for i := range 25 {
		_ = l.Revoke(t.Context(), auth.TokenRef{ID: strconv.Itoa(100 + i), User: auth.UserRef{Issuer: "x"}}, until)
		_ = l.RevokeUser(t.Context(), auth.UserRef{ID: strconv.Itoa(100 + i)}, until, until)
	}
	_ = l.Revoke(t.Context(), auth.TokenRef{SessionID: "s/\n'é"}, until)
	var seen []string
	from, pages := "", 0
	for {
		status, answer, sentence := admin(t, a, http.MethodGet, "/auth/revocations?limit=10&from="+from, "")
		if status != 200 || answer["count"] != 51.0 {
			t.Fatalf("%d %s %v", status, sentence, answer["count"])
		}
		list := answer["revocations"].([]any)
		for _, e := range list {
			entry := e.(map[string]any)
			for _, kind := range []string{"jti", "sid", "user"} {
				if id, ok := entry[kind].(string); ok {
					seen = append(seen, kind+" "+id)
				}
			}
			if entry["until"] != until.Format(time.RFC3339) {
				t.Errorf("until %v", entry["until"])
			}
		}
		pages++
		next, more := answer["next"].(string)
		if !more {
			break
		}
		if len(list) != 10 {
			t.Errorf("%d entries and more to come", len(list))
		}
		from = next
	}
	if len(seen) != 51 || pages != 6 || seen[0] != "jti 100" || seen[25] != "sid s/\n'é" || seen[50] != "user 124" {
		t.Errorf("%d entries on %d pages: %q", len(seen), pages, seen)
	}
	if _, answer, _ := admin(t, a, http.MethodGet, "/auth/revocations", ""); len(answer["revocations"].([]any)) != 51 || answer["next"] != nil {
		t.Errorf("%v", answer)
	}
	if _, answer, _ := admin(t, a, http.MethodGet, "/auth/revocations?limit=0", ""); len(answer["revocations"].([]any)) != 0 || answer["count"] != 51.0 {
		t.Errorf("only the count: %v", answer)
	}
	for _, bad := range []string{"limit=-1", "limit=a", "limit=10001", "limit=", "limit=1&limit=2", "page=2", "from=%21", "from=e30", "from=bm90aGluZw", "limit=%zz"} {
		if status, _, _ := admin(t, a, http.MethodGet, "/auth/revocations?"+bad, ""); status != 400 {
			t.Errorf("%s: %d", bad, status)
		}
	}
}

func TestAdminForgetsByPathAndByQuery(t *testing.T) {
	t.Parallel()
	until := inAnHour()
	for target, c := range map[string]struct {
		status int
		left   string
	}{
		"/auth/revocations/a":                        {200, "a%2Fb@ a/b@ ../b@ s@sid 7@https://here 7@x"},
		"/auth/revocations/a?issuer=x":               {200, "a@ a@y a%2Fb@ a/b@ ../b@ s@sid 7@https://here 7@x"},
		"/auth/revocations/a?issuer=":                {200, "a@x a@y a%2Fb@ a/b@ ../b@ s@sid 7@https://here 7@x"},
		"/auth/revocations/a?issuer=z":               {404, ""},
		"/auth/revocations/%61":                      {200, "a%2Fb@ a/b@ ../b@ s@sid 7@https://here 7@x"},
		"/auth/revocations/a%2Fb":                    {200, "a@ a@x a@y a%2Fb@ ../b@ s@sid 7@https://here 7@x"},
		"/auth/revocations/a/b":                      {200, "a@ a@x a@y a%2Fb@ ../b@ s@sid 7@https://here 7@x"},
		"/auth/revocations/a%252Fb":                  {200, "a@ a@x a@y a/b@ ../b@ s@sid 7@https://here 7@x"},
		"/auth/revocations/%2E%2E%2Fb":               {200, "a@ a@x a@y a%2Fb@ a/b@ s@sid 7@https://here 7@x"},
		"/auth/revocations?jti=../b":                 {200, "a@ a@x a@y a%2Fb@ a/b@ s@sid 7@https://here 7@x"},
		"/auth/revocations?sid=s":                    {200, "a@ a@x a@y a%2Fb@ a/b@ ../b@ 7@https://here 7@x"},
		"/auth/revocations?user=7":                   {200, "a@ a@x a@y a%2Fb@ a/b@ ../b@ s@sid 7@x"},
		"/auth/revocations?user=7&issuer=x":          {200, "a@ a@x a@y a%2Fb@ a/b@ ../b@ s@sid 7@https://here"},
		"/auth/revocations?user=8":                   {404, ""},
		"/auth/revocations/b":                        {404, ""},
		"/auth/revocations/s":                        {404, ""},
		"/auth/revocations/A":                        {404, ""},
		"/auth/revocations/":                         {400, ""},
		"/auth/revocations":                          {400, ""},
		"/auth/revocations?jti=":                     {400, ""},
		"/auth/revocations?jti=a&sid=s":              {400, ""},
		"/auth/revocations?jti=a&jti=b":              {400, ""},
		"/auth/revocations?all=true":                 {400, ""},
		"/auth/revocations/a?jti=b":                  {400, ""},
		"/auth/revocations?jti=" + longText(maxName): {400, ""},
	} {
		t.Run(target[:min(len(target), 40)], func(t *testing.T) {
			t.Parallel()
			l := new(ledger)
			for _, issuer := range []string{"", "x", "y"} {
				_ = l.Revoke(t.Context(), auth.TokenRef{ID: "a", User: auth.UserRef{Issuer: issuer}}, until)
			}
			for _, id := range []string{"a%2Fb", "a/b", "../b"} {
				_ = l.Revoke(t.Context(), auth.TokenRef{ID: id}, until)
			}
			_ = l.Revoke(t.Context(), auth.TokenRef{SessionID: "s", User: auth.UserRef{Issuer: "sid"}}, until)
			for _, issuer := range []string{"https://here", "x"} {
				_ = l.RevokeUser(t.Context(), auth.UserRef{ID: "7", Issuer: issuer}, until, until)
			}
			shownAs := func() string {
				var left []string
				for _, r := range l.list {
					left = append(left, r.ID+r.SessionID+r.User.ID+"@"+r.User.Issuer)
				}
				return strings.Join(left, " ")
			}
			want := c.left
			if want == "" {
				want = shownAs()
			}
			a := &App{revocation: l, issuers: []string{"https://here"}}
			status, _, sentence := admin(t, a, http.MethodDelete, target, "")
			if status != c.status || shownAs() != want {
				t.Errorf("%d %s\nleft %s\nwant %s", status, sentence, shownAs(), want)
			}
		})
	}
}

func TestAdminShowsWhetherSomethingIsRevoked(t *testing.T) {
	t.Parallel()
	l := new(ledger)
	for _, issuer := range []string{"", "x"} {
		_ = l.Revoke(t.Context(), auth.TokenRef{ID: "a", User: auth.UserRef{Issuer: issuer}}, inAnHour())
		_ = l.RevokeUser(t.Context(), auth.UserRef{ID: "a", Issuer: issuer}, inAnHour(), inAnHour())
	}
	_ = l.Revoke(t.Context(), auth.TokenRef{ID: "ab"}, inAnHour())
	_ = l.Revoke(t.Context(), auth.TokenRef{SessionID: "s"}, inAnHour())
	a := &App{revocation: l}
	for query, want := range map[string]float64{
		"jti=a": 2, "jti=a&issuer=x": 1, "jti=a&issuer=": 1, "jti=a&issuer=y": 0, "jti=b": 0, "jti=s": 0,
		"sid=s": 1, "sid=a": 0, "user=a": 2, "user=a&issuer=x": 1, "user=ab": 0,
	} {
		status, answer, sentence := admin(t, a, http.MethodGet, "/auth/revocations?"+query, "")
		if status != 200 || answer["count"] != want || len(answer["revocations"].([]any)) != int(want) {
			t.Errorf("%s: %d %s %v, want %v", query, status, sentence, answer, want)
		}
	}
	for _, bad := range []string{"jti=", "issuer=x", "jti=a&sid=s", "jti=a&limit=1", "jti=a&from=x", "jti=" + longText(maxName)} {
		if status, _, _ := admin(t, a, http.MethodGet, "/auth/revocations?"+bad, ""); status != 400 {
			t.Errorf("%.40s: %d", bad, status)
		}
	}
}

func longText(n int) string { return strings.Repeat("a", n+1) }
