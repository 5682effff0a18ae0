// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package testservers

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
)

// postgresFolders are where Debian puts what is not on the search path.
const postgresFolders = "/usr/lib/postgresql/*/bin"

type postgresql struct{ initdb, postgres string }

var sharedPostgreSQL shared

// findPostgreSQL skips the test where there is no PostgreSQL.
func findPostgreSQL(tb testing.TB) postgresql {
	tb.Helper()
	p, err := lookPostgreSQL()
	Need(tb, "PostgreSQL", err)
	return p
}

// lookPostgreSQL returns the programs of PostgreSQL.
func lookPostgreSQL() (p postgresql, err error) {
	if p.initdb, err = find("initdb", postgresFolders); err == nil {
		p.postgres, err = find("postgres", postgresFolders)
	}
	return p, err
}

// PostgreSQL returns the PostgreSQL that the tests of a package share. Each test
// makes a database of its own in it and leaves the server running.
func PostgreSQL(tb testing.TB) *Server {
	tb.Helper()
	return sharedPostgreSQL.get(tb, findPostgreSQL(tb))
}

// OwnPostgreSQL returns a PostgreSQL that the test may stop and start.
func OwnPostgreSQL(tb testing.TB) *Server {
	tb.Helper()
	return owned(tb, findPostgreSQL(tb))
}

// StandBy starts a PostgreSQL again as a standby: it is read, and stays behind,
// until it is promoted.
func (s *Server) StandBy(tb testing.TB) {
	tb.Helper()
	path := filepath.Join(s.dir, "data", "standby.signal")
	err := os.WriteFile(path, nil, 0o600)
	if err == nil {
		err = giveTo(s.kind.account(), path)
	}
	if err != nil {
		tb.Fatal(err)
	}
	s.Stop()
	s.Start(tb)
}

func (postgresql) account() string { return "postgres" }

func (p postgresql) prepare(s *Server) error {
	password := filepath.Join(s.dir, "password")
	if err := os.WriteFile(password, []byte(s.Password+"\n"), 0o600); err != nil {
		return err
	}
	if err := giveTo(p.account(), password); err != nil {
		return err
	}
	return s.run(p.initdb, "-D", filepath.Join(s.dir, "data"), "-U", s.User, "--pwfile="+password,
		"-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
}

func (p postgresql) command(s *Server) []string {
	return []string{
		p.postgres, "-D", filepath.Join(s.dir, "data"), "-p", s.Port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off",
		"-c", "ssl=on", "-c", "ssl_cert_file=" + s.Authority(), "-c", "ssl_key_file=" + filepath.Join(s.dir, "server.key"),
		"-c", "max_connections=200", "-c", "shared_buffers=16MB",
	}
}

func (postgresql) signal() string { return "QUIT" }

func (p postgresql) execute(ctx context.Context, s *Server, statement string) error {
	conn, err := pgx.Connect(ctx, p.dsn(s, "postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	_ = conn.Close(ctx)
	return err
}

func (postgresql) dsn(s *Server, database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(s.User, s.Password),
		Host: "127.0.0.1:" + s.Port, Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}
