// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/caddybolt/caddy-bolt/internal/sqldsn"
)

// unreachable is the error of a database that did not answer.
type unreachable struct{ error }

func isUnreachable(err error) bool {
	var u unreachable
	return errors.As(err, &u)
}

// postgresFaults are the classes of errors whose text is about the server, the
// account or the query, and never about a row or what was asked for.
var postgresFaults = []string{"08", "28", "3D", "3F", "42", "53", "57"}

// mysqlFaults are the errors of that kind: access, database, table, column,
// syntax, connections.
var mysqlFaults = []uint16{1040, 1044, 1045, 1049, 1054, 1064, 1142, 1143, 1146, 1203, 1226}

// explain returns an error for the log: without DSN, values and rows.
func (d *database) explain(ctx context.Context, err error) error {
	var pg *pgconn.PgError
	var my *mysql.MySQLError
	switch {
	case errors.Is(ctx.Err(), context.Canceled): // the visitor went away
		return ctx.Err()
	case sqldsn.IsBadValue(err): // it was the visitor's: nobody has that name or ID
		return errNoUser
	case errors.As(err, &pg):
		return explainPostgres(pg)
	case errors.As(err, &my):
		return explainMySQL(my)
	case ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded):
		return unreachable{fmt.Errorf("no answer within %s", d.timeout)}
	default: // the drivers name user, database and address here, and no password
		return unreachable{errors.New(strings.Join(strings.Fields(err.Error()), " "))}
	}
}

func explainPostgres(err *pgconn.PgError) error {
	class := err.Code[:min(2, len(err.Code))]
	switch {
	case class == "08" || class == "53" || class == "57":
		return unreachable{fmt.Errorf("SQLSTATE %s: %s", err.Code, err.Message)}
	case slices.Contains(postgresFaults, class):
		return fmt.Errorf("SQLSTATE %s: %s", err.Code, err.Message)
	default:
		return fmt.Errorf("SQLSTATE %s", err.Code)
	}
}

func explainMySQL(err *mysql.MySQLError) error {
	switch {
	case slices.Contains(mysqlFaults, err.Number):
		return fmt.Errorf("error %d: %s", err.Number, err.Message)
	default:
		return fmt.Errorf("error %d", err.Number)
	}
}

// isBroken reports whether another connection may do better: this one broke, or
// what it had prepared is out of date.
func isBroken(err error) bool {
	var pg *pgconn.PgError
	var my *mysql.MySQLError
	switch {
	case errors.As(err, &pg):
		return pg.Code == "57P01" || pg.Code == "0A000" || pg.Code == "26000" || strings.HasPrefix(pg.Code, "08")
	case errors.As(err, &my):
		return my.Number == 1053 || my.Number == 4031 || my.Number == 1927 // the server ends it
	default:
		return !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled)
	}
}
