// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
	"github.com/caddybolt/caddy-bolt/internal/sqldsn"
	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// maker is a kind of server that the store is tested with.
type maker struct {
	name   string
	shared func(testing.TB) *testservers.Server
	own    func(testing.TB) *testservers.Server
	d      dialect
}

var makers = []maker{
	{"PostgreSQL", testservers.PostgreSQL, testservers.OwnPostgreSQL, postgresql},
	{"MariaDB", testservers.MariaDB, testservers.OwnMariaDB, mysqlDialect},
}

// patience is what a query may take on a busy machine.
const patience = caddy.Duration(time.Minute)

// execute runs statements, each in the words of the dialect.
func execute(tb testing.TB, dsn string, statements ...string) {
	tb.Helper()
	target, err := sqldsn.New(dsn, time.Minute)
	if err != nil {
		tb.Fatal(err)
	}
	db := sql.OpenDB(target.Connector)
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(tb.Context(), statement); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
}

// sqlStore provisions the store and cleans it up with the test.
func sqlStore(tb testing.TB, s *SQL) *SQL {
	tb.Helper()
	if s.Timeout == 0 {
		s.Timeout = patience
	}
	s.DSN = hidden(tb, s.DSN)
	ctx, _ := authtest.NewContext(tb, nil)
	if err := s.Provision(ctx); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Cleanup(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// hidden puts a file in the place of the password of a DSN.
func hidden(tb testing.TB, dsn string) string {
	tb.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	password, _ := u.User.Password()
	file := filepath.Join(tb.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	return strings.Replace(dsn, ":"+password+"@", ":{file."+file+"}@", 1)
}

// watch returns what the store logs from now on.
func watch(s *SQL) *observer.ObservedLogs {
	core, logs := observer.New(zap.DebugLevel)
	s.logger = zap.New(core)
	return logs
}

// people is a table that is nobody's schema but the application's.
var people = []string{
	`CREATE TABLE people (id varchar(40) PRIMARY KEY, login varchar(80) NOT NULL, pw varchar(200), enabled boolean NOT NULL, boss boolean, roles text, mail varchar(80), age int, joined timestamp)`,
	`INSERT INTO people VALUES ('u-1', 'ann', '` + hashHorse + `', true, true, 'a.read a.write', 'ann@example.com', 42, '2026-01-02 03:04:05')`,
	`INSERT INTO people VALUES ('u-2', 'bob', '` + hashHorse + `', false, false, NULL, 'bob@example.com', NULL, '2026-01-02 03:04:05')`,
	`INSERT INTO people VALUES ('u-3', 'zoë', 'pbkdf2_sha256$1000$DkA735b6O3RzKJIEGJbSQ0$rZgroY9DT9bmmIk+dQgKDOcbzzUNGLcZvA8GdQJ0GE8=', true, false, '["b.read"]', 'zoe@example.com', NULL, '2026-01-02 03:04:05')`,
}

func (m maker) parameter() string {
	if m.d == postgresql {
		return "$1"
	}
	return "?"
}

func (m maker) peopleStore(dsn string) *SQL {
	return &SQL{
		DSN: dsn,
		VerifyQuery: "SELECT id, login AS username, pw AS password, enabled AS is_active, boss AS is_superuser, roles AS permissions, mail, age, joined FROM people WHERE login = " +
			m.parameter(),
		LoadQuery: "SELECT id, login AS username, enabled AS is_active, boss AS is_superuser, roles AS permissions, mail, age, joined FROM people WHERE id = " + m.parameter(),
		Issuers:   []string{"https://id.example.com"},
	}
}

func TestSQLWithQueriesKeepsTheContract(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := m.shared(t)
			dsn := server.DSN(server.NewDatabase(t))
			execute(t, dsn, people...)
			authtest.TestUserStore(t, authtest.UserStoreCase{
				New: func(tb testing.TB) auth.UserStore {
					s := sqlStore(tb, m.peopleStore(dsn))
					if _, err := s.Verify(tb.Context(), "ann", "correct horse"); err != nil { // it learns what hashes cost
						tb.Error(err)
					}
					return s
				},
				User:          auth.UserRef{Issuer: "local:basic", ID: "u-1"},
				Login:         authtest.Login{Username: "ann", Password: "correct horse"},
				Inactive:      auth.UserRef{Issuer: "local:basic", ID: "u-2"},
				InactiveLogin: authtest.Login{Username: "bob", Password: "correct horse"},
				Secrets:       []string{hashHorse, server.Password},
				Down: func(tb testing.TB) auth.UserStore {
					proxy := testservers.NewProxy(tb, server.Port)
					proxy.Cut()
					s := m.peopleStore(strings.Replace(dsn, ":"+server.Port, ":"+proxy.Port, 1))
					watch(sqlStore(tb, s))
					return s
				},
			})
		})
	}
}

func TestUserIsWhatTheRowSays(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := m.shared(t)
			dsn := server.DSN(server.NewDatabase(t))
			execute(t, dsn, people...)
			s := sqlStore(t, m.peopleStore(dsn))
			u, err := s.Verify(t.Context(), "ann", "correct horse")
			if err != nil {
				t.Fatal(err)
			}
			if u.ID != "u-1" || u.Issuer != "local:basic" || u.Username != "ann" || u.Staff || !u.Superuser || u.Permissions.String() != "a.read a.write" {
				t.Errorf("user is %+v", u)
			}
			if u.Fields["mail"] != "ann@example.com" || u.Fields["age"] != int64(42) || u.Fields["joined"] != "2026-01-02T03:04:05Z" || len(u.Fields) != 3 {
				t.Errorf("fields are %v", u.Fields)
			}
			u, err = s.Verify(t.Context(), "zoë", "correct horse")
			if err != nil || u.ID != "u-3" || u.Permissions.String() != "b.read" || u.Fields["age"] != nil {
				t.Errorf("user is %+v, %v", u, err)
			}
			for issuer, want := range map[string]bool{
				"local:basic": true, "https://id.example.com": true, "https://id.example.com/": false, "local:api_key": false, "": false,
			} {
				u, err := s.Load(t.Context(), auth.UserRef{Issuer: issuer, ID: "u-1"})
				if (err == nil) != want || (err != nil && !errors.Is(err, auth.ErrUserNotFound)) {
					t.Errorf("issuer %q: %v, %v", issuer, u, err)
				}
				if u != nil && u.Issuer != issuer {
					t.Errorf("issuer %q: it is %q", issuer, u.Issuer)
				}
			}
		})
	}
}

// Attack: MySQL compares without regard to case, accents and trailing blanks,
// and takes "1abc" for 1: who is asked for is not who is found. Each variant
// would have a count of failed attempts of its own, too.
func TestOnlyWhoWasAskedForIsFound(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := m.shared(t)
			dsn := server.DSN(server.NewDatabase(t))
			execute(t, dsn,
				"CREATE TABLE numbered (id int PRIMARY KEY, username varchar(80), password varchar(200))",
				"INSERT INTO numbered VALUES (1, 'alice', '"+hashHorse+"'), (2, '7', '"+hashHorse+"')")
			s := sqlStore(t, &SQL{
				DSN:         dsn,
				VerifyQuery: "SELECT id, username, password FROM numbered WHERE username = " + m.parameter(),
				LoadQuery:   "SELECT id, username FROM numbered WHERE id = " + m.parameter(),
			})
			for _, name := range []string{"Alice", "ALICE", "alice ", "álice", "alice\u200b", "7.0", "07", "7abc"} {
				if u, err := s.Verify(t.Context(), name, "correct horse"); u != nil || !errors.Is(err, auth.ErrInvalidCredentials) {
					t.Errorf("name %q: %v, %v", name, u, err)
				}
			}
			for _, id := range []string{"1abc", "1 ", " 1", "01", "1.0", "1e0", "0x1", "+1", "-1", "x", "99999999999999999999"} {
				if u, err := s.Load(t.Context(), auth.UserRef{Issuer: localBasic, ID: id}); u != nil || !errors.Is(err, auth.ErrUserNotFound) {
					t.Errorf("ID %q: %v, %v", id, u, err)
				}
			}
			// control
			if u, err := s.Verify(t.Context(), "alice", "correct horse"); err != nil || u.ID != "1" {
				t.Errorf("the name itself: %v, %v", u, err)
			}
			if u, err := s.Load(t.Context(), auth.UserRef{Issuer: localBasic, ID: "1"}); err != nil || u.Username != "alice" {
				t.Errorf("the ID itself: %v, %v", u, err)
			}
		})
	}
}

func TestQueryThatReturnsTheWrongThingIsAnOutageThatSaysSo(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := m.shared(t)
			dsn := server.DSN(server.NewDatabase(t))
			execute(t, dsn, people...)
			p := m.parameter()
			for _, tc := range []struct{ name, verify, want string }{
				{"no hash", "SELECT id, login AS username FROM people WHERE login = " + p, `verify_query: it returns no column "password"`},
				{"no ID", "SELECT login AS username, pw AS password FROM people WHERE login = " + p, `verify_query: it returns no column "id"`},
				{"hash under another name", "SELECT id, login AS username, pw AS password, pw AS password_hash FROM people WHERE login = " + p, `verify_query: it returns a column "password_hash"`},
				{"issuer", "SELECT id, login AS username, pw AS password, mail AS issuer FROM people WHERE login = " + p, `verify_query: it returns a column "issuer"`},
				{"two IDs", "SELECT id, mail AS id, login AS username, pw AS password FROM people WHERE login = " + p, `verify_query: it returns two columns "id"`},
				{"several users", "SELECT id, login AS username, pw AS password FROM people WHERE login <> " + p, `verify_query: it returns more than one user`},
				{"flag is a text", "SELECT id, login AS username, pw AS password, mail AS is_staff FROM people WHERE login = " + p, `verify_query: column "is_staff": it is neither true nor false`},
				{"no such table", "SELECT id, login AS username, pw AS password FROM persons WHERE login = " + p, "verify_query: "},
				{"no such column", "SELECT id, login AS username, hash AS password FROM people WHERE login = " + p, "verify_query: "},
				{"not SQL", "SELECT id, login AS username, pw AS password FROM people WHEN login = " + p, "verify_query: "},
			} {
				t.Run(tc.name, func(t *testing.T) {
					s := m.peopleStore(dsn)
					s.VerifyQuery = tc.verify
					s = sqlStore(t, s)
					logs := watch(s)
					for range 3 {
						u, err := s.Verify(t.Context(), "ann", "correct horse")
						if u != nil || err == nil || errors.Is(err, auth.ErrInvalidCredentials) {
							t.Fatalf("Verify = %v, %v", u, err)
						}
					}
					if logs.Len() != 1 {
						t.Fatalf("%d lines in the log", logs.Len())
					}
					text, _ := logs.All()[0].ContextMap()["error"].(string)
					if !strings.HasPrefix(text, tc.want) || strings.Contains(text, "correct horse") || strings.Contains(text, hashHorse) {
						t.Errorf("the log says %q", text)
					}
				})
			}
		})
	}
}

func TestOutageIsBoundedAndOverByItself(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := m.shared(t)
			dsn := server.DSN(server.NewDatabase(t))
			execute(t, dsn, people...)
			proxy := testservers.NewProxy(t, server.Port)
			s := m.peopleStore(strings.Replace(dsn, ":"+server.Port, ":"+proxy.Port, 1))
			s.Timeout = caddy.Duration(2 * time.Second)
			s = sqlStore(t, s)
			logs := watch(s)
			works := func() bool {
				u, err := s.Load(context.Background(), auth.UserRef{Issuer: localBasic, ID: "u-1"})
				if err != nil && errors.Is(err, auth.ErrUserNotFound) {
					t.Errorf("an outage made the user unknown: %v", err)
				}
				return err == nil && u.Username == "ann"
			}
			awaitWorks := func(what string) {
				for deadline := time.Now().Add(2 * time.Minute); !works(); {
					if time.Now().After(deadline) {
						t.Fatalf("%s: it does not recover", what)
					}
				}
			}
			awaitWorks("at first")
			logs.TakeAll()
			for _, outage := range []struct {
				name  string
				begin func()
			}{{"frozen", proxy.Freeze}, {"cut", proxy.Cut}} {
				outage.begin()
				s.database.health.outage.last = time.Time{} // a while ago
				start := time.Now()
				for range 3 {
					if works() {
						t.Errorf("%s: it answers", outage.name)
					}
				}
				if took := time.Since(start); took > time.Minute {
					t.Errorf("%s: three questions took %s", outage.name, took)
				}
				if n := logs.FilterLevelExact(zap.WarnLevel).Len(); n != 1 {
					t.Errorf("%s: %d warnings: %v", outage.name, n, logs.All())
				}
				for _, entry := range logs.All() {
					if text, _ := entry.ContextMap()["error"].(string); strings.Contains(text, server.Password) {
						t.Errorf("%s: the log shows the password: %s", outage.name, text)
					}
				}
				proxy.Restore()
				awaitWorks(outage.name)
				if n := logs.FilterMessage("the database of users answers again").Len(); n != 1 {
					t.Errorf("%s: %d lines say that it is over", outage.name, n)
				}
				logs.TakeAll()
			}
		})
	}
}

// A server that was started anew has ended the connections that the pool
// keeps: nobody notices.
func TestRestartOfTheServerIsNotNoticed(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := m.own(t)
			dsn := server.DSN(server.NewDatabase(t))
			execute(t, dsn, people...)
			s := sqlStore(t, m.peopleStore(dsn))
			watch(s)
			for range 2 {
				if _, err := s.Verify(t.Context(), "ann", "correct horse"); err != nil {
					t.Fatal(err)
				}
				server.Stop()
				if _, err := s.Verify(t.Context(), "ann", "correct horse"); err == nil || errors.Is(err, auth.ErrInvalidCredentials) {
					t.Errorf("stopped: %v", err)
				}
				server.Start(t)
			}
			if _, err := s.Verify(t.Context(), "ann", "correct horse"); err != nil {
				t.Error(err)
			}
		})
	}
}

// Attack: somebody answers in the place of the database, and is every user.
func TestServerWithoutItsCertificateIsNotBelieved(t *testing.T) {
	t.Parallel()
	for i, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server, other := m.shared(t), makers[1-i].shared(t)
			dsn := server.DSN(server.NewDatabase(t))
			execute(t, dsn, people...)
			clear := strings.TrimSuffix(dsn, "?sslmode=disable")
			elsewhere := strings.Replace(clear, "127.0.0.1", "localhost", 1) // which the certificate does not name
			for _, tc := range []struct {
				name, dsn string
				want      bool
			}{
				{"its authority", clear + "?sslmode=verify-full&sslrootcert=" + server.Authority(), true},
				{"not verified", clear + "?sslmode=require", true},
				{"another authority", clear + "?sslmode=verify-full&sslrootcert=" + other.Authority(), false},
				{"the system's authorities", clear + "?sslmode=verify-full", false},
				{"another name", elsewhere + "?sslmode=verify-full&sslrootcert=" + server.Authority(), false},
			} {
				s := sqlStore(t, m.peopleStore(tc.dsn))
				logs := watch(s)
				u, err := s.Verify(t.Context(), "ann", "correct horse")
				if (u != nil) != tc.want || errors.Is(err, auth.ErrInvalidCredentials) {
					t.Errorf("%s: %v, %v", tc.name, u, err)
				}
				if tc.want {
					continue
				}
				if text, _ := logs.All()[0].ContextMap()["error"].(string); !strings.Contains(text, "x509") && !strings.Contains(text, "certificate") || strings.Contains(text, server.Password) {
					t.Errorf("%s: the log says %q", tc.name, text)
				}
			}
		})
	}
}
