// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/replica"
	"github.com/caddybolt/caddy-bolt/internal/sqldsn"
	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

func TestTableOfAnApplicationIsFollowed(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := m.shared(t)
			dsn := server.DSN(server.NewDatabase(t))
			db := open(t, dsn)
			// as Django makes it
			serial := "integer AUTO_INCREMENT PRIMARY KEY"
			if m.name == "PostgreSQL" {
				serial = "serial PRIMARY KEY"
			}
			execute(t, db, "CREATE TABLE myapp_revokedtoken (id "+serial+", jti varchar(255) NOT NULL UNIQUE)")
			execute(t, db, "CREATE TABLE strict_one (id "+serial+", jti varchar(255) NOT NULL, reason varchar(10) NOT NULL CHECK (reason <> ''))")
			execute(t, db, "INSERT INTO myapp_revokedtoken (jti) VALUES ('before')")
			a := sqlNode(t, &SQL{DSN: dsn, Table: "myapp_revokedtoken"})
			if !isRevoked(t, a, token("before")) || isRevoked(t, a, token("after")) {
				t.Error("what stands in the table is valid, or what does not is revoked")
			}
			execute(t, db, "INSERT INTO myapp_revokedtoken (jti) VALUES ('after')")
			eventually(t, "a new row is seen", func() bool { return isRevoked(t, a, token("after")) })
			execute(t, db, "DELETE FROM myapp_revokedtoken WHERE jti = 'after'")
			eventually(t, "a deleted row is forgotten", func() bool { return !isRevoked(t, a, token("after")) })

			count := func(id string) (n int) {
				t.Helper()
				if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM myapp_revokedtoken WHERE jti = '"+id+"'").Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n
			}
			inTime(t, a, token("here"))
			inTime(t, a, token("here"))
			if count("here") != 1 {
				t.Errorf("what Caddy revokes stands in the application's table %d times", count("here"))
			}
			execute(t, db, "DELETE FROM myapp_revokedtoken WHERE jti = 'here'")
			inTime(t, a, token("there"))
			eventually(t, "both are read", func() bool { return isRevoked(t, a, token("here")) && isRevoked(t, a, token("there")) })
			bare := auth.TokenRef{ID: "before"}
			if err := a.Unrevoke(t.Context(), bare); err != nil {
				t.Fatal(err)
			}
			if isRevoked(t, a, token("before")) || count("before") != 0 {
				t.Error("what was taken back is revoked, or stands in the table")
			}
			inTime(t, a, token(strings.Repeat("long", 100))) // the column does not take it

			// A table that asks for more is read, and the rest stands elsewhere.
			strict := sqlNode(t, &SQL{DSN: dsn, Table: "strict_one", Column: "jti"})
			inTime(t, strict, token("strict"))
			execute(t, db, "INSERT INTO strict_one (jti, reason) VALUES ('theirs', 'x')")
			eventually(t, "both count", func() bool { return isRevoked(t, strict, token("strict")) && isRevoked(t, strict, token("theirs")) })

			none := beginSQL(t, &SQL{DSN: dsn, Table: "missing"})
			eventually(t, "a table that is not there is an outage", func() bool { return none.Node().Enter() != nil })
			for _, odd := range []string{"x; DROP TABLE myapp_revokedtoken", `x" y`, "x` y"} {
				execute(t, db, "CREATE TABLE "+newForeignTable(dialectFor(m.name), odd, "jti").name+" (jti varchar(99))")
				sqlNode(t, &SQL{DSN: dsn, Table: odd})
			}
		})
	}
}

// Applications keep a "jti" in columns of many types, and what a column cannot
// hold is not in it.
func TestColumnOfAnyTypeIsFollowed(t *testing.T) {
	t.Parallel()
	const a, b = "0c7f9a4e-52b0-4c57-9e0e-0f6f1c1d2a3b", "6f9619ff-8b86-4011-b42d-00cf4fc964ff"
	const odd = "no number, no UUID, not Latin: \u0416 \U0001f511"
	for _, m := range makers {
		types := map[string][2]string{"varchar(99)": {a, b}, "text": {a, b}, "char(50)": {a, b}, "uuid": {a, b}, "bigint": {"12345", "67890"}}
		if m.name == "MariaDB" {
			types["varbinary(99)"] = [2]string{a, b}
			types["varchar(99) CHARACTER SET latin1"] = [2]string{a, b}
		}
		server := m.shared(t)
		for kind, ids := range types {
			t.Run(m.name+" "+kind, func(t *testing.T) {
				t.Parallel()
				dsn := server.DSN(server.NewDatabase(t))
				db := open(t, dsn)
				execute(t, db, "CREATE TABLE theirs (jti "+kind+")")
				execute(t, db, "INSERT INTO theirs (jti) VALUES ('"+ids[0]+"')")
				s := sqlNode(t, &SQL{DSN: dsn, Table: "theirs"})
				if !isRevoked(t, s, token(ids[0])) || isRevoked(t, s, token(ids[1])) {
					t.Error("what stands in the table is valid, or what does not is revoked")
				}
				inTime(t, s, token(ids[1]))
				inTime(t, s, token(odd))
				eventually(t, "it is read again", func() bool { return s.Node().Foreign.Revoked(&auth.TokenRef{ID: ids[1]}, anyTime) })
				for _, of := range []auth.TokenRef{token(odd), {ID: ids[0]}, {ID: ids[1]}, token(ids[1])} {
					if err := s.Unrevoke(t.Context(), of); err != nil {
						t.Errorf("taking back %q: %v", of.ID, err)
					}
				}
				for _, id := range []string{odd, ids[0], ids[1]} {
					eventually(t, "it is taken back", func() bool { return !isRevoked(t, s, token(id)) })
				}
				var left int
				if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM theirs WHERE jti IN ('"+ids[0]+"', '"+ids[1]+"')").Scan(&left); err != nil {
					t.Fatal(err)
				}
				if left != 0 {
					t.Errorf("%d are left of what was taken back", left)
				}
			})
		}
	}
}

// Attack: the application revokes a token again right after it was taken back
// here, before its table was read in between.
func TestRowThatComesAgainIsSeen(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := m.shared(t)
			dsn := server.DSN(server.NewDatabase(t))
			db := open(t, dsn)
			execute(t, db, "CREATE TABLE theirs (jti varchar(99))")
			insert := func(i int) { execute(t, db, "INSERT INTO theirs (jti) VALUES ('"+strconv.Itoa(i)+"')") }
			const count = 20
			for i := range count {
				insert(i)
			}
			a := sqlNode(t, &SQL{DSN: dsn, Table: "theirs"})
			for i := range count {
				eventually(t, "it is known", func() bool { return isRevoked(t, a, token(strconv.Itoa(i))) })
				if err := a.Unrevoke(t.Context(), auth.TokenRef{ID: strconv.Itoa(i)}); err != nil {
					t.Fatal(err)
				}
				insert(i)
			}
			for i := range count {
				eventually(t, "it is revoked again", func() bool { return isRevoked(t, a, token(strconv.Itoa(i))) })
			}
		})
	}
}

// Attack: the attacker holds "ABC", which the application revoked, and gets
// "abc" taken back, which the collation of its table takes for the same.
func TestTakingBackOneIDTakesBackNoOther(t *testing.T) {
	t.Parallel()
	server := testservers.MariaDB(t)
	dsn := server.DSN(server.NewDatabase(t))
	db := open(t, dsn)
	for _, charset := range []string{"utf8mb4", "latin1", "ucs2"} {
		execute(t, db, "CREATE TABLE ids_"+charset+" (jti varchar(99)) CHARACTER SET "+charset)
		execute(t, db, "INSERT INTO ids_"+charset+" (jti) VALUES ('ABC'), ('abc'), ('abc '), ('äbc')")
		a := sqlNode(t, &SQL{DSN: dsn, Table: "ids_" + charset})
		if err := a.Unrevoke(t.Context(), auth.TokenRef{ID: "abc"}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is taken back", func() bool { return !isRevoked(t, a, token("abc")) })
		b := sqlNode(t, &SQL{DSN: dsn, Table: "ids_" + charset})
		for _, id := range []string{"ABC", "abc ", "äbc"} {
			if !isRevoked(t, b, token(id)) {
				t.Errorf("%s: %q is taken back with \"abc\"", charset, id)
			}
		}
		if isRevoked(t, b, token("abc")) {
			t.Errorf("%s: control: it is not taken back", charset)
		}
		cleanup(t, b)
	}
}

// IDs of tokens have no place in the log.
func TestErrorsOfATableDoNotQuoteTheID(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := m.shared(t)
			db := open(t, server.DSN(server.NewDatabase(t)))
			const id = "secret-id"
			execute(t, db, "CREATE TABLE theirs (jti varchar(20) UNIQUE, reason varchar(9) NOT NULL)")
			execute(t, db, "CREATE TABLE numbers (jti integer NOT NULL)")
			execute(t, db, "INSERT INTO theirs VALUES ('"+id+"', '')")
			quoted := 0
			for statement, want := range map[string]string{
				"INSERT INTO theirs (jti, reason) VALUES ('" + id + "', '')":                 "SQLSTATE 23", // a duplicate
				"INSERT INTO theirs (jti, reason) VALUES ('" + id + "2', '" + id + id + "')": "SQLSTATE 22", // too long
				"INSERT INTO numbers (jti) VALUES ('" + id + "')":                            "SQLSTATE ",
				"SELECT '" + id + "' FROM missing":                                           "missing", // which helps whoever reads it
			} {
				_, err := db.ExecContext(t.Context(), statement)
				if err == nil {
					t.Fatalf("%s: no error", statement)
				}
				if strings.Contains(err.Error(), id) {
					quoted++
				}
				if got := unfit(err).Error(); strings.Contains(got, id) || !strings.Contains(got, want) {
					t.Errorf("%s: %s", statement, got)
				}
			}
			f := newForeignTable(dialectFor(m.name), "numbers", "jti")
			if err := f.write(t.Context(), db, []replica.Change{{Entry: foreignEntry(id), Op: replica.Forget}}); err != nil && strings.Contains(err.Error(), id) {
				t.Errorf("taking back: %v", err)
			}
			if quoted == 0 {
				t.Error("control: no error of the database quotes it")
			}
		})
	}
	for _, err := range []error{context.DeadlineExceeded, &net.OpError{Op: "read", Err: io.EOF}} {
		if !errors.Is(unfit(err), err) {
			t.Errorf("%v becomes %v", err, unfit(err))
		}
	}
}

func dialectFor(maker string) sqldsn.Dialect {
	if maker == "PostgreSQL" {
		return sqldsn.PostgreSQL
	}
	return sqldsn.MySQL
}

// Attack: whoever writes the configuration of a table's name must not be able
// to say more with it than a name.
func FuzzForeignTable(f *testing.F) {
	f.Add("myapp_revokedtoken", "jti")
	f.Add(`a"; DROP TABLE b; --`, "`x`")
	f.Fuzz(func(t *testing.T, table, column string) {
		if (&SQL{DSN: "x", Table: table, Column: column}).check() != nil || table == "" {
			return
		}
		for d, quote := range map[sqldsn.Dialect]string{sqldsn.PostgreSQL: `"`, sqldsn.MySQL: "`"} {
			name := newForeignTable(d, table, column).name
			for _, part := range strings.Split(strings.ReplaceAll(name, quote+quote, ""), ".") {
				if strings.Count(part, quote)%2 != 0 {
					t.Errorf("%q becomes %s", table, name)
				}
			}
		}
	})
}
