// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	jwxkey "github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddybolt/caddy-bolt/auth"
)

const storedAt = "auth/generated_key.json"

// Nodes that start at the same moment with an empty storage make one key.
func TestFirstKeyIsMadeOnceForAllNodes(t *testing.T) {
	t.Parallel()
	d, h := newDisk(), newHands()
	nodes := make([]*node, 8)
	for i := range nodes {
		nodes[i] = newNode(t, d, h, &JWT{})
	}
	var wg sync.WaitGroup
	for _, n := range nodes {
		wg.Go(func() {
			if err := n.Start(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if d.writes() != 1 {
		t.Errorf("%d keys were written", d.writes())
	}
	for _, n := range nodes {
		wantAccepted(t, nodes[0].JWT, n.mustToken(time.Hour))
	}
	// A name is a place of its own, and so are its keys.
	other := startNode(t, d, h, &JWT{Label: "other"})
	if d.writes() != 2 || d.get("auth/generated_key/other.json") == nil {
		t.Errorf("a block with a name shares the key of those without")
	}
	wantRefused(t, nodes[0].JWT, other.mustToken(time.Hour), auth.ReasonUnknownKey)
}

// Two days in the life of two nodes, and of somebody who keeps the published keys
// for as long as auth_jwks allows: whatever a node signs, everybody accepts at
// once, and until it expires.
func TestRotationRefusesNoValidToken(t *testing.T) {
	t.Parallel()
	d, h := newDisk(), newHands()
	every := rotateOf(5 * time.Hour)
	off := 0
	nodes := []*node{startNode(t, d, h, &JWT{Rotate: every, Cache: &off}), startNode(t, d, h, &JWT{Rotate: every, Cache: &off})}

	type live struct {
		token   string
		expires time.Time
	}
	var tokens []live
	var others jwxkey.Set
	var fetched time.Time
	signed := make(map[string]bool)
	random := rand.New(rand.NewPCG(1, 2))
	lifetimes := []time.Duration{time.Minute, time.Hour, 30 * time.Hour}

	const step = 10 * time.Second
	for i := range int(50 * time.Hour / step) {
		h.move(step)
		now := h.Now()
		nodes[i%2].look() // each every 20 s, which is later than it does
		if i%30 != 0 {
			continue
		}
		if now.Sub(fetched) >= 300*time.Second {
			set, err := nodes[random.IntN(2)].PublicKeys()
			if err != nil {
				t.Fatal(err)
			}
			if others, err = jwxkey.Parse(set); err != nil {
				t.Fatal(err)
			}
			fetched = now.Add(-time.Duration(random.IntN(20)) * time.Second)
		}
		lifetime := lifetimes[random.IntN(len(lifetimes))]
		token := nodes[random.IntN(2)].mustToken(lifetime)
		signed[kidOf(t, token)] = true
		if _, err := jws.Verify([]byte(token), jws.WithKeySet(others)); err != nil {
			t.Fatalf("after %s, who keeps the keys for 5 minutes refuses: %v", now.Sub(testNow), err)
		}
		tokens = append(tokens, live{token, now.Add(lifetime)})
		rest := tokens[:0]
		for _, l := range tokens {
			over := !now.Before(l.expires)
			if !over && random.IntN(20) != 0 && now.Add(30*step).Before(l.expires) {
				rest = append(rest, l)
				continue
			}
			for _, n := range nodes {
				if _, err := n.verify(l.token, n.keys.set(), now); err != nil && !over {
					t.Fatalf("after %s a token that is valid until %s: %v", now.Sub(testNow), l.expires.Sub(testNow), err)
				}
			}
			if !over {
				rest = append(rest, l)
			}
		}
		tokens = rest
	}
	if len(signed) != 10 {
		t.Errorf("%d keys signed within 50 hours, want 10", len(signed))
	}
	if n := len(nodes[0].kids()); n < 5 || n > 12 {
		t.Errorf("%d keys are published in the end", n)
	}
}

// A key is published before it signs, verifies while its tokens live, and takes
// what the cache remembers with it.
func TestLifeOfAGeneratedKey(t *testing.T) {
	t.Parallel()
	d, h := newDisk(), newHands()
	n := startNode(t, d, h, &JWT{Rotate: rotateOf(24 * time.Hour)})
	first := n.kids()[0]
	old := n.mustToken(20 * time.Hour)
	if kidOf(t, old) != first || len(n.kids()) != 1 {
		t.Fatalf("signed with %s of %s", kidOf(t, old), n.kids())
	}

	h.move(24*time.Hour - lead - time.Second)
	n.look()
	if len(n.kids()) != 1 {
		t.Error("the next key was made too early")
	}
	h.move(time.Second)
	n.look()
	if len(n.kids()) != 2 || kidOf(t, n.mustToken(time.Hour)) != first {
		t.Errorf("the next key is not published, or signs already: %s", n.kids())
	}
	h.move(lead)
	second := n.kids()[1]
	if kidOf(t, n.mustToken(time.Hour)) != second {
		t.Error("the next key does not sign")
	}

	// The token lives on as long as it said, from the cache and without it.
	old = mustSign(t, n, first, 20*time.Hour)
	h.move(19 * time.Hour)
	wantAccepted(t, n.JWT, old)
	held := n.keys.set()

	h.move(6 * time.Hour) // a day and an hour after the end of the key
	n.look()
	if slices.Contains(n.kids(), first) {
		t.Error("a key that nobody needs is published")
	}
	if n.keys.set() == held {
		t.Error("the key is still in force")
	}
	// With the clock turned back the token is good in itself: what refuses it is
	// that its key is gone, for the cache, too.
	h.move(-6 * time.Hour)
	wantRefused(t, n.JWT, old, auth.ReasonUnknownKey)
}

// mustSign signs with a key that need not be the one whose turn it is.
func mustSign(t *testing.T, n *node, kid string, lifetime time.Duration) string {
	t.Helper()
	signing := n.generated.signing[kid]
	if signing == nil {
		t.Fatal("no such key")
	}
	signed := signing.header + encode(fmt.Appendf(nil, `{"sub":"alice","exp":%d}`, n.clock.Now().Add(lifetime).Unix()))
	signature, err := signing.sign(signed)
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + encode(signature)
}

// Tokens that are valid for longer than a day keep their key for longer, on every
// node, over a restart too; the storage is told once, not for each token.
func TestLongTokensKeepTheirKey(t *testing.T) {
	t.Parallel()
	d, h := newDisk(), newHands()
	n := startNode(t, d, h, &JWT{Rotate: rotateOf(24 * time.Hour)})
	token := n.mustToken(90 * 24 * time.Hour)
	before := d.writes()
	for range 50 {
		n.mustToken(90*24*time.Hour - time.Minute)
		n.mustToken(time.Hour)
	}
	if d.writes() != before || before != 2 {
		t.Errorf("%d writes, and then %d", before, d.writes())
	}
	h.move(24 * time.Hour)
	n.look()
	h.move(80 * 24 * time.Hour)
	n = startNode(t, d, h, &JWT{Rotate: rotateOf(24 * time.Hour)})
	wantAccepted(t, n.JWT, token)
	for range 20 {
		h.move(24 * time.Hour)
		n.look()
	}
	if slices.Contains(n.kids(), kidOf(t, token)) {
		t.Error("the key outlives its tokens by days")
	}
}

// What a node signs while it cannot reach the storage is accepted by those who
// can, or it signs nothing.
func TestNodeWithoutStorageSignsOnlyWhatOthersAccept(t *testing.T) {
	t.Parallel()
	d, h := newDisk(), newHands()
	connected := startNode(t, d, h, &JWT{Rotate: rotateOf(12 * time.Hour)})
	cut := startNode(t, d, h, &JWT{Rotate: rotateOf(12 * time.Hour)})
	cut.mount.set(true, true)
	refused, accepted := 0, 0
	var last time.Time
	for range 60 {
		h.move(time.Hour)
		connected.look()
		cut.look()
		token, err := cut.token(6 * time.Hour)
		if err != nil {
			refused++
			continue
		}
		accepted++
		last = h.Now()
		h.move(6*time.Hour - time.Second)
		wantAccepted(t, connected.JWT, token)
		h.move(-6*time.Hour + time.Second)
	}
	if accepted < 12 || refused < 12 || last.Sub(testNow) > slack {
		t.Errorf("%d tokens were signed, %d refused, the last after %s", accepted, refused, last.Sub(testNow))
	}
	if len(cut.kids()) == 0 {
		t.Error("what it knows is no longer published")
	}

	// A flood of those who want a token does not ask the storage each time.
	before := cut.times()
	for range 100 {
		if _, err := cut.token(6 * time.Hour); err == nil {
			t.Fatal("signed")
		}
	}
	if asked := cut.times() - before; asked > 2 {
		t.Errorf("the storage was asked %d times", asked)
	}

	cut.mount.set(false, false)
	h.move(failPause)
	cut.look()
	wantAccepted(t, connected.JWT, cut.mustToken(6*time.Hour))
}

// A storage that cannot be written to, or whose lock is held, stops the rotation
// and nothing else.
func TestStorageThatCannotBeWrittenStopsTheRotationAlone(t *testing.T) {
	t.Parallel()
	d, h := newDisk(), newHands()
	n := startNode(t, d, h, &JWT{Rotate: rotateOf(24 * time.Hour)})
	n.mount.set(false, true)
	for range 60 {
		h.move(24 * time.Hour)
		n.look()
		wantAccepted(t, n.JWT, n.mustToken(time.Hour))
	}
	if len(n.kids()) != 1 || d.writes() != 1 {
		t.Errorf("keys %s after %d writes", n.kids(), d.writes())
	}
	if status := n.KeyStatus(); len(status) != 1 || !strings.Contains(status[0].LastError, errDisk.Error()) || status[0].Keys != 1 {
		t.Errorf("status %+v", status)
	}
	n.mount.set(false, false)
	n.look()
	if len(n.kids()) != 2 || n.KeyStatus()[0].LastError != "" {
		t.Errorf("keys %s, status %+v", n.kids(), n.KeyStatus())
	}
}

// Before the keys are read nobody is let in, and nobody is refused for good.
func TestBeforeTheStartItIsUndecided(t *testing.T) {
	t.Parallel()
	d, h := newDisk(), newHands()
	token := startNode(t, d, h, &JWT{}).mustToken(time.Hour)
	n := newNode(t, d, h, &JWT{})
	if n.times() != 0 {
		t.Errorf("loading the configuration asked the storage %d times", n.times())
	}
	if err := n.CanSign(); err != nil {
		t.Error(err)
	}
	id, err := n.Authenticate(bearer(token))
	if id != nil || auth.ReasonOf(err) != auth.ReasonKeysUnavailable {
		t.Errorf("%v, %v", id, err)
	}
	if set, err := n.PublicKeys(); set != nil || err == nil {
		t.Errorf("published %s", set)
	}
	if token, err := n.token(time.Hour); token != "" || err == nil {
		t.Errorf("signed %s", token)
	}
	wantRefused(t, n.JWT, hs256(t, validPayload), auth.ReasonUnsupportedAlgorithm)
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Authenticate(bearer(token)); err != nil {
		t.Error(err)
	}
}

// Who only looks makes no key, rotates none and leaves no lock.
func TestLookingWritesNothing(t *testing.T) {
	t.Parallel()
	d, h := newDisk(), newHands()
	curious := newNode(t, d, h, &JWT{Rotate: rotateOf(time.Hour)})
	if err := curious.Look(t.Context()); err == nil || !strings.Contains(err.Error(), `generated_key: storage: "`+storedAt+`" is not there`) {
		t.Errorf("without a key: %v", err)
	}
	token := startNode(t, d, h, &JWT{}).mustToken(20 * time.Hour)
	h.move(10 * time.Hour) // the rotation of the curious is due
	curious.mount.set(false, true)
	before := d.writes()
	if err := curious.Look(t.Context()); err != nil {
		t.Error(err)
	}
	wantAccepted(t, curious.JWT, token)
	wantAccepted(t, curious.JWT, curious.mustToken(20*time.Hour))
	if token, err := curious.token(48 * time.Hour); token != "" || err == nil || !strings.Contains(err.Error(), "is for a running Caddy to make") {
		t.Errorf("%q, %v", token, err)
	}
	if d.writes() != before {
		t.Error("it wrote")
	}
	curious.mount.set(true, true)
	if err := curious.Look(t.Context()); !strings.Contains(fmt.Sprint(err), errDisk.Error()) {
		t.Errorf("without a storage: %v", err)
	}
}

// A reload has the keys before it starts, and the cache is still good.
func TestReloadKeepsTheGeneratedKey(t *testing.T) {
	t.Parallel()
	d, h := newDisk(), newHands()
	n := startNode(t, d, h, &JWT{})
	token := n.mustToken(time.Hour)
	wantAccepted(t, n.JWT, token)
	next := &JWT{Generated: true, storage: n.mount}
	if err := load(t, next); err != nil {
		t.Fatal(err)
	}
	next.clock = n.clock
	if next.generated.generated != n.generated.generated || next.keys.set().identity != n.keys.set().identity || next.cache != n.cache {
		t.Error("the reload begins anew")
	}
	wantAccepted(t, next, token)
	if signed, err := next.Sign(t.Context(), []byte(validPayload)); err != nil {
		t.Error(err)
	} else {
		wantAccepted(t, n.JWT, signed)
	}
}

// The shortest rotation of all blocks of a name counts, and "off" asks for none.
func TestShortestRotationCounts(t *testing.T) {
	t.Parallel()
	d, h := newDisk(), newHands()
	n := startNode(t, d, h, &JWT{Rotate: rotateOf(0)})
	h.move(1000 * 24 * time.Hour)
	n.look()
	if len(n.kids()) != 1 {
		t.Errorf("rotated although it is off: %s", n.kids())
	}
	other := &JWT{Generated: true, storage: n.mount, Rotate: rotateOf(48 * time.Hour)}
	if err := load(t, other); err != nil {
		t.Fatal(err)
	}
	n.look()
	if len(n.kids()) != 2 {
		t.Errorf("not rotated: %s", n.kids())
	}
}

// Tokens that are valid for a year, rotated every hour, must not make the
// document and the published set grow without end.
func TestNumberOfKeysIsBounded(t *testing.T) {
	t.Parallel()
	d, h := newDisk(), newHands()
	n := startNode(t, d, h, &JWT{Rotate: rotateOf(time.Hour)})
	first := n.mustToken(365 * 24 * time.Hour)
	for range 80 {
		h.move(time.Hour)
		n.look()
		n.mustToken(365 * 24 * time.Hour)
	}
	if len(n.kids()) != maxGenerated {
		t.Errorf("%d keys", len(n.kids()))
	}
	wantAccepted(t, n.JWT, first)
	wantAccepted(t, n.JWT, n.mustToken(time.Hour))
}

func TestTokenOfAGeneratedKeyEndsSometime(t *testing.T) {
	t.Parallel()
	n := startNode(t, newDisk(), newHands(), &JWT{})
	for payload, want := range map[string]string{
		`{"sub":"a"}`:                           `has an "exp"`,
		`{"sub":"a","exp":"1700003600"}`:        `has an "exp"`,
		`{"sub":"a","exp":9999999999}`:          `more than 400 days ahead`,
		`{"sub":"a","exp":1e300}`:               `more than 400 days ahead`,
		`{"sub":"a","exp":1700003600,"exp":1}`:  `payload`,
		`{"sub":"a","exp.a":1,"exp":{"a":170}}`: `has an "exp"`,
	} {
		if token, err := n.Sign(t.Context(), []byte(payload)); token != "" || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v", payload, token, err)
		}
	}
	if _, err := n.Sign(t.Context(), []byte(`{"sub":"a","exp":1734500000}`)); err != nil {
		t.Error(err)
	}
}

// Nothing that is published, shown or logged holds the private key; it is what
// the document holds.
func TestPrivateKeyStaysInTheStorage(t *testing.T) {
	t.Parallel()
	d, h := newDisk(), newHands()
	private := &JWT{Private: writeFile(t, privatePEM(t, keyFor(t, algES384)))}
	n := startNode(t, d, h, private)
	set, err := n.PublicKeys()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jwxkey.Parse(set)
	if err != nil || parsed.Len() != 2 {
		t.Fatalf("the former key is not published beside the generated one: %s, %v", set, err)
	}
	k := n.generated.generated.current.Load().keys[0]
	scalar, err := k.private.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	config, _ := json.Marshal(n.JWT)
	for what, text := range map[string]string{
		"set": string(set), "status": fmt.Sprintf("%+v", n.KeyStatus()), "configuration": string(config),
	} {
		if strings.Contains(text, encode(scalar)) || strings.Contains(text, `"d"`) || strings.Contains(text, "PRIVATE") {
			t.Errorf("%s: %s", what, text)
		}
	}
	if !bytes.Contains(d.get(storedAt), []byte("PRIVATE KEY")) {
		t.Error("the document has no key")
	}
	// It signs before the private key, and another implementation verifies it.
	token := n.mustToken(time.Hour)
	if kidOf(t, token) != k.kid {
		t.Error("the private key signs")
	}
	if _, err := jws.Verify([]byte(token), jws.WithKey(jwa.ES256, k.private.Public())); err != nil {
		t.Error(err)
	}
}

// Attack: somebody saw the key, and its entry was deleted. A running node must say
// what makes a new key, and the next start makes one, in the same process too. The
// control: a first start is no failure.
func TestRemovedKeyIsToldAndMadeAnewByAStart(t *testing.T) {
	t.Parallel()
	d, h := newDisk(), newHands()
	n := startNode(t, d, h, &JWT{})
	if s := n.KeyStatus()[0]; s.Failures != 0 || s.LastError != "" || s.Keys != 1 {
		t.Errorf("after a first start: %+v", s)
	}
	core, logs := observer.New(zap.InfoLevel)
	n.generated.generated.logger = func() *zap.Logger { return zap.New(core) }
	seen := n.mustToken(time.Hour)

	d.remove(storedAt)
	n.look()
	n.look()
	const want = `storage: "` + storedAt + `" was removed; restart or reload with --force to make a new key`
	if warned := logs.FilterLevelExact(zap.WarnLevel).All(); len(warned) != 1 || warned[0].ContextMap()["error"] != want {
		t.Errorf("logged %+v", logs.All())
	}
	if s := n.KeyStatus()[0]; s.LastError != want || s.Failures != 2 {
		t.Errorf("status %+v", s)
	}
	if d.get(storedAt) != nil {
		t.Error("a running node made a key")
	}
	if _, err := n.token(48 * time.Hour); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a token that the storage has to be told of: %v", err)
	}

	next := &JWT{Generated: true, storage: n.mount}
	if err := load(t, next); err != nil {
		t.Fatal(err)
	}
	next.clock = n.clock
	if err := next.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, next, seen, auth.ReasonUnknownKey)
	wantRefused(t, n.JWT, seen, auth.ReasonUnknownKey)
	wantAccepted(t, next, n.mustToken(time.Hour))
	if s := n.KeyStatus()[0]; s.LastError != "" {
		t.Errorf("status %+v", s)
	}
}
