// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"crypto/rsa"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// setOfRSA is a JWK set of one key.
func setOfRSA(kid string, private *rsa.PrivateKey) string {
	return `{"keys":[{"kty":"RSA","kid":"` + kid + `","n":"` + encode(private.N.Bytes()) + `","e":"AQAB"}]}`
}

// A key that was taken out of the file verifies nothing any more; a file that
// cannot be used changes nothing.
func TestJWKSFileIsReadAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	path := filepath.Join(t.TempDir(), "keys.json")
	write := func(text string) {
		t.Helper()
		temporary := path + ".new"
		if err := os.WriteFile(temporary, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(temporary, path); err != nil {
			t.Fatal(err)
		}
	}
	write(setOfRSA("a", keys.rsa))

	core, logs := observer.New(zap.DebugLevel)
	j := &JWT{JWKSFile: path}
	source := newJWKSFile(path, path, keyRules{}, zap.New(core))
	sources := []keySource{source}
	if err := j.keys.open(sources); err != nil {
		t.Fatal(err)
	}
	publish := func(ks []*key) { j.keys.publish(0, ks) } // as watch does
	j.names = newClaimNames("sub", nil, nil, nil, nil)
	j.limits.leeway = defaultLeeway
	j.clock = clock.Fixed(testNow)

	former := joined(t, `{"alg":"RS256","kid":"a"}`, validPayload, with(algRS256, keys.rsa))
	next := joined(t, `{"alg":"RS256","kid":"b"}`, validPayload, with(algRS256, keys.otherRSA))
	wantAccepted(t, j, former)
	wantRefused(t, j, next, auth.ReasonUnknownKey)

	for name, text := range map[string]string{"half written": `{"keys":[`, "empty": ``, "no keys": `{"keys":[]}`, "unusable": `{"keys":[{"kty":"AKP"}]}`} {
		write(text)
		source.check(publish)
		if logs.FilterLevelExact(zap.WarnLevel).Len() != 1 {
			t.Errorf("%s: %d warnings", name, logs.Len())
		}
		source.check(publish)
		if logs.Len() != 1 {
			t.Errorf("%s: the same trouble is logged again", name)
		}
		logs.TakeAll()
		wantAccepted(t, j, former)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	source.check(publish)
	wantAccepted(t, j, former)
	logs.TakeAll()

	write(setOfRSA("b", keys.otherRSA))
	source.check(publish)
	wantRefused(t, j, former, auth.ReasonUnknownKey)
	wantAccepted(t, j, next)
	before := j.keys.set()
	source.check(publish)
	if j.keys.set() != before {
		t.Error("a file that did not change is read again")
	}
	if logs.Len() != 0 {
		t.Errorf("a good change is logged: %v", logs.All())
	}
}

// The whole way, with the watcher that Provision starts.
func TestProvisionedBlockFollowsItsJWKSFile(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	path := writeFile(t, setOfRSA("a", keys.rsa))
	ticks := make(chan time.Time)
	j := &JWT{JWKSFile: path, Secret: secretRef, ticks: ticks}
	ctx, cancel := caddy.NewContext(newContext(t, ""))
	if err := j.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	defer cleanUp(t, j)
	j.clock = clock.Fixed(testNow)
	next := joined(t, `{"alg":"RS256","kid":"b"}`, validPayload, with(algRS256, keys.otherRSA))
	wantRefused(t, j, next, auth.ReasonUnknownKey)
	if err := os.WriteFile(path, []byte(setOfRSA("b", keys.otherRSA)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ticks <- testNow
	ticks <- testNow // once this is taken, the first was dealt with
	wantAccepted(t, j, next)
	wantAccepted(t, j, hs256(t, validPayload)) // the other source is still there

	// The watcher ends with the configuration.
	cancel()
	for ended := false; !ended; {
		select {
		case ticks <- testNow: // it had not noticed yet
		case <-time.After(50 * time.Millisecond):
			ended = true
		}
	}
}

// Requests read while sources publish.
func TestKeysMayChangeUnderRequests(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	j := mustLoad(t, &JWT{Secret: secretRef})
	token := hs256(t, validPayload)
	rules := keyRules{}
	other, err := rules.newPublicKey(keys.rsa.Public(), "x", 0)
	if err != nil {
		t.Fatal(err)
	}
	static := j.keys.parts[0]
	var requests sync.WaitGroup
	for range 4 {
		requests.Go(func() {
			for range 200 {
				if _, err := j.judge(token, testNow); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 200 {
		j.keys.publish(0, append(static[:1:1], []*key{other}[:i%2]...))
	}
	requests.Wait()
}

func TestUnusableKeysOfASetAreNamedInTheLog(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.WarnLevel)
	path := writeFile(t, `{"keys":[{"kty":"EC","use":"enc"},`+setOfRSA("a", testKeys().rsa)[len(`{"keys":[`):])
	source := newJWKSFile(path, path, keyRules{}, zap.New(core))
	if _, err := source.load(); err != nil {
		t.Fatal(err)
	}
	entries := logs.All()
	if len(entries) != 1 || entries[0].ContextMap()["index"] != int64(0) || entries[0].ContextMap()["error"] != `its "use" is not "sig"` {
		t.Errorf("log %v", entries)
	}
}
