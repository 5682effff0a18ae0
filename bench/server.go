// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// server is a program that is measured: one process, whose CPU time is that of
// all its threads.
type server struct {
	name string
	addr string // of its site
	cmd  *exec.Cmd
	log  *lastLine
	done chan struct{}
}

// start runs a program on the CPU of servers, in a folder of its own, and waits
// until it listens.
func start(ctx context.Context, name, addr string, env []string, path string, args ...string) (*server, error) {
	return startAt(ctx, serverCPU, name, addr, env, path, args...)
}

// startAt is start on a CPU.
func startAt(ctx context.Context, cpu int, name, addr string, env []string, path string, args ...string) (*server, error) {
	s := &server{name: name, addr: addr, log: new(lastLine), done: make(chan struct{})}
	s.cmd = exec.CommandContext(ctx, path, args...)
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = 5 * time.Second
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := startOn(s.cmd, cpu); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.done)
	}()
	if err := s.await(addr); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// await waits until somebody listens.
func (s *server) await(addr string) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case <-s.done:
			return fmt.Errorf("%s ended: %s", s.name, s.log)
		default:
		}
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			return conn.Close()
		}
	}
	return fmt.Errorf("%s does not listen at %s: %s", s.name, addr, s.log)
}

// stop ends the program.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(5 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

// cpu is the CPU time that the process took until now, user and system, of all
// threads, those that ended among them.
func (s *server) cpu() (time.Duration, error) {
	select {
	case <-s.done:
		return 0, fmt.Errorf("%s ended: %s", s.name, s.log)
	default:
	}
	spent, err := processTime(s.cmd.Process.Pid)
	if err != nil {
		return 0, fmt.Errorf("CPU time of %s: %w", s.name, err)
	}
	return spent, nil
}

// memory reads how much memory the process has now and had at most, in bytes.
func (s *server) memory() (now, peak int64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			now = kb << 10
		case "VmHWM":
			peak = kb << 10
		}
	}
	if peak == 0 {
		return 0, 0, errors.New("no VmHWM in /proc")
	}
	return now, peak, nil
}

// Servers run on one CPU and the load generator on another, so that they do not
// push each other out. With a single CPU nothing is pinned.
var serverCPU, loadCPU, pinned = twoCPUs()

// startOn starts a command whose process is kept to some CPUs. It inherits those
// of the thread that makes it, and knows them from the beginning: Go counts its
// CPUs when a program starts.
func startOn(cmd *exec.Cmd, cpus ...int) error {
	if !pinned {
		return cmd.Start()
	}
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if err := pin(0, cpus...); err != nil {
			failed <- err
			return
		}
		failed <- cmd.Start()
	}()
	return <-failed
}

// freeAddr returns an address of the loopback interface that nobody listens at.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// lastLine keeps the end of what a program prints: why it ended.
type lastLine struct {
	mu  sync.Mutex
	buf []byte
}

var _ io.Writer = (*lastLine)(nil)

func (l *lastLine) Write(p []byte) (int, error) {
	const most = 2 << 10
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, p...)
	if len(l.buf) > most {
		l.buf = append(l.buf[:0], l.buf[len(l.buf)-most:]...)
	}
	return len(p), nil
}

func (l *lastLine) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := bytes.TrimSpace(l.buf)
	return string(text[bytes.LastIndexByte(text, '\n')+1:])
}
