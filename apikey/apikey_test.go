// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package apikey

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

const (
	keyCI     = "sk-ci-0123456789abcdef0123456789abcdef"
	keyWorker = "sk-worker-fedcba9876543210fedcba9876543210"
	keyOld    = "sk-old-00112233445566778899aabbccddeeff"
	keyOff    = "sk-off-ffeeddccbbaa99887766554433221100"
)

func sha(key string) string {
	d := sha256.Sum256([]byte(key))
	return digestPrefix + hex.EncodeToString(d[:])
}

// noon is when the tests run.
var noon = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

func provisioned(tb testing.TB, a *APIKey) *APIKey {
	tb.Helper()
	a.clock = clock.Fixed(noon)
	ctx, _ := authtest.NewContext(tb, nil)
	if err := a.Provision(ctx); err != nil {
		tb.Fatal(err)
	}
	return a
}

func some(tb testing.TB) *APIKey {
	return provisioned(tb, &APIKey{
		Keys: []Key{
			{Name: "ci-bot", Key: sha(keyCI), Permissions: []string{"a.read", "a.write"}, Staff: true, Meta: json.RawMessage(` { "team" : "build", "cost": {"center":9007199254740993} }`)},
			{Name: "worker@eu-1.example", Key: keyWorker, Superuser: true, Expires: "2026-06-15T12:00:01Z"},
			{Name: "old", Key: sha(keyOld), Expires: "2026-06-15"},
			{Name: "off", Key: sha(keyOff), Disabled: true},
		},
	})
}

// present returns a request with the key in the default place.
func present(tb testing.TB, key string) *http.Request {
	r := authtest.NewRequest(tb, http.MethodGet, "/")
	r.Header.Set("X-API-Key", key)
	return r
}

func in(header, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Add(header, value) }
}

func TestAPIKeyKeepsTheContract(t *testing.T) {
	t.Parallel()
	secrets := []string{keyCI, keyWorker, keyOld, keyOff, sha(keyCI), strings.TrimPrefix(sha(keyCI), digestPrefix)}
	t.Run("default header", func(t *testing.T) {
		t.Parallel()
		authtest.TestAuthenticator(t, authtest.AuthenticatorCase{
			New:  func(tb testing.TB) auth.Authenticator { return some(tb) },
			Good: in("X-API-Key", keyCI),
			Bad: map[string]func(*http.Request){
				"unknown":                   in("X-API-Key", "sk-nobody-0123456789"),
				"empty":                     in("X-API-Key", ""),
				"blank":                     in("X-API-Key", " \t"),
				"expired":                   in("X-API-Key", keyOld),
				"disabled":                  in("X-API-Key", keyOff),
				"the digest itself":         in("X-API-Key", sha(keyCI)),
				"the digest without a name": in("X-API-Key", strings.TrimPrefix(sha(keyCI), digestPrefix)),
				"the name of a key":         in("X-API-Key", "ci-bot"),
				"beginning of a key":        in("X-API-Key", keyCI[:len(keyCI)-1]),
				"more than a key":           in("X-API-Key", keyCI+"0"),
				"another case":              in("X-API-Key", strings.ToUpper(keyCI)),
				"with its scheme":           in("X-API-Key", "Bearer "+keyCI),
				"NUL":                       in("X-API-Key", keyCI+"\x00"),
				"two keys":                  func(r *http.Request) { in("X-API-Key", keyCI)(r); in("X-API-Key", keyWorker)(r) },
				"the same key twice":        func(r *http.Request) { in("X-API-Key", keyCI)(r); in("X-API-Key", keyCI)(r) },
				"two keys in one header":    in("X-API-Key", keyCI+", "+keyWorker),
				"longer than any key":       in("X-API-Key", strings.Repeat("k", 100_000)),
				"as long as any key":        in("X-API-Key", strings.Repeat("k", defaultMaxSize)),
				"placeholder of the key":    in("X-API-Key", "{env.PATH}"),
				"bytes that are not UTF-8":  in("X-API-Key", "\xff\xfe\xff\xfe\xff\xfe\xff\xfe"),
				"digest as raw bytes": func(r *http.Request) {
					d := sha256.Sum256([]byte(keyCI))
					r.Header["X-Api-Key"] = []string{string(d[:])}
				},
				"key in the wrong case twice": in("X-API-Key", strings.ToUpper(keyCI)+strings.ToUpper(keyCI)),
			},
			Secrets:     secrets,
			WantBackend: "api_key",
		})
	})
	t.Run("bearer, cookie and query", func(t *testing.T) {
		t.Parallel()
		authtest.TestAuthenticator(t, authtest.AuthenticatorCase{
			New: func(tb testing.TB) auth.Authenticator {
				return provisioned(tb, &APIKey{
					Places: []auth.Source{{Header: "Authorization", Scheme: "Bearer"}, {Cookie: "key"}, {Query: "key"}},
					Keys:   []Key{{Name: "ci-bot", Key: keyCI}},
				})
			},
			Good: in("Authorization", "bearer "+keyCI),
			Bad: map[string]func(*http.Request){
				"unknown bearer":            in("Authorization", "Bearer sk-nobody-0123456789"),
				"unknown in a cookie":       in("Cookie", "key=sk-nobody-0123456789"),
				"unknown in the query":      func(r *http.Request) { r.URL.RawQuery = "key=sk-nobody-0123456789" },
				"badly encoded":             func(r *http.Request) { r.URL.RawQuery = "key=%zz" },
				"empty bearer, good cookie": func(r *http.Request) { in("Authorization", "Bearer")(r); in("Cookie", "key="+keyCI)(r) },
				"bad bearer, good cookie":   func(r *http.Request) { in("Authorization", "Bearer x")(r); in("Cookie", "key="+keyCI)(r) },
			},
			Secrets:     secrets,
			WantBackend: "api_key",
		})
	})
}

func TestIdentityOfAKey(t *testing.T) {
	t.Parallel()
	id, err := some(t).Authenticate(present(t, keyCI))
	if err != nil {
		t.Fatal(err)
	}
	if id.ID != "apikey:ci-bot" || id.Issuer != "local:api_key" || id.Backend != "api_key" || !id.Staff || id.Superuser || id.Permissions.String() != "a.read a.write" || id.TokenID != "" || !id.ExpiresAt.IsZero() {
		t.Errorf("identity is %+v", *id)
	}
	if v, _ := id.Claims.Lookup("cost.center"); v != int64(9007199254740993) {
		t.Errorf("cost.center is %v", v)
	}
	if string(id.Claims.JSON()) != `{"team":"build","cost":{"center":9007199254740993}}` {
		t.Errorf("claims are %s", id.Claims.JSON())
	}
	id, err = some(t).Authenticate(present(t, keyWorker))
	if err != nil || id.ID != "apikey:worker@eu-1.example" || id.Staff || !id.Superuser || id.Permissions.Len() != 0 || string(id.Claims.JSON()) != "{}" || !id.ExpiresAt.Equal(noon.Add(time.Second)) {
		t.Errorf("identity is %+v, %v", id, err)
	}
}

func TestRefusalsSayWhy(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, key string
		reason    auth.Reason
		candidate string
	}{
		{"unknown", "nobody", auth.ReasonUnknownAPIKey, ""},
		{"disabled", keyOff, auth.ReasonUnknownAPIKey, ""},
		{"expired", keyOld, auth.ReasonAPIKeyExpired, "apikey:old"},
		{"too long", strings.Repeat("x", defaultMaxSize+1), auth.ReasonMalformedToken, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			id, err := some(t).Authenticate(present(t, tc.key))
			if id != nil || auth.ReasonOf(err) != tc.reason || auth.CandidateOf(err) != tc.candidate {
				t.Errorf("%v, %v, candidate %q", id, err, auth.CandidateOf(err))
			}
		})
	}
}

func TestKeyIsRefusedFromItsEndOn(t *testing.T) {
	t.Parallel()
	a := some(t)
	now := noon
	a.clock = clock.Func(func() time.Time { return now })
	for _, tc := range []struct {
		at   time.Time
		want bool
	}{
		{noon, true},
		{noon.Add(time.Second - 1), true},
		{noon.Add(time.Second), false},
		{noon.Add(time.Hour), false},
	} {
		now = tc.at
		id, err := a.Authenticate(present(t, keyWorker))
		if (id != nil) != tc.want || (!tc.want && auth.ReasonOf(err) != auth.ReasonAPIKeyExpired) {
			t.Errorf("at %s: %v, %v", tc.at, id, err)
		}
	}
}

func TestKeyThatIsDisabledAndExpiredIsUnknown(t *testing.T) {
	t.Parallel()
	a := provisioned(t, &APIKey{Keys: []Key{{Name: "x", Key: keyOld, Expires: "2020-01-01", Disabled: true}}})
	if id, err := a.Authenticate(present(t, keyOld)); id != nil || auth.ReasonOf(err) != auth.ReasonUnknownAPIKey || auth.CandidateOf(err) != "" {
		t.Errorf("%v, %v", id, err)
	}
}

func TestChallengeFollowsTheHeader(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		places []auth.Source
		want   string
	}{
		{"default", nil, "ApiKey"},
		{"bearer", []auth.Source{{Header: "Authorization", Scheme: "bearer"}}, "Bearer"},
		{"bearer and cookie", []auth.Source{{Cookie: "k"}, {Header: "Authorization", Scheme: "Bearer"}}, "Bearer"},
		{"bearer and another", []auth.Source{{Header: "Authorization", Scheme: "Bearer"}, {Header: "X-API-Key"}}, "ApiKey"},
		{"own scheme", []auth.Source{{Header: "Authorization", Scheme: "ApiKey"}}, "ApiKey"},
		{"cookie", []auth.Source{{Cookie: "k"}}, "ApiKey"},
		{"query", []auth.Source{{Query: "k"}}, "ApiKey"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a := provisioned(t, &APIKey{Places: tc.places, Keys: []Key{{Name: "x", Key: keyCI}}})
			if got := a.Challenge(); got != tc.want {
				t.Errorf("Challenge = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestKeysComeFromTheEnvironment(t *testing.T) {
	t.Setenv("APIKEY_TEST_PLAIN", keyWorker)
	t.Setenv("APIKEY_TEST_DIGEST", sha(keyCI))
	a := provisioned(t, &APIKey{Keys: []Key{{Name: "w", Key: "{env.APIKEY_TEST_PLAIN}"}, {Name: "c", Key: "{env.APIKEY_TEST_DIGEST}"}, {Name: "b", Key: `a\{b\}c-0123456789`}}})
	for key, want := range map[string]string{keyWorker: "apikey:w", keyCI: "apikey:c", "a{b}c-0123456789": "apikey:b"} {
		if id, err := a.Authenticate(present(t, key)); err != nil || id.ID != want {
			t.Errorf("%s: %v, %v", want, id, err)
		}
	}
	if id, err := a.Authenticate(present(t, "{env.APIKEY_TEST_PLAIN}")); err == nil {
		t.Errorf("the placeholder itself is a key: %v", id)
	}
}

func TestConfigurationErrors(t *testing.T) {
	t.Parallel()
	one := func(k Key) *APIKey { return &APIKey{Keys: []Key{k}} }
	for _, tc := range []struct {
		name string
		a    *APIKey
		want string
	}{
		{"nothing", &APIKey{}, "at least one key or a file of keys is required"},
		{"bad source", &APIKey{Places: []auth.Source{{Header: "X_API_Key"}}, Keys: []Key{{Name: "a", Key: keyCI}}}, `sources: Caddy drops headers whose name holds "_" or ".", such as "X_API_Key", before any module sees them (see expected_underscore_headers and expected_dot_headers of Caddy's servers option): use hyphens`},
		{"source twice", &APIKey{Places: []auth.Source{{Query: "k"}, {Query: "k"}}, Keys: []Key{{Name: "a", Key: keyCI}}}, "sources: query k is given twice"},
		{"negative size", &APIKey{MaxSize: -1, Keys: []Key{{Name: "a", Key: keyCI}}}, "max_size is negative"},
		{"no name", one(Key{Key: keyCI}), "keys: position 0: a key has no name"},
		{"key for a name", one(Key{Name: "sk/secret", Key: keyCI}), "keys: position 0: the name of a key has letters, digits and - _ . @ only"},
		{"name beyond ASCII", one(Key{Name: "kéy", Key: keyCI}), "keys: position 0: the name of a key has letters, digits and - _ . @ only"},
		{"no value", one(Key{Name: "a"}), `key "a": resolves to an empty value`},
		{"blank value", one(Key{Name: "a", Key: " "}), `key "a": resolves to an empty value`},
		{"value from nowhere", one(Key{Name: "a", Key: "{env.APIKEY_TEST_UNSET}"}), `key "a": evaluated placeholder {env.APIKEY_TEST_UNSET} is empty`},
		{"braces", one(Key{Name: "a", Key: "sk-{secret}-0123456789"}), `key "a": it holds braces that are no placeholder: write \{ for a brace`},
		{"short digest", one(Key{Name: "a", Key: "sha256:abcd"}), `key "a": sha256: is followed by 64 hexadecimal digits`},
		{"long digest", one(Key{Name: "a", Key: sha(keyCI) + "00"}), `key "a": sha256: is followed by 64 hexadecimal digits`},
		{"digest that is none", one(Key{Name: "a", Key: "sha256:" + strings.Repeat("g", 64)}), `key "a": sha256: is followed by 64 hexadecimal digits`},
		{"digest of nothing", one(Key{Name: "a", Key: sha("")}), `key "a": sha256: is followed by the digest of an empty text`},
		{"digest in capitals", one(Key{Name: "a", Key: "SHA256:" + strings.Repeat("a", 64)}), `key "a": it looks like a hash of another kind than sha256:`},
		{"digest of another kind", one(Key{Name: "a", Key: "sha512:" + strings.Repeat("a", 128)}), `key "a": it looks like a hash of another kind than sha256:`},
		{"password hash", one(Key{Name: "a", Key: "$2a$14$X3ulqf/iGxnf1k6oMZ.RZeJUoqI9PX2PM4rS5lkIKJXduLGXGPrt6"}), `key "a": it looks like a hash of another kind than sha256:`},
		{"longer than max_size", &APIKey{MaxSize: 10, Keys: []Key{{Name: "a", Key: "01234567890"}}}, `key "a": it is longer than max_size, which is 10 bytes`},
		{"newline at the end", one(Key{Name: "a", Key: keyCI + "\n"}), `key "a": it begins or ends with a blank, holds control characters or is not UTF-8: no request can present it`},
		{"blank in front", one(Key{Name: "a", Key: " " + keyCI}), `key "a": it begins or ends with a blank, holds control characters or is not UTF-8: no request can present it`},
		{"bad date", one(Key{Name: "a", Key: keyCI, Expires: "tomorrow"}), `key "a": expires: "tomorrow" is not a date such as 2026-12-31 or a time such as 2026-12-31T12:00:00Z`},
		{"date that is none", one(Key{Name: "a", Key: keyCI, Expires: "2026-02-30"}), `key "a": expires: "2026-02-30" is not a date such as 2026-12-31 or a time such as 2026-12-31T12:00:00Z`},
		{"two words in a permission", one(Key{Name: "a", Key: keyCI, Permissions: []string{"a b"}}), `key "a": permissions: "a b" holds blanks or control characters`},
		{"empty permission", one(Key{Name: "a", Key: keyCI, Permissions: []string{""}}), `key "a": permissions: a word is empty`},
		{"meta is a list", one(Key{Name: "a", Key: keyCI, Meta: json.RawMessage(`[1]`)}), `key "a": meta: not a JSON object`},
		{"meta twice", one(Key{Name: "a", Key: keyCI, Meta: json.RawMessage(`{"a":1,"a":2}`)}), `key "a": meta: not valid JSON`},
		{"meta is not JSON", one(Key{Name: "a", Key: keyCI, Meta: json.RawMessage(`{`)}), `key "a": meta: not valid JSON`},
		{"two keys of one name", &APIKey{Keys: []Key{{Name: "a", Key: keyCI}, {Name: "a", Key: keyWorker}}}, `there are two keys named "a"`},
		{"two keys of one value", &APIKey{Keys: []Key{{Name: "a", Key: keyCI}, {Name: "b", Key: sha(keyCI)}}}, `keys "a" and "b" have one value`},
		{"disabled key of the same value", &APIKey{Keys: []Key{{Name: "a", Key: keyCI, Disabled: true}, {Name: "b", Key: keyCI}}}, `keys "a" and "b" have one value`},
		{"file from nowhere", &APIKey{File: "{env.APIKEY_TEST_UNSET}"}, "file: evaluated placeholder {env.APIKEY_TEST_UNSET} is empty"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ctx, _ := authtest.NewContext(t, nil)
			err := tc.a.Provision(ctx)
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != tc.want {
				t.Errorf("error is\n%v\nwant\n%v", err, tc.want)
			}
			for _, s := range []string{keyCI, "secret", strings.TrimPrefix(sha(keyCI), digestPrefix)} {
				if strings.Contains(err.Error(), s) {
					t.Error("the error shows the key")
				}
			}
		})
	}
}

func TestKeysOfSixtyFourDigitsAreKeys(t *testing.T) {
	t.Parallel()
	key := strings.TrimPrefix(sha("what openssl rand -hex 32 prints"), digestPrefix)
	a := provisioned(t, &APIKey{Keys: []Key{{Name: "a", Key: key}, {Name: "b", Key: strings.ToUpper(sha(keyCI)[7:])}}})
	if id, err := a.Authenticate(present(t, key)); err != nil || id.ID != "apikey:a" {
		t.Errorf("%v, %v", id, err)
	}
	upper := provisioned(t, &APIKey{Keys: []Key{{Name: "a", Key: digestPrefix + strings.ToUpper(sha(keyCI)[7:])}}})
	if id, err := upper.Authenticate(present(t, keyCI)); err != nil || id.ID != "apikey:a" {
		t.Errorf("digest in capitals: %v, %v", id, err)
	}
}

// logged returns a logger and what it writes.
func logged() (*zap.Logger, *bytes.Buffer) {
	buf := new(bytes.Buffer)
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "msg", LevelKey: "level", EncodeLevel: zapcore.LowercaseLevelEncoder}), zapcore.AddSync(buf), zapcore.DebugLevel)
	return zap.New(core), buf
}

func TestWarningsNameKeysAndShowNone(t *testing.T) {
	t.Parallel()
	a := &APIKey{Keys: []Key{
		{Name: "plain", Key: keyCI},
		{Name: "short", Key: "hunter2"},
		{Name: "hashed", Key: sha("x")},
		{Name: "elsewhere", Key: "{env.PATH}"},
	}}
	inline, err := prepare(a.Keys, defaultMaxSize)
	if err != nil {
		t.Fatal(err)
	}
	var buf *bytes.Buffer
	a.inline = inline
	a.logger, buf = logged()
	a.warnInline()
	want := `{"level":"warn","msg":"API keys stand in the configuration itself, which Caddy's admin API, autosave file and debug log show: use {env.NAME}, {file./path} or sha256:<digest>","keys":["plain","short"]}
{"level":"warn","msg":"API keys are shorter than 16 bytes and can be guessed","keys":["short"]}
`
	if buf.String() != want {
		t.Errorf("logged\n%s\nwant\n%s", buf, want)
	}
}

func TestAuthenticatingLogsNothing(t *testing.T) {
	t.Parallel()
	a := some(t)
	var buf *bytes.Buffer
	a.logger, buf = logged()
	for _, key := range []string{keyCI, keyOld, keyOff, "nobody"} {
		_, _ = a.Authenticate(present(t, key))
	}
	if buf.Len() != 0 {
		t.Errorf("logged %s", buf)
	}
}

func TestAPIKeyIsAModule(t *testing.T) {
	t.Parallel()
	info, err := caddy.GetModule("http.auth.authenticators.api_key")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := info.New().(auth.Authenticator); !ok {
		t.Error("it is no authenticator")
	}
}

func TestOnlyDigestsAreKept(t *testing.T) {
	t.Parallel()
	a := some(t)
	if a.Keys != nil {
		t.Error("the keys are kept as they were configured")
	}
	if text := fmt.Sprintf("%+v", a.inline); strings.Contains(text, "sk-") {
		t.Errorf("prepared keys hold %s", text)
	}
}
