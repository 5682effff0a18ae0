// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
	"github.com/caddybolt/caddy-bolt/internal/attempts"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

const (
	secret   = "a secret of this test, of 32 bytes and more"
	issuer   = "https://id.example"
	audience = "my-app"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 250_000_000, time.UTC)

// hs256 signs with a secret.
type hs256 struct {
	name       string
	iss, aud   string
	sources    []auth.Source
	cannotSign error
	fails      error
	keys       func() ([]byte, error)
}

func (*hs256) Authenticate(*http.Request) (*auth.Identity, error) { return nil, auth.ErrNoCredentials }
func (s *hs256) Name() string                                     { return s.name }
func (s *hs256) Sources() []auth.Source                           { return s.sources }
func (s *hs256) CanSign() error                                   { return s.cannotSign }
func (s *hs256) Issuer() string                                   { return s.iss }
func (s *hs256) Audience() string                                 { return s.aud }
func (s *hs256) PublicKeys() ([]byte, error) {
	if s.keys == nil {
		return []byte(`{"keys":[]}`), nil
	}
	return s.keys()
}

func (s *hs256) Sign(_ context.Context, payload []byte) (string, error) {
	if s.fails != nil {
		return "", s.fails
	}
	b64 := base64.RawURLEncoding.EncodeToString
	text := b64([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + b64(payload)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + b64(mac.Sum(nil)), nil
}

// people is a user store with one user, ann, whose password is "pw".
type people struct {
	mu    sync.Mutex
	user  *auth.User
	err   error
	asked int
	gone  bool // may not sign in any more
}

func newPeople() *people {
	return &people{user: &auth.User{
		UserRef:     auth.UserRef{Issuer: issuer, ID: "7"},
		Username:    "ann",
		Staff:       true,
		Permissions: auth.NewSet("a.view", "a.change"),
		Fields: auth.Object{
			"email": "ann@example.com", "level": int64(3), "sub": "1", "odd": "{env.ISSUER_TEST}",
			"teams": auth.List{"red", "blue"},
		},
	}}
}

func (p *people) Verify(ctx context.Context, username, password string) (*auth.User, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case p.err != nil:
		return nil, p.err
	case username != "ann" || password != "pw":
		return nil, auth.Invalid(auth.ReasonBadPassword, "")
	}
	return p.user, nil
}

func (p *people) Load(_ context.Context, ref auth.UserRef) (*auth.User, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.err != nil:
		return nil, p.err
	case p.gone || ref != (auth.UserRef{Issuer: issuer, ID: "7"}):
		return nil, auth.ErrUserNotFound
	}
	return p.user, nil
}

// revocations notes what it is told, and answers with a cut-off.
type revocations struct {
	mu       sync.Mutex
	tokens   []auth.TokenRef
	untils   []time.Time
	users    []auth.UserRef
	cutoffs  []time.Time
	revoked  func(auth.TokenRef) (bool, error)
	err      error
	blocking bool
}

func (s *revocations) Revoked(_ context.Context, token auth.TokenRef) (bool, error) {
	if s.revoked != nil {
		return s.revoked(token)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ended := range s.tokens {
		if ended.ID != "" && ended.ID == token.ID || ended.SessionID != "" && ended.SessionID == token.SessionID {
			return true, nil
		}
	}
	for i, user := range s.users {
		if user == token.User && !token.IssuedAt.After(s.cutoffs[i]) {
			return true, nil
		}
	}
	return false, nil
}

func (s *revocations) Revoke(ctx context.Context, token auth.TokenRef, until time.Time) error {
	if s.blocking {
		<-ctx.Done()
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens, s.untils = append(s.tokens, token), append(s.untils, until)
	return errors.Join(s.err, ctx.Err())
}

func (s *revocations) RevokeUser(_ context.Context, user auth.UserRef, before, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users, s.cutoffs = append(s.users, user), append(s.cutoffs, before)
	return s.err
}

// server is everything that a handler needs.
type server struct {
	signer      *hs256
	people      *people
	revocations *revocations
	sessions    *sessionStore // nil: the store keeps none
	cookies     *refreshCookies
}

func newServer() *server {
	return &server{
		signer: &hs256{name: "main", iss: issuer, aud: audience, sources: []auth.Source{{Cookie: "session"}}},
		people: newPeople(), revocations: new(revocations), sessions: newSessionStore(), cookies: new(refreshCookies),
	}
}

func (s *server) services() auth.Services {
	all := authtest.Services{
		SignerFunc: func(name string) (auth.Signer, error) {
			if name != "" && name != "main" {
				return nil, errors.New("no jwt of that name")
			}
			return s.signer, nil
		},
	}
	if s.people != nil {
		all.UserStore = s.people
	}
	switch {
	case s.revocations != nil && s.sessions != nil:
		all.RevocationStore = &keeper{s.revocations, s.sessions}
	case s.revocations != nil:
		all.RevocationStore = s.revocations
	}
	return &services{all, s.cookies}
}

// services know where refresh tokens stand.
type services struct {
	authtest.Services
	*refreshCookies
}

type refreshCookies struct{ list []auth.RefreshCookie }

func (c *refreshCookies) NoteRefreshCookie(n auth.RefreshCookie) { c.list = append(c.list, n) }
func (c *refreshCookies) RefreshCookies() []auth.RefreshCookie   { return c.list }

// keeper is a revocation store that keeps sessions.
type keeper struct {
	*revocations
	*sessionStore
}

// sessionStore keeps sessions. A hook runs before Rotate.
type sessionStore struct {
	mu      sync.Mutex
	all     map[string]auth.Session
	rotated int
	err     error
	race    func()
	loses   bool // each Rotate comes too late
}

func newSessionStore() *sessionStore { return &sessionStore{all: make(map[string]auth.Session)} }

func (s *sessionStore) CreateSession(_ context.Context, n auth.Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.all[n.ID]; ok {
		return errors.New("there is one already")
	}
	s.all[n.ID] = n
	return s.err
}

func (s *sessionStore) Session(_ context.Context, id string) (auth.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.all[id]
	switch {
	case s.err != nil:
		return auth.Session{}, s.err
	case !ok:
		return auth.Session{}, auth.ErrSessionNotFound
	}
	return found, nil
}

func (s *sessionStore) Rotate(_ context.Context, current [32]byte, next auth.Session) (bool, error) {
	if race := s.race; race != nil {
		race()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, ok := s.all[next.ID]; s.err != nil || !ok || found.Current != current || s.loses {
		return false, s.err
	}
	s.all[next.ID] = next
	s.rotated++
	return true, nil
}

func (s *sessionStore) EndSession(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		delete(s.all, id)
	}
	return s.err
}

// count returns how many there are.
func (s *sessionStore) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// provision sets a handler up.
func (s *server) provision(tb testing.TB, handler caddy.Provisioner) error {
	tb.Helper()
	ctx, _ := authtest.NewContext(tb, s.services())
	err := handler.Provision(ctx)
	if c, ok := handler.(caddy.CleanerUpper); ok {
		tb.Cleanup(func() {
			if err := c.Cleanup(); err != nil {
				tb.Error(err)
			}
		})
	}
	if v, ok := handler.(caddy.Validator); ok && err == nil {
		err = v.Validate()
	}
	return err
}

// token returns an endpoint with its own count of attempts, at noon.
func (s *server) token(tb testing.TB, text string) *Token {
	tb.Helper()
	t := new(Token)
	if err := parse(text, t); err != nil {
		tb.Fatal(err)
	}
	if err := s.provision(tb, t); err != nil {
		tb.Fatal(err)
	}
	t.clock, t.attempts, t.logger = clock.Fixed(noon), attempts.New(), zap.NewNop()
	return t
}

func (s *server) logout(tb testing.TB, text string) *Logout {
	tb.Helper()
	l := new(Logout)
	if err := parse(text, l); err != nil {
		tb.Fatal(err)
	}
	if err := s.provision(tb, l); err != nil {
		tb.Fatal(err)
	}
	l.clock, l.logger = clock.Fixed(noon), zap.NewNop()
	return l
}

func parse(text string, into caddyfile.Unmarshaler) error {
	tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
	if err != nil {
		return err
	}
	return into.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
}

// post returns a request with a body.
func post(tb testing.TB, contentType, body string) *http.Request {
	tb.Helper()
	r := authtest.NewRequest(tb, http.MethodPost, "https://app.example/auth/token")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

func logIn(tb testing.TB, username, password string) *http.Request {
	tb.Helper()
	body, _ := json.Marshal(map[string]string{"username": username, "password": password})
	return post(tb, "application/json", string(body))
}

// serve answers a request as Caddy does, which turns an error into its status.
func serve(h caddyhttp.MiddlewareHandler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { panic("there is nothing behind it") })
	if err := h.ServeHTTP(w, r, next); err != nil {
		var he caddyhttp.HandlerError
		if !errors.As(err, &he) {
			panic(err)
		}
		w.WriteHeader(he.StatusCode)
	}
	return w
}

// errorOf returns the code of an error of RFC 6749.
func errorOf(tb testing.TB, w *httptest.ResponseRecorder) string {
	tb.Helper()
	var body map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		tb.Fatalf("status %d, body %q: %v", w.Code, w.Body, err)
	}
	if len(body) != 2 || body["error_description"] == "" {
		tb.Errorf("body %q", w.Body)
	}
	return body["error"]
}

// claimsOf verifies the token of an answer with another implementation of JWT.
func claimsOf(tb testing.TB, w *httptest.ResponseRecorder) jwt.MapClaims {
	tb.Helper()
	return claimsAt(tb, w, noon)
}

func claimsAt(tb testing.TB, w *httptest.ResponseRecorder, now time.Time) jwt.MapClaims {
	tb.Helper()
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != http.StatusOK {
		tb.Fatalf("status %d, body %q", w.Code, w.Body)
	}
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(body.AccessToken, claims,
		func(*jwt.Token) (any, error) { return []byte(secret), nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithTimeFunc(func() time.Time { return now.Add(time.Second) }))
	if err != nil {
		tb.Fatalf("another implementation refuses the token: %v", err)
	}
	return claims
}
