// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"compress/gzip"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// keyServer is an issuer of which everything can go wrong.
type keyServer struct {
	*httptest.Server
	fetches atomic.Int64 // of the keys
	mu      sync.Mutex
	answer  http.HandlerFunc // of the keys
	issuer  string           // what the discovery document says; empty: the right one
	keysAt  string           // likewise
}

func newKeyServer(tb testing.TB, keys string) *keyServer {
	tb.Helper()
	s := new(keyServer)
	s.serve(keys)
	mux := http.NewServeMux()
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		s.fetches.Add(1)
		s.mu.Lock()
		answer := s.answer
		s.mu.Unlock()
		answer(w, r)
	})
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		issuer, keysAt := s.URL, s.URL+"/keys"
		if s.issuer != "" {
			issuer = s.issuer
		}
		if s.keysAt != "" {
			keysAt = s.keysAt
		}
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q,"other":[1]}`, issuer, keysAt)
	})
	s.Server = httptest.NewServer(mux)
	tb.Cleanup(s.Close)
	return s
}

// set exchanges what is answered.
func (s *keyServer) set(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// serve answers with the text.
func (s *keyServer) serve(text string) {
	s.set(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

// hand is a clock that the test moves.
type hand struct{ offset atomic.Int64 }

func (h *hand) now() time.Time          { return testNow.Add(time.Duration(h.offset.Load())) }
func (h *hand) forward(d time.Duration) { h.offset.Add(int64(d)) }

// shelf is a storage.
type shelf struct {
	mu    sync.Mutex
	files map[string][]byte
}

func (s *shelf) Load(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text, ok := s.files[key]; ok {
		return text, nil
	}
	return nil, fs.ErrNotExist
}

func (s *shelf) Store(_ context.Context, key string, text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil {
		s.files = make(map[string][]byte)
	}
	s.files[key] = text
	return nil
}

// far is a block with remote keys, with a clock and a log of the test's.
type far struct {
	*JWT
	*hand
	logs *observer.ObservedLogs
}

// remoteBlock loads the block and gives its remote the clock. Nothing was
// fetched yet.
func remoteBlock(tb testing.TB, j *JWT) *far {
	tb.Helper()
	if len(j.Audiences) == 0 {
		j.InsecureAnyAudience = true
	}
	mustLoad(tb, j)
	core, logs := observer.New(zap.InfoLevel)
	f := &far{JWT: j, hand: new(hand), logs: logs}
	r := j.remote.remote
	r.now, r.logger = f.now, func() *zap.Logger { return zap.New(core) }
	j.clock = clock.Func(f.now)
	return f
}

// ask judges a request with the token.
func (f *far) ask(token string) error {
	id, err := f.Authenticate(bearer(token))
	if (id == nil) == (err == nil) {
		panic("an identity beside an error")
	}
	return err
}

func (f *far) wantIn(tb testing.TB, token string) {
	tb.Helper()
	if err := f.ask(token); err != nil {
		tb.Fatalf("refused: %v", err)
	}
}

func (f *far) wantOut(tb testing.TB, token string, reason auth.Reason) {
	tb.Helper()
	err := f.ask(token)
	if got := auth.ReasonOf(err); got != reason {
		tb.Fatalf("%s (%v), want %s", got, err, reason)
	}
	if invalid := errors.Is(err, auth.ErrInvalidCredentials); invalid == (reason == auth.ReasonKeysUnavailable) {
		tb.Errorf("%v: wraps ErrInvalidCredentials: %v", err, invalid)
	}
}

// until waits for a condition.
func until(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("waited in vain: %s", what)
		}
	}
}

// idle waits until no fetch is under way.
func (f *far) idle(tb testing.TB) {
	tb.Helper()
	r := f.remote.remote
	until(tb, "the end of a fetch", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.flight == nil && !r.attempted.IsZero()
	})
}

// fetched waits for the first keys, however busy the machine is: a request
// waits for a second only.
func (f *far) fetched(tb testing.TB) {
	tb.Helper()
	f.remote.remote.begin()
	f.idle(tb)
	if f.remote.remote.currentFor(defaultStale) == nil {
		tb.Fatal("the first fetch brought no keys")
	}
}

// giveUpAfter sets how long the next fetches may take: a server that is to fail
// is given up soon, and one that is well must not be on a busy machine.
func (f *far) giveUpAfter(tb testing.TB, d time.Duration) {
	tb.Helper()
	f.idle(tb)
	r := f.remote.remote
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timeout = d
}

// due lets time pass until a regular fetch is made, and waits for its end.
func (f *far) due(tb testing.TB, d time.Duration) {
	tb.Helper()
	r := f.remote.remote
	f.idle(tb)
	before := r.fetches.Load()
	f.forward(d)
	r.wake <- struct{}{}
	until(tb, "a regular fetch", func() bool { return r.fetches.Load() > before })
	f.idle(tb)
}

// token returns one of the key with that kid.
func remoteToken(tb testing.TB, alg algorithm, private crypto.Signer, kid, payload string) string {
	tb.Helper()
	return joined(tb, `{"alg":"`+alg.String()+`","kid":"`+kid+`"}`, payload, with(alg, private))
}

const longPayload = `{"sub":"alice","exp":1900000000}`

// A new key is good in the same request, and one that was taken out is no good
// after the next fetch, remembered tokens included.
func TestRotatedKeysAreFollowed(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	s := newKeyServer(t, setOfRSA("a", keys.rsa))
	f := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys"})
	former := remoteToken(t, algRS256, keys.rsa, "a", longPayload)
	next := remoteToken(t, algRS256, keys.otherRSA, "b", longPayload)
	f.wantIn(t, former) // the first request itself begins to fetch
	f.wantIn(t, former) // from the cache
	f.wantOut(t, next, auth.ReasonKeysUnavailable)
	f.wantOut(t, next[:len(next)-8]+"AAAAAAAA", auth.ReasonKeysUnavailable)
	f.wantOut(t, remoteToken(t, algRS256, keys.otherRSA, "a", longPayload), auth.ReasonBadSignature)

	s.serve(setOfRSA("b", keys.otherRSA))
	f.forward(defaultMinRefresh)
	f.wantIn(t, next)
	f.wantOut(t, former, auth.ReasonKeysUnavailable) // in the cool-down: nobody knows
	f.forward(defaultMinRefresh)
	f.wantOut(t, former, auth.ReasonUnknownKey)
	f.wantOut(t, former, auth.ReasonUnknownKey)
	if n := s.fetches.Load(); n != 3 {
		t.Errorf("%d fetches", n)
	}
	f.wantIn(t, next)
}

func TestDiscoveryLeadsToTheKeys(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	s := newKeyServer(t, setOfRSA("a", keys.rsa))
	f := remoteBlock(t, &JWT{OIDC: s.URL, Audiences: []string{"api"}})
	payload := func(iss, aud string) string {
		return fmt.Sprintf(`{"sub":"alice","exp":1900000000,"iss":%q,"aud":%q}`, iss, aud)
	}
	// Whose issuer is another's causes no fetch.
	f.wantOut(t, remoteToken(t, algRS256, keys.rsa, "a", payload("https://x.example", "api")), auth.ReasonWrongIssuer)
	f.wantOut(t, remoteToken(t, algRS256, keys.rsa, "a", longPayload), auth.ReasonWrongIssuer)
	f.wantOut(t, hs256(t, payload(s.URL, "api")), auth.ReasonUnsupportedAlgorithm)
	if s.fetches.Load() != 0 {
		t.Fatal("a token that is not the block's made it fetch")
	}
	f.wantIn(t, remoteToken(t, algRS256, keys.rsa, "a", payload(s.URL, "api")))
	f.wantOut(t, remoteToken(t, algRS256, keys.rsa, "a", payload(s.URL, "other")), auth.ReasonWrongAudience)
}

// A document that vouches for another issuer's keys, or sends elsewhere, is not
// followed.
func TestDiscoveryDocumentsOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	base := remoteSettings{address: "https://id.example.com", discovery: true}
	tenants := remoteSettings{address: "https://login.microsoftonline.com/organizations/v2.0", discovery: true}
	tenants.template = entraTemplate(tenants.address)
	for name, c := range map[string]struct {
		settings remoteSettings
		document string
		err      string
	}{
		"good":                 {base, `{"issuer":"https://id.example.com","jwks_uri":"https://keys.example.com/k"}`, ""},
		"a slash more":         {base, `{"issuer":"https://id.example.com/","jwks_uri":"https://id.example.com/k"}`, "its issuer is not"},
		"another issuer":       {base, `{"issuer":"https://evil.example.com","jwks_uri":"https://id.example.com/k"}`, "its issuer is not"},
		"a template":           {base, `{"issuer":"https://{tenantid}","jwks_uri":"https://id.example.com/k"}`, "its issuer is not"},
		"no issuer":            {base, `{"jwks_uri":"https://id.example.com/k"}`, "its issuer is not"},
		"folded name":          {base, `{"Issuer":"https://id.example.com","jwks_uri":"https://id.example.com/k"}`, "its issuer is not"},
		"issuer twice":         {base, `{"issuer":"https://id.example.com","issuer":"x","jwks_uri":"https://id.example.com/k"}`, "strict JSON"},
		"no keys":              {base, `{"issuer":"https://id.example.com"}`, "has no jwks_uri"},
		"http":                 {base, `{"issuer":"https://id.example.com","jwks_uri":"http://id.example.com/k"}`, "is not https"},
		"http on this machine": {base, `{"issuer":"https://id.example.com","jwks_uri":"http://127.0.0.1/k"}`, "is not https"},
		"a file":               {base, `{"issuer":"https://id.example.com","jwks_uri":"file:///etc/passwd"}`, "begins with https"},
		"a placeholder":        {base, `{"issuer":"https://id.example.com","jwks_uri":"https://{http.request.host}/"}`, "placeholder"},
		"HTML":                 {base, `<html>`, "strict JSON"},
		"tenants":              {tenants, `{"issuer":"https://login.microsoftonline.com/{tenantid}/v2.0","jwks_uri":"https://login.microsoftonline.com/common/discovery/v2.0/keys"}`, ""},
		"tenants, not so":      {tenants, `{"issuer":"https://login.microsoftonline.com/organizations/v2.0","jwks_uri":"https://login.microsoftonline.com/k"}`, "its issuer is not"},
	} {
		_, err := readDiscovery([]byte(c.document), &c.settings)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
		}
	}
}

func TestMetadataOfRFC8414AreTheSecondPath(t *testing.T) {
	t.Parallel()
	var paths []string
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		switch r.URL.Path {
		case "/.well-known/oauth-authorization-server/tenant":
			fmt.Fprintf(w, `{"issuer":"%s/tenant","jwks_uri":"%s/keys"}`, s.URL, s.URL)
		case "/keys":
			_, _ = io.WriteString(w, setOfRSA("a", testKeys().rsa))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	f := remoteBlock(t, &JWT{OIDC: s.URL + "/tenant"})
	f.wantIn(t, remoteToken(t, algRS256, testKeys().rsa, "a", `{"sub":"a","exp":1900000000,"iss":"`+s.URL+`/tenant"}`))
	if want := []string{"/tenant/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/tenant", "/keys"}; !slices.Equal(paths, want) {
		t.Errorf("asked %q", paths)
	}
}

// faults are what a key server does wrong. Each ends when the test does.
func faults(tb testing.TB) map[string]http.HandlerFunc {
	tb.Helper()
	end := make(chan struct{})
	tb.Cleanup(func() { close(end) })
	hang := func(r *http.Request) {
		select {
		case <-end:
		case <-r.Context().Done():
		}
	}
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) }
	}
	return map[string]http.HandlerFunc{
		"hangs": func(_ http.ResponseWriter, r *http.Request) { hang(r) },
		"drips": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
				select {
				case <-end:
					return
				case <-r.Context().Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		},
		"500":           func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) },
		"304 unasked":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
		"204":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"HTML":          text("<html><body>log in</body></html>"),
		"half":          text(`{"keys":[`),
		"empty":         text(""),
		"no keys":       text(`{"keys":[]}`),
		"a secret only": text(`{"keys":[{"kty":"oct","kid":"a","k":"` + encode([]byte(testSecret)) + `"}]}`),
		"64 MB": func(w http.ResponseWriter, _ *http.Request) {
			block := make([]byte, 1<<20)
			for range 64 {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		},
		"gzip bomb": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			block := make([]byte, 1<<20)
			for range 64 {
				if _, err := z.Write(block); err != nil {
					return
				}
			}
			_ = z.Close()
		},
		"redirect loop": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/keys", http.StatusFound) },
		"redirect to https": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://127.0.0.1:1/", http.StatusFound)
		},
		"redirect to a file": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		},
		"redirect to another": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		},
		"hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
}

// Whatever the key server does, tokens of the keys that are known are accepted,
// one warning says what is wrong, and one line when it is over.
func TestAnOutageOfTheKeyServerIsOneWarning(t *testing.T) {
	t.Parallel()
	good := setOfRSA("a", testKeys().rsa)
	known := remoteToken(t, algRS256, testKeys().rsa, "a", longPayload)
	unknown := remoteToken(t, algRS256, testKeys().rsa, "x", longPayload)
	for name, fault := range faults(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKeyServer(t, good)
			f := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys?private=1", Timeout: caddy.Duration(time.Minute), Cache: new(int)})
			f.fetched(t)
			f.wantIn(t, known)
			s.set(fault)
			f.giveUpAfter(t, 200*time.Millisecond)
			for range 4 {
				f.due(t, defaultRefreshMost)
				f.wantIn(t, known)
				f.wantOut(t, unknown, auth.ReasonKeysUnavailable)
			}
			if n := f.remote.remote.failed.Load(); n != 4 {
				t.Errorf("%d failures", n)
			}
			entries := f.logs.TakeAll()
			if len(entries) != 1 || entries[0].Level != zap.WarnLevel || strings.Contains(fmt.Sprint(entries[0].ContextMap()), "private") {
				t.Errorf("log %v", entries)
			}
			s.serve(good)
			f.giveUpAfter(t, time.Minute)
			f.due(t, defaultMinRefresh)
			if entries := f.logs.TakeAll(); len(entries) != 1 || entries[0].Level != zap.InfoLevel {
				t.Errorf("log %v", entries)
			}
			f.wantOut(t, unknown, auth.ReasonKeysUnavailable)
			f.forward(defaultMinRefresh)
			f.wantOut(t, unknown, auth.ReasonUnknownKey)
		})
	}
}

// At a start during an outage there are no keys: nobody is refused for good.
func TestWithoutAnyKeysNobodyKnows(t *testing.T) {
	t.Parallel()
	for name, fault := range faults(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKeyServer(t, "")
			s.set(fault)
			f := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys", Secret: secretRef, Algorithms: []string{"HS256", "RS256"}, Timeout: caddy.Duration(200 * time.Millisecond)})
			f.wantOut(t, remoteToken(t, algRS256, testKeys().rsa, "a", longPayload), auth.ReasonKeysUnavailable)
			f.wantOut(t, joined(t, `{"alg":"RS256"}`, longPayload, with(algRS256, testKeys().rsa)), auth.ReasonKeysUnavailable)
			f.wantOut(t, joined(t, `{"alg":"HS256","kid":"a"}`, longPayload, hs(algHS256, "x")), auth.ReasonBadSignature)
			f.wantOut(t, joined(t, `{"alg":"ES256","kid":"a"}`, longPayload, hs(algHS256, "x")), auth.ReasonUnsupportedAlgorithm)
			f.wantIn(t, hs256(t, longPayload)) // the other key is there
			s.serve(setOfRSA("a", testKeys().rsa))
			f.giveUpAfter(t, time.Minute)
			f.due(t, defaultMinRefresh)
			f.wantIn(t, remoteToken(t, algRS256, testKeys().rsa, "a", longPayload))
		})
	}
}

// Ten thousand tokens with a "kid" each are one fetch, a bounded number of
// goroutines, and no line in the log.
func TestUnknownKidsCauseOneFetch(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	s := newKeyServer(t, "")
	release := make(chan struct{})
	s.set(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = io.WriteString(w, setOfRSA("a", keys.rsa))
	})
	f := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys"})
	known := remoteToken(t, algRS256, keys.rsa, "a", longPayload)
	signature := known[strings.LastIndexByte(known, '.'):]
	forged := func(i int) string {
		return encode([]byte(`{"alg":"RS256","kid":"k`+strconv.Itoa(i)+`"}`)) + "." + encode([]byte(longPayload)) + signature
	}
	close(release)
	f.wantIn(t, known)
	if s.fetches.Load() != 1 {
		t.Fatal("not one fetch")
	}

	release = make(chan struct{})
	f.forward(defaultMinRefresh)
	var unavailable, missing, other atomic.Int64
	var group sync.WaitGroup
	for worker := range 1000 {
		group.Go(func() {
			for i := range 10 {
				switch auth.ReasonOf(f.ask(forged(worker*10 + i))) {
				case auth.ReasonKeysUnavailable:
					unavailable.Add(1)
				case auth.ReasonUnknownKey:
					missing.Add(1)
				default:
					other.Add(1)
				}
			}
		})
	}
	r := f.remote.remote
	until(t, "all but those who wait", func() bool { return unavailable.Load() >= 10_000-10*maxWaiters })
	r.mu.Lock()
	waiting := r.waiting
	r.mu.Unlock()
	if waiting > maxWaiters {
		t.Errorf("%d wait", waiting)
	}
	f.wantIn(t, known)
	close(release)
	group.Wait()
	if s.fetches.Load() != 2 || other.Load() != 0 || unavailable.Load()+missing.Load() != 10_000 {
		t.Errorf("%d fetches, %d unavailable, %d missing, %d other", s.fetches.Load(), unavailable.Load(), missing.Load(), other.Load())
	}
	for i := range 10_000 {
		f.wantOut2(t, forged(i))
	}
	if s.fetches.Load() != 2 {
		t.Errorf("%d fetches in the cool-down", s.fetches.Load())
	}
	r.mu.Lock()
	remembered := len(r.missing)
	r.mu.Unlock()
	if remembered > maxMissing {
		t.Errorf("%d remembered", remembered)
	}
	if f.logs.Len() != 0 {
		t.Errorf("log %v", f.logs.All())
	}
}

// wantOut2 wants one of the two refusals of a "kid" that is not there.
func (f *far) wantOut2(tb testing.TB, token string) {
	tb.Helper()
	if reason := auth.ReasonOf(f.ask(token)); reason != auth.ReasonKeysUnavailable && reason != auth.ReasonUnknownKey {
		tb.Fatal(reason)
	}
}

// The last good keys serve for so long and no longer, over a restart too.
func TestStaleKeysServeUntilTheyAreTooOld(t *testing.T) {
	t.Parallel()
	keys, store := testKeys(), new(shelf)
	s := newKeyServer(t, setOfRSA("a", keys.rsa))
	token := remoteToken(t, algRS256, keys.rsa, "a", longPayload)
	f := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys"})
	f.remote.remote.use(store)
	until(t, "the first keys", func() bool { return f.ask(token) == nil })
	until(t, "the storage", func() bool { _, err := store.Load(t.Context(), f.remote.remote.storageKey()); return err == nil })
	s.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })

	// Within one process, another address is what comes next to a restart.
	again := func(query string) *far {
		other := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys?" + query})
		text, err := store.Load(t.Context(), f.remote.remote.storageKey())
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Store(t.Context(), other.remote.remote.storageKey(), text); err != nil {
			t.Fatal(err)
		}
		other.remote.remote.use(store)
		return other
	}
	restarted := again("restarted")
	restarted.forward(defaultStale - time.Minute)
	restarted.remote.remote.begin()
	until(t, "keys of the storage", func() bool { return restarted.ask(token) == nil })
	restarted.due(t, time.Minute)
	restarted.wantOut(t, token, auth.ReasonKeysUnavailable) // the cache does not outlive them

	f.due(t, defaultStale-time.Minute)
	f.wantIn(t, token)
	f.due(t, time.Minute)
	f.wantOut(t, token, auth.ReasonKeysUnavailable)

	late := again("late")
	late.forward(defaultStale)
	late.remote.remote.begin()
	late.idle(t)
	late.wantOut(t, token, auth.ReasonKeysUnavailable)
}

// What the storage holds of another address is no key of this one.
func TestStoredKeysThatCannotBeTrueAreNotTaken(t *testing.T) {
	t.Parallel()
	set := base64.StdEncoding.EncodeToString([]byte(setOfRSA("a", testKeys().rsa)))
	for name, c := range map[string]struct {
		text  string
		taken bool
	}{
		"control":    {`{"fetched":"NOW","jwks":"` + set + `"}`, true},
		"no set":     {`{"fetched":"NOW","jwks":"e30="}`, false},
		"the future": {`{"fetched":"2093-11-14T22:13:20Z","jwks":"` + set + `"}`, false},
		"too old":    {`{"fetched":"2003-11-14T22:13:20Z","jwks":"` + set + `"}`, false},
		"half":       {`{"fetched":`, false},
	} {
		s := newKeyServer(t, "")
		f := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys"})
		r, store := f.remote.remote, new(shelf)
		_ = store.Store(t.Context(), r.storageKey(), []byte(strings.ReplaceAll(c.text, "NOW", f.now().Format(time.RFC3339))))
		r.use(store)
		r.restore()
		if taken := r.currentFor(defaultStale) != nil; taken != c.taken {
			t.Errorf("%s: taken: %v", name, taken)
		}
	}
}

// Keys that did not change cost the server nothing, and the cache stays.
func TestUnchangedKeysAreNotSentAgain(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t, "")
	var same atomic.Int64
	s.set(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Cache-Control", "public, max-age=600")
		if r.Header.Get("If-None-Match") == `"1"` {
			same.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, setOfRSA("a", testKeys().rsa))
	})
	f := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys"})
	token := remoteToken(t, algRS256, testKeys().rsa, "a", longPayload)
	f.wantIn(t, token)
	f.idle(t)
	before := f.keys.set()
	r := f.remote.remote
	r.mu.Lock()
	wait := r.next.Sub(f.now())
	r.mu.Unlock()
	if wait > 10*time.Minute || wait < 9*time.Minute {
		t.Errorf("the next fetch is in %s", wait)
	}
	f.due(t, 10*time.Minute)
	if same.Load() != 1 || s.fetches.Load() != 2 {
		t.Errorf("%d of %d fetches were conditional", same.Load(), s.fetches.Load())
	}
	if f.keys.set() != before {
		t.Error("keys that did not change were exchanged")
	}
	// What confirms them keeps them fresh.
	for range 30 {
		f.due(t, time.Hour)
	}
	f.wantIn(t, token)
}

func TestLifetimesAreBounded(t *testing.T) {
	t.Parallel()
	now := testNow.UTC()
	for name, c := range map[string]struct {
		header      map[string]string
		least, most time.Duration
	}{
		"nothing":         {nil, 13 * time.Minute, 15 * time.Minute},
		"max-age":         {map[string]string{"Cache-Control": "public, max-age=1200"}, 18 * time.Minute, 20 * time.Minute},
		"age":             {map[string]string{"Cache-Control": "max-age=1200", "Age": "600"}, 9 * time.Minute, 10 * time.Minute},
		"short":           {map[string]string{"Cache-Control": "max-age=1"}, 5 * time.Minute, 5 * time.Minute},
		"long":            {map[string]string{"Cache-Control": "max-age=99999999999999999999999"}, 54 * time.Minute, time.Hour},
		"no-store":        {map[string]string{"Cache-Control": "max-age=1200, No-Store"}, 5 * time.Minute, 5 * time.Minute},
		"expires":         {map[string]string{"Expires": now.Add(20 * time.Minute).Format(http.TimeFormat)}, 18 * time.Minute, 20 * time.Minute},
		"expires: 0":      {map[string]string{"Expires": "0"}, 5 * time.Minute, 5 * time.Minute},
		"max-age is text": {map[string]string{"Cache-Control": "max-age=soon"}, 13 * time.Minute, 15 * time.Minute},
	} {
		h := make(http.Header)
		for k, v := range c.header {
			h.Set(k, v)
		}
		r := &remote{remoteSettings: remoteSettings{remoteTimes: remoteTimes{refreshLeast: defaultRefreshLeast, refreshMost: defaultRefreshMost}}}
		if got := r.pause(lifetimeOf(h, now)); got < c.least || got > c.most {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// Keys that cannot be used do not spoil those that can.
func TestUnusableRemoteKeysAreSkippedSingly(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	good := strings.TrimSuffix(strings.TrimPrefix(setOfRSA("a", keys.rsa), `{"keys":[`), `]}`)
	other := strings.TrimSuffix(strings.TrimPrefix(setOfRSA("a", keys.otherRSA), `{"keys":[`), `]}`)
	for name, bad := range map[string]string{
		"post-quantum":       `{"kty":"AKP","alg":"ML-DSA-65","kid":"pq","pub":"AAAA"}`,
		"encryption":         `{"kty":"RSA","use":"enc","kid":"e","n":"AQAB","e":"AQAB"}`,
		"encryption by ops":  `{"kty":"RSA","key_ops":["encrypt"],"kid":"e","n":"AQAB","e":"AQAB"}`,
		"weak RSA":           `{"kty":"RSA","kid":"w","n":"AQAB","e":"AQAB"}`,
		"wrong length":       `{"kty":"EC","crv":"P-256","kid":"s","x":"AQAB","y":"AQAB"}`,
		"wrong Ed25519":      `{"kty":"OKP","crv":"Ed25519","kid":"s","x":"AQAB"}`,
		"unknown curve":      `{"kty":"EC","crv":"secp256k1","kid":"k","x":"AQAB","y":"AQAB"}`,
		"unknown alg":        `{"kty":"RSA","alg":"RSA-OAEP","kid":"k","n":"AQAB","e":"AQAB"}`,
		"a secret":           `{"kty":"oct","kid":"a","k":"` + encode([]byte(testSecret)) + `"}`,
		"not an object":      `7`,
		"null":               `null`,
		"members of no type": `{"kty":7}`,
		"a duplicate":        good,
		"the same kid":       other,
	} {
		set := `{"keys":[` + bad + `,` + good + `]}`
		s := newKeyServer(t, set)
		f := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys", Secret: secretRef, Algorithms: []string{"RS256", "HS256"}})
		f.wantIn(t, remoteToken(t, algRS256, keys.rsa, "a", longPayload))
		// A secret that is published is none; nor is a public key.
		f.wantIn(t, hs256(t, longPayload))
		f.wantOut(t, joined(t, `{"alg":"HS256","kid":"a"}`, longPayload, hs(algHS256, publicPEM(t, keys.rsa))), auth.ReasonBadSignature)
		if n := f.remote.remote.currentFor(defaultStale).keys; n != 1 && name != "the same kid" && name != "weak RSA" {
			t.Errorf("%s: %d keys", name, n)
		}
	}
}

// A block takes of a set what it is configured for, and no more.
func TestAlgorithmsPinRemoteKeysToo(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t, setOfRSA("a", testKeys().rsa))
	f := remoteBlock(t, &JWT{JWKSURL: s.URL + "/keys", Algorithms: []string{"RS256"}})
	f.wantIn(t, remoteToken(t, algRS256, testKeys().rsa, "a", longPayload))
	f.wantOut(t, remoteToken(t, algRS512, testKeys().rsa, "a", longPayload), auth.ReasonUnsupportedAlgorithm)
	f.wantIn(t, joined(t, `{"alg":"RS256"}`, longPayload, with(algRS256, testKeys().rsa)))
	f.wantOut(t, joined(t, `{"alg":"RS256"}`, longPayload, with(algRS256, testKeys().otherRSA)), auth.ReasonBadSignature)
}

// A reload that names the key server again goes on with its keys; the last user
// ends the goroutines.
func TestRemotesAreSharedAndEnd(t *testing.T) { //nolint:paralleltest // counts goroutines
	s := newKeyServer(t, setOfRSA("a", testKeys().rsa))
	token := remoteToken(t, algRS256, testKeys().rsa, "a", fmt.Sprintf(`{"sub":"alice","exp":%d}`, time.Now().Add(time.Hour).Unix()))
	open := func() (*JWT, func()) {
		t.Helper()
		j := &JWT{JWKSURL: s.URL + "/keys", InsecureAnyAudience: true}
		ctx, cancel := caddy.NewContext(newContext(t, ""))
		if err := errors.Join(j.Provision(ctx), j.Validate(), j.Start(t.Context())); err != nil {
			t.Fatal(err)
		}
		return j, func() {
			cancel()
			if err := j.Cleanup(); err != nil {
				t.Error(err)
			}
		}
	}
	http.DefaultClient.CloseIdleConnections()
	before := runtime.NumGoroutine()
	first, closeFirst := open()
	if _, err := first.Authenticate(bearer(token)); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		next, closeNext := open()
		closeFirst()
		if _, err := next.Authenticate(bearer(token)); err != nil {
			t.Fatal(err)
		}
		first, closeFirst = next, closeNext
	}
	r := first.remote.remote
	if s.fetches.Load() != 1 {
		t.Errorf("%d fetches", s.fetches.Load())
	}
	until(t, "one subscriber", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.subscribers) == 1 })
	closeFirst()
	until(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

func TestRemoteConfigurationsAreJudged(t *testing.T) {
	t.Parallel()
	aud := []string{"api"}
	second := caddy.Duration(time.Second)
	for name, c := range map[string]struct {
		block *JWT
		err   string
	}{
		"good":                      {&JWT{JWKSURL: "https://id.example.com/keys", Audiences: aud}, ""},
		"good issuer":               {&JWT{OIDC: "https://id.example.com", Audiences: aud}, ""},
		"the same issuer":           {&JWT{OIDC: "https://id.example.com", Issuers: []string{"https://id.example.com"}, Audiences: aud}, ""},
		"loopback":                  {&JWT{OIDC: "http://localhost:8080", Audiences: aud}, ""},
		"insecure":                  {&JWT{OIDC: "http://id.example.com", InsecureHTTP: true, InsecureAnyAudience: true}, ""},
		"tenants":                   {&JWT{OIDC: "https://login.microsoftonline.com/organizations/v2.0", Issuers: []string{"https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0"}, Audiences: aud}, ""},
		"no audience":               {&JWT{OIDC: "https://id.example.com"}, "oidc needs audience"},
		"no audience for keys":      {&JWT{JWKSURL: "https://id.example.com"}, "jwks_url needs audience"},
		"audience and none":         {&JWT{JWKSURL: "https://id.example.com", Audiences: aud, InsecureAnyAudience: true}, "contradict"},
		"another issuer":            {&JWT{OIDC: "https://id.example.com", Issuers: []string{"https://id.example.com/"}, Audiences: aud}, "contradicts"},
		"one issuer more":           {&JWT{OIDC: "https://id.example.com", Issuers: []string{"https://id.example.com", "x"}, Audiences: aud}, "contradicts"},
		"tenants without a list":    {&JWT{OIDC: "https://login.microsoftonline.com/common/v2.0", Audiences: aud}, "list those to accept"},
		"tenants of others":         {&JWT{OIDC: "https://login.microsoftonline.com/common/v2.0", Issuers: []string{"https://evil.example.com/v2.0"}, Audiences: aud}, "is not of the form"},
		"both":                      {&JWT{OIDC: "https://id.example.com", JWKSURL: "https://id.example.com/keys", Audiences: aud}, "give one of them"},
		"http":                      {&JWT{JWKSURL: "http://id.example.com/keys", Audiences: aud}, "is not https"},
		"http by name":              {&JWT{JWKSURL: "http://localhost.example.com/keys", Audiences: aud}, "is not https"},
		"a file":                    {&JWT{JWKSURL: "file:///etc/keys.json", Audiences: aud}, "begins with https://"},
		"a path":                    {&JWT{JWKSURL: "/etc/keys.json", Audiences: aud}, "begins with https://"},
		"a password":                {&JWT{JWKSURL: "https://a:b@id.example.com/", Audiences: aud}, "a user or a password"},
		"a request's placeholder":   {&JWT{JWKSURL: "https://{http.request.host}/keys", Audiences: aud}, "braces that are no placeholder"},
		"an empty variable":         {&JWT{JWKSURL: "{env.CADDYBOLT_NOT_SET}", Audiences: aud}, "CADDYBOLT_NOT_SET"},
		"a query":                   {&JWT{OIDC: "https://id.example.com/?a=b", Audiences: aud}, "has no query"},
		"reserved":                  {&JWT{JWKSURL: "https://id.example.com", Audiences: aud, Algorithms: []string{"HS256"}}, "no key can serve HS256"},
		"options of nothing":        {&JWT{Secret: secretRef, Stale: second}, "belong to jwks_url and oidc"},
		"min_refresh":               {&JWT{OIDC: "https://id.example.com", Audiences: aud, MinRefresh: second / 2}, "min_refresh: is shorter"},
		"refresh below min_refresh": {&JWT{OIDC: "https://id.example.com", Audiences: aud, Refresh: []caddy.Duration{second, second}}, "shorter than min_refresh"},
		"refresh reversed":          {&JWT{OIDC: "https://id.example.com", Audiences: aud, Refresh: []caddy.Duration{60 * second, 50 * second}}, "second duration is shorter"},
		"refresh of one":            {&JWT{OIDC: "https://id.example.com", Audiences: aud, Refresh: []caddy.Duration{60 * second}}, "two durations"},
		"stale":                     {&JWT{OIDC: "https://id.example.com", Audiences: aud, Stale: second}, "stale: is shorter"},
		"timeout":                   {&JWT{OIDC: "https://id.example.com", Audiences: aud, Timeout: 61 * second}, "timeout: must be"},
		"no ca":                     {&JWT{OIDC: "https://id.example.com", Audiences: aud, CA: "/nowhere.pem"}, "ca: reading"},
		"ca is no certificate":      {&JWT{OIDC: "https://id.example.com", Audiences: aud, CA: "jwt.go"}, "no certificate in PEM"},
	} {
		err := load(t, c.block)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
		}
		if c.err == "" && c.block.remote.remote.begun.Load() {
			t.Errorf("%s: loading alone begins to fetch", name)
		}
	}
}

// A certificate authority of one's own replaces those of the system.
func TestOwnAuthorityVouchesForTheKeyServer(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, setOfRSA("a", testKeys().rsa))
	}))
	t.Cleanup(s.Close)
	s.Config.ErrorLog = nil
	token := remoteToken(t, algRS256, testKeys().rsa, "a", longPayload)
	f := remoteBlock(t, &JWT{JWKSURL: s.URL, CA: writeFile(t, certificatePEM(s.Certificate()))})
	f.wantIn(t, token)
	without := remoteBlock(t, &JWT{JWKSURL: s.URL})
	without.wantOut(t, token, auth.ReasonKeysUnavailable)
}

func certificatePEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}
