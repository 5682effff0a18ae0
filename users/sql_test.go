// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

const (
	askName = "SELECT id, username, password FROM people WHERE username = $1"
	askID   = "SELECT id, username FROM people WHERE id = $1"
)

func parseSQL(text string) (*SQL, error) {
	tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
	if err != nil {
		return nil, err
	}
	s := new(SQL)
	return s, s.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
}

const fullSQL = "sql postgres://app:{env.DB_PASSWORD}@db.example.com/app?sslmode=require {\n" +
	"\tverify_query \"" + askName + "\"\n" +
	"\tload_query `" + askID + "`\n" +
	"\ttimeout 500ms\n\tmax_connections 4\n\tissuer https://id.example.com a\n\tno_issuer\n}"

func TestSQLCaddyfile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"django", "sql postgres://app@127.0.0.1/app {\n\tschema django\n}", `{"dsn":"postgres://app@127.0.0.1/app","schema":"django"}`},
		{"a placeholder", "sql {env.DATABASE_URL} {\n\tschema django\n}", `{"dsn":"{env.DATABASE_URL}","schema":"django"}`},
		{
			"everything", fullSQL,
			`{"dsn":"postgres://app:{env.DB_PASSWORD}@db.example.com/app?sslmode=require","verify_query":"` + askName +
				`","load_query":"` + askID + `","timeout":500000000,"max_connections":4,"issuers":["https://id.example.com","a"],"no_issuer":true}`,
		},
		{
			"MySQL", "sql mariadb://app@127.0.0.1/app {\n\tverify_query `" + strings.Replace(askName, "$1", "?", 1) + "`\n\tload_query `" + strings.Replace(askID, "$1", "?", 1) + "`\n}",
			`{"dsn":"mariadb://app@127.0.0.1/app","verify_query":"` + strings.Replace(askName, "$1", "?", 1) + `","load_query":"` + strings.Replace(askID, "$1", "?", 1) + `"}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, err := parseSQL(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			if raw, _ := json.Marshal(s); string(raw) != tc.want {
				t.Errorf("JSON is\n%s\nwant\n%s", raw, tc.want)
			}
		})
	}
}

func TestSQLCaddyfileErrors(t *testing.T) {
	t.Parallel()
	const pg = "sql postgres://app:hunter2@127.0.0.1/app {\n\t"
	for _, tc := range []struct{ name, text, want string }{
		{"no DSN", "sql", "users sql takes one argument, the database: postgres://user@host/database or mysql://user@host/database, at Caddyfile:1"},
		{"DSN in two", "sql postgres://app:hunter2@h/d app", "users sql takes one argument, the database: postgres://user@host/database or mysql://user@host/database, at Caddyfile:1"},
		{"unknown scheme", "sql sqlite://hunter2", "dsn: it begins with neither postgres:// nor mysql://, at Caddyfile:1"},
		{"DSN of the driver", "sql app:hunter2@tcp(127.0.0.1)/app", "dsn: it begins with neither postgres:// nor mysql://, at Caddyfile:1"},
		{"nothing to ask", "sql postgres://app@127.0.0.1/app", "schema django, or verify_query and load_query, is required, at Caddyfile:1"},
		{"unknown option", pg + "table x\n}", `unrecognized users sql option "table"; there are: schema, verify_query, load_query, timeout, max_connections, issuer, no_issuer, at Caddyfile:2`},
		{"unknown schema", pg + "schema rails\n}", `schema "rails" is unknown; there is: django, at Caddyfile:2`},
		{"schema twice", pg + "schema django\n\tschema django\n}", `option "schema" was given already at line 2, at Caddyfile:3`},
		{"schema and query", pg + "schema django\n\tload_query `" + askID + "`\n}", "schema and queries exclude each other, at Caddyfile:4"},
		{"one query", pg + "verify_query `" + askName + "`\n}", "schema django, or verify_query and load_query, is required, at Caddyfile:3"},
		{"query in words", pg + "verify_query SELECT id\n}", `option "verify_query" has an argument too many: "id", at Caddyfile:2`},
		{"empty query", pg + "verify_query \" \"\n}", "verify_query: it is empty, at Caddyfile:2"},
		{"no SELECT", pg + "load_query `DELETE FROM people WHERE id = $1`\n}", "load_query: it is no SELECT, at Caddyfile:2"},
		{"no parameter", pg + "load_query `SELECT 1`\n}", "load_query: it has no parameter: $1 is what is asked for, at Caddyfile:2"},
		{"parameter of MySQL", pg + "load_query `SELECT 1 WHERE id = ?`\n}", "load_query: it has no parameter: $1 is what is asked for, at Caddyfile:2"},
		{"zero timeout", pg + "timeout 0\n}", "timeout is not between 1ms and 1m0s, at Caddyfile:2"},
		{"long timeout", pg + "timeout 2m\n}", "timeout is not between 1ms and 1m0s, at Caddyfile:2"},
		{"timeout in words", pg + "timeout soon\n}", `option "timeout": "soon" is not a duration such as 30s, 5m, 12h or 7d, at Caddyfile:2`},
		{"no connections", pg + "max_connections 0\n}", `max_connections: "0" is not a number between 1 and 1000, at Caddyfile:2`},
		{"issuer without argument", pg + "issuer\n}", `option "issuer" needs at least one argument, at Caddyfile:2`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := parseSQL(tc.text)
			if err == nil || err.Error() != tc.want {
				t.Errorf("error is\n%v\nwant\n%v", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Error("the error shows the password")
			}
		})
	}
}

func TestSQLConfigurationErrors(t *testing.T) {
	t.Parallel()
	django := func(dsn string) *SQL { return &SQL{DSN: dsn, Schema: "django"} }
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const shape = "dsn: it is not a URL such as postgres://user@host/database; letters of a password that mean something in a URL are written as %40 and the like, or come from a placeholder"
	for _, tc := range []struct {
		name string
		s    *SQL
		want string
	}{
		{"no DSN", &SQL{Schema: "django"}, "dsn is required"},
		{"no questions", &SQL{DSN: "postgres://a@localhost/b"}, "schema django, or verify_query and load_query, is required"},
		{"unset", django("{env.SQL_TEST_UNSET}"), "dsn: evaluated placeholder {env.SQL_TEST_UNSET} is empty"},
		{"password unset", django("postgres://a:{env.SQL_TEST_UNSET}@localhost/b"), "dsn: evaluated placeholder {env.SQL_TEST_UNSET} is empty"},
		{"braces in the password", django("postgres://a:hunt{er}2@localhost/b"), "dsn: it holds braces that are no placeholder: write \\{ for a brace"},
		{"slash in the password", django("postgres://a:hunt/er2@localhost/b"), shape},
		{"number sign in the password", django("postgres://a:hunt#er2@localhost/b"), shape},
		{"question mark in the password", django("postgres://a:hunt?er2@localhost/b"), shape},
		{"percent in the password", django("postgres://a:hunt%er2@localhost/b"), shape},
		{"no user", django("postgres://localhost/b"), "dsn: it names no user: postgres://user@host/database"},
		{"no database", django("postgres://a:hunter2@localhost"), "dsn: it names no database: postgres://user@host/database"},
		{"bad port", django("postgres://a:hunter2@localhost:x/b"), shape},
		{"unknown parameter", django("mysql://a:hunter2@localhost/b?multiStatements=true"), "dsn: it has an unknown parameter; there are: socket, sslcert, sslkey, sslmode, sslrootcert"},
		{"parameter twice", django("mysql://a:hunter2@localhost/b?sslmode=disable&sslmode=disable"), `dsn: parameter "sslmode" is empty or given twice`},
		{"unknown sslmode", django("mysql://a:hunter2@localhost/b?sslmode=prefer"), "dsn: sslmode is none of disable, require, verify-full"},
		{"unknown sslmode of PostgreSQL", django("postgres://a:hunter2@localhost/b?sslmode=on"), "dsn: sslmode is none of allow, disable, prefer, require, verify-ca, verify-full"},
		{"values in the text", django("postgres://a:hunter2@localhost/b?default_query_exec_mode=simple_protocol"), "dsn: default_query_exec_mode is none of cache_statement, cache_describe, describe_exec, exec"},
		{"certificate missing", django("postgres://a:hunter2@localhost/b?sslrootcert=/nonexistent"), "dsn: sslrootcert: no such file or directory"},
		{"certificate empty", django("mysql://a:hunter2@db.example.com/b?sslrootcert=" + empty), "dsn: sslrootcert: no certificate in it"},
		{"certificate empty, PostgreSQL", django("postgres://a:hunter2@db.example.com/b?sslrootcert=" + empty), "dsn: PostgreSQL does not take it: check host, port and the files and options of TLS"},
		{"key without certificate", django("mysql://a:hunter2@localhost/b?sslmode=require&sslkey=" + empty), "dsn: sslcert and sslkey: not a certificate and its key"},
		{"long timeout", &SQL{DSN: "postgres://a@localhost/b", Schema: "django", Timeout: caddy.Duration(maxTimeout) + 1}, "timeout is not between 0 and 1m0s"},
		{"negative timeout", &SQL{DSN: "postgres://a@localhost/b", Schema: "django", Timeout: -1}, "timeout is not between 0 and 1m0s"},
		{"too many connections", &SQL{DSN: "postgres://a@localhost/b", Schema: "django", MaxConnections: 1001}, "max_connections is not between 1 and 1000"},
		{"query of another database", &SQL{DSN: "mysql://a@localhost/b", VerifyQuery: askName, LoadQuery: askID}, "verify_query: it has no parameter: ? is what is asked for"},
		{"empty issuer", &SQL{DSN: "mysql://a@localhost/b", Schema: "django", Issuers: []string{""}}, "issuers: an issuer is empty"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ctx, _ := authtest.NewContext(t, nil)
			err := tc.s.Provision(ctx)
			if err == nil || err.Error() != tc.want {
				t.Errorf("error is\n%v\nwant\n%v", err, tc.want)
			}
			if err != nil && (strings.Contains(err.Error(), "hunt") || strings.Contains(err.Error(), "er2")) {
				t.Error("the error shows the password")
			}
			if err := tc.s.Cleanup(); err != nil {
				t.Errorf("Cleanup after it: %v", err)
			}
		})
	}
}

// A pool outlives the configuration that another one replaces, and ends with the
// last that uses it; no connection is opened by either.
func TestPoolIsKeptOverAReload(t *testing.T) {
	t.Parallel()
	provision := func(s SQL) *SQL {
		ctx, _ := authtest.NewContext(t, nil)
		if err := s.Provision(ctx); err != nil {
			t.Fatal(err)
		}
		return &s
	}
	base := SQL{DSN: "postgres://pooled@127.0.0.1:1/app", VerifyQuery: askName, LoadQuery: askID}
	first := provision(base)
	second := provision(base)
	if first.database != second.database {
		t.Error("one configuration has two pools")
	}
	if err := first.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if err := first.Cleanup(); err != nil { // once more takes nothing from others
		t.Fatal(err)
	}
	if n, ok := databases.References(second.key); !ok || n != 1 {
		t.Errorf("%d references", n)
	}
	if strings.Contains(second.key, "pooled") {
		t.Error("the key of the pool shows the DSN")
	}
	for name, change := range map[string]func(*SQL){
		"DSN":             func(s *SQL) { s.DSN = "postgres://pooled@127.0.0.1:2/app" },
		"query":           func(s *SQL) { s.LoadQuery = askID + " " },
		"schema":          func(s *SQL) { s.VerifyQuery, s.LoadQuery, s.Schema = "", "", "django" },
		"timeout":         func(s *SQL) { s.Timeout = caddy.Duration(maxTimeout) },
		"max_connections": func(s *SQL) { s.MaxConnections = 1 },
	} {
		changed := base
		change(&changed)
		other := provision(changed)
		if other.database == second.database {
			t.Errorf("another %s shares the pool", name)
		}
		if err := other.Cleanup(); err != nil {
			t.Fatal(err)
		}
	}
	if err := second.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if _, ok := databases.References(second.key); ok {
		t.Error("the pool is left")
	}
}

func TestSQLAndFileAreModules(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sql", "file"} {
		info, err := caddy.GetModule("http.auth.users." + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := info.New().(auth.UserStore); !ok {
			t.Errorf("%s is no user store", name)
		}
	}
}

// What is parsed survives being written as JSON and read again, and provisioning
// it quotes no password.
func FuzzSQLCaddyfile(f *testing.F) {
	f.Add(fullSQL)
	f.Add("sql {env.DATABASE_URL} {\n\tschema django\n}")
	f.Add("sql mysql://a@b/c {\n\tverify_query `SELECT '' -- ?\n, ?`\n\tload_query `SELECT ?`\n}")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "import") || strings.Contains(text, "{$") {
			return // the tokenizer's business
		}
		s, err := parseSQL(text)
		if err != nil {
			return
		}
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var again SQL
		if err := caddy.StrictUnmarshalJSON(raw, &again); err != nil {
			t.Fatal(err)
		}
		second, err := json.Marshal(&again)
		if err != nil || string(second) != string(raw) {
			t.Errorf("%s became %s, %v", raw, second, err)
		}
	})
}
