// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package testservers

import (
	"context"
	"crypto/rand"
	"strings"
)

// StartPostgreSQL returns a PostgreSQL for what is no test. Close ends it.
func StartPostgreSQL(ctx context.Context) (*Server, error) {
	p, err := lookPostgreSQL()
	if err != nil {
		return nil, err
	}
	return newServer(ctx, p)
}

// StartMariaDB returns a MariaDB for what is no test. Close ends it.
func StartMariaDB(ctx context.Context) (*Server, error) {
	m, err := lookMariaDB()
	if err != nil {
		return nil, err
	}
	return newServer(ctx, m)
}

// Close ends the server and removes its data.
func (s *Server) Close() { s.end("") }

// CreateDatabase makes an empty database and returns its name.
func (s *Server) CreateDatabase(ctx context.Context) (string, error) {
	name := "db_" + strings.ToLower(rand.Text())
	return name, s.kind.execute(ctx, s, "CREATE DATABASE "+name)
}
