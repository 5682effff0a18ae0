// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// maxQuery is how long a query may be.
const maxQuery = 16 << 10

// query is a statement with one parameter, which it may use several times.
type query struct {
	text string
	args int // how often the parameter is bound
}

// bind returns the arguments of the statement.
func (q query) bind(value string) []any {
	args := make([]any, q.args)
	for i := range args {
		args[i] = value
	}
	return args
}

var (
	// quotedPart is a literal, a quoted name or a comment, in which nothing is
	// SQL. What MySQL escapes with a backslash, PostgreSQL does in E'…' alone.
	quotedPart = map[dialect]*regexp.Regexp{
		postgresql:   regexp.MustCompile(`^(?:[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*[\s\S]*?\*/)`),
		mysqlDialect: regexp.MustCompile("^(?:'(?:[^'\\\\]|\\\\[\\s\\S]|'')*'|\"(?:[^\"\\\\]|\\\\[\\s\\S]|\"\")*\"|`[^`]*`|--[^\\n]*|#[^\\n]*|/\\*[\\s\\S]*?\\*/)"),
	}
	dollarQuote = regexp.MustCompile(`^\$(?:[A-Za-z_][A-Za-z0-9_]*)?\$`)
	number      = regexp.MustCompile(`^\$[0-9]+`)
	word        = regexp.MustCompile(`^[A-Za-z0-9_\x80-\xff][A-Za-z0-9_$\x80-\xff]*`)
)

// checkQuery reads a statement as far as it can be read without its database:
// one SELECT, closed quotes and parentheses, and its parameter.
func checkQuery(text string, d dialect) (query, error) {
	switch {
	case strings.TrimSpace(text) == "":
		return query{}, errors.New("it is empty")
	case len(text) > maxQuery:
		return query{}, fmt.Errorf("it is longer than %d bytes", maxQuery)
	case strings.ContainsRune(text, 0):
		return query{}, errors.New("it holds a NUL")
	}
	s := scanner{rest: text, dialect: d}
	if d == unknownDialect {
		s.dialect = postgresql
		if !strings.Contains(text, "$1") {
			s.dialect = mysqlDialect
		}
	}
	if err := s.scan(); err != nil {
		return query{}, err
	}
	switch first := strings.ToUpper(s.first); {
	case first != "SELECT" && first != "WITH":
		return query{}, errors.New("it is no SELECT")
	case s.open > 0:
		return query{}, errors.New("a parenthesis is not closed")
	case s.parameters == 0 && d == postgresql:
		return query{}, errors.New("it has no parameter: $1 is what is asked for")
	case s.parameters == 0 && d == mysqlDialect:
		return query{}, errors.New("it has no parameter: ? is what is asked for")
	case s.parameters == 0:
		return query{}, errors.New("it has no parameter: $1, or ? for MySQL, is what is asked for")
	}
	if s.dialect == postgresql {
		s.parameters = 1
	}
	return query{text: text, args: s.parameters}, nil
}

// scanner goes through a statement.
type scanner struct {
	rest       string
	dialect    dialect
	first      string // word
	open       int    // parentheses
	ended      bool   // by a semicolon
	parameters int
}

func (s *scanner) scan() error {
	for s.rest != "" {
		n, err := s.next()
		if err != nil {
			return err
		}
		s.rest = s.rest[n:]
	}
	return nil
}

// next looks at what stands at the beginning, and says how long it is.
func (s *scanner) next() (int, error) {
	if part := quotedPart[s.dialect].FindString(s.rest); part != "" {
		return len(part), nil
	}
	c := s.rest[0]
	if s.dialect == postgresql && c == '$' {
		return s.dollar()
	}
	switch {
	case strings.IndexByte(" \t\r\n\f\v", c) >= 0:
		return 1, nil
	case s.ended:
		return 0, errors.New("it is more than one statement")
	case c == ';':
		s.ended = true
	case c == '\'' || c == '"' || c == '`' && s.dialect == mysqlDialect || strings.HasPrefix(s.rest, "/*"):
		return 0, errors.New("a quote or a comment is not closed")
	case c == '(':
		s.open++
	case c == ')':
		if s.open--; s.open < 0 {
			return 0, errors.New("a parenthesis is closed that was not opened")
		}
	case c == '?' && s.dialect == mysqlDialect:
		s.parameters++
	default:
		if w := word.FindString(s.rest); w != "" {
			if s.first == "" {
				s.first = w
			}
			return len(w), nil
		}
	}
	return 1, nil
}

// dollar reads a parameter of PostgreSQL, or what is quoted with dollars.
func (s *scanner) dollar() (int, error) {
	if mark := dollarQuote.FindString(s.rest); mark != "" {
		end := strings.Index(s.rest[len(mark):], mark)
		if end < 0 {
			return 0, errors.New("a quote or a comment is not closed")
		}
		return len(mark) + end + len(mark), nil
	}
	p := number.FindString(s.rest)
	switch p {
	case "":
		return 1, nil
	case "$1":
		s.parameters++
		return len(p), nil
	default:
		return 0, fmt.Errorf("parameter %s: there is $1 alone", p)
	}
}
