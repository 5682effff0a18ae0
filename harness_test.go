// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/caddybolt/caddy-bolt/auth"
)

func init() {
	caddy.RegisterModule(new(fake))
}

// fake is an authenticator that believes what it reads, for tests of what the
// handler makes of its answers. The credential is
//
//	<id> [<claim>=<text>|staff|superuser|may:<permission>|token:<jti>]...
//	!<reason> [<candidate>]   bad
//	?                         could not decide
//	~                         an identity without ID
type fake struct {
	Source []auth.Source `json:"sources,omitempty"`
	Kind   string        `json:"kind,omitempty"`
}

func (*fake) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.auth.authenticators.fake", New: func() caddy.Module { return new(fake) }}
}

// UnmarshalCaddyfile parses "fake [<kind> [<header> [<scheme>]]]".
func (f *fake) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	args := d.RemainingArgs()
	if len(args) > 0 {
		f.Kind = args[0]
	}
	if len(args) > 1 && strings.HasPrefix(args[1], "cookie:") {
		f.Source = []auth.Source{{Cookie: args[1][len("cookie:"):]}}
	} else if len(args) > 1 && strings.HasPrefix(args[1], "query:") {
		f.Source = []auth.Source{{Query: args[1][len("query:"):]}}
	} else if len(args) > 1 {
		f.Source = []auth.Source{{Header: args[1]}}
	}
	if len(args) > 2 {
		f.Source[0].Scheme = args[2]
	}
	return nil
}

func (f *fake) Sources() []auth.Source {
	if f.Source == nil {
		return []auth.Source{{Header: "X-Fake"}}
	}
	return f.Source
}

func (f *fake) Challenge() string {
	if f.Kind == "" {
		return "Bearer"
	}
	return f.Kind
}

func (f *fake) read(r *http.Request) string {
	s := f.Sources()[0]
	switch {
	case s.Cookie != "":
		if c, err := r.Cookie(s.Cookie); err == nil {
			return c.Value
		}
		return ""
	case s.Query != "":
		return r.URL.Query().Get(s.Query)
	case s.Scheme != "":
		text, ok := strings.CutPrefix(r.Header.Get(s.Header), s.Scheme+" ")
		if !ok {
			return ""
		}
		return text
	default:
		return r.Header.Get(s.Header)
	}
}

func (f *fake) Authenticate(r *http.Request) (*auth.Identity, error) {
	text := f.read(r)
	words := strings.Fields(text)
	switch {
	case text == "":
		return nil, auth.ErrNoCredentials
	case text == "?":
		return nil, errors.New("the fake is down")
	case text == "~":
		return new(auth.Identity), nil
	case text[0] == '!':
		candidate := ""
		if len(words) > 1 {
			candidate = words[1]
		}
		return nil, auth.InvalidFor(candidate, auth.Reason(words[0][1:]), "as asked")
	}
	id := &auth.Identity{ID: words[0], Issuer: "fake", Backend: "fake"}
	claims := map[string]any{}
	var permissions []string
	for _, word := range words[1:] {
		name, value, isClaim := strings.Cut(word, "=")
		switch {
		case isClaim:
			claims[name] = value
		case word == "staff":
			id.Staff = true
		case strings.HasPrefix(word, "token:"):
			id.TokenID = word[len("token:"):]
		case word == "superuser":
			id.Superuser = true
		default:
			permissions = append(permissions, strings.TrimPrefix(word, "may:"))
		}
	}
	id.Permissions = auth.NewSet(permissions...)
	var err error
	id.Claims, err = auth.NewClaims(claims)
	return id, err
}

var (
	_ auth.Authenticator = (*fake)(nil)
	_ auth.Challenger    = (*fake)(nil)
	_ auth.SourceLister  = (*fake)(nil)
)

// provisioning keeps configurations from being provisioned at once: Caddy keeps
// the latest one's storage in a global.
var provisioning sync.Mutex

// adapt returns the JSON of a Caddyfile.
func adapt(t testing.TB, text string) ([]byte, error) {
	t.Helper()
	cfg, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(caddyfile.Format([]byte(text)), map[string]any{"filename": "Caddyfile"})
	return cfg, err
}

// provision loads a configuration without listening anywhere.
func provision(t testing.TB, config []byte) (caddy.Context, error) {
	t.Helper()
	provisioning.Lock()
	defer provisioning.Unlock()
	cfg := new(caddy.Config)
	if err := json.Unmarshal(config, cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.Logging == nil { // what a test is about stands in its answers
		cfg.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{
			"default": {BaseLog: caddy.BaseLog{WriterRaw: json.RawMessage(`{"output":"discard"}`)}},
		}}
	}
	return caddy.ProvisionContext(cfg)
}

// site serves a Caddyfile without listening anywhere. Its sites are at ":80".
func site(t testing.TB, text string) *server {
	t.Helper()
	cfg, err := adapt(t, text)
	if err != nil {
		t.Fatalf("adapting: %v", err)
	}
	ctx, err := provision(t, cfg)
	if err != nil {
		t.Fatalf("provisioning: %v", err)
	}
	app, err := ctx.App("auth")
	if err != nil {
		t.Fatal(err)
	}
	if err := app.(*App).Start(); err != nil {
		t.Fatal(err)
	}
	httpApp, err := ctx.App("http")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, app: app.(*App), ctx: ctx}
	for _, srv := range httpApp.(*caddyhttp.App).Servers {
		s.handler = srv
	}
	return s
}

// server is a site without a listener.
type server struct {
	t       testing.TB
	app     *App
	ctx     caddy.Context
	handler http.Handler
}

// get asks for a path. The lines are headers, "Name: value"; a line without
// colon is the method.
func (s *server) get(target string, lines ...string) *http.Response {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.RequestURI = target
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			r.Method = line
			continue
		}
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Result()
}

// expect asks, and compares the status and the body.
func (s *server) expect(status int, body, target string, lines ...string) *http.Response {
	s.t.Helper()
	resp := s.get(target, lines...)
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode != status || (body != "*" && string(text) != body) {
		s.t.Errorf("%s %q: got %d %q, want %d %q", target, lines, resp.StatusCode, text, status, body)
	}
	return resp
}
