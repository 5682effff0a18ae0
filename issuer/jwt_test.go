// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
	"github.com/caddybolt/caddy-bolt/internal/attempts"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/jwtauth"
)

// withJWT returns an endpoint for a real jwt, and the error of provisioning it.
func withJWT(t *testing.T, jwt, options string) (*Token, *server, error) {
	t.Helper()
	t.Setenv("ISSUER_TEST_SECRET", secret)
	s := newServer()
	j := new(jwtauth.JWT)
	if err := parse("jwt {\nsecret {env.ISSUER_TEST_SECRET}\nissuer "+issuer+"\naudience "+audience+"\n"+jwt+"\n}", j); err != nil {
		t.Fatal(err)
	}
	ctx, _ := authtest.NewContext(t, nil)
	if err := j.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Cleanup() })
	services := s.services().(*services)
	services.SignerFunc = func(string) (auth.Signer, error) { return j, nil }
	h := new(Token)
	if err := parse("auth_token {\n"+options+"\n}", h); err != nil {
		t.Fatal(err)
	}
	ctx, _ = authtest.NewContext(t, services)
	t.Cleanup(func() { _ = h.Cleanup() })
	if err := h.Provision(ctx); err != nil {
		return nil, s, err
	}
	if err := h.Validate(); err != nil {
		return nil, s, err
	}
	h.attempts, h.clock = attempts.New(), clock.Clock{}
	return h, s, nil
}

// What is issued is what the jwt accepts: what it would refuse from everybody is
// an error of the configuration.
func TestConfigurationWhoseTokensTheJWTWouldRefuseDoesNotLoad(t *testing.T) {
	for name, c := range map[string]struct{ jwt, options, want string }{
		"another subject": {"subject 8", "", `the jwt would refuse what is issued here: missing_claim: claim "sub": not the one accepted`},
		"a claim":         {"require_claims email", "", `the jwt would refuse what is issued here: missing_claim: claim "email": missing or null`},
		"too long":        {"max_age 10m", "expires_in 1h", `expires_in 1h0m0s: the jwt would refuse the tokens before their end: token_expired: claim "iat": longer ago than max_age`},
		"another user":    {"user_claim email", "include email", `the jwt takes another claim than "sub" for the user's ID`},
		"no user":         {"user_claim email", "", `claim "email": missing`},
		"a cookie":        {"cookie other", "cookie session", `cookie: the jwt does not look for the cookie "session": add "cookie session" to it`},
		// Attack: X-Scope: admin.
		"permissions of the client":        {"", "claim scope {http.request.header.X-Scope}", `claim "scope": the jwt reads permissions from it, and {http.request.header.X-Scope} is whatever the client sends`},
		"permissions of the client, mixed": {"", "claim scp \"a {http.auth.user.x} {http.request.uri.query.s}\"", `claim "scp": the jwt reads permissions from it, and {http.request.uri.query.s}`},
		"permissions of the client, named": {"permissions_claim perms", "claim perms {http.vars.p}", `claim "perms": the jwt reads permissions from it`},
		"permissions, shadowed":            {"", "include permissions\nclaim scope {http.request.header.X}", `claim "scope"`},
		"a flag":                           {"staff_claim x is_staff", "claim x true", `claim "x": the jwt reads from it who somebody is, or a flag`},
		"the other flag":                   {"superuser_claim is_superuser x", "claim x {http.auth.user.email}", `claim "x": the jwt reads from it who somebody is, or a flag`},
		"a user":                           {"user_claim email", "claim email a", `claim "email": the jwt reads from it who somebody is, or a flag`},
		"permissions unread":               {"permissions_claim perms", "include permissions", `the jwt does not read the claim "permissions" that is issued here: put it first in its permissions_claim`},
		"permissions hidden":               {"permissions_claim scope permissions", "include permissions\nclaim scope a", `the jwt does not read the claim "permissions"`},
		"staff unread":                     {"staff_claim x", "", `the jwt does not read the claim "is_staff" that is issued here: add it to its staff_claim`},
		"superuser unread":                 {"superuser_claim x", "", `the jwt does not read the claim "is_superuser" that is issued here: add it to its superuser_claim`},
		"control, scope":                   {"", "claim scope \"a b {http.auth.user.x} {env.ISSUER_TEST}\"", ""},
		"control, other claim":             {"", "claim tenant {http.request.header.X}", ""},
		"control, flags":                   {"staff_claim x is_staff\nsuperuser_claim y is_superuser\npermissions_claim permissions perms", "include permissions", ""},
		"control, permissions not issued":  {"permissions_claim perms", "", ""},
		"control":                          {"require_jti\ntype at+jwt\nmax_age 1h\nrequire_claims jti username", "", ""},
		"control, included":                {"require_claims email sid tenant\ncookie session", "include email\nclaim tenant x\nrefresh 1h\ncookie session", ""},
		"control, leeway":                  {"max_age 59m45s", "expires_in 1h", ""},
	} {
		h, _, err := withJWT(t, c.jwt, c.options)
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if h == nil {
			continue
		}
		r := logIn(t, "ann", "pw")
		w := serve(h, r)
		if w.Code != http.StatusOK {
			t.Errorf("%s: status %d, %q", name, w.Code, w.Body)
		}
	}
}

// What it would refuse of one user is found out when that user signs in. It is
// no outage: others sign in.
func TestTokensThatTheJWTWouldRefuseAreNotIssued(t *testing.T) {
	h, s, err := withJWT(t, "require_claims email", "include email level\nrefresh 1h")
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.WarnLevel)
	h.logger = zap.New(core)
	if w := serve(h, logIn(t, "ann", "pw")); w.Code != http.StatusOK {
		t.Fatalf("control: status %d, %q", w.Code, w.Body)
	}
	user := *s.people.user
	user.Fields = auth.Object{"level": 1}
	s.people.user = &user
	for range 3 {
		w := serve(h, logIn(t, "ann", "pw"))
		if w.Code != http.StatusBadRequest || errorOf(t, w) != "invalid_grant" {
			t.Errorf("status %d, %q", w.Code, w.Body)
		}
	}
	if s.sessions.count() != 1 {
		t.Errorf("%d sessions", s.sessions.count())
	}
	if logs.Len() != 1 || logs.All()[0].ContextMap()["error"] != `missing_claim: claim "email": missing or null` {
		t.Errorf("logged %v", logs.All())
	}
	if w := serve(h, logIn(t, "ann", "wrong")); w.Code != http.StatusBadRequest {
		t.Errorf("status %d", w.Code)
	}
}

func TestTokenLongerThanTheJWTAcceptsIsNotIssued(t *testing.T) {
	h, s, err := withJWT(t, "max_size 1000", "include teams")
	if err != nil {
		t.Fatal(err)
	}
	if w := serve(h, logIn(t, "ann", "pw")); w.Code != http.StatusOK {
		t.Fatalf("control: status %d", w.Code)
	}
	user := *s.people.user
	user.Fields = auth.Object{"teams": strings.Repeat("a", 1000)}
	s.people.user = &user
	h.logger = zap.NewNop()
	if w := serve(h, logIn(t, "ann", "pw")); w.Code != http.StatusBadRequest || errorOf(t, w) != "invalid_grant" {
		t.Errorf("status %d, %q", w.Code, w.Body)
	}
}

// What a jwt says that is not ours is asked for nothing.
func TestSignersThatSayNothingBeforehandAreBelieved(t *testing.T) {
	t.Parallel()
	h := newServer().token(t, "auth_token {\nexpires_in 2h\n}")
	if h.ExpiresIn != caddy.Duration(2*time.Hour) {
		t.Fatal(h.ExpiresIn)
	}
	claimsOf(t, serve(h, logIn(t, "ann", "pw")))
}
