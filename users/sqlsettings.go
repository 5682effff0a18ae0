// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/caddybolt/caddy-bolt/internal/module"
)

const (
	defaultTimeout     = 3 * time.Second
	maxTimeout         = time.Minute
	defaultConnections = 10
	maxConnections     = 1000

	schemaDjango = "django"
)

// checkChoice makes sure that it is said what to ask, once.
func (s *SQL) checkChoice() error {
	own := s.VerifyQuery != "" || s.LoadQuery != ""
	if err := s.checkSchema(); err != nil {
		return err
	}
	if err := module.CheckUnit("timeout", s.Timeout); err != nil {
		return err
	}
	switch {
	case s.Schema != "" && own:
		return errors.New("schema and queries exclude each other")
	case s.Schema == "" && (s.VerifyQuery == "" || s.LoadQuery == ""):
		return errors.New("schema django, or verify_query and load_query, is required")
	case s.Timeout < 0 || time.Duration(s.Timeout) > maxTimeout:
		return fmt.Errorf("timeout is not between 0 and %s", maxTimeout)
	case s.MaxConnections < 0 || s.MaxConnections > maxConnections:
		return fmt.Errorf("max_connections is not between 1 and %d", maxConnections)
	}
	return nil
}

func (s *SQL) checkSchema() error {
	if s.Schema != "" && s.Schema != schemaDjango {
		return fmt.Errorf("schema %q is unknown; there is: django", s.Schema)
	}
	return nil
}

func (s *SQL) statements(d dialect) (statements, error) {
	if s.Schema == schemaDjango {
		return djangoStatements(d), nil
	}
	var st statements
	var err error
	if st.verify, err = checkQuery(s.VerifyQuery, d); err != nil {
		return st, fmt.Errorf("verify_query: %w", err)
	}
	if st.load, err = checkQuery(s.LoadQuery, d); err != nil {
		return st, fmt.Errorf("load_query: %w", err)
	}
	return st, nil
}

func (s *SQL) timeout() time.Duration {
	if s.Timeout == 0 {
		return defaultTimeout
	}
	return time.Duration(s.Timeout)
}

func (s *SQL) connections() int {
	if s.MaxConnections == 0 {
		return defaultConnections
	}
	return s.MaxConnections
}

// poolKey is a digest: the pool is no place for a password.
func (s *SQL) poolKey(dsn string, files [sha256.Size]byte) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %x %q %q %q %s %d", dsn, files, s.Schema, s.VerifyQuery, s.LoadQuery, s.timeout(), s.connections()))
	return hex.EncodeToString(sum[:])
}
