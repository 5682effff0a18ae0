// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
)

// plainClasses are the classes of SQLSTATE whose errors are about the connection,
// a right, a name, a lock or the state of the server. The others may quote what was
// to be written, and with it the ID of a token.
var plainClasses = []string{"08", "25", "28", "3D", "40", "42", "53", "55", "57", "58", "70"}

// plainErrors are the same among those that MySQL puts in no class: a full disk, a
// table that is read-only or full, a lock, an option of the server, its read-only
// mode.
var plainErrors = []uint16{1021, 1036, 1114, 1205, 1290, 1836}

// withoutValues is an error of a statement, as it may be logged and answered.
func withoutValues(err error) error {
	var postgres *pgconn.PgError
	var mariadb *mysql.MySQLError
	switch {
	case errors.As(err, &postgres):
		if isPlain(postgres.Code) {
			return err
		}
		text := "SQLSTATE " + postgres.Code
		if postgres.ColumnName != "" {
			text += fmt.Sprintf(", column %q", postgres.ColumnName)
		}
		if postgres.ConstraintName != "" {
			text += fmt.Sprintf(", constraint %q", postgres.ConstraintName)
		}
		return errors.New(text)
	case errors.As(err, &mariadb):
		if isPlain(string(mariadb.SQLState[:])) || slices.Contains(plainErrors, mariadb.Number) {
			return err
		}
		return fmt.Errorf("error %d, SQLSTATE %s", mariadb.Number, mariadb.SQLState[:])
	default:
		return err
	}
}

func isPlain(state string) bool { return len(state) == 5 && slices.Contains(plainClasses, state[:2]) }

// unfit is the same for a column that somebody else chose: what the driver says of
// a value that it cannot put there quotes it, too.
func unfit(err error) error {
	var postgres *pgconn.PgError
	var mariadb *mysql.MySQLError
	var network net.Error
	switch {
	case errors.As(err, &postgres), errors.As(err, &mariadb):
		return withoutValues(err)
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	default:
		return fmt.Errorf("it does not fit (%T)", err)
	}
}
