// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package testservers

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

//go:embed django.py
var djangoScript string

// DjangoUser is what Django itself knows of a user that it made.
type DjangoUser struct {
	ID            string   `json:"id"`
	Username      string   `json:"username"`
	Password      string   `json:"password"`
	Hash          string   `json:"hash"`
	Authenticated bool     `json:"authenticated"` // by Django, with this password
	Staff         bool     `json:"is_staff"`
	Superuser     bool     `json:"is_superuser"`
	Active        bool     `json:"is_active"`
	Permissions   []string `json:"permissions"`
	Email         string   `json:"email"`
	FirstName     string   `json:"first_name"`
	LastLogin     int64    `json:"last_login"` // microseconds; 0: never
}

// Python is the interpreter of Debian, for which Debian's Django is installed.
const Python = "/usr/bin/python3"

// NeedDjango skips the test where there is no Django with all that it needs.
func NeedDjango(tb testing.TB) {
	tb.Helper()
	for _, module := range []string{"django", "psycopg2", "MySQLdb", "argon2", "bcrypt", "jwt"} {
		out, err := exec.Command(Python, "-c", "import "+module).CombinedOutput()
		Need(tb, "python3 with "+module+": "+strings.TrimSpace(string(out)), err)
	}
}

// Django lets Django make its tables in an empty database, and users with each
// of its hashers, whose names say which; "alice" has groups and permissions,
// "root" is a superuser, "inactive" and "unusable" are what they say.
func Django(tb testing.TB, dsn string) map[string]DjangoUser {
	tb.Helper()
	NeedDjango(tb)
	cmd := exec.CommandContext(tb.Context(), Python, "-c", djangoScript, dsn)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("Django: %v\n%s", err, stderr.String())
	}
	var list []DjangoUser
	if err := json.Unmarshal(out, &list); err != nil {
		tb.Fatalf("Django: %v\n%s", err, out)
	}
	users := make(map[string]DjangoUser, len(list))
	for _, u := range list {
		users[u.Username] = u
	}
	return users
}
