// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// caddyConfig is a Caddyfile of one site.
type caddyConfig struct {
	global  string // in the global block auth
	site    string // before the handler: none, or the directive that protects
	handler string // what answers; "respond" if it is empty
	http2   bool
}

const respond = `respond "hello"`

// text is the Caddyfile.
func (c caddyConfig) text(admin, addr string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{\n\tadmin %s\n\tauto_https off\n\tdefault_bind 127.0.0.1\n", admin)
	if c.http2 {
		b.WriteString("\tservers {\n\t\tprotocols h1 h2c\n\t}\n")
	}
	if c.global != "" {
		fmt.Fprintf(&b, "\tauth {\n%s\n\t}\n", c.global)
	}
	handler := c.handler
	if handler == "" {
		handler = respond
	}
	fmt.Fprintf(&b, "}\n\nhttp://%s {\n%s\n%s\n}\n", addr, c.site, handler)
	return b.String()
}

// buildCaddy builds the Caddy of all rows.
func (l *lab) buildCaddy(ctx context.Context) error {
	l.caddy = filepath.Join(l.folder, "caddy")
	cmd := exec.CommandContext(ctx, goCommand(), "build", "-o", l.caddy, "./cmd/caddy")
	cmd.Dir = l.repository
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building cmd/caddy: %w\n%s", err, out)
	}
	return nil
}

func goCommand() string {
	if command := os.Getenv("GO"); command != "" {
		return command
	}
	return "go"
}

// startCaddy runs a Caddy with its own configuration and data.
func (l *lab) startCaddy(ctx context.Context, c caddyConfig) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddr()
	if err != nil {
		return nil, err
	}
	home, err := l.folderFor("caddy")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(home, "Caddyfile")
	if err := os.WriteFile(file, []byte(c.text(admin, addr)), 0o600); err != nil {
		return nil, err
	}
	s, err := start(ctx, "Caddy", addr, []string{"XDG_CONFIG_HOME=" + home, "XDG_DATA_HOME=" + home, "HOME=" + home},
		l.caddy, "run", "--config", file, "--adapter", "caddyfile")
	if err != nil {
		return nil, err
	}
	return s, s.await(admin)
}

// hashPassword is "caddy hash-password", with what it does by default.
func (l *lab) hashPassword(ctx context.Context, password string) (string, error) {
	out, err := exec.CommandContext(ctx, l.caddy, "hash-password", "--plaintext", password).Output()
	if err != nil {
		return "", fmt.Errorf("caddy hash-password: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// jwtBlock is the block of an algorithm. Issuer and audience are checked, as
// they should be.
func (l *lab) jwtBlock(alg string, options ...string) string {
	key := fmt.Sprintf("secret %q", benchSecret)
	if alg != "HS256" {
		key = "public_key " + l.minter.public[alg]
	}
	lines := append([]string{"jwt {", key, "algorithms " + alg, "issuer " + tokenIssuer, "audience " + tokenAudience}, options...)
	return strings.Join(append(lines, "}"), "\n")
}

// measureFirstLogIn returns what a password costs Caddy's basic_auth that it
// did not see before, in milliseconds of CPU time.
func (l *lab) measureFirstLogIn(ctx context.Context) (float64, error) {
	s, err := basicAuth().own(ctx, l)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	c, err := dial(ctx, s.load)
	if err != nil {
		return 0, err
	}
	defer c.close()
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	if _, err := c.send(1, 200); err != nil {
		return 0, err
	}
	after, err := s.cpu()
	return micros(after-before) / 1000, err
}
