// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"

	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// onPostgreSQL is a store over a PostgreSQL with nothing in it, on the CPU of
// the load generator, as everything is that this process starts.
func (l *lab) onPostgreSQL(ctx context.Context) (option string, end func(), err error) {
	s, err := testservers.StartPostgreSQL(ctx)
	if errors.Is(err, testservers.ErrNotFound) {
		return "", nil, missingPeer("PostgreSQL", "the Debian package postgresql")
	}
	if err != nil {
		return "", nil, err
	}
	return sqlOption(ctx, s)
}

// onMariaDB is a store over a MariaDB, which is polled.
func (l *lab) onMariaDB(ctx context.Context) (option string, end func(), err error) {
	s, err := testservers.StartMariaDB(ctx)
	if errors.Is(err, testservers.ErrNotFound) {
		return "", nil, missingPeer("MariaDB", "the Debian package mariadb-server")
	}
	if err != nil {
		return "", nil, err
	}
	return sqlOption(ctx, s)
}

// sqlOption is how a Caddyfile names a new database of the server.
func sqlOption(ctx context.Context, s *testservers.Server) (option string, end func(), err error) {
	name, err := s.CreateDatabase(ctx)
	if err != nil {
		s.Close()
		return "", nil, err
	}
	return "revocation sql " + s.DSN(name), s.Close, nil
}
