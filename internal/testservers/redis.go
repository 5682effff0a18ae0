// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package testservers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

type redis struct {
	server, cli string
	options     []string
	login       []string // of redis-cli
	sentinel    bool
	config      string
}

// RedisOptions are what a Redis is started with.
type RedisOptions struct {
	// Options are options of the server, such as "--appendonly", "yes".
	Options []string

	// Login are what redis-cli needs to get in, such as "-a", "secret".
	Login []string

	// Sentinel is the configuration of a sentinel, if the server is to be one.
	Sentinel string
}

// redisVariable says which server stands for Redis in tests: "valkey", or Redis.
const redisVariable = "CADDYBOLT_REDIS"

// RedisProgram returns the name of a program of Redis, such as "server" or "cli",
// or of Valkey's where that stands for Redis.
func RedisProgram(name string) string {
	if os.Getenv(redisVariable) == "valkey" {
		return "valkey-" + name
	}
	return "redis-" + name
}

// OwnRedis returns a Redis that the test may stop, freeze and start. It keeps
// nothing over a restart unless the options say so.
func OwnRedis(tb testing.TB, o RedisOptions) *Server {
	tb.Helper()
	server, err := find(RedisProgram("server"))
	Need(tb, "Redis", err)
	cli, err := find(RedisProgram("cli"))
	Need(tb, "Redis", err)
	return owned(tb, redis{server: server, cli: cli, options: o.Options, login: o.Login, sentinel: o.Sentinel != "", config: o.Sentinel})
}

func (redis) account() string { return "" }

func (r redis) prepare(s *Server) error {
	if err := os.MkdirAll(filepath.Join(s.dir, "data"), 0o700); err != nil {
		return err
	}
	if r.sentinel {
		return os.WriteFile(filepath.Join(s.dir, "sentinel.conf"), []byte(r.config), 0o600)
	}
	return nil
}

func (r redis) command(s *Server) []string {
	command := []string{r.server}
	if r.sentinel {
		command = append(command, filepath.Join(s.dir, "sentinel.conf"), "--sentinel")
	} else {
		command = append(command, "--save", "", "--appendfsync", "everysec")
	}
	command = append(command, "--port", s.Port, "--bind", "127.0.0.1", "--dir", filepath.Join(s.dir, "data"),
		"--pidfile", s.pidPath())
	return append(command, r.options...)
}

func (redis) signal() string { return "KILL" }

func (r redis) execute(ctx context.Context, s *Server, statement string) error {
	args := strings.Fields(statement)
	if len(args) == 0 {
		args = []string{"PING"}
	}
	_, err := r.run(ctx, s, args...)
	return err
}

// run runs redis-cli.
func (r redis) run(ctx context.Context, s *Server, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, r.cli, append(append([]string{"-p", s.Port, "--no-auth-warning"}, r.login...), args...)...)
	out, err := cmd.CombinedOutput()
	text := string(bytes.TrimRight(out, "\n"))
	if err == nil && isRedisError(text) {
		err = errors.New("the server refuses")
	}
	if err != nil {
		return "", fmt.Errorf("redis-cli: %w: %s", err, text)
	}
	return text, nil
}

func isRedisError(text string) bool {
	for _, begin := range []string{"ERR ", "NOAUTH ", "WRONGPASS ", "LOADING ", "READONLY ", "OOM ", "NOPERM ", "CLUSTERDOWN ", "MOVED "} {
		if strings.HasPrefix(text, begin) || strings.HasPrefix(text, "(error) "+begin) {
			return true
		}
	}
	return false
}

func (redis) dsn(s *Server, database string) string {
	return "redis://127.0.0.1:" + s.Port + "/" + database
}

func (s *Server) pidPath() string { return filepath.Join(s.dir, "pid") }

// Address is where the server listens.
func (s *Server) Address() string { return "127.0.0.1:" + s.Port }

// CLI runs redis-cli and returns what it prints.
func (s *Server) CLI(tb testing.TB, args ...string) string {
	tb.Helper()
	out, err := s.kind.(redis).run(tb.Context(), s, args...)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// Freeze stops the process of a Redis without ending it: its connections stay.
func (s *Server) Freeze(tb testing.TB) { tb.Helper(); s.send(tb, true) }

// Thaw lets it go on.
func (s *Server) Thaw(tb testing.TB) { tb.Helper(); s.send(tb, false) }

func (s *Server) send(tb testing.TB, stop bool) {
	tb.Helper()
	text, err := os.ReadFile(s.pidPath())
	if err != nil {
		tb.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		tb.Fatal(err)
	}
	if err := pause(pid, stop); err != nil {
		tb.Fatal(err)
	}
}
