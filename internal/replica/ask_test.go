// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package replica

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

// asked is a session that loads until a test ends that, and can be asked.
type asked struct {
	scripted
	answer func(ctx context.Context, ids map[revoked.Kind]string) ([]Record, error)
	asks   atomic.Int32
}

func (a *asked) Ask(ctx context.Context, ids map[revoked.Kind]string) ([]Record, error) {
	a.asks.Add(1)
	return a.answer(ctx, ids)
}

func (a *asked) Connect(context.Context) (Session, error) { return a, nil }

// loadingNode returns a node that goes on loading from the session until the
// function is called.
func loadingNode(t *testing.T, a *asked, allow bool) (*Handle, func()) {
	t.Helper()
	end := make(chan struct{})
	a.load = func(to *Loading) {
		for {
			to.node.outage.progress()
			select {
			case <-end:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	h, err := Acquire(caddy.NewUsagePool(), "key", allow, func() (*Node, error) {
		return NewNode(Settings{Store: "fake", MaxStale: time.Second, Source: a, Logger: zap.NewNop()}), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Release() })
	loaded := sync.OnceFunc(func() { close(end) })
	t.Cleanup(loaded)
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it loads", func() bool { return h.Node().loading.Load() != nil })
	return h, loaded
}

// While a large copy is being filled, the server is asked about single tokens.
func TestTokensNeedNotWaitForALargeCopy(t *testing.T) {
	t.Parallel()
	until := revoked.Nanoseconds(time.Now().Add(time.Hour))
	cutoff := revoked.Nanoseconds(time.Now())
	held := []Record{
		{Entry: revoked.Entry{Kind: revoked.Token, ID: "t", Issuer: "x", Until: until}},
		{Entry: revoked.Entry{Kind: revoked.Token, ID: "bare", Until: until}},
		{Entry: revoked.Entry{Kind: revoked.Session, ID: "s", Issuer: "x", Until: until}},
		{Entry: revoked.Entry{Kind: revoked.User, ID: "u", Issuer: "x", Cutoff: cutoff, Until: until}},
		{Entry: revoked.Entry{Kind: revoked.Token, ID: "back", Issuer: "x", Until: until}, Tombstone: "b"},
		{Entry: revoked.Entry{Kind: revoked.Token, ID: "ended", Issuer: "x", Until: 1}},
	}
	a := &asked{answer: func(_ context.Context, ids map[revoked.Kind]string) ([]Record, error) {
		return slices.DeleteFunc(slices.Clone(held), func(r Record) bool { return ids[r.Kind] != r.ID }), nil
	}}
	h, loaded := loadingNode(t, a, false)
	before, after := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	x := func(user string) auth.UserRef { return auth.UserRef{Issuer: "x", ID: user} }
	for _, c := range []struct {
		token auth.TokenRef
		want  bool
	}{
		{auth.TokenRef{ID: "t", User: x("1")}, true},
		{auth.TokenRef{ID: "t", User: auth.UserRef{Issuer: "y", ID: "1"}}, false},
		{auth.TokenRef{ID: "bare", User: auth.UserRef{Issuer: "y", ID: "1"}}, true},
		{auth.TokenRef{ID: "1", SessionID: "s", User: x("1")}, true},
		{auth.TokenRef{ID: "1", User: x("u"), IssuedAt: before}, true},
		{auth.TokenRef{ID: "1", User: x("u"), IssuedAt: after}, false},
		{auth.TokenRef{ID: "back", User: x("1")}, false},
		{auth.TokenRef{ID: "ended", User: x("1")}, false},
		{auth.TokenRef{ID: "s", SessionID: "t", User: x("t")}, false},
	} {
		if is, err := h.Revoked(t.Context(), c.token); is != c.want || err != nil {
			t.Errorf("%+v: %t, %v", c.token, is, err)
		}
	}
	if h.Node().Fresh() {
		t.Error("control: the copy is filled already")
	}
	loaded()
	eventually(t, "the copy is filled", h.Node().Fresh)
	asks := a.asks.Load()
	if is, err := h.Revoked(t.Context(), ref("never seen")); is || err != nil || a.asks.Load() != asks {
		t.Errorf("%t, %v; the server was asked %d times more", is, err, a.asks.Load()-asks)
	}
}

func TestLogOutsNeedNotWaitForALargeCopy(t *testing.T) {
	t.Parallel()
	var written atomic.Int32
	a := &asked{answer: func(context.Context, map[revoked.Kind]string) ([]Record, error) { return nil, nil }}
	a.write = func(changes []Change) { written.Add(int32(len(changes))) }
	h, loaded := loadingNode(t, a, false)
	if err := revoke(t, h, "x"); err != nil || written.Load() != 1 {
		t.Errorf("%v; %d are written", err, written.Load())
	}
	if h.Node().Fresh() || !is(t, h, "x") {
		t.Error("the copy is filled already, or the token valid")
	}
	loaded()
	eventually(t, "the copy is filled", h.Node().Fresh)
	if !is(t, h, "x") {
		t.Error("the token is valid when the copy is filled")
	}
}

// Attack: a server that does not answer while the copy is being filled holds
// requests, or lets them pass.
func TestServerThatIsAskedHoldsNoCheck(t *testing.T) {
	t.Parallel()
	for _, allow := range []bool{false, true} {
		for name, answer := range map[string]func(context.Context, map[revoked.Kind]string) ([]Record, error){
			"hangs": func(ctx context.Context, _ map[revoked.Kind]string) ([]Record, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
			"refuses": func(context.Context, map[revoked.Kind]string) ([]Record, error) { return nil, errors.New("LOADING") },
		} {
			h, _ := loadingNode(t, &asked{answer: answer}, allow)
			begun := time.Now()
			if is, err := h.Revoked(t.Context(), ref("x")); is || err == nil {
				t.Errorf("%s, allow %t: %t, %v", name, allow, is, err)
			}
			if took := time.Since(begun); took > 10*time.Second { // 50 ms where nobody else uses the processor
				t.Errorf("%s: it took %s", name, took)
			}
			h.Node().asking.Add(maxAsking) // so many wait
			if _, err := h.Node().ask(t.Context(), new(auth.TokenRef)); !errors.Is(err, errBusy) {
				t.Errorf("%s: %v", name, err)
			}
			h.Node().asking.Add(-maxAsking)
		}
	}
}
