// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"

	"github.com/caddybolt/caddy-bolt/internal/replica"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
	"github.com/caddybolt/caddy-bolt/internal/sqldsn"
)

// ownPrefix begins the names of the tables.
const ownPrefix = "caddy_auth_"

var ownTables = []string{"caddy_auth_revocations", "caddy_auth_sessions"}

// counterKind is that of the row which counts the changes. Its tombstone is a text
// that no other table has.
const counterKind revoked.Kind = 'v'

// counterDigest is the key of that row. No entry has it.
var counterDigest [32]byte

// digestOf is the key of an entry: an index takes no text of 16 KiB.
func digestOf(e revoked.Entry) []byte {
	h := sha256.New()
	_, _ = h.Write(binary.BigEndian.AppendUint32([]byte{byte(e.Kind)}, uint32(len(e.Issuer))))
	_, _ = h.Write([]byte(e.Issuer))
	_, _ = h.Write([]byte(e.ID))
	return h.Sum(nil)
}

// statements are what is said to a database. IDs are bytes: collations would
// make two of them one.
type statements struct {
	settle        string // how the follower reads
	create        []string
	probeSessions string
	readVersion   string
	count         string
	load          string
	changes       string
	readTombstone string
	revoke        string
	forget        string
	remove        []string
	listen        string
	notify        string
	isolation     *sql.TxOptions

	createSession, readSession, rotateSession, endSession string
}

// highest is where a counter begins that is not there.
const highest = "COALESCE(max(version), 0) FROM caddy_auth_revocations"

// These name the server that answers, since its start, and the table, for the row
// that counts the changes. A server that others write to has no name: a standby, a
// replica. Any account may ask for it, and through all connections to a server it
// is the same text.
const (
	// To the microsecond: no two servers have started at once, nor one twice.
	postgresServer = "convert_to(CASE WHEN pg_is_in_recovery() THEN '' ELSE " +
		"CAST(CAST(extract(epoch FROM pg_postmaster_start_time()) * 1000000 AS bigint) AS text) || '/' || tombstone END, 'UTF8')"

	// The end of a UUID stays the same until the server starts again; as a number,
	// since MariaDB spoils it among other text. Where read_only has more values than
	// two, it has names.
	mysqlServer = "IF(CAST(@@global.read_only AS CHAR) IN ('0', 'OFF') AND @@global.innodb_read_only = 0, " +
		"CONCAT_WS('/', @@hostname, @@port, @@server_id, CRC32(RIGHT(UUID(), 17)), CAST(tombstone AS BINARY)), '')"
)

// serverOf returns what names the server.
func serverOf(d sqldsn.Dialect) string {
	if d == sqldsn.PostgreSQL {
		return postgresServer
	}
	return mysqlServer
}

// insertEntry takes the digest, the kind, the issuer, the ID, the cut-off, the
// end, the tombstone and the version.
const insertEntry = "INSERT INTO caddy_auth_revocations (digest, kind, issuer, id, cutoff, until, tombstone, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "

// common are the statements in which databases agree, with ? for parameters.
// Rotations are counted since MySQL says of a row that is overwritten with what
// is there that it did not change.
var common = statements{
	probeSessions: "SELECT 1 FROM caddy_auth_sessions WHERE 1 = 0",
	count:         "UPDATE caddy_auth_revocations SET version = version + 1 WHERE digest = ?",
	readTombstone: "SELECT tombstone FROM caddy_auth_revocations WHERE digest = ?",
	readSession:   "SELECT session FROM caddy_auth_sessions WHERE digest = ? AND until > ?",
	rotateSession: "UPDATE caddy_auth_sessions SET session = ?, current = ?, until = ?, rotations = rotations + 1 WHERE digest = ? AND current = ? AND until > ?",
	endSession:    "DELETE FROM caddy_auth_sessions WHERE digest = ?",
}

// follow makes the statements that say which server answers. In the place of an
// ID, the counter has its name.
func (s *statements) follow(server string) {
	columns := "kind, issuer, CASE WHEN kind = 'v' THEN " + server + " ELSE id END AS id, cutoff, until, tombstone, version"
	s.readVersion = "SELECT version, " + server + " FROM caddy_auth_revocations WHERE digest = ?"
	s.load = "SELECT " + columns + " FROM caddy_auth_revocations WHERE until > ?"
	s.changes = "SELECT " + columns + " FROM caddy_auth_revocations WHERE digest = ? UNION ALL " +
		"(SELECT " + columns + " FROM caddy_auth_revocations WHERE version > ? AND digest <> ? ORDER BY version LIMIT ?)"
}

func postgresStatements() *statements {
	s := common
	s.follow(postgresServer)
	s.create = []string{
		`CREATE TABLE IF NOT EXISTS caddy_auth_revocations (digest bytea PRIMARY KEY, kind text NOT NULL, issuer bytea NOT NULL, id bytea NOT NULL,
			cutoff bigint NOT NULL, until bigint NOT NULL, tombstone text NOT NULL, version bigint NOT NULL)`,
		"CREATE INDEX IF NOT EXISTS caddy_auth_revocations_version ON caddy_auth_revocations (version)",
		`CREATE TABLE IF NOT EXISTS caddy_auth_sessions (digest bytea PRIMARY KEY, current bytea NOT NULL, until bigint NOT NULL, session bytea NOT NULL,
			rotations bigint NOT NULL DEFAULT 0)`,
		`INSERT INTO caddy_auth_revocations SELECT decode('` + strings.Repeat("00", 32) + `', 'hex'), 'v', '', '', 0, 9223372036854775807, '` + rand.Text() + `', ` + highest + ` ON CONFLICT DO NOTHING`,
	}
	const t = "caddy_auth_revocations."
	s.revoke = insertEntry + "ON CONFLICT (digest) DO UPDATE SET " +
		"cutoff = CASE WHEN " + t + "tombstone <> '' THEN excluded.cutoff ELSE GREATEST(" + t + "cutoff, excluded.cutoff) END, " +
		"until = CASE WHEN " + t + "tombstone <> '' THEN excluded.until ELSE GREATEST(" + t + "until, excluded.until) END, " +
		"version = excluded.version, tombstone = ''"
	s.forget = insertEntry + "ON CONFLICT (digest) DO UPDATE SET " +
		"until = GREATEST(" + t + "until, excluded.until), version = excluded.version, tombstone = excluded.tombstone"
	s.createSession = "INSERT INTO caddy_auth_sessions (digest, current, until, session) VALUES (?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE " +
		"SET current = excluded.current, until = excluded.until, session = excluded.session WHERE caddy_auth_sessions.until <= ?"
	s.listen = "LISTEN caddy_auth_revocations"
	s.notify = "NOTIFY caddy_auth_revocations"
	// A stricter level that somebody made the default refuses whoever waited for
	// the counter. MySQL's lets him read what is there when his turn has come.
	s.isolation = &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	for _, text := range []*string{
		&s.readVersion, &s.count, &s.load, &s.changes, &s.readTombstone, &s.revoke, &s.forget,
		&s.createSession, &s.readSession, &s.rotateSession, &s.endSession,
	} {
		*text = numbered(*text)
	}
	for _, table := range ownTables {
		// The end is asked for twice: a row that somebody extends meanwhile is
		// looked at again, the list is not.
		s.remove = append(s.remove, "DELETE FROM "+table+" WHERE until <= $1 AND digest IN (SELECT digest FROM "+table+
			" WHERE until <= $1 LIMIT "+strconv.Itoa(removedAtOnce)+")")
	}
	return &s
}

func mysqlStatements() *statements {
	s := common
	s.follow(mysqlServer)
	s.create = []string{
		`CREATE TABLE IF NOT EXISTS caddy_auth_revocations (digest binary(32) PRIMARY KEY, kind char(1) NOT NULL, issuer blob NOT NULL, id blob NOT NULL,
			cutoff bigint NOT NULL, until bigint NOT NULL, tombstone varchar(64) NOT NULL, version bigint NOT NULL, INDEX (version)) ENGINE = InnoDB`,
		`CREATE TABLE IF NOT EXISTS caddy_auth_sessions (digest binary(32) PRIMARY KEY, current binary(32) NOT NULL, until bigint NOT NULL, session blob NOT NULL,
			rotations bigint NOT NULL DEFAULT 0) ENGINE = InnoDB`,
		`INSERT IGNORE INTO caddy_auth_revocations SELECT x'` + strings.Repeat("00", 32) + `', 'v', '', '', 0, 9223372036854775807, '` + rand.Text() + `', ` + highest,
	}
	// Whoever reads what others have not committed yet sees the counter move before
	// the rows that it counts.
	s.settle = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"
	// Assignments are made from left to right.
	s.revoke = insertEntry + "ON DUPLICATE KEY UPDATE " +
		"cutoff = IF(tombstone <> '', VALUES(cutoff), GREATEST(cutoff, VALUES(cutoff))), " +
		"until = IF(tombstone <> '', VALUES(until), GREATEST(until, VALUES(until))), version = VALUES(version), tombstone = ''"
	s.forget = insertEntry + "ON DUPLICATE KEY UPDATE until = GREATEST(until, VALUES(until)), version = VALUES(version), tombstone = VALUES(tombstone)"
	s.createSession = "INSERT INTO caddy_auth_sessions (digest, current, until, session) VALUES (?, ?, ?, ?)"
	for _, table := range ownTables {
		s.remove = append(s.remove, "DELETE FROM "+table+" WHERE until <= ? LIMIT "+strconv.Itoa(removedAtOnce))
	}
	return &s
}

func statementsOf(d sqldsn.Dialect) *statements {
	if d == sqldsn.PostgreSQL {
		return postgresStatements()
	}
	return mysqlStatements()
}

// numbered writes parameters as PostgreSQL does.
func numbered(text string) string {
	var b strings.Builder
	n := byte('0')
	for _, c := range []byte(text) {
		if c != '?' {
			b.WriteByte(c)
			continue
		}
		n++
		b.WriteString("$" + string(rune(n)))
	}
	return b.String()
}

// scanRecord reads a row of what is loaded, or changed.
func scanRecord(rows *sql.Rows) (r replica.Record, version int64, err error) {
	var kind, issuer, id sql.RawBytes
	if err := rows.Scan(&kind, &issuer, &id, &r.Cutoff, &r.Until, &r.Tombstone, &version); err != nil {
		return r, 0, err
	}
	if len(kind) != 1 {
		return r, 0, errors.New("a row of the table of revocations has an unknown kind")
	}
	r.Kind, r.Issuer, r.ID = revoked.Kind(kind[0]), string(issuer), string(id)
	switch r.Kind {
	case revoked.Token, revoked.Session, revoked.User, counterKind:
		return r, version, nil
	default:
		return r, 0, errors.New("a row of the table of revocations has an unknown kind")
	}
}
