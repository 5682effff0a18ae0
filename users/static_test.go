// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

// Hashes of low cost.
const (
	hashHorse = "$2a$04$syvzuIKACw.aR2A5r.BgROf50wIuG8XzM/2EspkG9Pk4btu0OgSIa" // correct horse
	hashA     = "$2a$05$4mzfLGtIcnykIKA/QeCtDOFmxa55eiecdGCi6lHH0kihovNtW1xk." // a
	hashArgon = "$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MjZP1+1U9JUbDWvDvtLyEsZiNXOKEUxfi6O2oe46uxA"
)

func provisioned(tb testing.TB, s *Static) *Static {
	tb.Helper()
	ctx, _ := authtest.NewContext(tb, nil)
	if err := s.Provision(ctx); err != nil {
		tb.Fatal(err)
	}
	return s
}

func staff(tb testing.TB) *Static {
	return provisioned(tb, &Static{
		Users: []StaticUser{
			{
				Username: "ann", Password: hashHorse, ID: "7", Staff: true, Permissions: []string{"a.read", "a.write"},
				Fields: json.RawMessage(`{"email":"ann@example.com","badge":9007199254740993}`),
			},
			{Username: "bob", Password: hashHorse, Disabled: true},
			{Username: "zoë", Password: hashArgon, Superuser: true},
		},
		Issuers: []string{"https://id.example.com"},
	})
}

func TestStaticKeepsTheContract(t *testing.T) {
	t.Parallel()
	authtest.TestUserStore(t, authtest.UserStoreCase{
		New: func(tb testing.TB) auth.UserStore {
			return provisioned(tb, &Static{Users: []StaticUser{ // whose hashes cost the same
				{Username: "ann", Password: hashHorse, ID: "7", Staff: true},
				{Username: "bob", Password: hashHorse, Disabled: true},
			}})
		},
		User:          auth.UserRef{Issuer: "local:basic", ID: "7"},
		Login:         authtest.Login{Username: "ann", Password: "correct horse"},
		Inactive:      auth.UserRef{Issuer: "local:basic", ID: "bob"},
		InactiveLogin: authtest.Login{Username: "bob", Password: "correct horse"},
		Secrets:       []string{hashHorse, hashArgon},
	})
}

func TestUserIsWhatWasConfigured(t *testing.T) {
	t.Parallel()
	s := staff(t)
	u, err := s.Verify(context.Background(), "ann", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if u.ID != "7" || u.Issuer != "local:basic" || u.Username != "ann" || !u.Staff || u.Superuser || u.Permissions.String() != "a.read a.write" {
		t.Errorf("user is %+v", u)
	}
	if u.Fields["email"] != "ann@example.com" || u.Fields["badge"] != int64(9007199254740993) {
		t.Errorf("fields are %v", u.Fields)
	}
	u, err = s.Verify(context.Background(), "zoë", "correct horse")
	if err != nil || u.ID != "zoë" || !u.Superuser || u.Staff {
		t.Errorf("without an ID: %+v, %v", u, err)
	}
}

// Attack: the subject 7 of some other provider's token must not be ann.
func TestOnlyNamedIssuersAreServed(t *testing.T) {
	t.Parallel()
	s := staff(t)
	for issuer, want := range map[string]bool{
		"local:basic":                    true,
		"https://id.example.com":         true,
		"https://id.example.com/":        false,
		"https://accounts.example.net":   false,
		"local:provider":                 false,
		"local:api_key":                  false,
		"":                               false,
		"https://id.example.com\x00more": false,
	} {
		ref := auth.UserRef{Issuer: issuer, ID: "7"}
		u, err := s.Load(context.Background(), ref)
		if !want {
			if u != nil || !errors.Is(err, auth.ErrUserNotFound) {
				t.Errorf("issuer %q: %v, %v", issuer, u, err)
			}
			continue
		}
		if err != nil || u.UserRef != ref || u.Username != "ann" {
			t.Errorf("issuer %q: %v, %v", issuer, u, err)
		}
	}
}

// Attack: a token without an issuer, signed by whoever may sign some token that
// is accepted here, names a local user. That is said where it is wanted, and
// nowhere else.
func TestTokensWithoutIssuerAreServedWhereItIsSaid(t *testing.T) {
	t.Parallel()
	users := []StaticUser{{Username: "ann", Password: hashHorse, ID: "7"}}
	for _, tc := range []struct {
		s    *Static
		want bool
	}{
		{&Static{Users: users}, false},
		{&Static{Users: users, Issuers: []string{"https://id.example.com"}}, false},
		{&Static{Users: users, NoIssuer: true}, true},
		{&Static{Users: users, Issuers: []string{"https://id.example.com"}, NoIssuer: true}, true},
	} {
		s := provisioned(t, tc.s)
		if u, err := s.Load(context.Background(), auth.UserRef{ID: "7"}); (err == nil) != tc.want || (u != nil) != tc.want {
			t.Errorf("%+v: %v, %v", tc.s, u, err)
		}
		if u, err := s.Load(context.Background(), auth.UserRef{Issuer: "local:api_key", ID: "7"}); u != nil || err == nil {
			t.Errorf("%+v: an API key is %v", tc.s, u)
		}
	}
}

// Attack: a user is disabled, and the password still opens, because it was
// right a minute ago and is remembered.
func TestDisabledUserIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	users := []StaticUser{{Username: "carol", Password: hashHorse}}
	if _, err := provisioned(t, &Static{Users: users}).Verify(context.Background(), "carol", "correct horse"); err != nil {
		t.Fatal(err) // control
	}
	disabled := []StaticUser{{Username: "carol", Password: hashHorse, Disabled: true}}
	if u, err := provisioned(t, &Static{Users: disabled}).Verify(context.Background(), "carol", "correct horse"); u != nil || !errors.Is(err, auth.ErrInvalidCredentials) {
		t.Errorf("after the reload: %v, %v", u, err)
	}
	changed := []StaticUser{{Username: "carol", Password: hashA}}
	if u, err := provisioned(t, &Static{Users: changed}).Verify(context.Background(), "carol", "correct horse"); u != nil || !errors.Is(err, auth.ErrInvalidCredentials) {
		t.Errorf("old password after it was changed: %v, %v", u, err)
	}
}

func TestNameAndHashComeFromTheEnvironment(t *testing.T) {
	t.Setenv("STATIC_NAME", "eve")
	t.Setenv("STATIC_HASH", hashHorse)
	s := provisioned(t, &Static{Users: []StaticUser{{Username: "{env.STATIC_NAME}", Password: "{env.STATIC_HASH}"}}})
	if u, err := s.Verify(context.Background(), "eve", "correct horse"); err != nil || u.ID != "eve" {
		t.Errorf("Verify = %v, %v", u, err)
	}
}

func TestStaticConfigurationErrors(t *testing.T) {
	t.Parallel()
	one := func(u StaticUser) *Static { return &Static{Users: []StaticUser{u}} }
	for _, tc := range []struct {
		name string
		s    *Static
		want string
	}{
		{"no users", &Static{}, "users: at least one user is required"},
		{"empty issuer", &Static{Issuers: []string{""}, Users: []StaticUser{{Username: "a", Password: hashA}}}, "issuers: an issuer is empty"},
		{"no name", one(StaticUser{Password: hashA}), "users: position 0: username: resolves to an empty value"},
		{"name from nowhere", one(StaticUser{Username: "{env.STATIC_UNSET}", Password: hashA}), "users: position 0: username: evaluated placeholder {env.STATIC_UNSET} is empty"},
		{"name with a colon", one(StaticUser{Username: "a:b", Password: hashA}), `users: position 0: user "a:b": a name holds no colon`},
		{"name with a NUL", one(StaticUser{Username: "a\x00", Password: hashA}), "users: position 0: the name of a user holds control characters or is not UTF-8"},
		{"name is a hash", one(StaticUser{Username: hashA, Password: "bob"}), "users: position 0: the name of a user is a hash"},
		{"no hash", one(StaticUser{Username: "a"}), `users: position 0: user "a": password: resolves to an empty value`},
		{"hash from nowhere", one(StaticUser{Username: "a", Password: "{env.STATIC_UNSET}"}), `users: position 0: user "a": password: evaluated placeholder {env.STATIC_UNSET} is empty`},
		{"plain password", one(StaticUser{Username: "a", Password: "hunter2"}), `users: position 0: user "a": password: not a password hash of bcrypt or argon2id, as "caddy hash-password" prints`},
		{"plain password with braces", one(StaticUser{Username: "a", Password: "hunt{er}2"}), `users: position 0: user "a": password: not a password hash of bcrypt or argon2id, as "caddy hash-password" prints`},
		{"dear hash", one(StaticUser{Username: "a", Password: strings.Replace(hashA, "$05$", "$30$", 1)}), `users: position 0: user "a": password: bcrypt cost is not between 4 and 18`},
		{"ID of an exchanged token", one(StaticUser{Username: "a", Password: hashA, ID: "exchanged:x|1"}), `users: position 0: user "a": an ID that begins with "exchanged:" is that of a token that was exchanged`},
		{"ID of a key", one(StaticUser{Username: "a", Password: hashA, ID: "apikey:ci"}), `users: position 0: user "a": an ID that begins with "apikey:" is that of an API key`},
		{"ID with a newline", one(StaticUser{Username: "a", Password: hashA, ID: "a\n"}), `users: position 0: user "a": the ID holds control characters or is not UTF-8`},
		{"two words in a permission", one(StaticUser{Username: "a", Password: hashA, Permissions: []string{"a b"}}), `users: position 0: user "a": permissions: "a b" holds blanks or control characters`},
		{"fields are a list", one(StaticUser{Username: "a", Password: hashA, Fields: json.RawMessage(`[]`)}), `users: position 0: user "a": fields: not a JSON object`},
		{"field twice", one(StaticUser{Username: "a", Password: hashA, Fields: json.RawMessage(`{"x":1,"x":2}`)}), `users: position 0: user "a": fields: not valid JSON`},
		{"field without a name", one(StaticUser{Username: "a", Password: hashA, Fields: json.RawMessage(`{"":1}`)}), `users: position 0: user "a": fields: a field has no name`},
		{"field is taken", one(StaticUser{Username: "a", Password: hashA, Fields: json.RawMessage(`{"is_staff":true}`)}), `users: position 0: user "a": fields: every user has "is_staff": a field of that name would never be seen`},
		{"field is the password", one(StaticUser{Username: "a", Password: hashA, Fields: json.RawMessage(`{"Password":1}`)}), `users: position 0: user "a": fields: a password or its hash is never a field`},
		{"field is the hash", one(StaticUser{Username: "a", Password: hashA, Fields: json.RawMessage(`{"x":"` + hashA + `"}`)}), `users: position 0: user "a": fields: "x" is the hash of a password, which is never a field`},
		{"one name twice", &Static{Users: []StaticUser{{Username: "a", Password: hashA}, {Username: "a", Password: hashHorse, ID: "2"}}}, `users: position 1: there are two users named "a"`},
		{"one ID twice", &Static{Users: []StaticUser{{Username: "a", Password: hashA, ID: "b"}, {Username: "b", Password: hashHorse}}}, `users: position 1: users "a" and "b" have one ID`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ctx, _ := authtest.NewContext(t, nil)
			err := tc.s.Provision(ctx)
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != tc.want {
				t.Errorf("error is\n%v\nwant\n%v", err, tc.want)
			}
		})
	}
}

// parse parses a Caddyfile segment.
func parse(text string) (*Static, error) {
	tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
	if err != nil {
		return nil, err
	}
	s := new(Static)
	return s, s.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
}

const full = `static {
	user ann ` + hashHorse + ` {
		id 7
		staff
		superuser
		permissions a.read a.write
		disabled
		field email ann@example.com
		field team {env.TEAM}
	}
	user bob {env.BOB_HASH}
	issuer https://id.example.com https://old.example.com
	no_issuer
}`

func TestStaticCaddyfile(t *testing.T) {
	t.Parallel()
	s, err := parse(full)
	if err != nil {
		t.Fatal(err)
	}
	want := &Static{
		Users: []StaticUser{
			{
				Username: "ann", Password: hashHorse, ID: "7", Staff: true, Superuser: true, Permissions: []string{"a.read", "a.write"}, Disabled: true,
				Fields: json.RawMessage(`{"email":"ann@example.com","team":"{env.TEAM}"}`),
			},
			{Username: "bob", Password: "{env.BOB_HASH}"},
		},
		Issuers:  []string{"https://id.example.com", "https://old.example.com"},
		NoIssuer: true,
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("parsed %+v", s)
	}
}

func TestStaticCaddyfileErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"argument", "static x", `users static takes no argument, not "x", at Caddyfile:1`},
		{"nobody", "static", `users static needs at least one user <name> <hash>, at Caddyfile:1`},
		{"empty block", "static {\n}", `users static needs at least one user <name> <hash>, at Caddyfile:2`},
		{"unknown option", "static {\n\tusers ann x\n}", `unrecognized users static option "users"; there are: user, issuer, no_issuer, at Caddyfile:2`},
		{"issuer twice", "static {\n\tissuer a\n\tissuer b\n}", `option "issuer" was given already at line 2, at Caddyfile:3`},
		{"issuer without argument", "static {\n\tissuer\n}", `option "issuer" needs at least one argument, at Caddyfile:2`},
		{"no hash", "static {\n\tuser ann\n}", `user takes a name and a hash, as "caddy hash-password" prints it, at Caddyfile:2`},
		{"too much", "static {\n\tuser ann " + hashA + " x\n}", `user takes a name and a hash, as "caddy hash-password" prints it, at Caddyfile:2`},
		{"empty name", "static {\n\tuser \"\" " + hashA + "\n}", `user takes a name and a hash, as "caddy hash-password" prints it, at Caddyfile:2`},
		{"hash before the name", "static {\n\tuser " + hashA + " ann\n}", `the name of a user is a hash, at Caddyfile:2`},
		{"plain password", "static {\n\tuser ann hunter2\n}", `user "ann": not a password hash of bcrypt or argon2id, as "caddy hash-password" prints, at Caddyfile:2`},
		{"unknown hash", "static {\n\tuser ann $apr1$abcdefgh$abcdefghijklmnopqrstuv\n}", `user "ann": not a password hash of bcrypt or argon2id, as "caddy hash-password" prints, at Caddyfile:2`},
		{"same name", "static {\n\tuser ann " + hashA + "\n\tuser ann " + hashHorse + "\n}", `user "ann" was given already at line 2, at Caddyfile:3`},
		{"colon", "static {\n\tuser a:b " + hashA + "\n}", `user "a:b": a name holds no colon, at Caddyfile:2`},
		{"unknown user option", "static {\n\tuser ann " + hashA + " {\n\t\temail x\n\t}\n}", `unrecognized user option "email"; there are: id, staff, superuser, permissions, disabled, field, at Caddyfile:3`},
		{"flag with argument", "static {\n\tuser ann " + hashA + " {\n\t\tstaff yes\n\t}\n}", `option "staff" has an argument too many: "yes", at Caddyfile:3`},
		{"flag twice", "static {\n\tuser ann " + hashA + " {\n\t\tstaff\n\t\tstaff\n\t}\n}", `option "staff" was given already at line 3, at Caddyfile:4`},
		{"ID of a key", "static {\n\tuser ann " + hashA + " {\n\t\tid apikey:x\n\t}\n}", `an ID that begins with "apikey:" is that of an API key, at Caddyfile:3`},
		{"no permission", "static {\n\tuser ann " + hashA + " {\n\t\tpermissions\n\t}\n}", `option "permissions" needs at least one argument, at Caddyfile:3`},
		{"permission with a blank", "static {\n\tuser ann " + hashA + " {\n\t\tpermissions \"a b\"\n\t}\n}", `permissions: "a b" holds blanks or control characters, at Caddyfile:3`},
		{"field without value", "static {\n\tuser ann " + hashA + " {\n\t\tfield email\n\t}\n}", `field takes a name and a value, at Caddyfile:3`},
		{"field twice", "static {\n\tuser ann " + hashA + " {\n\t\tfield x 1\n\t\tfield x 2\n\t}\n}", `field "x" was given already, at Caddyfile:4`},
		{"field taken", "static {\n\tuser ann " + hashA + " {\n\t\tfield id 1\n\t}\n}", `every user has "id": a field of that name would never be seen, at Caddyfile:3`},
		{"field is the hash", "static {\n\tuser ann " + hashA + " {\n\t\tfield x " + hashA + "\n\t}\n}", `field "x" is the hash of a password, which is never a field, at Caddyfile:3`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(tc.text)
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != tc.want {
				t.Errorf("error is\n%v\nwant\n%v", err, tc.want)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), hashA[:10]) || strings.Contains(err.Error(), "abcdefgh") {
				t.Error("the error shows the password or its hash")
			}
		})
	}
}

func TestStaticIsAModule(t *testing.T) {
	t.Parallel()
	info, err := caddy.GetModule("http.auth.users.static")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := info.New().(auth.UserStore); !ok {
		t.Error("it is no user store")
	}
}

// What is parsed survives being written as JSON and read again.
func FuzzStaticCaddyfile(f *testing.F) {
	f.Add(full)
	f.Add("static {\n\tuser a " + hashA + "\n}")
	f.Add("static {\n\tuser a " + hashArgon + " {\n\t\tfield \"\" \"\"\n\t}\n}")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "import") || strings.Contains(text, "{$") {
			return // the tokenizer's business
		}
		s, err := parse(text)
		if err != nil {
			return
		}
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var again Static
		if err := caddy.StrictUnmarshalJSON(raw, &again); err != nil {
			t.Fatal(err)
		}
		second, err := json.Marshal(again)
		if err != nil || string(second) != string(raw) {
			t.Errorf("%s became %s, %v", raw, second, err)
		}
	})
}

func BenchmarkVerifyRemembered(b *testing.B) {
	s := staff(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Verify(context.Background(), "ann", "correct horse"); err != nil {
			b.Fatal(err)
		}
	}
}
