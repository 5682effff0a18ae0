// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import "github.com/caddybolt/caddy-bolt/internal/sqldsn"

// dialect is whose SQL a database speaks.
type dialect = sqldsn.Dialect

const (
	unknownDialect = sqldsn.Unknown
	postgresql     = sqldsn.PostgreSQL
	mysqlDialect   = sqldsn.MySQL
)
