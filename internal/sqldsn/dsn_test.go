// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package sqldsn

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Attack: a password may hold whatever means something in a URL, and must reach
// the database as it is, and nobody else.
func TestPlaceholdersInADSNStandForAnyText(t *testing.T) {
	t.Parallel()
	const password = "p@ss:w/o?r#d %41 ü+&="
	file := filepath.Join(t.TempDir(), "pass@word")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(whole, []byte("postgres://app:x%40y@localhost/db\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, dsn, user, password, host string }{
		{"password", "postgres://app:{file." + file + "}@localhost/db", "app", password, "localhost"},
		{"user", "mysql://{file." + file + "}:x@localhost:1/db", password, "x", "localhost:1"},
		{"both", "mysql://{file." + file + "}:{file." + file + "}@localhost/db", password, password, "localhost"},
		{"in part", "mysql://app:x-{file." + file + "}-y@localhost/db", "app", "x-" + password + "-y", "localhost"},
		{"whole", "{file." + whole + "}", "app", "x@y", "localhost"},
		{"none", "postgres://app:x%40y@localhost/db", "app", "x@y", "localhost"},
	} {
		expanded, err := Expand(tc.dsn)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		u, err := url.Parse(expanded)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if got, _ := u.User.Password(); u.User.Username() != tc.user || got != tc.password || u.Host != tc.host || u.Path != "/db" {
			t.Errorf("%s: user %q, password %q, host %q, path %q", tc.name, u.User.Username(), got, u.Host, u.Path)
		}
		if _, err := New(expanded, time.Second); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestPasswordInTheConfigurationIsNoticed(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]bool{
		"postgres://app:hunter2@localhost/db":             true,
		"postgres://app:hunter2@{env.HOST}/db":            true,
		"postgres://{env.USER}:hunter2@localhost/db":      true,
		"postgres://app:{env.PASSWORD}@localhost/db":      false,
		"postgres://app:{file./run/secrets/p}@localhost/": false,
		"postgres://app@localhost:5432/db":                false,
		"postgres://localhost:5432/db":                    false,
		"{env.DATABASE_URL}":                              false,
		"postgres://":                                     false,
		"":                                                false,
	} {
		if got := ShowsPassword(dsn); got != want {
			t.Errorf("%s: %t", dsn, got)
		}
	}
}

// Attack: whoever stands between Caddy and the database answers in its place,
// and is every user.
func TestConnectionThatLeavesTheMachineIsVerified(t *testing.T) {
	t.Parallel()
	const authority = "../../caddytest/testdata/ca.pem"
	for dsn, want := range map[string]string{
		"postgres://a@127.0.0.1/b":                                 "",
		"postgres://a@localhost/b":                                 "",
		"postgres://a@[::1]/b":                                     "",
		"postgres://a@/b?host=/run/postgresql":                     "",
		"postgres://a@db/b":                                        "verify-full",
		"postgres://a@10.0.0.1:5432/b":                             "verify-full",
		"postgres://a@localhost/b?host=db":                         "verify-full",
		"postgres://a@db/b?sslmode=disable":                        "disable",
		"postgres://a@db/b?sslmode=verify-ca":                      "verify-ca",
		"mysql://a@127.0.0.1/b":                                    "disable",
		"mysql://a@/b?socket=/run/mysqld/mysqld.sock":              "disable",
		"mysql://a@db/b":                                           "verify-full",
		"mysql://a@db/b?sslmode=require":                           "require",
		"mysql://a@127.0.0.1.example.com/b":                        "verify-full",
		"mysql://a@db/b?sslmode=disable&socket=/run/mysqld/x.sock": "disable",
		"mysql://a@127.0.0.1/b?sslrootcert=" + authority:           "verify-full",
		"mysql://a@127.0.0.1/b?sslmode=disable&sslcert=x&sslkey=y": "disable",
		"postgres://a@localhost/b?sslrootcert=" + authority:        "verify-full",
	} {
		u, d, parameters, err := Read(dsn)
		if err != nil || parameters.Get("sslmode") != want {
			t.Errorf("%s: sslmode %q, %v", dsn, parameters.Get("sslmode"), err)
			continue
		}
		if d != MySQL {
			continue
		}
		config, err := mysqlTLS(u.Hostname(), parameters)
		if err != nil || (config == nil) != (want == "disable") || config != nil && config.InsecureSkipVerify != (want == "require") {
			t.Errorf("%s: TLS is %v, %v", dsn, config, err)
		}
	}
}

// A configuration that is loaded after a certificate was renewed, or an
// authority fell, must not go on with what was in the files.
func TestFilesAreAPartOfWhatConnectionsAreMadeFrom(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pass")
	digest := func(content string) [32]byte {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		target, err := New("postgres://app@localhost/db?sslmode=disable&passfile="+url.QueryEscape(path), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return target.Files
	}
	one, other := digest("one"), digest("other")
	if one == other || one != digest("one") {
		t.Error("what is in a file makes no difference, or makes one each time")
	}
}
