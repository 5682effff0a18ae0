// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package sqldsn reads the DSNs of the stores over a database, postgres://… and
// mysql://…, and knows what these databases say of a bad value.
package sqldsn

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/caddybolt/caddy-bolt/internal/secret"
	"github.com/caddybolt/caddy-bolt/internal/watched"
)

// Dialect is whose SQL a database speaks.
type Dialect int

const (
	Unknown Dialect = iota // it stands in a placeholder
	PostgreSQL
	MySQL
)

// Errors of a DSN. None quotes it: a password may stand anywhere in what was
// mistyped.
var (
	errScheme    = errors.New("dsn: it begins with neither postgres:// nor mysql://")
	errDSNShape  = errors.New("dsn: it is not a URL such as postgres://user@host/database; letters of a password that mean something in a URL are written as %40 and the like, or come from a placeholder")
	errDSNUser   = errors.New("dsn: it names no user: postgres://user@host/database")
	errDSNNobase = errors.New("dsn: it names no database: postgres://user@host/database")
)

var (
	postgresParameters = []string{
		"application_name", "connect_timeout", "default_query_exec_mode", "host", "options", "passfile", "port", "search_path",
		"sslcert", "sslkey", "sslmode", "sslpassword", "sslrootcert", "sslsni", "target_session_attrs",
	}
	mysqlParameters = []string{"socket", "sslcert", "sslkey", "sslmode", "sslrootcert"}
	QueryModes      = []string{"cache_statement", "cache_describe", "describe_exec", "exec"} // all but the one that writes values into the text
	mysqlModes      = []string{"disable", "require", "verify-full"}
	postgresModes   = []string{"allow", "disable", "prefer", "require", "verify-ca", "verify-full"}
)

// DialectOf looks at the scheme alone, which is all that can be known before
// placeholders are replaced.
func DialectOf(dsn string) (Dialect, error) {
	switch scheme, _, ok := strings.Cut(dsn, "://"); {
	case strings.HasPrefix(dsn, "{"):
		return Unknown, nil
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		return PostgreSQL, nil
	case ok && (scheme == "mysql" || scheme == "mariadb"):
		return MySQL, nil
	default:
		return Unknown, errScheme
	}
}

// Expand replaces placeholders. What stands for a user or a password may be
// any text: it is written as a URL needs it.
func Expand(dsn string) (string, error) {
	var out strings.Builder
	account := strings.LastIndexByte(authority(dsn), '@')
	for rest, at := dsn, 0; rest != ""; {
		begin := strings.IndexByte(rest, '{')
		end := strings.IndexByte(rest, '}')
		if begin < 0 || end < begin {
			out.WriteString(rest)
			break
		}
		out.WriteString(rest[:begin])
		value, err := secret.Resolve(rest[begin : end+1])
		if err != nil {
			return "", fmt.Errorf("dsn: %w", err)
		}
		value = strings.TrimRight(value, "\r\n")
		if at+begin < account {
			value = strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
		}
		out.WriteString(value)
		rest, at = rest[end+1:], at+end+1
	}
	return out.String(), nil
}

// authority returns the DSN up to where its path begins, with placeholders,
// which may hold anything, blanked out.
func authority(dsn string) string {
	text := []byte(dsn)
	within := false
	for i, c := range text {
		switch {
		case c == '{':
			within = true
		case c == '}':
			within = false
		case within:
			text[i] = ' '
		}
	}
	scheme := strings.Index(string(text), "://")
	if scheme < 0 {
		return ""
	}
	if end := strings.IndexAny(string(text[scheme+3:]), "/?#"); end >= 0 {
		text = text[:scheme+3+end]
	}
	return string(text)
}

// ShowsPassword reports whether the DSN holds the password itself.
func ShowsPassword(dsn string) bool {
	text := authority(dsn)
	account := strings.LastIndexByte(text, '@')
	if account < 0 {
		return false
	}
	_, after, _ := strings.Cut(text, "://")
	_, password, ok := strings.Cut(after[:max(account-(len(text)-len(after)), 0)], ":")
	return ok && password != "" && !strings.HasPrefix(password, "{")
}

// Target is a database to connect to.
type Target struct {
	Dialect   Dialect
	Connector driver.Connector

	// Files is a digest of the files that the DSN names. Connections are made
	// with what was in them.
	Files [sha256.Size]byte
}

// New reads a DSN whose placeholders were replaced. No server is asked.
func New(dsn string, timeout time.Duration) (*Target, error) {
	u, d, parameters, err := Read(dsn)
	if err != nil {
		return nil, err
	}
	files, err := readFiles(parameters)
	if err != nil {
		return nil, err
	}
	u.RawQuery = parameters.Encode()
	t := &Target{Dialect: d, Files: files}
	if d == PostgreSQL {
		t.Connector, err = postgresConnector(u, timeout)
	} else {
		t.Connector, err = mysqlConnector(u, parameters, timeout)
	}
	return t, err
}

// Read says what is wrong with a DSN in itself.
func Read(dsn string) (*url.URL, Dialect, url.Values, error) {
	d, err := DialectOf(dsn)
	if err != nil {
		return nil, d, nil, err
	}
	u, err := url.Parse(dsn)
	if err != nil || d == Unknown || u.Opaque != "" || u.Fragment != "" {
		return nil, d, nil, errDSNShape
	}
	if u.User.Username() == "" {
		return nil, d, nil, errDSNUser
	}
	if len(u.Path) < 2 {
		return nil, d, nil, errDSNNobase
	}
	parameters, err := parametersOf(u, d)
	if err == nil {
		err = checkMode(u, d, parameters)
	}
	return u, d, parameters, err
}

func parametersOf(u *url.URL, d Dialect) (url.Values, error) {
	parameters, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errDSNShape
	}
	known := postgresParameters
	if d == MySQL {
		known = mysqlParameters
	}
	for name, values := range parameters {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("dsn: it has an unknown parameter; there are: %s", strings.Join(known, ", "))
		}
		if len(values) != 1 || values[0] == "" {
			return nil, fmt.Errorf("dsn: parameter %q is empty or given twice", name)
		}
		if name == "default_query_exec_mode" && !slices.Contains(QueryModes, values[0]) {
			return nil, fmt.Errorf("dsn: default_query_exec_mode is none of %s", strings.Join(QueryModes, ", "))
		}
	}
	return parameters, nil
}

// checkMode checks what says how the connection is protected, and makes it
// verify-full where nothing is said and the connection leaves the machine: in
// between stands whoever would like to be anybody. Whoever names files for TLS
// means TLS: they are not passed over because a tunnel begins on this machine.
func checkMode(u *url.URL, d Dialect, parameters url.Values) error {
	modes := postgresModes
	if d == MySQL {
		modes = mysqlModes
	}
	if mode := parameters.Get("sslmode"); mode == "" {
		if !staysHere(u, parameters) || slices.ContainsFunc(tlsFiles, parameters.Has) {
			parameters.Set("sslmode", "verify-full")
		} else if d == MySQL {
			parameters.Set("sslmode", "disable")
		}
	} else if !slices.Contains(modes, mode) {
		return fmt.Errorf("dsn: sslmode is none of %s", strings.Join(modes, ", "))
	}
	return nil
}

// tlsFiles are the parameters that name files for TLS.
var tlsFiles = []string{"sslrootcert", "sslcert", "sslkey"}

// readFiles says which file of TLS cannot be read, or returns a digest of all.
// Of PostgreSQL's file of passwords it is no error that it is not there.
func readFiles(parameters url.Values) (digest [sha256.Size]byte, err error) {
	all := sha256.New()
	for _, name := range append(slices.Clone(tlsFiles), "passfile") {
		path := parameters.Get(name)
		if path == "" || path == "system" {
			continue
		}
		content, err := watched.Read(path, 1<<20)
		if err != nil && name != "passfile" {
			return digest, fmt.Errorf("dsn: %s: %w", name, watched.Cause(err))
		}
		sum := sha256.Sum256(content)
		_, _ = fmt.Fprintf(all, "%s %x\n", name, sum)
	}
	return [sha256.Size]byte(all.Sum(nil)), nil
}

// staysHere reports whether the connection does not leave the machine.
func staysHere(u *url.URL, parameters url.Values) bool {
	host := u.Hostname()
	if h := parameters.Get("host"); h != "" {
		host = h
	}
	if host == "" && parameters.Get("socket") == "" {
		host = os.Getenv("PGHOST") // which the driver asks then
	}
	if host == "" || strings.HasPrefix(host, "/") || strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func postgresConnector(u *url.URL, timeout time.Duration) (driver.Connector, error) {
	config, err := pgx.ParseConfig(u.String())
	if err != nil { // its text may quote any part of the DSN
		return nil, errors.New("dsn: PostgreSQL does not take it: check host, port and the files and options of TLS")
	}
	config.ConnectTimeout = timeout
	return stdlib.GetConnector(*config), nil
}

func mysqlConnector(u *url.URL, parameters url.Values, timeout time.Duration) (driver.Connector, error) {
	config := mysql.NewConfig()
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.DBName = u.Path[1:]
	config.Net, config.Addr = "tcp", u.Host
	if socket := parameters.Get("socket"); socket != "" {
		config.Net, config.Addr = "unix", socket
	} else if u.Hostname() == "" {
		config.Addr = net.JoinHostPort("127.0.0.1", "3306")
	} else if u.Port() == "" {
		config.Addr = net.JoinHostPort(u.Hostname(), "3306")
	}
	// What a handshake waits for is bounded by nothing else.
	config.Timeout, config.ReadTimeout, config.WriteTimeout = timeout, timeout, timeout
	config.ParseTime = true
	// Where the server's settings are others, a connection reads for ever what was
	// there when it first asked, or a part of it.
	config.Params = map[string]string{"autocommit": "1", "sql_select_limit": "18446744073709551615"}
	config.Logger = &mysql.NopLogger{}
	var err error
	if config.TLS, err = mysqlTLS(u.Hostname(), parameters); err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, errors.New("dsn: MySQL does not take it: check host and port")
	}
	return connector, nil
}

// mysqlTLS returns nil for a connection in clear.
func mysqlTLS(host string, parameters url.Values) (*tls.Config, error) {
	mode := parameters.Get("sslmode")
	if mode == "disable" {
		return nil, nil
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	config.InsecureSkipVerify = mode == "require" // which encrypts and verifies nothing
	if path := parameters.Get("sslrootcert"); path != "" && path != "system" {
		pem, err := os.ReadFile(path)
		config.RootCAs = x509.NewCertPool()
		if err != nil || !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("dsn: sslrootcert: no certificate in it")
		}
	}
	if parameters.Has("sslcert") || parameters.Has("sslkey") {
		pair, err := tls.LoadX509KeyPair(parameters.Get("sslcert"), parameters.Get("sslkey"))
		if err != nil {
			return nil, errors.New("dsn: sslcert and sslkey: not a certificate and its key")
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
