// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// defaultPort is that of a server; sentinels have another.
const (
	defaultPort         = "6379"
	defaultSentinelPort = "26379"
)

// parsed is what an address says.
type parsed struct {
	address  string // host:port, or unix/path
	secure   bool
	username string
	password string
	database int
	said     bool // that there is a database
}

// parseAddress understands host, host:port, unix//path, and URLs of the schemes
// redis and rediss. Errors do not show it: it may hold a password.
func parseAddress(text, port string) (parsed, error) {
	if path, ok := cutUnix(text); ok {
		if path == "" {
			return parsed{}, fmt.Errorf("address: unix/ is followed by the path of a socket, as in unix//run/redis.sock")
		}
		return parsed{address: text}, nil
	}
	if !strings.Contains(text, "://") {
		if strings.ContainsAny(text, "@/?#") {
			return parsed{}, fmt.Errorf("address: write host, host:port, unix//path or redis://[user:password@]host[:port][/database]")
		}
		address, err := hostPort(text, port)
		return parsed{address: address}, err
	}
	u, err := url.Parse(text)
	if err != nil {
		return parsed{}, fmt.Errorf("address: it is not a URL such as redis://user:password@host:6379/0")
	}
	p := parsed{secure: u.Scheme == "rediss"}
	switch {
	case u.Scheme != "redis" && u.Scheme != "rediss", u.Opaque != "":
		return parsed{}, fmt.Errorf("address: the scheme is redis or rediss, not %q", u.Scheme)
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return parsed{}, fmt.Errorf("address: a redis URL here has no query: use the options")
	}
	if p.address, err = hostPort(u.Host, port); err != nil {
		return parsed{}, err
	}
	p.username = u.User.Username()
	p.password, _ = u.User.Password()
	if path := strings.Trim(u.Path, "/"); path != "" {
		p.said = true
		if p.database, err = strconv.Atoi(path); err != nil || p.database < 0 {
			return parsed{}, fmt.Errorf("address: the path of a redis URL is the number of a database")
		}
	}
	return p, nil
}

func hostPort(text, port string) (string, error) {
	host, given, err := net.SplitHostPort(text)
	if err != nil {
		host, given = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"), port
		if strings.Contains(host, ":") && net.ParseIP(host) == nil {
			return "", fmt.Errorf("address: more than one colon and no IPv6 address")
		}
	}
	if n, err := strconv.Atoi(given); err != nil || n < 1 || n > 65535 {
		return "", fmt.Errorf("address: the port is a number from 1 to 65535")
	}
	if host == "" || strings.ContainsAny(host, " \t\r\n\\[]") {
		return "", fmt.Errorf("address: there is no host in it")
	}
	return net.JoinHostPort(host, given), nil
}

func cutUnix(text string) (path string, ok bool) { return strings.CutPrefix(text, "unix/") }
