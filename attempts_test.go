// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/caddybolt/caddy-bolt/internal/attempts"
)

// attemptedSite has basic with a user "NAME", whose password is "correct horse".
const attemptedSite = `
{
	auth {
		secret 0123456789abcdef0123456789abcdef
		jwt
		users static {
			user NAME $2a$04$syvzuIKACw.aR2A5r.BgROf50wIuG8XzM/2EspkG9Pk4btu0OgSIa
		}
		basic
		fake
	}
}
:80 {
	auth_token /token
	auth {
		errors problem_json
		public /open
	}
	respond "{http.auth.user.id}"
}`

func passwordOf(name, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

// Attack: to guess a password by HTTP Basic, without an end.
func TestGuessesByHTTPBasicAreSlowed(t *testing.T) {
	t.Parallel()
	s := site(t, strings.ReplaceAll(attemptedSite, "NAME", "guessed-at"))
	s.expect(200, "guessed-at", "/", passwordOf("guessed-at", "correct horse"))
	for i := range attempts.UserBurst {
		s.expect(401, "*", "/", passwordOf("guessed-at", fmt.Sprint("guess", i)))
	}
	resp := s.expect(429, `{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"too many attempts have failed"}`+"\n",
		"/", passwordOf("guessed-at", "guess"))
	if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || after < 1 || after > 10 || resp.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("%v", resp.Header)
	}
	// However the name is written, known or not, and in the log-in form as well.
	s.expect(429, "*", "/", passwordOf("Guessed-At", "guess"))
	r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(`{"username":"guessed-at","password":"guess"}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	if s.handler.ServeHTTP(w, r); w.Code != http.StatusTooManyRequests {
		t.Errorf("auth_token: %d %s", w.Code, w.Body)
	}
	// Who was right a moment ago is let in, and so is another user.
	s.expect(200, "guessed-at", "/", passwordOf("guessed-at", "correct horse"))
	s.expect(401, "*", "/", passwordOf("somebody-else", "guess"))
	// Another authenticator that accepts wins; a public path is nobody's.
	s.expect(200, "bob", "/", passwordOf("guessed-at", "guess"), "X-Fake: bob")
	s.expect(200, "", "/open", passwordOf("guessed-at", "guess"))
}
