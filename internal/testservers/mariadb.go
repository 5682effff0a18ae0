// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package testservers

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// mariadbFolders are where Debian puts what is not everybody's search path.
const mariadbFolders = "/usr/sbin"

type mariadb struct{ install, mariadbd string }

var sharedMariaDB shared

// findMariaDB skips the test where there is no MariaDB.
func findMariaDB(tb testing.TB) mariadb {
	tb.Helper()
	m, err := lookMariaDB()
	Need(tb, "MariaDB", err)
	return m
}

// lookMariaDB returns the programs of MariaDB.
func lookMariaDB() (m mariadb, err error) {
	if m.install, err = find("mariadb-install-db", mariadbFolders); err == nil {
		m.mariadbd, err = find("mariadbd", mariadbFolders)
	}
	return m, err
}

// MariaDB returns the MariaDB that the tests of a package share. Each test makes
// a database of its own in it and leaves the server running.
func MariaDB(tb testing.TB) *Server {
	tb.Helper()
	return sharedMariaDB.get(tb, findMariaDB(tb))
}

// OwnMariaDB returns a MariaDB that the test may stop and start.
func OwnMariaDB(tb testing.TB) *Server {
	tb.Helper()
	return owned(tb, findMariaDB(tb))
}

func (mariadb) account() string { return "mysql" }

func (m mariadb) prepare(s *Server) error {
	users := filepath.Join(s.dir, "users.sql")
	text := "CREATE USER IF NOT EXISTS '" + s.User + "'@'%' IDENTIFIED BY '" + s.Password + "';\n" +
		"GRANT ALL PRIVILEGES ON *.* TO '" + s.User + "'@'%' WITH GRANT OPTION;\n"
	if err := os.WriteFile(users, []byte(text), 0o600); err != nil {
		return err
	}
	tmp := filepath.Join(s.dir, "tmp")
	if err := errors.Join(os.Mkdir(tmp, 0o700), giveTo(m.account(), tmp), giveTo(m.account(), users)); err != nil {
		return err
	}
	return s.run(m.install, "--no-defaults", "--datadir="+filepath.Join(s.dir, "data"), "--tmpdir="+tmp,
		"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
}

func (m mariadb) command(s *Server) []string {
	return []string{
		m.mariadbd, "--no-defaults", "--datadir=" + filepath.Join(s.dir, "data"), "--port=" + s.Port,
		"--tmpdir=" + filepath.Join(s.dir, "tmp"), // each removes what it finds there when it starts
		"--bind-address=127.0.0.1", "--socket=mariadb.sock", "--pid-file=mariadb.pid", "--skip-name-resolve",
		"--ssl-cert=" + s.Authority(), "--ssl-key=" + filepath.Join(s.dir, "server.key"),
		"--init-file=" + filepath.Join(s.dir, "users.sql"),
		"--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=16M", "--character-set-server=utf8mb4",
	}
}

func (mariadb) signal() string { return "KILL" }

func (m mariadb) execute(ctx context.Context, s *Server, statement string) error {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr = s.User, s.Password, "tcp", "127.0.0.1:"+s.Port
	config.Logger = &mysql.NopLogger{} // that the server is not there yet
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	if statement == "" {
		return db.PingContext(ctx)
	}
	_, err = db.ExecContext(ctx, statement)
	return err
}

func (mariadb) dsn(s *Server, database string) string {
	u := url.URL{
		Scheme: "mysql", User: url.UserPassword(s.User, s.Password),
		Host: "127.0.0.1:" + s.Port, Path: "/" + database,
	}
	return u.String()
}
