// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"net/http"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/attempts"
)

// Attack: a refresh token that was copied from a backup, a log or a machine is
// used after its owner has used it, or before.
func TestReusedRefreshTokenEndsItsSession(t *testing.T) {
	t.Parallel()
	e := refreshing(t)
	core, logs := observer.New(zapcore.InfoLevel)
	e.logger = zap.New(core)
	stolen, other := e.logsIn(), e.logsIn()
	w := e.sends(stolen.RefreshToken)
	mine, sid := e.tokens(w), claimsOf(t, w)["sid"].(string)
	e.now = e.now.Add(refreshGrace)
	e.refused(stolen.RefreshToken)
	e.refused(mine.RefreshToken) // nobody can tell which of them is the thief
	if revoked, _ := e.revocations.Revoked(t.Context(), auth.TokenRef{ID: "any", SessionID: sid}); !revoked {
		t.Error("the access tokens of the session are still good")
	}
	if entry := e.revocations.tokens[0]; entry.ID != "" || entry.User != (auth.UserRef{Issuer: issuer, ID: "7"}) || !e.revocations.untils[0].IsZero() {
		t.Errorf("revoked %+v until %s", entry, e.revocations.untils[0])
	}
	e.refreshes(other.RefreshToken) // the control: another session of the user goes on
	if e.server.sessions.count() != 1 {
		t.Errorf("%d sessions", e.server.sessions.count())
	}
	if lines := logs.All(); len(lines) != 1 || strings.Contains(lines[0].Message, stolen.RefreshToken) || len(lines[0].Context) != 2 {
		t.Errorf("logged %v", logs.All())
	}
}

// The grandparent of a token is old however soon it comes back.
func TestTokenBeforeThePredecessorEndsTheSession(t *testing.T) {
	t.Parallel()
	e := refreshing(t)
	first := e.logsIn()
	second := e.refreshes(first.RefreshToken)
	third := e.refreshes(second.RefreshToken)
	e.refused(first.RefreshToken)
	e.refused(third.RefreshToken)
}

// Attack: the ID of a session stands in every access token, which applications
// see and log. Who knows it makes up refresh tokens, to end the session or to
// try others.
func TestWhoKnowsTheSessionsIDCanDoNothing(t *testing.T) {
	t.Parallel()
	e := refreshing(t)
	g := e.logsIn()
	good, _ := parseRefreshToken(g.RefreshToken)
	before := e.server.sessions.all[good.sessionID()]
	for name, change := range map[string]func(*refreshToken){
		"family":  func(f *refreshToken) { f.family[31] ^= 1 },
		"both":    func(f *refreshToken) { f.family, f.secret = [secretSize]byte{}, [secretSize]byte{} },
		"session": func(f *refreshToken) { f.session[0] ^= 1 },
	} {
		forged := *good
		change(&forged)
		e.refused(forged.text())
		if e.server.sessions.all[good.sessionID()] != before || len(e.revocations.tokens) != 0 {
			t.Errorf("%s: something changed", name)
		}
	}
	e.refreshes(g.RefreshToken) // the control
}

func TestMalformedRefreshTokensAreRefused(t *testing.T) {
	t.Parallel()
	e := refreshing(t)
	good := e.logsIn().RefreshToken
	last := good[len(good)-1]
	for _, text := range []string{
		"x", good + "A", good[1:], good + "=", good[:50] + "\n" + good[50:], good[:50] + "\n" + good[51:], " " + good[1:],
		strings.Repeat("A", len(good)), strings.Repeat("-", len(good)), strings.Repeat("ü", len(good)/2) + "A",
		// the bits of the last letter that mean nothing
		good[:len(good)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", last)^1]),
	} {
		e.refused(text)
	}
	e.refreshes(good) // the control
}

// Attack: the refresh token of one application is exchanged for a token of
// another.
func TestRefreshTokensAreGoodForTheirJWTAlone(t *testing.T) {
	t.Parallel()
	e := refreshing(t)
	g := e.logsIn()
	for name, change := range map[string]func(*hs256){
		"name":     func(s *hs256) { s.name = "other" },
		"audience": func(s *hs256) { s.aud = "other" },
		"issuer":   func(s *hs256) { s.iss = "https://other.example" },
	} {
		signer := *e.server.signer
		change(&signer)
		e.Token.signer = &signer
		e.refused(g.RefreshToken)
		if e.server.sessions.count() != 1 {
			t.Errorf("%s: the session was ended", name)
		}
	}
	e.Token.signer = e.server.signer
	e.refreshes(g.RefreshToken)
}

// Attack: a log-out that happens while a refresh is under way must win.
func TestSessionThatEndsInBetweenIsNotProlonged(t *testing.T) {
	t.Parallel()
	e := refreshing(t)
	g := e.logsIn()
	e.server.sessions.race = func() {
		e.server.sessions.mu.Lock()
		defer e.server.sessions.mu.Unlock()
		clear(e.server.sessions.all)
	}
	e.refused(g.RefreshToken)

	// Others who change it all the time do not keep us here.
	e = refreshing(t)
	g = e.logsIn()
	e.server.sessions.loses = true
	if w := e.sends(g.RefreshToken); w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d, %q", w.Code, w.Body)
	}
}

// Attack: who reads the store, or its backup, looks for tokens.
func TestStoreHoldsNoPartOfARefreshToken(t *testing.T) {
	t.Parallel()
	e := refreshing(t)
	g := e.logsIn()
	var texts []string
	for range 3 {
		token, _ := parseRefreshToken(g.RefreshToken)
		texts = append(texts, string(token.family[:]), string(token.secret[:]))
		g = e.refreshes(g.RefreshToken)
		for _, s := range e.server.sessions.all {
			kept := string(s.Family[:]) + string(s.Current[:]) + string(s.Previous[:]) + string(s.Nonce[:])
			for _, text := range texts {
				if strings.Contains(kept, text) {
					t.Error("a secret is kept")
				}
			}
		}
	}
}

// Attack: a flood of refresh tokens that are not good keeps the store busy.
func TestBadRefreshTokensOfOneAddressAreSlowed(t *testing.T) {
	t.Parallel()
	e := refreshing(t)
	g := e.logsIn()
	for range attempts.RefreshBurst {
		e.refused(newRefreshToken().text())
	}
	w := e.sends(newRefreshToken().text())
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" {
		t.Errorf("status %d, header %v", w.Code, w.Header())
	}
	e.now = e.now.Add(attempts.RefreshEvery)
	g = e.refreshes(g.RefreshToken)
	e.refreshes(g.RefreshToken) // good ones do not count
	if w := serve(e, logIn(t, "ann", "pw")); w.Code != http.StatusOK {
		t.Errorf("a log-in: status %d", w.Code)
	}
}

func TestRefreshTokenIsNotPrinted(t *testing.T) {
	t.Parallel()
	token := newRefreshToken()
	if text := token.String(); strings.Contains(token.text(), text) || text != "REDACTED" {
		t.Error(text)
	}
}

// What is parsed is the one text of its token.
func FuzzRefreshToken(f *testing.F) {
	f.Add("")
	f.Add(strings.Repeat("A", refreshTokenText))
	f.Add(strings.Repeat("A", refreshTokenText-1) + "B")
	f.Add(strings.Repeat("A", refreshTokenText-1) + "\n")
	f.Add((&refreshToken{session: [16]byte{1}, family: [32]byte{2}, secret: [32]byte{3}}).text())
	f.Fuzz(func(t *testing.T, text string) {
		token, ok := parseRefreshToken(text)
		if ok != (token != nil) || ok && token.text() != text {
			t.Errorf("%q", text)
		}
	})
}
