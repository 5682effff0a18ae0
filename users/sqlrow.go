// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/text"
)

// maxValue is the size in bytes above which a column is left out of the fields.
const maxValue = 64 << 10

// table is what a query returned.
type table struct {
	columns []string // in lower case
	types   []string // as the database names them
	rows    [][]any
}

// record is a row that describes a user.
type record struct {
	id, username     string
	hash             string // as the database holds it
	active           bool
	staff, superuser bool
	permissions      []string
	fields           auth.Object
	leftOut          string // a column that is no field, and why
}

// check makes sure that the columns are there that everything depends on, and
// none that would show a password.
func (t *table) check(required ...string) error {
	seen := make(map[string]bool, len(t.columns))
	for _, c := range t.columns {
		switch {
		case seen[c]:
			return fmt.Errorf("it returns two columns %q", c)
		case c == "issuer":
			return fmt.Errorf("it returns a column %q, which would never be seen", c)
		case c != "password" && strings.Contains(c, "password"):
			return fmt.Errorf("it returns a column %q: name the hash \"password\" and leave out others, since neither is ever a field", c)
		}
		seen[c] = true
	}
	for _, name := range required {
		if !seen[name] {
			return fmt.Errorf("it returns no column %q", name)
		}
	}
	return nil
}

// record reads a row. Errors name the column and never its value.
func (t *table) record(row []any) (*record, error) {
	r := &record{active: true, fields: auth.Object{}}
	for i, name := range t.columns {
		var err error
		switch name {
		case "id":
			r.id, err = textOf(row[i])
		case "username":
			r.username, err = textOf(row[i])
		case "password":
			if row[i] != nil { // NULL: no password opens
				r.hash, err = textOf(row[i])
			}
		case "is_active":
			r.active, err = flagOf(row[i])
		case "is_staff":
			r.staff, err = flagOf(row[i])
		case "is_superuser":
			r.superuser, err = flagOf(row[i])
		case "permissions":
			r.permissions, err = wordsOf(row[i], t.types[i])
		default:
			r.addField(name, row[i])
		}
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", name, err)
		}
	}
	if r.id == "" || r.username == "" {
		return nil, fmt.Errorf("it returns a user without id or username")
	}
	return r, nil
}

// addField adds what can be shown.
func (r *record) addField(name string, value any) {
	switch v := value.(type) {
	case nil:
	case bool, int64:
		r.fields[name] = v
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			r.fields[name] = v
		}
	case time.Time:
		if !v.IsZero() { // which is how MySQL writes "never"
			r.fields[name] = v.UTC().Format(time.RFC3339Nano)
		}
	case string:
		r.addText(name, v)
	case []byte:
		r.addText(name, string(v))
	default:
		r.leftOut = name + ": its type is not known"
	}
}

func (r *record) addText(name, value string) {
	switch {
	case len(value) > maxValue:
		r.leftOut = name + ": it is larger than 64 KiB"
	case !utf8.ValidString(value):
		r.leftOut = name + ": it is no text"
	case looksLikeHash(value):
		r.leftOut = name + ": it is the hash of a password"
	default:
		r.fields[name] = value
	}
}

// textOf returns a text, or a whole number as its digits.
func textOf(value any) (string, error) {
	var s string
	switch v := value.(type) {
	case string:
		s = v
	case []byte:
		s = string(v)
	case int64:
		return strconv.FormatInt(v, 10), nil
	case uint64:
		return strconv.FormatUint(v, 10), nil
	case nil:
		return "", fmt.Errorf("it is NULL")
	default:
		return "", fmt.Errorf("it is neither a text nor a whole number")
	}
	if !text.IsPlain(s) {
		return "", fmt.Errorf("it holds control characters or is not UTF-8")
	}
	return s, nil
}

// flagOf returns a flag. NULL is false: inactive, not staff, no superuser.
func flagOf(value any) (bool, error) {
	var s string
	switch v := value.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case int64:
		s = strconv.FormatInt(v, 10)
	case string:
		s = v
	case []byte:
		s = string(v)
	}
	switch s {
	case "1", "\x01", "t", "true": // \x01 is MySQL's bit(1)
		return true, nil
	case "0", "\x00", "f", "false":
		return false, nil
	default:
		return false, fmt.Errorf("it is neither true nor false")
	}
}

// wordsOf returns a list: an array of PostgreSQL, a JSON list, or words
// separated by spaces.
func wordsOf(value any, typeName string) ([]string, error) {
	var s string
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string:
		s = v
	case []byte:
		s = string(v)
	default:
		return nil, fmt.Errorf("it is no text")
	}
	var words []string
	switch {
	case strings.HasPrefix(typeName, "_"): // _TEXT, _VARCHAR
		var list pgtype.FlatArray[pgtype.Text]
		if err := pgtype.NewMap().Scan(pgtype.TextArrayOID, pgtype.TextFormatCode, []byte(s), &list); err != nil {
			return nil, fmt.Errorf("it is no list of texts")
		}
		for _, w := range list {
			if w.Valid { // as array_agg over an outer join returns it
				words = append(words, w.String)
			}
		}
	case strings.HasPrefix(strings.TrimSpace(s), "["):
		var list []*string
		if err := json.Unmarshal([]byte(s), &list); err != nil {
			return nil, fmt.Errorf("it begins like a JSON list of texts and is none")
		}
		for _, w := range list {
			if w != nil {
				words = append(words, *w)
			}
		}
	default:
		words = strings.Fields(s)
	}
	if err := text.CheckWords("permissions", words); err != nil {
		return nil, fmt.Errorf("a word in it is empty or holds blanks or control characters")
	}
	return words, nil
}
