// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/replica"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
	"github.com/caddybolt/caddy-bolt/internal/sqldsn"
)

// foreignShare bounds how much of the time an application's table is being
// read: a large one is read less often.
const foreignShare = 10

// foreignTable is a table of an application, of which one column is known.
type foreignTable struct {
	name                       string // as it is quoted
	read, find, insert, remove string
	exactly                    bool // remove compares twice

	known   map[string]struct{} // what was there
	next    time.Time           // when to read it again
	refused sync.Once           // said that the table takes nothing
}

func newForeignTable(d sqldsn.Dialect, table, column string) *foreignTable {
	quote := func(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
	if d == sqldsn.MySQL {
		quote = func(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
	}
	parts := strings.Split(table, ".")
	for i := range parts {
		parts[i] = quote(parts[i])
	}
	table, column = strings.Join(parts, "."), quote(column)
	f := &foreignTable{
		name:   table,
		read:   "SELECT " + column + " FROM " + table + " WHERE " + column + " IS NOT NULL",
		find:   "SELECT 1 FROM " + table + " WHERE " + column + " = ?",
		insert: "INSERT INTO " + table + " (" + column + ") VALUES (?)",
		remove: "DELETE FROM " + table + " WHERE " + column + " = ?",
	}
	if d == sqldsn.MySQL {
		// Collations make two IDs one: to take one back must not take back the other.
		f.exactly = true
		f.remove += " AND CAST(CONVERT(" + column + " USING utf8mb4) AS BINARY) = CAST(? AS BINARY)"
	}
	if d == sqldsn.PostgreSQL {
		f.find, f.insert, f.remove = numbered(f.find), numbered(f.insert), numbered(f.remove)
	}
	return f
}

// probe finds out whether the table can be read.
func (f *foreignTable) probe(ctx context.Context, conn *sql.Conn) error {
	f.next = time.Time{}
	_, err := conn.ExecContext(ctx, f.read+" AND 1 = 0")
	return err
}

// poll reads the table, unless that was done a moment ago.
func (f *foreignTable) poll(ctx context.Context, conn *sql.Conn, n *replica.Node) error {
	begun := time.Now()
	if begun.Before(f.next) {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	patience := time.AfterFunc(replica.Timeout, cancel)
	defer patience.Stop()
	rows, err := conn.QueryContext(ctx, f.read)
	if err != nil {
		return err
	}
	defer rows.Close()
	seen := make(map[string]struct{}, len(f.known))
	for rows.Next() {
		if len(seen)%1000 == 0 {
			patience.Reset(replica.Timeout)
		}
		var id sql.RawBytes
		if err := rows.Scan(&id); err != nil {
			return err
		}
		if len(id) == 0 || len(id) > revoked.MaxName {
			continue
		}
		name := string(id)
		// One that was taken back here may stand there again already.
		if !n.Foreign.Revoked(&auth.TokenRef{ID: name}, anyTime) {
			n.Foreign.Apply(foreignEntry(name))
		}
		seen[name] = struct{}{}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for id := range f.known {
		if _, ok := seen[id]; !ok {
			n.Foreign.Remove(foreignEntry(id), math.MaxInt64)
		}
	}
	f.known = seen
	f.next = begun.Add(time.Since(begun) * foreignShare)
	return nil
}

// anyTime is a time at which to ask for what lasts as long as its row.
func anyTime() int64 { return 0 }

// foreignEntry is one that lasts as long as its row.
func foreignEntry(id string) revoked.Entry {
	return revoked.Entry{Kind: revoked.Token, ID: id, Until: math.MaxInt64}
}

// write adds what is revoked by its ID, and removes what is taken back. What
// Caddy revoked stands in its own table already: a table that asks for more
// columns than this one is not written, which is said once.
func (f *foreignTable) write(ctx context.Context, db *sql.DB, changes []replica.Change) error {
	for _, c := range changes {
		switch {
		case c.Kind != revoked.Token:
		case c.Op == replica.Forget:
			if _, err := db.ExecContext(ctx, f.remove, f.removed(c.ID)...); err != nil {
				return withoutValues(err)
			}
		case c.Op == replica.Revoke:
			if err := f.add(ctx, db, c.ID); err != nil {
				f.refused.Do(func() {
					caddy.Log().Named("http.auth.revocation.sql").Warn("the application's table does not take what is revoked here; it stands in caddy_auth_revocations alone",
						zap.Error(withoutValues(err)))
				})
			}
		}
	}
	return nil
}

// withoutValues is an error of a statement, without its text: that may quote the
// ID of a token.
func withoutValues(err error) error {
	var postgres *pgconn.PgError
	var mariadb *mysql.MySQLError
	var network net.Error
	switch {
	case errors.As(err, &postgres):
		text := "SQLSTATE " + postgres.Code
		if postgres.ColumnName != "" {
			text += fmt.Sprintf(", column %q", postgres.ColumnName)
		}
		if postgres.ConstraintName != "" {
			text += fmt.Sprintf(", constraint %q", postgres.ConstraintName)
		}
		return errors.New(text)
	case errors.As(err, &mariadb):
		return fmt.Errorf("error %d, SQLSTATE %s", mariadb.Number, mariadb.SQLState[:])
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	default:
		return fmt.Errorf("it does not fit (%T)", err)
	}
}

// removed are the parameters of remove.
func (f *foreignTable) removed(id string) []any {
	if f.exactly {
		return []any{id, id}
	}
	return []any{id}
}

func (f *foreignTable) add(ctx context.Context, db *sql.DB, id string) error {
	var one int
	err := db.QueryRowContext(ctx, f.find, id).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = db.ExecContext(ctx, f.insert, id)
	}
	return err
}
