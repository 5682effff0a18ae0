// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// followedSet is a block whose file is looked at when the test says so, at a
// time when the file's last change is long ago.
type followedSet struct {
	*JWT
	source *jwksFile
	path   string
	logs   *observer.ObservedLogs
}

func followSet(t *testing.T, name, content string) *followedSet {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	f := &followedSet{JWT: &JWT{}, path: filepath.Join(t.TempDir(), "keys.json"), logs: logs}
	f.write(t, f.path, content)
	if name == "" {
		name = f.path
	}
	f.source = newJWKSFile(name, f.path, keyRules{}, zap.New(core))
	f.source.file.Clock = clock.Func(func() time.Time { return time.Now().Add(time.Minute) })
	if err := f.keys.open([]keySource{f.source}); err != nil {
		t.Fatal(err)
	}
	f.names = newClaimNames("sub", nil, nil, nil, nil)
	f.limits.leeway = defaultLeeway
	f.clock = clock.Fixed(testNow)
	return f
}

func (f *followedSet) look() {
	f.source.check(func(ks []*key) { f.keys.publish(0, ks) })
}

// write writes a file whose time of change is always the same.
func (*followedSet) write(t *testing.T, path, content string) {
	t.Helper()
	stamp := time.Now().Add(-time.Hour).Truncate(time.Hour)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, stamp, stamp); err != nil {
		t.Fatal(err)
	}
}

// Attack: a key that was withdrawn stays in force, because the file without it
// has the size and the time of the one before, as cp -p, rsync -t and Nix write.
func TestOtherJWKSFileOfTheSameSizeAndTimeIsRead(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	f := followSet(t, "", setOfRSA("a", keys.rsa))
	former := joined(t, `{"alg":"RS256","kid":"a"}`, validPayload, with(algRS256, keys.rsa))
	next := joined(t, `{"alg":"RS256","kid":"b"}`, validPayload, with(algRS256, keys.otherRSA))
	f.look()
	wantAccepted(t, f.JWT, former) // control
	f.write(t, f.path+".new", setOfRSA("b", keys.otherRSA))
	if err := os.Rename(f.path+".new", f.path); err != nil {
		t.Fatal(err)
	}
	f.look()
	wantRefused(t, f.JWT, former, auth.ReasonUnknownKey)
	wantAccepted(t, f.JWT, next)
}

// A file that cannot be read for a while is read as soon as it can, even if
// nothing about it tells that this changed.
func TestJWKSFileThatCouldNotBeReadIsReadAtTheNextLook(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	f := followSet(t, "", setOfRSA("a", keys.rsa))
	next := joined(t, `{"alg":"RS256","kid":"b"}`, validPayload, with(algRS256, keys.otherRSA))
	f.write(t, f.path, setOfRSA("b", keys.otherRSA)+"\n")
	limit := f.source.file.Limit
	f.source.file.Limit = 1 // the file itself stays as it is
	for range 3 {
		f.look()
		wantRefused(t, f.JWT, next, auth.ReasonUnknownKey)
	}
	if f.logs.Len() != 1 {
		t.Errorf("%d warnings", f.logs.Len())
	}
	f.source.file.Limit = limit
	f.look()
	wantAccepted(t, f.JWT, next)
	if f.logs.Len() != 1 {
		t.Errorf("%d warnings", f.logs.Len())
	}
}

// Attack: whoever reads the log. Where a variable holds the keys themselves
// instead of the path of their file, no error quotes it.
func TestPathOfAVariableIsNotShown(t *testing.T) { // not parallel: it sets the environment
	const hidden = `{"keys":[{"kty":"oct","k":"aHVudGVyMg"}]}`
	t.Setenv("CADDYBOLT_TEST_SET", hidden)
	for _, j := range []*JWT{
		{JWKSFile: "{env.CADDYBOLT_TEST_SET}"},
		{Secret: secretRef, Public: []string{"./{env.CADDYBOLT_TEST_SET}"}},
	} {
		err := load(t, j)
		if err == nil || !strings.Contains(err.Error(), "{env.CADDYBOLT_TEST_SET}") || strings.Contains(err.Error(), "aHVu") {
			t.Errorf("error is %v", err)
		}
	}
	const name = "{env.CADDYBOLT_TEST_SET}"
	f := followSet(t, name, setOfRSA("a", testKeys().rsa))
	for _, content := range []string{`{"keys":`, ``, `{"keys":[{"kty":"EC","use":"enc"},` + setOfRSA("b", testKeys().rsa)[len(`{"keys":[`):]} {
		f.write(t, f.path, content)
		f.look()
	}
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	f.look()
	if f.logs.Len() != 4 {
		t.Errorf("%d warnings", f.logs.Len())
	}
	for _, entry := range f.logs.All() {
		text := entry.ContextMap()
		if shown, _ := text["error"].(string); strings.Contains(shown, f.path) || text["jwks_file"] == f.path {
			t.Errorf("logged %v", text)
		}
	}
}
