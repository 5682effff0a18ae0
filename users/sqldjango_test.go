// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
	"github.com/caddybolt/caddy-bolt/internal/passhash"
	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// djangoDatabase is a database that Django made, on a server of each maker.
type djangoDatabase struct {
	maker
	dsn   string
	users map[string]testservers.DjangoUser
}

var djangoDatabases struct {
	sync.Mutex
	made map[string]djangoDatabase
}

// eachDjango runs the test with the database of each maker, which it must not
// change.
func eachDjango(t *testing.T, test func(*testing.T, djangoDatabase)) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			test(t, sharedDjango(t, m))
		})
	}
}

func sharedDjango(t *testing.T, m maker) djangoDatabase {
	t.Helper()
	djangoDatabases.Lock()
	defer djangoDatabases.Unlock()
	if d, ok := djangoDatabases.made[m.name]; ok {
		return d
	}
	d := newDjango(t, m)
	if djangoDatabases.made == nil {
		djangoDatabases.made = make(map[string]djangoDatabase)
	}
	djangoDatabases.made[m.name] = d
	return d
}

func newDjango(t *testing.T, m maker) djangoDatabase {
	t.Helper()
	server := m.shared(t)
	dsn := server.DSN(server.NewDatabase(t))
	return djangoDatabase{m, dsn, testservers.Django(t, dsn)}
}

func (d djangoDatabase) store(tb testing.TB) *SQL {
	tb.Helper()
	return sqlStore(tb, &SQL{DSN: d.dsn, Schema: "django"})
}

func TestSQLWithDjangoKeepsTheContract(t *testing.T) {
	eachDjango(t, func(t *testing.T, d djangoDatabase) {
		alice, inactive := d.users["alice"], d.users["inactive"]
		authtest.TestUserStore(t, authtest.UserStoreCase{
			New:           func(tb testing.TB) auth.UserStore { return d.store(tb) },
			User:          auth.UserRef{Issuer: "local:basic", ID: alice.ID},
			Login:         authtest.Login{Username: "alice", Password: alice.Password},
			Inactive:      auth.UserRef{Issuer: "local:basic", ID: inactive.ID},
			InactiveLogin: authtest.Login{Username: "inactive", Password: inactive.Password},
			Secrets:       []string{alice.Hash, inactive.Hash},
		})
	})
}

// Whom Django lets in is let in here, as the user that Django knows; hashes that
// are too fast to keep a password are the exception.
func TestUsersThatDjangoMadeSignIn(t *testing.T) {
	eachDjango(t, func(t *testing.T, d djangoDatabase) {
		s := d.store(t)
		watch(s)
		tooFast := []string{"md5", "unsalted_md5", "sha1"}
		if len(d.users) < 15 {
			t.Fatalf("Django made %d users", len(d.users))
		}
		for name, known := range d.users {
			if slices.Contains(tooFast, name) != (known.Authenticated && !signsIn(t, s, known)) {
				t.Errorf("%s: Django lets in: %t, here: %t", name, known.Authenticated, signsIn(t, s, known))
			}
			u, err := s.Load(t.Context(), auth.UserRef{Issuer: localBasic, ID: known.ID})
			if !known.Active {
				if u != nil || !errors.Is(err, auth.ErrUserNotFound) {
					t.Errorf("%s: inactive and found: %v", name, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if u.Username != name || u.Staff != known.Staff || u.Superuser != known.Superuser || u.Fields["email"] != known.Email || u.Fields["first_name"] != known.FirstName {
				t.Errorf("%s: user is %+v", name, u)
			}
			if got := slices.Sorted(slices.Values(u.Permissions.Words())); !slices.Equal(got, known.Permissions) {
				t.Errorf("%s: may %v, Django says %v", name, got, known.Permissions)
			}
			last, _ := u.Fields["last_login"].(string)
			if when, _ := time.Parse(time.RFC3339Nano, last); (last == "") != (known.LastLogin == 0) || last != "" && when.UnixMicro() != known.LastLogin {
				t.Errorf("%s: last login is %q, Django says %d", name, last, known.LastLogin)
			}
		}
		if root, alice := d.users["root"], d.users["alice"]; len(root.Permissions) < 8 || !slices.Equal(alice.Permissions, []string{"auth.add_user", "auth.change_group", "auth.view_user"}) {
			t.Errorf("Django's own permissions are %v and %v", root.Permissions, alice.Permissions)
		}
	})
}

// signsIn reports whether the password is accepted, and makes sure that a
// wrong one is not.
func signsIn(t *testing.T, s *SQL, known testservers.DjangoUser) bool {
	t.Helper()
	for _, wrong := range []string{"", known.Password + " ", known.Hash, "pw of"} {
		if u, err := s.Verify(t.Context(), known.Username, wrong); u != nil || !errors.Is(err, auth.ErrInvalidCredentials) {
			t.Errorf("%s: a wrong password: %v, %v", known.Username, u, err)
		}
	}
	u, err := s.Verify(t.Context(), known.Username, known.Password)
	if err != nil && !errors.Is(err, auth.ErrInvalidCredentials) {
		t.Errorf("%s: %v", known.Username, err)
	}
	if u != nil && u.UserRef != (auth.UserRef{Issuer: localBasic, ID: known.ID}) {
		t.Errorf("%s: is %+v", known.Username, u.UserRef)
	}
	return u != nil
}

// Attack: the account of somebody who left is closed in Django's admin, and the
// password still opens, because it was right a minute ago and is remembered.
func TestChangesInTheDatabaseCountAtOnce(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			d := newDjango(t, m)
			s := d.store(t)
			alice := d.users["alice"]
			ref := auth.UserRef{Issuer: localBasic, ID: alice.ID}
			if !signsIn(t, s, alice) {
				t.Fatal("refused") // control
			}
			execute(t, d.dsn, "DELETE FROM auth_user_groups")
			if u, err := s.Load(t.Context(), ref); err != nil || u.Permissions.String() != "auth.add_user" {
				t.Errorf("without groups: %v, %v", u, err)
			}
			execute(t, d.dsn, "UPDATE auth_user SET password = '"+d.users["bcrypt"].Hash+"' WHERE username = 'alice'")
			if signsIn(t, s, alice) {
				t.Error("the old password opens")
			}
			execute(t, d.dsn, "UPDATE auth_user SET password = '"+alice.Hash+"', is_active = false WHERE username = 'alice'")
			if signsIn(t, s, alice) {
				t.Error("inactive, the password opens")
			}
			if u, err := s.Load(t.Context(), ref); u != nil || !errors.Is(err, auth.ErrUserNotFound) {
				t.Errorf("inactive: %v, %v", u, err)
			}
		})
	}
}

// Attack: whoever can write one row, such as an administrator of the
// application, stops the server with a hash that takes hours or gigabytes.
func TestHashThatCostsTooMuchIsNotComputed(t *testing.T) {
	t.Parallel()
	d := newDjango(t, makers[0])
	s := d.store(t)
	logs := watch(s)
	known := d.users["alice"]
	for _, hash := range []string{
		strings.Replace(known.Hash, "$5000$", "$1000000000$", 1),
		strings.Replace(d.users["argon2"].Hash, "m=102400", "m=4194304", 1),
		strings.Replace(d.users["bcrypt_sha256"].Hash, "$05$", "$31$", 1),
		strings.Join(append([]string{"scrypt", "1073741824", "s"}, strings.Split(d.users["scrypt"].Hash, "$")[3:]...), "$"),
		"x", "", "md5$a$b",
	} {
		execute(t, d.dsn, "UPDATE auth_user SET password = '"+hash+"' WHERE username = 'alice'")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		u, err := s.Verify(ctx, "alice", known.Password)
		cancel()
		if u != nil || !errors.Is(err, auth.ErrInvalidCredentials) || err.Error() != errRefused.Error() {
			t.Errorf("%.20s: %v, %v", hash, u, err)
		}
	}
	warnings := logs.FilterMessageSnippet("of no use").All()
	if len(warnings) != 1 {
		t.Fatalf("%d warnings", len(warnings))
	}
	if text, _ := warnings[0].ContextMap()["error"].(string); !strings.Contains(text, "iterations") || strings.Contains(text, "$") {
		t.Errorf("the log says %q", text)
	}
}

// Attack: names are found out by how long the answer takes: an unknown one must
// cost what the newest users' hashes cost, from the first attempt on.
func TestUnknownNameCostsWhatTheUsersCost(t *testing.T) {
	eachDjango(t, func(t *testing.T, d djangoDatabase) {
		s := sqlStore(t, &SQL{DSN: d.dsn, Schema: "django", Timeout: patience - 1}) // a pool that has seen nobody
		if _, err := s.Verify(t.Context(), "nobody", "x"); !errors.Is(err, auth.ErrInvalidCredentials) {
			t.Fatal(err)
		}
		var hashes []passhash.Hash
		for _, known := range d.users {
			if hash, err := passhash.ParseDjango(known.Hash); err == nil {
				hashes = append(hashes, hash)
			}
		}
		if len(hashes) < 10 {
			t.Fatalf("%d hashes", len(hashes))
		}
		for _, name := range []string{"nobody", "admin", "a", "b", "c", "d", "e", "f"} {
			decoy := s.database.decoys.pick(name)
			isDecoy := func(h passhash.Hash) bool { return reflect.DeepEqual(h, decoy) }
			if !slices.ContainsFunc(hashes, isDecoy) {
				t.Errorf("%s costs what no user costs", name)
			}
			if !isDecoy(s.database.decoys.pick(name)) {
				t.Errorf("%s costs now this and now that", name)
			}
		}
	})
}
