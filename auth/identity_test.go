// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// kept is what a handler would keep for a request.
type kept struct {
	id      *Identity
	user    *User
	err     error
	revoked []TokenRef
}

func (k *kept) Identity() *Identity { return k.id }

func (k *kept) Revoke(_ context.Context, token TokenRef) error {
	k.revoked = append(k.revoked, token)
	return k.err
}

func (k *kept) User(context.Context) (*User, error) { return k.user, k.err }

// with returns a context with request variables, and what the handler kept.
func with(value any) context.Context {
	ctx := context.WithValue(context.Background(), caddyhttp.VarsCtxKey, map[string]any{})
	if value != nil {
		caddyhttp.SetVar(ctx, RequestVar, value)
	}
	return ctx
}

func TestFromContextFindsWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	id := &Identity{ID: "1", Issuer: "https://id.example.com"}
	if got, ok := FromContext(with(&kept{id: id})); !ok || got != id {
		t.Errorf("got %v, %t", got, ok)
	}
	for name, ctx := range map[string]context.Context{
		"nobody": with(&kept{}), "no handler": with(nil), "no variables": context.Background(),
		"something else": with("a text"), "an identity": with(id),
	} {
		if got, ok := FromContext(ctx); ok || got != nil {
			t.Errorf("%s: got %v, %t", name, got, ok)
		}
	}
}

func TestUserFromContextLoadsTheUser(t *testing.T) {
	t.Parallel()
	id := &Identity{ID: "1"}
	user := &User{UserRef: id.User(), Username: "ann"}
	if got, err := UserFromContext(with(&kept{id: id, user: user})); err != nil || got != user {
		t.Errorf("got %v, %v", got, err)
	}
	down := errors.New("no connection")
	if _, err := UserFromContext(with(&kept{id: id, err: down})); !errors.Is(err, down) {
		t.Errorf("an outage is %v", err)
	}
	// nobody is signed in: the store is not asked
	for name, ctx := range map[string]context.Context{"nobody": with(&kept{user: user}), "no handler": with(nil), "no variables": context.Background()} {
		if got, err := UserFromContext(ctx); got != nil || !errors.Is(err, ErrNoCredentials) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func TestRevokeEndsTheToken(t *testing.T) {
	t.Parallel()
	k := &kept{id: &Identity{ID: "1", TokenID: "t"}}
	if err := Revoke(with(k), k.id.Token()); err != nil || len(k.revoked) != 1 || k.revoked[0].ID != "t" {
		t.Errorf("revoked %v, %v", k.revoked, err)
	}
	k.err = errors.New("no connection")
	if err := Revoke(with(k), k.id.Token()); !errors.Is(err, k.err) {
		t.Errorf("an outage is %v", err)
	}
	if err := Revoke(with(nil), TokenRef{ID: "t"}); !errors.Is(err, ErrNoRevocation) {
		t.Errorf("without a handler: %v", err)
	}
}

func TestIdentityRefersToItsUserAndToken(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_000, 0)
	id := &Identity{ID: "1", Issuer: "https://id.example.com", TokenID: "t", SessionID: "s", IssuedAt: at, ExpiresAt: at.Add(time.Hour)}
	want := TokenRef{ID: "t", SessionID: "s", User: UserRef{"https://id.example.com", "1"}, IssuedAt: at, ExpiresAt: at.Add(time.Hour)}
	if id.Token() != want || id.User() != want.User {
		t.Errorf("token %+v, user %+v", id.Token(), id.User())
	}
}

// Attack: a user of another provider who has the same number.
func TestUsersOfTwoIssuersAreTwo(t *testing.T) {
	t.Parallel()
	local, foreign := UserRef{LocalIssuer + "basic", "1"}, UserRef{"https://id.example.com", "1"}
	if local == foreign {
		t.Error("they are one")
	}
	for ref, want := range map[UserRef]bool{
		local: true, foreign: false, {"", "1"}: false, {"LOCAL:basic", "1"}: false, {"https://local:1", "1"}: false, {"local", "1"}: false,
	} {
		if ref.IsLocal() != want {
			t.Errorf("%+v is local: %t", ref, !want)
		}
	}
}

func TestIdentityPrintsItsID(t *testing.T) {
	t.Parallel()
	id := &Identity{ID: "1", Claims: TrustedClaims([]byte(`{"private":"x"}`))}
	if got := fmt.Sprint(id); got != "1" {
		t.Errorf("prints as %q", got)
	}
	if got := fmt.Sprintf("%v %+v %s", id, id, id); strings.Contains(got, "private") {
		t.Errorf("prints as %q", got)
	}
	var nobody *Identity
	if got := nobody.String(); got != "" {
		t.Errorf("nobody prints as %q", got)
	}
}

// services are services that are only there.
type services struct{ Services }

func TestServicesOfTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	want := &services{}
	got, err := ServicesOf(WithServices(ctx, want))
	if err != nil || got != Services(want) {
		t.Errorf("got %v, %v", got, err)
	}
}
