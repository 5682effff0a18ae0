// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package sqldsn

import (
	"errors"
	"slices"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
)

var (
	postgresBadValues = []string{"22001", "22003", "22007", "22008", "22021", "22P02", "22P05"}
	mysqlBadValues    = []uint16{1264, 1267, 1292, 1300, 1366, 3854, 3988}
)

// IsBadValue reports whether a database says of a value that it cannot be in its
// column, such as a letter in a number.
func IsBadValue(err error) bool {
	var pg *pgconn.PgError
	var my *mysql.MySQLError
	switch {
	case errors.As(err, &pg):
		return slices.Contains(postgresBadValues, pg.Code)
	case errors.As(err, &my):
		return slices.Contains(mysqlBadValues, my.Number)
	default:
		return false
	}
}
