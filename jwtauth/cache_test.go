// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// cacheOf returns the option.
func cacheOf(tokens int) *int { return &tokens }

// isRemembered reports whether the block would not verify the token again.
func isRemembered(j *JWT, token string) bool {
	return j.cache != nil && j.cache.get(token, &j.keys.set().identity) != nil
}

func TestTokenSeenBeforeIsTheSameIdentity(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Label: t.Name(), Secret: secretRef})
	token := hs256(t, validPayload)
	first, err := j.Authenticate(bearer(token))
	if err != nil {
		t.Fatal(err)
	}
	second, err := j.Authenticate(bearer(token))
	if err != nil || first != second {
		t.Errorf("%p and %p, error %v", first, second, err)
	}

	off := mustLoad(t, &JWT{Label: t.Name(), Secret: secretRef, Cache: cacheOf(0)})
	wantAccepted(t, off, token)
	if off.cache != nil || isRemembered(off, token) {
		t.Error("a cache that is off remembers")
	}
}

// Attack: a token that was accepted once is presented again after its time, or
// before it by a clock that was set back.
func TestTimeIsAskedOfRememberedTokensToo(t *testing.T) {
	t.Parallel()
	none := caddy.Duration(0)
	for name, c := range map[string]struct {
		payload string
		maxAge  time.Duration
		later   time.Duration
		reason  auth.Reason
	}{
		"expired":         {`{"sub":"a","exp":1700000010}`, 0, 10 * time.Second, auth.ReasonTokenExpired},
		"too old":         {`{"sub":"a","exp":1800000000,"iat":1699999990}`, time.Minute, 50 * time.Second, auth.ReasonTokenExpired},
		"before its nbf":  {`{"sub":"a","exp":1800000000,"nbf":1700000000}`, 0, -time.Second, auth.ReasonTokenNotYetValid},
		"before its iat":  {`{"sub":"a","exp":1800000000,"iat":1700000000}`, 0, -time.Second, auth.ReasonTokenNotYetValid},
		"a fraction late": {`{"sub":"a","exp":1700000010.5}`, 0, 10*time.Second + 500*time.Millisecond, auth.ReasonTokenExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := mustLoad(t, &JWT{Label: t.Name(), Secret: secretRef, Leeway: &none, MaxAge: caddy.Duration(c.maxAge)})
			token := hs256(t, c.payload)
			wantAccepted(t, j, token)
			if c.later > 0 {
				j.clock = clock.Fixed(testNow.Add(c.later - time.Nanosecond))
				wantAccepted(t, j, token)
			}
			if !isRemembered(j, token) {
				t.Fatal("not remembered: the test shows nothing")
			}
			j.clock = clock.Fixed(testNow.Add(c.later))
			id, err := j.Authenticate(bearer(token))
			if id != nil || auth.ReasonOf(err) != c.reason || auth.CandidateOf(err) != "a" {
				t.Errorf("identity %v, error %v", id, err)
			}
			if isRemembered(j, token) {
				t.Error("an expired token is still remembered")
			}
			wantRefused(t, j, token, c.reason)
		})
	}
}

// Attack: a cache that remembers what was refused, or remembers a refusal past
// the moment that ends it.
func TestNothingRefusedIsRemembered(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Label: t.Name(), Secret: secretRef, Issuers: []string{"id"}})
	forged := joined(t, `{"alg":"HS256"}`, `{"iss":"id","sub":"a","exp":1700003600}`, hs(algHS256, "another secret of thirty-two bytes"))
	early := hs256(t, `{"iss":"id","sub":"a","exp":1800000000,"nbf":1700000100}`)
	wantRefused(t, j, forged, auth.ReasonBadSignature)
	wantRefused(t, j, early, auth.ReasonTokenNotYetValid)
	wantRefused(t, j, hs256(t, `{"iss":"other","sub":"a","exp":1700003600}`), auth.ReasonWrongIssuer)
	if n := j.cache.len(); n != 0 {
		t.Fatalf("%d entries", n)
	}
	j.clock = clock.Fixed(testNow.Add(100 * time.Second))
	wantAccepted(t, j, early)
}

// Attack: a forged token that ends like a remembered one, or is a remembered
// one but for a byte.
func TestRememberedTokenIsComparedWhole(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Label: t.Name(), Secret: secretRef})
	token := hs256(t, validPayload)
	wantAccepted(t, j, token)
	forged := encode([]byte(`{"alg":"HS256"}`)) + "." + encode([]byte(`{"sub":"root","exp":1700003600}`)) + token[strings.LastIndexByte(token, '.'):]
	if tail, _ := j.cache.tail(forged); j.cache.shard(tail).get(tail) == nil {
		t.Fatal("the forged token does not end alike: the test shows nothing")
	}
	wantRefused(t, j, forged, auth.ReasonBadSignature)
	for i := range token {
		changed := []byte(token)
		changed[i] ^= 1
		if isRemembered(j, string(changed)) {
			t.Fatalf("remembered with byte %d changed", i)
		}
	}
	if !isRemembered(j, token) || isRemembered(j, "") || isRemembered(j, "short") {
		t.Error("what is remembered is something else")
	}
}

// Attack: two blocks with one memory, of which one is stricter (published
// advisories against gateways).
func TestBlocksDoNotShareWhatTheyRemember(t *testing.T) {
	t.Parallel()
	token := hs256(t, `{"sub":"a","exp":1700003600,"aud":"one","is_staff":true,"name":"b"}`)
	lax := mustLoad(t, &JWT{Label: t.Name(), Secret: secretRef})
	wantAccepted(t, lax, token)
	for name, c := range map[string]struct {
		jwt    *JWT
		reason auth.Reason
	}{
		"audience":      {&JWT{Label: t.Name(), Secret: secretRef, Audiences: []string{"two"}}, auth.ReasonWrongAudience},
		"issuer":        {&JWT{Label: t.Name(), Secret: secretRef, Issuers: []string{"id"}}, auth.ReasonWrongIssuer},
		"another key":   {&JWT{Label: t.Name(), Secret: "{env.CADDYBOLT_TEST_SECRET}x"}, auth.ReasonBadSignature},
		"required":      {&JWT{Label: t.Name(), Secret: secretRef, RequireClaims: []string{"tenant"}}, auth.ReasonMissingClaim},
		"other users":   {&JWT{Label: t.Name(), Secret: secretRef, UserClaim: "name"}, ""},
		"another type":  {&JWT{Label: t.Name(), Secret: secretRef, Type: "at+jwt"}, auth.ReasonWrongType},
		"another limit": {&JWT{Label: t.Name(), Secret: secretRef, MaxAge: caddy.Duration(time.Hour)}, auth.ReasonMissingClaim},
	} {
		strict := mustLoad(t, c.jwt)
		if isRemembered(strict, token) {
			t.Errorf("%s: remembered", name)
		}
		if c.reason != "" {
			wantRefused(t, strict, token, c.reason)
		} else if id := wantAccepted(t, strict, token); id.ID != "b" {
			t.Errorf("%s: identity %+v", name, id)
		}
	}
	// Two that are alike in everything are one.
	if twin := mustLoad(t, &JWT{Label: t.Name(), Secret: secretRef}); !isRemembered(twin, token) {
		t.Error("control: an equal block does not remember")
	}
	// The same storage, another identity: an entry counts for one only.
	c := newTokenCache(10)
	one, two := [32]byte{1}, [32]byte{2}
	c.put(token, &one, &auth.Identity{ID: "a"}, time.Time{}, 0)
	if c.get(token, &one) == nil || c.get(token, &two) != nil {
		t.Error("an entry counts for another authenticator")
	}
}

// provisioned returns a block of its own configuration, as a reload makes it.
func provisioned(t *testing.T, j *JWT) *JWT {
	t.Helper()
	if err := j.Provision(newContext(t, "")); err != nil {
		t.Fatal(err)
	}
	j.clock = clock.Fixed(testNow)
	return j
}

func cleanUp(t *testing.T, j *JWT) {
	t.Helper()
	if err := j.Cleanup(); err != nil {
		t.Fatal(err)
	}
}

// Caddy provisions the new configuration before it cleans up the old one.
func TestReloadKeepsTheCacheOfABlockThatDidNotChange(t *testing.T) {
	t.Parallel()
	token := hs256(t, validPayload)
	config := func() *JWT { return &JWT{Label: t.Name(), Secret: secretRef} }
	first := provisioned(t, config())
	wantAccepted(t, first, token)

	second := provisioned(t, config())
	cleanUp(t, first)
	if !isRemembered(second, token) {
		t.Error("a reload that changed nothing forgot")
	}

	// A reload that is rejected is cleaned up, and changes nothing.
	rejected := provisioned(t, config())
	cleanUp(t, rejected)
	broken := &JWT{Label: t.Name(), Secret: secretRef, Algorithms: []string{"RS256"}}
	if err := broken.Provision(newContext(t, "")); err == nil {
		t.Fatal("the broken configuration loads")
	}
	cleanUp(t, broken)
	if !isRemembered(second, token) {
		t.Error("a rejected reload forgot")
	}

	// One that changes an option starts anew.
	changed := config()
	changed.Audiences = []string{"my-app"}
	third := provisioned(t, changed)
	cleanUp(t, second)
	if third.cache.len() != 0 {
		t.Error("a changed block remembers")
	}
	cleanUp(t, third)

	// Nothing is left once nobody uses it.
	last := provisioned(t, config())
	if last.cache.len() != 0 {
		t.Error("a cache outlived its users")
	}
	cleanUp(t, last)
}

func TestReloadForgetsWhenTheKeyChanged(t *testing.T) {
	token := hs256(t, validPayload)
	t.Setenv("CADDYBOLT_RELOADED_SECRET", testSecret)
	config := func() *JWT { return &JWT{Label: t.Name(), Secret: "{env.CADDYBOLT_RELOADED_SECRET}"} }
	first := provisioned(t, config())
	wantAccepted(t, first, token)
	t.Setenv("CADDYBOLT_RELOADED_SECRET", testSecret+"x")
	second := provisioned(t, config())
	wantRefused(t, second, token, auth.ReasonBadSignature)
	wantAccepted(t, first, token) // its requests are still being served
	cleanUp(t, first)
	cleanUp(t, second)
}

// Attack: a key was taken out of the set because it leaked; a token that was
// accepted with it is remembered.
func TestRememberedTokenEndsWithItsKey(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	path := writeFile(t, setOfRSA("a", keys.rsa))
	config := func() *JWT { return &JWT{Label: t.Name(), JWKSFile: path} }
	j := provisioned(t, config())
	defer cleanUp(t, j)
	token := joined(t, `{"alg":"RS256","kid":"a"}`, validPayload, with(algRS256, keys.rsa))
	wantAccepted(t, j, token)

	rules := keyRules{}
	next, _, err := rules.parseJWKS([]byte(setOfRSA("b", keys.otherRSA)))
	if err != nil {
		t.Fatal(err)
	}
	former := j.keys.set()
	j.keys.publish(1, next)
	if j.cache.len() != 0 {
		t.Error("the cache is not emptied")
	}
	wantRefused(t, j, token, auth.ReasonUnknownKey)

	// A verification that began with the former keys and ends now.
	id, err := j.verify(token, former, testNow)
	if err != nil || id == nil || j.cache.len() != 1 {
		t.Fatalf("%v, %v: the test shows nothing", id, err)
	}
	wantRefused(t, j, token, auth.ReasonUnknownKey)

	// A second block of the same configuration, with the keys of the file.
	again := provisioned(t, config())
	defer cleanUp(t, again)
	if again.cache.tokenCache != j.cache.tokenCache {
		t.Error("the cache is pooled by keys that come and go")
	}
	wantAccepted(t, again, token)
	wantRefused(t, j, token, auth.ReasonUnknownKey)
}

// identityOf returns an identity such as a token of 1 KB makes.
func identityOf(i int) *auth.Identity {
	text := strings.Repeat("x", 60) + strconv.Itoa(i)
	return &auth.Identity{ID: text, TokenID: text, ExpiresAt: testNow, Claims: auth.TrustedClaims(make([]byte, 700))}
}

// tokenText returns a text that ends like a signature.
func tokenText(random *rand.Rand, length int) string {
	text := make([]byte, length)
	for i := range text {
		text[i] = byte('a' + random.IntN(26))
	}
	return string(text)
}

func TestCacheIsBoundedByEntriesAndBytes(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	identity := [32]byte{1}
	for _, tokens := range []int{1, 2, 10, 500, 10_000} {
		for _, claims := range []int{10, 700, 6000} {
			c := newTokenCache(tokens)
			for i := range 3*tokens + 10 {
				id := identityOf(i)
				id.Claims = auth.TrustedClaims(make([]byte, claims))
				text := tokenText(random, 40)
				c.put(text, &identity, id, time.Time{}, 100)
				if random.IntN(3) == 0 {
					c.get(text, &identity)
				}
			}
			n, bytes := c.len(), c.bytes()
			if n > tokens || bytes > tokens*bytesPerToken {
				t.Errorf("cache of %d with claims of %d bytes: %d entries, %d bytes", tokens, claims, n, bytes)
			}
			if perEntry := claims + 500; n < min(tokens, tokens*bytesPerToken/perEntry)*8/10 && tokens*bytesPerToken > 10*perEntry {
				t.Errorf("cache of %d with claims of %d bytes: only %d entries", tokens, claims, n)
			}
			counted, newcomers := 0, 0
			for i := range c.shards {
				s := &c.shards[i]
				for e := s.first; e != nil; e = e.next {
					counted++
					if s.entries[e.tail] != e {
						t.Fatal("the list holds what the map does not")
					}
				}
				newcomers += len(s.newcomers)
			}
			if counted != n || newcomers > 2*tokens {
				t.Errorf("%d entries in lists, %d in maps, %d newcomers", counted, n, newcomers)
			}
			c.clear()
			if c.len() != 0 || c.bytes() != 0 {
				t.Error("something is left after clearing")
			}
		}
	}
}

// The whole cost in memory of 100,000 distinct tokens of 1 KB: what the heap
// holds, not what was counted.
func TestCacheMemoryIsWhatWasPromised(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	j := mustLoad(t, &JWT{Label: t.Name(), Secret: secretRef})
	payload := func(i int) string {
		return fmt.Sprintf(`{"iss":"https://id.example.com","sub":"user-%d","exp":1700003600,"iat":1700000000,"jti":"5f1f3f9c-5b0e-4f6e-9a57-%012d",`+
			`"permissions":["reports.view","reports.add","reports.change","users.view"],"email":"user-%d@example.com","x":"%s"}`, i, i, i, strings.Repeat("x", 460))
	}
	if n := len(hs256(t, payload(1))); n < 1000 || n > 1100 {
		t.Fatalf("tokens of %d bytes", n)
	}
	heap := func() int {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := heap()
	const fill = 7_000 // all of them fit, as unevenly as the shards may be filled
	for i := range fill {
		if _, err := j.judge(hs256(t, payload(i)), testNow); err != nil {
			t.Fatal(err)
		}
	}
	if n := j.cache.len(); n != fill {
		t.Fatalf("%d entries", n)
	}
	each := float64(heap()-before) / fill
	t.Logf("%.0f bytes for each token of 1 KB, %.0f counted", each, float64(j.cache.bytes())/fill)
	if each > 1.6*1024 {
		t.Errorf("%.0f bytes for each token of 1 KB", each)
	}
	if counted := float64(j.cache.bytes()) / fill; counted < each*0.97 {
		t.Errorf("%.0f bytes are counted of %.0f", counted, each)
	}
	for i := range 100_000 {
		if _, err := j.judge(hs256(t, payload(i)), testNow); err != nil {
			t.Fatal(err)
		}
	}
	if total := heap() - before; total > 20<<20 {
		t.Errorf("%d bytes after 100,000 tokens", total)
	} else {
		t.Logf("%.1f MiB after 100,000 tokens", float64(total)/(1<<20))
	}
	runtime.KeepAlive(j)
}

// Attack: a flood of tokens that are used once pushes out those that are used
// all the time. The workloads say how well a library does whose subject this
// is.
func TestOneOffTokensDoNotPushOutHotOnes(t *testing.T) {
	t.Parallel()
	const size = 4096
	type workload func(random *rand.Rand) func() int
	zipf := func(s float64, among uint64) workload {
		return func(random *rand.Rand) func() int {
			z := rand.NewZipf(random, s, 1, among)
			return func() int { return int(z.Uint64()) }
		}
	}
	for name, next := range map[string]workload{
		"as tokens are used": zipf(1.05, 100_000),
		"nearly even":        zipf(1.01, 20_000),
		"twice as many as fit": func(random *rand.Rand) func() int {
			return func() int { return random.IntN(size * 2) }
		},
		"each a few times and then no more": func(random *rand.Rand) func() int {
			n := 0
			return func() int {
				n++
				return n/8 + random.IntN(1000)
			}
		},
		"all fit": func(random *rand.Rand) func() int {
			return func() int { return random.IntN(size / 2) }
		},
		"nine one-offs for each hot one": func(random *rand.Rand) func() int {
			once := 1 << 30
			return func() int {
				if random.IntN(10) == 0 {
					return random.IntN(size / 4)
				}
				once++
				return once
			}
		},
		"hot ones, and a flood now and then": func(random *rand.Rand) func() int {
			n, once := 0, 1<<30
			return func() int {
				if n++; n%60_000 > 40_000 {
					once++
					return once
				}
				return random.IntN(size * 3 / 4)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := 400_000
			if raceEnabled {
				requests = 100_000
			}
			texts := rand.New(rand.NewPCG(5, 6))
			text := make(map[int]string)
			order := next(rand.New(rand.NewPCG(3, 4)))
			asked := make([]string, requests)
			for i := range asked {
				n := order()
				if text[n] == "" {
					text[n] = tokenText(texts, 40)
				}
				asked[i] = text[n]
			}

			identity := [32]byte{1}
			c := newTokenCache(size)
			id := &auth.Identity{ID: "a"}
			ours := 0
			for _, token := range asked {
				if c.get(token, &identity) != nil {
					ours++
				} else {
					c.put(token, &identity, id, time.Time{}, 0)
				}
			}

			other := otter.Must(&otter.Options[string, *auth.Identity]{MaximumSize: size})
			theirs := 0
			for _, token := range asked {
				if _, ok := other.GetIfPresent(token); ok {
					theirs++
				} else {
					other.Set(token, id)
				}
			}
			other.StopAllGoroutines()

			percent := func(hits int) float64 { return float64(hits) * 100 / float64(requests) }
			t.Logf("hits: %.1f%% here, %.1f%% in otter", percent(ours), percent(theirs))
			if float64(ours) < float64(theirs)*0.95 { // it holds more than its size for moments
				t.Errorf("%d hits here, %d in otter", ours, theirs)
			}
		})
	}
}

// Under the race detector: everybody at once, with keys that change.
func TestCacheServesManyAtOnce(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Label: t.Name(), Secret: secretRef, Cache: cacheOf(50)})
	tokens := make([]string, 200)
	for i := range tokens {
		tokens[i] = hs256(t, `{"sub":"user-`+strconv.Itoa(i)+`","exp":1700003600}`)
	}
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 1))
			for range 2000 {
				i := min(random.IntN(len(tokens)), random.IntN(len(tokens)))
				id, err := j.judge(tokens[i], testNow)
				if err != nil || id.ID != "user-"+strconv.Itoa(i) {
					t.Errorf("token %d: %v, %v", i, id, err)
					return
				}
				if random.IntN(100) == 0 {
					if e := j.cache.get(tokens[i], &j.keys.set().identity); e != nil {
						j.cache.remove(e)
						j.cache.remove(e)
					}
				}
			}
		})
	}
	all.Go(func() {
		for range 50 {
			j.cache.clear()
			runtime.Gosched()
		}
	})
	all.Wait()
	if j.cache.len() > 50 || j.cache.bytes() > 50*bytesPerToken {
		t.Errorf("%d entries, %d bytes", j.cache.len(), j.cache.bytes())
	}
}

// len and bytes say how much there is.
func (c *tokenCache) len() (n int) {
	for i := range c.shards {
		entries, _ := c.shards[i].held()
		n += entries
	}
	return n
}

func (c *tokenCache) bytes() (n int) {
	for i := range c.shards {
		_, bytes := c.shards[i].held()
		n += bytes
	}
	return n
}

func (s *cacheShard) held() (entries, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries), s.bytes
}
