// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
)

func init() {
	caddy.RegisterModule(new(fakeUsers))
	caddy.RegisterModule(new(fakeRevocation))
	caddy.RegisterModule(new(goHandler))
	httpcaddyfile.RegisterHandlerDirective("go_handler", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		return new(goHandler), nil
	})
	httpcaddyfile.RegisterDirectiveOrder("go_handler", httpcaddyfile.Before, "respond")
}

// fakeUsers knows alice of the issuer "fake", and counts how often it is asked.
type fakeUsers struct{ loads atomic.Int64 }

func (*fakeUsers) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.auth.users.fake", New: func() caddy.Module { return new(fakeUsers) }}
}

func (*fakeUsers) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { d.Next(); return nil }

func (*fakeUsers) Verify(context.Context, string, string) (*auth.User, error) {
	return nil, auth.ErrInvalidCredentials
}

func (f *fakeUsers) Load(_ context.Context, ref auth.UserRef) (*auth.User, error) {
	f.loads.Add(1)
	switch ref {
	case auth.UserRef{Issuer: "fake", ID: "alice"}:
		return &auth.User{UserRef: ref, Username: "alice1", Fields: auth.Object{"email": "alice@example.com"}}, nil
	case auth.UserRef{Issuer: "fake", ID: "down"}:
		return nil, errors.New("the database is down")
	default:
		return nil, auth.ErrUserNotFound
	}
}

// fakeRevocation has revoked the token of "ended" and is down for "down". What
// it cannot write it remembers.
type fakeRevocation struct{ revoked atomic.Pointer[auth.TokenRef] }

func (*fakeRevocation) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.auth.revocation.fake", New: func() caddy.Module { return new(fakeRevocation) }}
}

func (*fakeRevocation) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { d.Next(); return nil }

func (f *fakeRevocation) Revoked(_ context.Context, token auth.TokenRef) (bool, error) {
	if token.User.ID == "down" {
		return false, errors.New("the store is down")
	}
	last := f.revoked.Load()
	return token.User.ID == "ended" || last != nil && last.ID == token.ID, nil
}

func (f *fakeRevocation) Revoke(_ context.Context, token auth.TokenRef, _ time.Time) error {
	f.revoked.Store(&token)
	if token.User.ID == "down" {
		return errors.New("the store is down")
	}
	return nil
}

func (*fakeRevocation) RevokeUser(context.Context, auth.UserRef, time.Time, time.Time) error {
	return nil
}

// goHandler is a handler that an application compiled into Caddy.
type goHandler struct{}

func (*goHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.go_handler", New: func() caddy.Module { return new(goHandler) }}
}

func (*goHandler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	id, ok := auth.FromContext(r.Context())
	if !ok {
		_, err := w.Write([]byte("nobody"))
		return err
	}
	text := "go " + id.ID
	if user, err := auth.UserFromContext(r.Context()); err == nil {
		text += " " + user.Username
	}
	if r.URL.Path == "/logout" {
		if err := auth.Revoke(r.Context(), id.Token()); err != nil {
			return err
		}
		text += " out"
	}
	_, err := w.Write([]byte(text))
	return err
}

const serviced = `
{
	auth {
		fake
		users fake
		revocation fake
		forward X-Mail user.email
	}
}
:80 {
	auth {
		public /public/*
		when /quiet/* {
			forward X-Nothing claims.none
		}
	}
	go_handler /go
	go_handler /logout
	respond /fields "{http.auth.user.email} {http.auth.user.username} {http.auth.user.email} {http.auth.user.none}."
	respond "{http.auth.user.id}"
}`

func TestUserFieldsAreLoadedOnceAndOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	s := site(t, serviced)
	users := s.app.users.(*fakeUsers)
	s.expect(200, "alice", "/quiet/x", "X-Fake: alice")
	if n := users.loads.Load(); n != 0 {
		t.Errorf("%d loads though nobody asked", n)
	}
	s.expect(200, "alice@example.com alice1 alice@example.com .", "/fields", "X-Fake: alice")
	if n := users.loads.Load(); n != 1 {
		t.Errorf("%d loads", n)
	}
	s.expect(200, "bob", "/", "X-Fake: bob") // not there: empty
}

// A field that could not be loaded is not the same as one that is not there:
// the application would take somebody for nobody.
func TestAForwardedFieldThatCannotBeLoadedIs503(t *testing.T) {
	t.Parallel()
	s := site(t, serviced)
	s.expect(503, "", "/", "X-Fake: down")
	s.expect(200, "down", "/quiet/x", "X-Fake: down")
}

func TestGoHandlersKnowWhoIsAsking(t *testing.T) {
	t.Parallel()
	s := site(t, strings.Replace(serviced, "public /public/*", "public /go", 1))
	s.expect(200, "nobody", "/go")
	s.expect(200, "go alice alice1", "/go", "X-Fake: alice")
	s.expect(200, "go bob", "/go", "X-Fake: bob")
}

// A revoked token is refused however good its signature, a token that cannot be
// looked up is not let in.
func TestRevokedTokensAreRefused(t *testing.T) {
	t.Parallel()
	s := site(t, serviced)
	s.expect(200, "alice", "/quiet/x", "X-Fake: alice token:t1")
	s.expect(401, "", "/quiet/x", "X-Fake: ended token:t2")
	s.expect(200, "ended", "/quiet/x", "X-Fake: ended") // no token, nothing to revoke
	s.expect(503, "", "/quiet/x", "X-Fake: down token:t3")
	s.expect(200, "go alice alice1 out", "/logout", "X-Fake: alice token:t1")
	s.expect(401, "", "/quiet/x", "X-Fake: alice token:t1")
	s.expect(200, "alice", "/quiet/x", "X-Fake: alice token:t4")
}
