// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package testservers

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// pgbouncer gives each transaction any of its connections to a PostgreSQL.
type pgbouncer struct {
	program string
	to      atomic.Pointer[Server]
}

// OwnPgBouncer returns a PgBouncer in front of a PostgreSQL, which it gives to
// its clients for a transaction at a time. Execute speaks to its console.
func OwnPgBouncer(tb testing.TB, to *Server) *Server {
	tb.Helper()
	program, err := find("pgbouncer", mariadbFolders)
	Need(tb, "PgBouncer", err)
	p := &pgbouncer{program: program}
	p.to.Store(to)
	return owned(tb, p)
}

// Lead leads the clients of a PgBouncer to another PostgreSQL from their next
// transaction on. Their connections stay.
func (s *Server) Lead(tb testing.TB, to *Server) {
	tb.Helper()
	p := s.kind.(*pgbouncer)
	p.to.Store(to)
	if err := p.configure(s); err != nil {
		tb.Fatal(err)
	}
	s.Execute(tb, "RELOAD")
}

func (*pgbouncer) account() string { return "postgres" }

func (p *pgbouncer) prepare(s *Server) error {
	users := filepath.Join(s.dir, "users")
	if err := os.WriteFile(users, fmt.Appendf(nil, "%q %q\n", s.User, s.Password), 0o600); err != nil {
		return err
	}
	return giveTo(p.account(), users)
}

// configure writes the configuration, which names the port.
func (p *pgbouncer) configure(s *Server) error {
	to, path := p.to.Load(), p.path(s)
	text := fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%s user=%s password=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = scram-sha-256
auth_file = users
admin_users = %s
pool_mode = transaction
server_login_retry = 1
`, to.Port, to.User, to.Password, s.Port, s.User)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	return giveTo(p.account(), path)
}

func (*pgbouncer) path(s *Server) string { return filepath.Join(s.dir, "pgbouncer.ini") }

func (p *pgbouncer) command(s *Server) []string {
	_ = p.configure(s) // without it the program ends, and says why
	return []string{p.program, p.path(s)}
}

func (*pgbouncer) signal() string { return "KILL" }

func (p *pgbouncer) execute(ctx context.Context, s *Server, statement string) error {
	conn, err := pgconn.Connect(ctx, p.dsn(s, "pgbouncer"))
	if err != nil {
		return err
	}
	if statement == "" {
		statement = "SHOW VERSION"
	}
	_, err = conn.Exec(ctx, statement).ReadAll()
	_ = conn.Close(ctx)
	return err
}

func (*pgbouncer) dsn(s *Server, database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(s.User, s.Password),
		Host: "127.0.0.1:" + s.Port, Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}
