// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package testservers starts real database servers for tests: on a free port of
// the loopback interface, in a folder of their own, gone with the test.
package testservers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Need skips the test where err says that a tool is missing, and fails it where
// CADDYBOLT_REQUIRE_TOOLS is set.
func Need(tb testing.TB, what string, err error) {
	tb.Helper()
	if err == nil {
		return
	}
	if os.Getenv("CADDYBOLT_REQUIRE_TOOLS") != "" {
		tb.Fatalf("%s: %v", what, err)
	}
	tb.Skipf("%s: %v", what, err)
}

// Server is a database server. User may do everything in it.
type Server struct {
	Port     string
	User     string
	Password string

	kind kind
	dir  string
	mu   sync.Mutex
	keep io.WriteCloser // of the shell that ends the server
	done chan struct{}  // closed when that shell has ended
}

// kind is what servers of different makers do differently.
type kind interface {
	// account is whom the server runs as where the tests are root, who may not.
	account() string
	// prepare makes the data folder below dir.
	prepare(s *Server) error
	// command returns the server's command line.
	command(s *Server) []string
	// signal ends the server at once.
	signal() string
	// execute runs a statement; with none it finds out whether the server
	// answers.
	execute(ctx context.Context, s *Server, statement string) error
	// dsn is how applications name a database of the server.
	dsn(s *Server, database string) string
}

// patience is what starting may take on a busy machine.
const patience = 2 * time.Minute

// keeper runs a server until its own standard input says "stop" or ends, as it
// does with the tests, however they end; then the folder goes as well.
const keeper = `dir=$1 signal=$2; shift 2
"$@" & pid=$!
read -r word || word=end
kill -"$signal" $pid; wait $pid
[ "$word" = stop ] || rm -rf "$dir"`

// newServer makes the data folder and starts the server.
func newServer(ctx context.Context, k kind) (*Server, error) {
	dir, err := os.MkdirTemp("", "caddybolt")
	if err != nil {
		return nil, err
	}
	s := &Server{User: "caddybolt", Password: "pw-" + rand.Text(), kind: k, dir: dir}
	err = giveTo(k.account(), dir)
	if err == nil {
		err = s.makeCertificate()
	}
	if err == nil {
		err = k.prepare(s)
	}
	for range 3 { // somebody else may take a port that was free
		if err != nil {
			break
		}
		if s.Port, err = freePort(); err != nil {
			break
		}
		if err = s.start(ctx); err == nil {
			return s, nil
		}
	}
	_ = os.RemoveAll(dir)
	return nil, err
}

// owned is newServer for one test, which ends the server with it.
func owned(tb testing.TB, k kind) *Server {
	tb.Helper()
	s, err := newServer(tb.Context(), k)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.end("") })
	return s
}

// run runs a program as the account of the server and waits for it.
func (s *Server) run(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	become(cmd, s.kind.account())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, out)
	}
	return nil
}

// start starts the server and waits until it answers.
func (s *Server) start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	logFile, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer logFile.Close()
	args := append([]string{"-c", keeper, "sh", s.dir, s.kind.signal()}, s.kind.command(s)...)
	cmd := exec.Command("sh", args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, logFile, logFile
	become(cmd, s.kind.account())
	if s.keep, err = cmd.StdinPipe(); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	s.done = done
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := s.ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			s.endLocked("stop\n")
			text, _ := os.ReadFile(s.logPath())
			return fmt.Errorf("the server does not answer: %w\n%s", err, text)
		}
	}
}

// logPath is where the server writes its log.
func (s *Server) logPath() string { return filepath.Join(s.dir, "log") }

// ask finds out whether the server answers.
func (s *Server) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return s.kind.execute(ctx, s, "")
}

// end tells the keeper how to end and waits for it.
func (s *Server) end(word string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked(word)
}

func (s *Server) endLocked(word string) {
	if s.keep != nil {
		_, _ = io.WriteString(s.keep, word)
		_ = s.keep.Close()
		<-s.done
		s.keep = nil
	}
	if word == "" {
		_ = os.RemoveAll(s.dir)
	}
}

// Stop ends the server at once, as a crash would. Its data stay.
func (s *Server) Stop() { s.end("stop\n") }

// Start starts the server again, on the port that it had.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	if err := s.start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// Execute runs a statement in the database that the server has from the start.
func (s *Server) Execute(tb testing.TB, statement string) {
	tb.Helper()
	if err := s.kind.execute(tb.Context(), s, statement); err != nil {
		tb.Fatal(err)
	}
}

// NewDatabase makes an empty database and returns its name.
func (s *Server) NewDatabase(tb testing.TB) string {
	tb.Helper()
	name, err := s.CreateDatabase(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return name
}

// DSN is how applications name a database of the server: a URL for PostgreSQL,
// and for MariaDB as well. The connection is in clear; the server knows TLS.
func (s *Server) DSN(database string) string { return s.kind.dsn(s, database) }

// freePort returns a port of the loopback interface that nobody listens on.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// shared is a server that the tests of a package share; it ends with them.
type shared struct {
	once   sync.Once
	server *Server
	err    error
}

func (s *shared) get(tb testing.TB, k kind) *Server {
	tb.Helper()
	s.once.Do(func() { s.server, s.err = newServer(context.Background(), k) })
	if s.err != nil {
		tb.Fatal(s.err)
	}
	return s.server
}

// ErrNotFound means that no folder has the program.
var ErrNotFound = errors.New("not found")

// find returns the path of a program: of the search path, or of a folder that
// matches one of the patterns.
func find(program string, patterns ...string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(pattern, program))
		if err == nil && len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", fmt.Errorf("%s: %w", program, ErrNotFound)
}
