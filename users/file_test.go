// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/watched"
)

const hashDjango = "pbkdf2_sha256$1000$DkA735b6O3RzKJIEGJbSQ0$rZgroY9DT9bmmIk+dQgKDOcbzzUNGLcZvA8GdQJ0GE8=" // correct horse

const team = `{"users":[
	{"username":"ann","password":"` + hashHorse + `","id":"7","staff":true,"permissions":["a.read","a.write"],
	 "fields":{"email":"ann@example.com","badge":9007199254740993,"team":"{env.HOME}"}},
	{"username":"bob","password":"` + hashDjango + `","disabled":true},
	{"username":"zoë","password":"` + hashArgon + `","superuser":true},
	{"username":"dan","password":"` + hashDjango + `"},
	{"username":"bot"}
]}`

// usersFile is a store that reads its file when the test says so, at a time when
// the file's last change is long ago.
type usersFile struct {
	*File
	t    testing.TB
	logs *observer.ObservedLogs
}

func newUsersFile(t testing.TB, content string) *usersFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.json")
	f := &usersFile{t: t, File: &File{
		Path: path, Issuers: []string{"https://id.example.com"},
		clock: clock.Func(func() time.Time { return time.Now().Add(time.Minute) }),
	}}
	f.write(content)
	ctx, cancel := authtest.NewContext(t, nil)
	if err := f.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	cancel() // nobody else looks
	core, logs := observer.New(zap.DebugLevel)
	f.logger, f.logs = zap.New(core), logs
	return f
}

func (f *usersFile) write(content string) {
	f.t.Helper()
	if err := os.WriteFile(f.Path, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// signsIn reports whether the password is accepted.
func (f *usersFile) signsIn(username, password string) bool {
	f.t.Helper()
	u, err := f.Verify(f.t.Context(), username, password)
	if (u == nil) == (err == nil) || err != nil && !errors.Is(err, auth.ErrInvalidCredentials) {
		f.t.Errorf("%s: %v, %v", username, u, err)
	}
	return u != nil
}

func TestFileKeepsTheContract(t *testing.T) {
	t.Parallel()
	alike := strings.NewReplacer(hashDjango, hashHorse, hashArgon, hashHorse).Replace(team) // all hashes cost the same
	authtest.TestUserStore(t, authtest.UserStoreCase{
		New:           func(tb testing.TB) auth.UserStore { return newUsersFile(tb, alike).File },
		User:          auth.UserRef{Issuer: "local:basic", ID: "7"},
		Login:         authtest.Login{Username: "ann", Password: "correct horse"},
		Inactive:      auth.UserRef{Issuer: "local:basic", ID: "bob"},
		InactiveLogin: authtest.Login{Username: "bob", Password: "correct horse"},
		Secrets:       []string{hashHorse, hashArgon, hashDjango},
	})
}

func TestUsersOfAFileAreWhatItSays(t *testing.T) {
	t.Parallel()
	f := newUsersFile(t, team)
	u, err := f.Verify(t.Context(), "ann", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if u.ID != "7" || !u.Staff || u.Superuser || u.Permissions.String() != "a.read a.write" || u.Fields["email"] != "ann@example.com" ||
		u.Fields["badge"] != int64(9007199254740993) || u.Fields["team"] != "{env.HOME}" {
		t.Errorf("user is %+v", u)
	}
	for name, want := range map[string]bool{"ann": true, "bob": false, "zoë": true, "dan": true, "bot": false} {
		if got := f.signsIn(name, "correct horse"); got != want {
			t.Errorf("%s signs in: %t", name, got)
		}
	}
	if f.signsIn("bot", "") {
		t.Error("who has no password signs in without one")
	}
	for issuer, want := range map[string]bool{localBasic: true, "https://id.example.com": true, "https://accounts.example.net": false, "local:api_key": false} {
		u, err := f.Load(t.Context(), auth.UserRef{Issuer: issuer, ID: "bot"})
		if (err == nil) != want || want && u.Username != "bot" {
			t.Errorf("issuer %q: %v, %v", issuer, u, err)
		}
	}
}

func TestUsersAreReadAgainWhenTheFileChanges(t *testing.T) {
	t.Parallel()
	f := newUsersFile(t, team)
	if !f.signsIn("ann", "correct horse") {
		t.Fatal("refused at first")
	}
	f.write(strings.Replace(team, `"staff":true`, `"disabled":true`, 1))
	f.look()
	if f.signsIn("ann", "correct horse") || !f.signsIn("dan", "correct horse") {
		t.Error("the change does not count")
	}
	f.write(`{"users":[]}`)
	f.look()
	if f.signsIn("ann", "correct horse") || f.signsIn("dan", "correct horse") {
		t.Error("somebody is left")
	}
	f.write(team)
	f.look()
	f.look()
	if !f.signsIn("ann", "correct horse") {
		t.Error("refused when the file is back")
	}
	if n := f.logs.FilterMessageSnippet("read again").Len(); n != 3 || f.logs.Len() != 3 {
		t.Errorf("logged %v", f.logs.All())
	}
}

var badUsers = map[string]struct{ content, want string }{
	"empty":                    {"", "it ends too early, at line 1"},
	"half written":             {team[:60], "it ends too early, at line 2"},
	"null":                     {"null", `it has no member "users"`},
	"no users":                 {"{}", `it has no member "users"`},
	"a list":                   {"[]", "it has a member of the wrong type, at line 1"},
	"a user is null":           {`{"users":[null]}`, "users: position 0: username is required"},
	"unknown member":           {`{"users":[],"user":[]}`, "it has an unknown member, at line 1"},
	"unknown member of a user": {`{"users":[{"username":"a","is_staff":true}]}`, "it has an unknown member, at line 1"},
	"member in another case":   {`{"users":[{"username":"a","Disabled":true}]}`, "it has an unknown member, at line 1"},
	"member twice":             {"{\"users\":[{\"username\":\"a\",\"disabled\":true,\n\"disabled\":false}]}", "it has a member twice, at line 2"},
	"flag is text":             {`{"users":[{"username":"a","staff":"true"}]}`, "it has a member of the wrong type, at line 1"},
	"trailing text":            {`{"users":[]}{}`, "it is not JSON, at line 1"},
	"no name":                  {`{"users":[{"password":"` + hashA + `"}]}`, "users: position 0: username is required"},
	"name is a hash":           {`{"users":[{"username":"` + hashDjango + `"}]}`, "users: position 0: the name of a user is a hash"},
	"name with a colon":        {`{"users":[{"username":"a:b"}]}`, `users: position 0: user "a:b": a name holds no colon`},
	"plain password":           {`{"users":[{"username":"a","password":"hunter2"}]}`, `users: position 0: user "a": password: not a password hash of a known format`},
	"placeholder":              {`{"users":[{"username":"a","password":"{env.HASH}"}]}`, `users: position 0: user "a": password: not a password hash of a known format`},
	"md5":                      {`{"users":[{"username":"a","password":"md5$x$0d7a5eb9a7f6a6e0a4d1a5c6b3f0a1b2"}]}`, `users: position 0: user "a": password: not a password hash of a known format`},
	"dear hash":                {`{"users":[{"username":"a","password":"` + strings.Replace(hashDjango, "$1000$", "$1000000000$", 1) + `"}]}`, `users: position 0: user "a": password: pbkdf2_sha256 iterations are not between 1 and 10000000`},
	"ID of an exchanged token": {`{"users":[{"username":"a","id":"exchanged:x|1"}]}`, `users: position 0: user "a": an ID that begins with "exchanged:" is that of a token that was exchanged`},
	"ID of a key":              {`{"users":[{"username":"a","id":"apikey:ci"}]}`, `users: position 0: user "a": an ID that begins with "apikey:" is that of an API key`},
	"permission with a blank":  {`{"users":[{"username":"a","permissions":["a b"]}]}`, `users: position 0: user "a": permissions: "a b" holds blanks or control characters`},
	"field is the hash":        {`{"users":[{"username":"a","fields":{"x":"` + hashDjango + `"}}]}`, `users: position 0: user "a": fields: "x" is the hash of a password, which is never a field`},
	"field twice":              {`{"users":[{"username":"a","fields":{"x":1,"x":2}}]}`, "it has a member twice, at line 1"},
	"one name twice":           {`{"users":[{"username":"a"},{"username":"a","id":"2"}]}`, `users: position 1: there are two users named "a"`},
	"one ID twice":             {`{"users":[{"username":"a","id":"b"},{"username":"b"}]}`, `users: position 1: users "a" and "b" have one ID`},
}

// Attack: whoever can fill the disk, or cut a copy short, would lock everybody
// out, or bring back who was removed.
func TestLastGoodUsersStayWhileTheFileIsBad(t *testing.T) {
	t.Parallel()
	for name, tc := range badUsers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newUsersFile(t, team)
			f.write(tc.content)
			for range 3 {
				f.look()
			}
			if !f.signsIn("ann", "correct horse") || f.signsIn("a", "a") {
				t.Error("the users changed")
			}
			warnings := f.logs.FilterLevelExact(zap.WarnLevel).All()
			if len(warnings) != 1 || f.logs.Len() != 1 {
				t.Fatalf("logged %v", f.logs.All())
			}
			if text := warnings[0].ContextMap()["error"]; text != tc.want {
				t.Errorf("the log says %q, want %q", text, tc.want)
			}
		})
	}
}

func TestBadFileRefusesToStart(t *testing.T) {
	t.Parallel()
	for name, tc := range badUsers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "users.json")
			if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, _ := authtest.NewContext(t, nil)
			want := `file "` + path + `": ` + tc.want
			if err := (&File{Path: path}).Provision(ctx); err == nil || err.Error() != want {
				t.Errorf("error is\n%v\nwant\n%v", err, want)
			}
		})
	}
	for name, tc := range map[string]struct {
		f    *File
		want string
	}{
		"no path":        {&File{}, "path is required"},
		"path unset":     {&File{Path: "{env.USERS_FILE_UNSET}"}, "path: evaluated placeholder {env.USERS_FILE_UNSET} is empty"},
		"missing":        {&File{Path: "/nonexistent/users.json"}, `file "/nonexistent/users.json": no such file or directory`},
		"a folder":       {&File{Path: "testdata"}, `file "testdata": it is not a regular file`},
		"an issuer less": {&File{Path: "testdata", Issuers: []string{""}}, "issuers: an issuer is empty"},
	} {
		ctx, _ := authtest.NewContext(t, nil)
		if err := tc.f.Provision(ctx); err == nil || err.Error() != tc.want {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
}

func TestNobodySignsInWhenTheFileIsGone(t *testing.T) {
	t.Parallel()
	f := newUsersFile(t, team)
	if err := os.Remove(f.Path); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		f.look()
	}
	if f.signsIn("ann", "correct horse") {
		t.Error("accepted")
	}
	if u, err := f.Load(t.Context(), auth.UserRef{Issuer: localBasic, ID: "7"}); u != nil || !errors.Is(err, auth.ErrUserNotFound) {
		t.Errorf("Load = %v, %v", u, err)
	}
	if n := f.logs.FilterMessageSnippet("deleted").Len(); n != 1 || f.logs.Len() != 1 {
		t.Errorf("logged %v", f.logs.All())
	}
	f.write(team)
	f.look()
	if !f.signsIn("ann", "correct horse") {
		t.Error("refused when the file is back")
	}
}

func TestFollowingTheFileEndsWithTheConfiguration(t *testing.T) {
	t.Parallel()
	f := newUsersFile(t, team)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := authtest.NewContext(t, nil)
		ended := make(chan struct{})
		go func() {
			f.follow(ctx)
			close(ended)
		}()
		f.write(`{"users":[]}`)
		time.Sleep(watched.Every + time.Millisecond)
		synctest.Wait()
		if f.signsIn("ann", "correct horse") {
			t.Error("the change is not seen")
		}
		cancel()
		<-ended
	})
}

func parseFile(text string) (*File, error) {
	tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
	if err != nil {
		return nil, err
	}
	f := new(File)
	return f, f.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
}

func TestFileCaddyfile(t *testing.T) {
	t.Parallel()
	f, err := parseFile("file users.json {\n\tissuer a b\n\tno_issuer\n}")
	if err != nil {
		t.Fatal(err)
	}
	if raw, _ := json.Marshal(f); string(raw) != `{"path":"users.json","issuers":["a","b"],"no_issuer":true}` {
		t.Errorf("JSON is %s", raw)
	}
	for _, tc := range []struct{ text, want string }{
		{"file", "users file takes the path of a file, at Caddyfile:1"},
		{"file {\n\tissuer a\n}", "users file takes the path of a file, at Caddyfile:1"},
		{`file ""`, "users file takes the path of a file, at Caddyfile:1"},
		{"file a b", `users file takes one argument, not "b" as well, at Caddyfile:1`},
		{"file a {\n\tpath b\n}", `unrecognized users file option "path"; there are: issuer, no_issuer, at Caddyfile:2`},
		{"file a {\n\tissuer\n}", `option "issuer" needs at least one argument, at Caddyfile:2`},
		{"file a {\n\tissuer a\n\tissuer b\n}", `option "issuer" was given already at line 2, at Caddyfile:3`},
	} {
		if _, err := parseFile(tc.text); err == nil || err.Error() != tc.want {
			t.Errorf("%q: %v, want %s", tc.text, err, tc.want)
		}
	}
}

// What is read as users survives being written and read again; what is refused
// is nobody.
func FuzzDecodeUsers(f *testing.F) {
	f.Add([]byte(team))
	for _, tc := range badUsers {
		f.Add([]byte(tc.content))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		users, err := decodeUsers(content)
		if err != nil {
			if users != nil {
				t.Error("users beside an error")
			}
			return
		}
		if len(users.byID) != len(users.byName) {
			t.Error("two users have one name or one ID")
		}
		for id, a := range users.byID {
			if id == "" || a.user.ID != id || strings.HasPrefix(id, auth.APIKeyPrefix) || users.byName[a.user.Username] != a || a.user.Issuer != localBasic {
				t.Errorf("user is %+v", a.user)
			}
		}
	})
}
