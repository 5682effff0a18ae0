// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// written is a store that notes what it is told.
type written struct {
	auth.RevocationStore
	mu    sync.Mutex
	calls []writtenCall
	fail  error
}

type writtenCall struct {
	token auth.TokenRef
	until time.Time
}

func (w *written) Revoke(_ context.Context, token auth.TokenRef, until time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, writtenCall{token, until})
	return w.fail
}

// A reload may raise the leeway after the log-out: a token that was refused for
// its age must not come back unrevoked.
func TestRevokeInLastsADayOrTheLeewayIfThatIsLonger(t *testing.T) {
	t.Parallel()
	exp := time.Now().Add(time.Hour)
	for leeway, kept := range map[time.Duration]time.Duration{0: 24 * time.Hour, 48 * time.Hour: 48 * time.Hour} {
		w := new(written)
		if err := auth.RevokeIn(t.Context(), w, auth.TokenRef{ID: "a", ExpiresAt: exp}, leeway); err != nil {
			t.Fatal(err)
		}
		if got := w.calls[0].until; !got.Equal(exp.Add(kept)) {
			t.Errorf("leeway %s: until %s after the end", leeway, got.Sub(exp))
		}
	}
}

func TestRevokeInCoversLeewayAndTheWholeSession(t *testing.T) {
	t.Parallel()
	user := auth.UserRef{Issuer: "x", ID: "1"}
	exp := time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		token auth.TokenRef
		want  []writtenCall
	}{
		"token": {
			auth.TokenRef{ID: "a", User: user, ExpiresAt: exp},
			[]writtenCall{{auth.TokenRef{ID: "a", User: user, ExpiresAt: exp}, exp.Add(24 * time.Hour)}},
		},
		"token that never ends": {
			auth.TokenRef{ID: "a", User: user},
			[]writtenCall{{auth.TokenRef{ID: "a", User: user}, time.Time{}}},
		},
		// A refresh may have brought forth a token that outlives this one.
		"token of a session": {
			auth.TokenRef{ID: "a", SessionID: "s", User: user, ExpiresAt: exp},
			[]writtenCall{
				{auth.TokenRef{ID: "a", User: user, ExpiresAt: exp}, exp.Add(24 * time.Hour)},
				{auth.TokenRef{SessionID: "s", User: user}, time.Time{}},
			},
		},
		"session": {
			auth.TokenRef{SessionID: "s", User: user},
			[]writtenCall{{auth.TokenRef{SessionID: "s", User: user}, time.Time{}}},
		},
	} {
		w := new(written)
		if err := auth.RevokeIn(t.Context(), w, c.token, 30*time.Second); err != nil {
			t.Fatal(err)
		}
		if len(w.calls) != len(c.want) {
			t.Fatalf("%s: %+v", name, w.calls)
		}
		for _, want := range c.want {
			if !slices.Contains(w.calls, want) {
				t.Errorf("%s: no call %+v among %+v", name, want, w.calls)
			}
		}
	}
}

// A token that was accepted a moment ago is revoked even if it has ended
// meanwhile: stores refuse an end in the past.
func TestRevokeInNeverAsksForAnEndInThePast(t *testing.T) {
	t.Parallel()
	w := new(written)
	if err := auth.RevokeIn(t.Context(), w, auth.TokenRef{ID: "a", ExpiresAt: time.Now().Add(-time.Hour)}, time.Second); err != nil {
		t.Fatal(err)
	}
	if until := w.calls[0].until; !until.After(time.Now()) {
		t.Errorf("until %s", until)
	}
}

func TestRevokeInSaysThatItFailed(t *testing.T) {
	t.Parallel()
	w := &written{fail: errors.New("down")}
	for _, token := range []auth.TokenRef{{ID: "a"}, {SessionID: "s"}, {ID: "a", SessionID: "s"}, {}} {
		if err := auth.RevokeIn(t.Context(), w, token, 0); !errors.Is(err, w.fail) {
			t.Errorf("%+v: %v", token, err)
		}
	}
}
