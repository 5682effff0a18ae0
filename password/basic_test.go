// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package password

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
	"github.com/caddybolt/caddy-bolt/internal/attempts"
)

func basicWith(tb testing.TB, store auth.UserStore) *Basic {
	tb.Helper()
	ctx, _ := authtest.NewContext(tb, authtest.Services{UserStore: store})
	b := new(Basic)
	if err := b.Provision(ctx); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := b.Cleanup(); err != nil {
			tb.Error(err)
		}
	})
	b.attempts = attempts.New() // others of the process count their own
	return b
}

func people() *roster {
	return &roster{Users: []rosterUser{
		{Username: "ann", Password: "correct horse"},
		{Username: "zoë", Password: "pass:wörd", Staff: true},
		{Username: "root", Password: ""},
	}}
}

// starting is a store that is to be started.
type starting struct {
	roster
	err     error
	started int
}

func (s *starting) Start(context.Context) error {
	s.started++
	return s.err
}

func TestOwnStoreIsStartedAndTheGlobalOneIsNot(t *testing.T) {
	t.Parallel()
	global := new(starting)
	if err := basicWith(t, global).Start(t.Context()); err != nil || global.started != 0 {
		t.Errorf("the global store was started %d times, %v", global.started, err)
	}
	own := &starting{err: errDown}
	if err := (&Basic{store: own, own: true}).Start(t.Context()); !errors.Is(err, errDown) || own.started != 1 {
		t.Errorf("the own store was started %d times, %v", own.started, err)
	}
	if err := (&Basic{store: people(), own: true}).Start(t.Context()); err != nil {
		t.Errorf("a store with nothing to start: %v", err)
	}
	ctx, _ := authtest.NewContext(t, nil)
	b := &Basic{UsersRaw: json.RawMessage(`{"store":"static","users":[{"username":"ann","password":"x"}]}`)}
	if err := b.Provision(ctx); err != nil || !b.own {
		t.Errorf("its own store is not: %v", err)
	}
}

func encode(userpass string) string { return base64.StdEncoding.EncodeToString([]byte(userpass)) }

// header puts values into Authorization.
func header(values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header["Authorization"] = values }
}

func asked(tb testing.TB, values ...string) *http.Request {
	r := authtest.NewRequest(tb, http.MethodGet, "/")
	header(values...)(r)
	return r
}

// malformed are headers of the scheme Basic that are none, each with the good
// credential in it where there is room.
var malformed = map[string]string{
	"nothing behind the scheme":        "Basic",
	"blanks behind the scheme":         "Basic   ",
	"not base64":                       "Basic ann:correct horse",
	"base64url":                        "Basic " + base64.URLEncoding.EncodeToString([]byte("ann\u07ff:\u07ff?>")),
	"without padding":                  "Basic " + strings.TrimRight(encode("ann:correct horse"), "="),
	"with too much padding":            "Basic " + encode("ann:correct horse") + "=",
	"bits left over":                   "Basic " + leftOver(encode("ann:correct horse")),
	"newline that decoders skip":       "Basic " + encode("ann:correct horse")[:8] + "\n" + encode("ann:correct horse")[8:],
	"carriage return":                  "Basic " + encode("ann:correct horse") + "\r",
	"blank within":                     "Basic " + encode("ann:correct horse")[:8] + " " + encode("ann:correct horse")[8:],
	"two credentials":                  "Basic " + encode("ann:correct horse") + ", Basic " + encode("ann:correct horse"),
	"parameters":                       `Basic realm="x", ` + encode("ann:correct horse"),
	"no colon":                         "Basic " + encode("ann"),
	"empty":                            "Basic " + encode(""),
	"no name":                          "Basic " + encode(":correct horse"),
	"NUL in the name":                  "Basic " + encode("ann\x00:correct horse"),
	"NUL in the password":              "Basic " + encode("ann:correct horse\x00"),
	"newline in the password":          "Basic " + encode("ann:correct horse\n"),
	"DEL in the password":              "Basic " + encode("ann:correct horse\x7f"),
	"control character beyond ASCII":   "Basic " + encode("ann:correct horse\u0085"),
	"Latin-1":                          "Basic " + encode("zo\xeb:pass:w\xf6rd"),
	"overlong UTF-8":                   "Basic " + encode("ann\xc0\xba:correct horse"),
	"name of more than a kilobyte":     "Basic " + encode(strings.Repeat("a", maxPart+1)+":x"),
	"password of more than a kilobyte": "Basic " + encode("ann:"+strings.Repeat("a", maxPart+1)),
	"100 KB":                           "Basic " + encode("ann:"+strings.Repeat("a", 100_000)),
}

// leftOver sets a bit that the padding says is not there.
func leftOver(encoded string) string {
	body := strings.TrimRight(encoded, "=")
	last := body[len(body)-1]
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	i := strings.IndexByte(alphabet, last)
	return body[:len(body)-1] + string(alphabet[i+1]) + encoded[len(body):]
}

func TestBasicKeepsTheContract(t *testing.T) {
	t.Parallel()
	bad := map[string]func(*http.Request){
		"wrong password":       header("Basic " + encode("ann:wrong horse")),
		"empty password":       header("Basic " + encode("ann:")),
		"unknown user":         header("Basic " + encode("nobody:correct horse")),
		"name in another case": header("Basic " + encode("Ann:correct horse")),
		"two headers":          header("Basic "+encode("ann:correct horse"), "Basic "+encode("ann:correct horse")),
		"beside another":       header("Bearer x", "Basic "+encode("ann:correct horse")),
	}
	for name, value := range malformed {
		bad[name] = header(value)
	}
	authtest.TestAuthenticator(t, authtest.AuthenticatorCase{
		New:         func(tb testing.TB) auth.Authenticator { return basicWith(tb, people()) },
		Good:        header("Basic " + encode("ann:correct horse")),
		Bad:         bad,
		Secrets:     []string{"correct horse", "wrong horse"},
		WantBackend: "basic",
		Down:        func(tb testing.TB) auth.Authenticator { return basicWith(tb, answering(nil, errDown)) },
	})
}

func TestMalformedHeaderIsABadPasswordThatNoStoreSees(t *testing.T) {
	t.Parallel()
	for name, value := range malformed {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := people()
			id, err := basicWith(t, store).Authenticate(asked(t, value))
			if id != nil || !errors.Is(err, auth.ErrInvalidCredentials) || auth.ReasonOf(err) != auth.ReasonBadPassword {
				t.Errorf("%v, %v", id, err)
			}
			if store.calls.Load() != 0 {
				t.Error("the store was asked")
			}
		})
	}
}

func TestIdentityOfABasicUser(t *testing.T) {
	t.Parallel()
	b := basicWith(t, people())
	for _, tc := range []struct {
		name, value, id  string
		staff, superuser bool
	}{
		{"plain", "Basic " + encode("ann:correct horse"), "id-of-ann", false, false},
		{"scheme in another case", "bASIC " + encode("ann:correct horse"), "id-of-ann", false, false},
		{"two blanks", "Basic  " + encode("ann:correct horse"), "id-of-ann", false, false},
		{"beyond ASCII, colon in the password", "Basic " + encode("zoë:pass:wörd"), "id-of-zoë", true, false},
		{"empty password", "Basic " + encode("root:"), "id-of-root", false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			id, err := b.Authenticate(asked(t, tc.value))
			if err != nil {
				t.Fatal(err)
			}
			if id.ID != tc.id || id.Issuer != "local:basic" || id.Backend != "basic" || id.Staff != tc.staff || id.Superuser != tc.superuser || id.Permissions.String() != "a.read" || id.TokenID != "" {
				t.Errorf("identity is %+v", *id)
			}
		})
	}
}

func TestOtherSchemesAreNotBasic(t *testing.T) {
	t.Parallel()
	b := basicWith(t, people())
	for _, value := range []string{"Bearer " + encode("ann:correct horse"), "Basicx " + encode("ann:correct horse"), "Basic\t" + encode("ann:correct horse"), "x"} {
		if id, err := b.Authenticate(asked(t, value)); id != nil || !errors.Is(err, auth.ErrNoCredentials) {
			t.Errorf("%q: %v, %v", value, id, err)
		}
	}
}

// Attack: a store that is broken, or hostile, answers what would pass for
// "nothing presented" (which "optional" lets in) or for somebody without a name.
func TestStoreOutOfContractDecidesNothing(t *testing.T) {
	t.Parallel()
	ann := &auth.User{UserRef: auth.UserRef{ID: "1"}, Username: "ann"}
	for _, tc := range []struct {
		name string
		user *auth.User
		err  error
		want auth.Reason
	}{
		{"outage", nil, errDown, auth.ReasonStoreUnavailable},
		{"outage with a user", ann, errDown, auth.ReasonStoreUnavailable},
		{"no credentials", nil, auth.ErrNoCredentials, auth.ReasonStoreUnavailable},
		{"wraps no credentials", nil, fmt.Errorf("x: %w", auth.ErrNoCredentials), auth.ReasonStoreUnavailable},
		{"user not found", nil, auth.ErrUserNotFound, auth.ReasonStoreUnavailable},
		{"nobody", nil, nil, auth.ReasonStoreUnavailable},
		{"no ID", &auth.User{Username: "ann"}, nil, auth.ReasonStoreUnavailable},
		{"ID of a key", &auth.User{UserRef: auth.UserRef{ID: "apikey:ci"}}, nil, auth.ReasonBadPassword},
		{"refused with a user", ann, auth.Invalid(auth.ReasonBadPassword, ""), auth.ReasonBadPassword},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			id, err := basicWith(t, answering(tc.user, tc.err)).Authenticate(asked(t, "Basic "+encode("ann:correct horse")))
			if id != nil || auth.ReasonOf(err) != tc.want || errors.Is(err, auth.ErrNoCredentials) {
				t.Errorf("%v, %v", id, err)
			}
			if invalid := errors.Is(err, auth.ErrInvalidCredentials); invalid != (tc.want == auth.ReasonBadPassword) {
				t.Errorf("invalid is %t", invalid)
			}
		})
	}
}

func TestBasicConfiguration(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		b        Basic
		services auth.Services
		want     string
	}{
		{"no users anywhere", Basic{}, authtest.Services{}, "users are required: basic has none of its own and the global block none either"},
		{"unknown store", Basic{UsersRaw: json.RawMessage(`{"store":"nowhere"}`)}, nil, "unknown module: http.auth.users.nowhere"},
		{"no store", Basic{UsersRaw: json.RawMessage(`{}`)}, nil, "loading users"},
		{"null", Basic{UsersRaw: json.RawMessage(`null`)}, nil, "loading users"},
		{"not a store", Basic{UsersRaw: json.RawMessage(`{"store":"not_a_store"}`)}, nil, "users: *password.noStore is not a user store"},
		{"unknown option of the store", Basic{UsersRaw: json.RawMessage(`{"store":"static","user":[]}`)}, nil, "user"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ctx, _ := authtest.NewContext(t, tc.services)
			if err := tc.b.Provision(ctx); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error is %v, want %s", err, tc.want)
			}
		})
	}
}

func TestOwnUsersComeBeforeGlobalOnes(t *testing.T) {
	t.Parallel()
	global := people()
	ctx, _ := authtest.NewContext(t, authtest.Services{UserStore: global})
	b := &Basic{UsersRaw: json.RawMessage(`{"store":"static","users":[{"username":"bob","password":"x"}]}`)}
	if err := b.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	if id, err := b.Authenticate(asked(t, "Basic "+encode("bob:x"))); err != nil || id.ID != "id-of-bob" {
		t.Errorf("%v, %v", id, err)
	}
	if id, _ := b.Authenticate(asked(t, "Basic "+encode("ann:correct horse"))); id != nil || global.calls.Load() != 0 {
		t.Error("the global store was asked")
	}
	if b.UserStore() == global || basicWith(t, global).UserStore() != auth.UserStore(global) {
		t.Error("UserStore is another")
	}
}

func parseBasic(text string) (*Basic, error) {
	tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
	if err != nil {
		return nil, err
	}
	b := new(Basic)
	return b, b.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
}

func TestBasicCaddyfile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"global users", "basic", `{}`},
		{"empty block", "basic {\n}", `{}`},
		{"a store", "basic {\n\tusers static {\n\t\tuser ann x\n\t}\n}", `{"users":{"store":"static","users":[{"password":"x","username":"ann"}]}}`},
		{"users here", "basic {\n\tuser ann x {\n\t\tstaff\n\t}\n\tuser bob {env.BOB}\n}", `{"users":{"store":"static","users":[{"password":"x","staff":true,"username":"ann"},{"password":"{env.BOB}","username":"bob"}]}}`},
		{"one user here", "basic {\n\tuser ann x\n}", `{"users":{"store":"static","users":[{"password":"x","username":"ann"}]}}`},
		{"quoted braces", "basic {\n\tuser \"{\" \"}\"\n\tuser bob y\n}", `{"users":{"store":"static","users":[{"password":"}","username":"{"},{"password":"y","username":"bob"}]}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b, err := parseBasic(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(b)
			if err != nil {
				t.Fatal(err)
			}
			var got, want any // whose members have no order
			if err := errors.Join(json.Unmarshal(raw, &got), json.Unmarshal([]byte(tc.want), &want)); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("JSON is %s, %v", raw, err)
			}
		})
	}
}

func TestBasicCaddyfileErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"argument", "basic ann", `basic takes no argument: write user <name> <hash> in its block, at Caddyfile:1`},
		{"unknown option", "basic {\n\trealm x\n}", `unrecognized basic option "realm"; there are: users, user, at Caddyfile:2`},
		{"users without store", "basic {\n\tusers\n}", `users takes the name of a user store, at Caddyfile:2`},
		{"unknown store", "basic {\n\tusers ldap\n}", `unrecognized user store "ldap"; there are: not_a_store, static, at Caddyfile:2`},
		{"users twice", "basic {\n\tusers static\n\tusers static\n}", `option "users" was given already at line 2, at Caddyfile:3`},
		{"user beside users", "basic {\n\tusers static\n\tuser a b\n}", `user beside users: one of them only, at Caddyfile:3`},
		{"users beside user", "basic {\n\tuser a b\n\tusers static\n}", `users beside user: one of them only, at Caddyfile:3`},
		{"error in a store", "basic {\n\tusers static {\n\t\tgroup a\n\t}\n}", `unrecognized roster option "group", at Caddyfile:3`},
		{"error in the second user", "basic {\n\tuser a b {\n\t\tstaff\n\t}\n\tuser c d {\n\n\t\tboss\n\t}\n}", `unrecognized user option "boss", at Caddyfile:7`},
		{"user without arguments", "basic {\n\tuser a b\n\tuser\n}", `user takes a name and a password, at Caddyfile:3`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := parseBasic(tc.text)
			if err == nil || err.Error() != tc.want {
				t.Errorf("error is\n%v\nwant\n%v", err, tc.want)
			}
		})
	}
}

func TestBasicIsAModule(t *testing.T) {
	t.Parallel()
	info, err := caddy.GetModule("http.auth.authenticators.basic")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := info.New().(auth.Authenticator); !ok {
		t.Error("it is no authenticator")
	}
}

// Attack: to guess without an end. What cannot be decided, and a right password
// that is presented again and again, are no guesses.
func TestWrongPasswordsAreCounted(t *testing.T) {
	t.Parallel()
	store := answering(nil, errDown)
	b := basicWith(t, store)
	try := func(name, password string) error {
		_, err := b.Authenticate(&http.Request{Header: http.Header{"Authorization": {"Basic " + encode(name+":"+password)}}})
		return err
	}
	for range 2 * attempts.UserBurst {
		if err := try("ann", "pw"); auth.ReasonOf(err) != auth.ReasonStoreUnavailable {
			t.Fatal(err)
		}
	}
	store.answer = people().Verify
	for range 2 * attempts.UserBurst {
		if err := try("ann", "correct horse"); err != nil {
			t.Fatal(err)
		}
	}
	for i := range attempts.UserBurst {
		if err := try("ann", fmt.Sprint(i)); !errors.Is(err, auth.ErrInvalidCredentials) {
			t.Fatal(err)
		}
	}
	asked := store.calls.Load()
	err := try("ann", "guess")
	if auth.ReasonOf(err) != auth.ReasonTooManyAttempts || auth.WaitOf(err) <= 0 || errors.Is(err, auth.ErrInvalidCredentials) || store.calls.Load() != asked {
		t.Errorf("%v", err)
	}
	if err := try("ann", "correct horse"); err != nil {
		t.Errorf("the right one: %v", err)
	}
}

// There is one way to write a name and a password.
func FuzzBasicHeader(f *testing.F) {
	for _, value := range malformed {
		f.Add(value)
	}
	f.Add("Basic " + encode("ann:correct horse"))
	f.Add("Bearer x")
	extractor := basicWith(f, people()).extractor
	f.Fuzz(func(t *testing.T, value string) {
		var name, password string
		store := answering(nil, nil)
		store.answer = func(_ context.Context, n, p string) (*auth.User, error) {
			name, password = n, p
			return &auth.User{UserRef: auth.UserRef{ID: "1"}}, nil
		}
		id, err := (&Basic{store: store, extractor: extractor, attempts: attempts.New()}).Authenticate(&http.Request{Header: http.Header{"Authorization": {value}}})
		if (id == nil) == (err == nil) {
			t.Fatalf("%v beside %v", id, err)
		}
		if err != nil {
			if store.calls.Load() != 0 {
				t.Error("the store was asked about what was refused")
			}
			return
		}
		value = strings.Trim(value, " \t")
		if !strings.EqualFold(value[:6], "Basic ") || strings.TrimLeft(value[6:], " ") != encode(name+":"+password) {
			t.Errorf("accepted %q as %q, %q", value, name, password)
		}
		if name == "" || strings.Contains(name, ":") || strings.ContainsFunc(name+password, unicode.IsControl) || len(name) > maxPart || len(password) > maxPart {
			t.Errorf("accepted %q, %q", name, password)
		}
	})
}

// What is parsed survives being written as JSON and read again.
func FuzzBasicCaddyfile(f *testing.F) {
	f.Add("basic {\n\tuser ann x {\n\t\tstaff\n\t}\n\tuser bob y\n}")
	f.Add("basic {\n\tusers static {\n\t\tuser ann x\n\t}\n}")
	f.Add("basic")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "import") || strings.Contains(text, "{$") {
			return // the tokenizer's business
		}
		b, err := parseBasic(text)
		if err != nil {
			return
		}
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		var again Basic
		if err := caddy.StrictUnmarshalJSON(raw, &again); err != nil {
			t.Fatal(err)
		}
		if second, err := json.Marshal(&again); err != nil || string(second) != string(raw) {
			t.Errorf("%s became %s, %v", raw, second, err)
		}
		if len(b.UsersRaw) == 0 {
			return
		}
		ctx, _ := authtest.NewContext(t, nil)
		if err := again.Provision(ctx); err != nil {
			t.Errorf("what was parsed does not load: %v", err)
		}
	})
}

func BenchmarkBasic(b *testing.B) {
	a := basicWith(b, answering(&auth.User{UserRef: auth.UserRef{ID: "1"}}, nil))
	r := asked(b, "Basic "+encode("ann:correct horse"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(r); err != nil {
			b.Fatal(err)
		}
	}
}
