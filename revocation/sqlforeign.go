// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"strings"
	"sync"
	"time"

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

	next    time.Time // when to read it again
	refused sync.Once // said that the table takes nothing
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
	value, text := "?", column
	if d == sqldsn.PostgreSQL {
		// Text, whatever the type: without the blanks that fill up a character(n).
		value, text = "$1", column+" || ''"
	}
	f := &foreignTable{
		name: table,
		read: "SELECT NULL, " + serverOf(d) + " FROM caddy_auth_revocations WHERE digest = " + value +
			" UNION ALL SELECT " + text + ", NULL FROM " + table + " WHERE " + column + " IS NOT NULL",
		find:   "SELECT 1 FROM " + table + " WHERE " + column + " = " + value,
		insert: "INSERT INTO " + table + " (" + column + ") VALUES (" + value + ")",
		remove: "DELETE FROM " + table + " WHERE " + column + " = " + value,
	}
	if d == sqldsn.MySQL {
		// Collations make two IDs one: to take one back must not take back the other.
		f.exactly = true
		f.remove += " AND CAST(CONVERT(" + column + " USING utf8mb4) AS BINARY) = CAST(? AS BINARY)"
	}
	return f
}

// probe finds out whether the table can be read.
func (f *foreignTable) probe(ctx context.Context, conn *sql.Conn) error {
	f.next = time.Time{}
	_, err := conn.ExecContext(ctx, f.read+" AND 1 = 0", counterDigest[:])
	return err
}

// poll reads the table, unless that was done a moment ago. What is not there is
// forgotten if the server is the one of the session: another may lag.
func (f *foreignTable) poll(ctx context.Context, s *sqlSession, n *replica.Node) error {
	begun := time.Now()
	if begun.Before(f.next) {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	patience := time.AfterFunc(replica.Timeout, cancel)
	defer patience.Stop()
	rows, err := s.follower.QueryContext(ctx, f.read, counterDigest[:])
	if err != nil {
		return err
	}
	defer rows.Close()
	seen, named := make(map[string]struct{}, n.Foreign.Len(revoked.Token)), false
	for rows.Next() {
		if len(seen)%1000 == 0 {
			patience.Reset(replica.Timeout)
		}
		var id, answers sql.RawBytes
		if err := rows.Scan(&id, &answers); err != nil {
			return err
		}
		if answers != nil {
			if err := s.check(string(answers)); err != nil {
				return err
			}
			named = true
			continue
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
	if !named {
		return errReset
	}
	var gone []revoked.Entry
	for i := range revoked.Shards {
		n.Foreign.EachOf(i, func(e revoked.Entry) {
			if _, ok := seen[e.ID]; !ok {
				gone = append(gone, e)
			}
		})
	}
	for _, e := range gone {
		n.Foreign.Remove(e, math.MaxInt64)
	}
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
			_, err := db.ExecContext(ctx, f.remove, f.removed(c.ID)...)
			if err != nil && !sqldsn.IsBadValue(err) { // what the column cannot hold is not in it
				return unfit(err)
			}
		case c.Op == replica.Revoke:
			if err := f.add(ctx, db, c.ID); err != nil {
				f.refused.Do(func() {
					caddy.Log().Named("http.auth.revocation.sql").Warn("the application's table does not take what is revoked here; it stands in caddy_auth_revocations alone",
						zap.Error(unfit(err)))
				})
			}
		}
	}
	return nil
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
