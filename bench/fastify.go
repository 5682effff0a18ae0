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

// installFastify puts fastify and its plug-in into the cache, in the versions
// that package.json names.
func (l *lab) installFastify(ctx context.Context) (folder string, err error) {
	folder = filepath.Join(l.cache, "fastify")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	for _, name := range []string{"package.json", "server.mjs"} {
		data, err := os.ReadFile(filepath.Join(l.repository, "bench", "fastify", name))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			return "", err
		}
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", missingPeer("npm", "the Debian package npm")
	}
	cmd := exec.CommandContext(ctx, npm, "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline")
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("not measured: npm install: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return folder, nil
}

// startFastify runs fastify: "open" protects nothing, "jwt" asks @fastify/jwt,
// "cache" asks it with its cache.
func (l *lab) startFastify(ctx context.Context, kind string) (*server, error) {
	folder, err := l.installFastify(ctx)
	if err != nil {
		return nil, err
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, missingPeer("node", "the Debian package nodejs")
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	return start(ctx, "fastify", addr, []string{"NODE_ENV=production"}, node,
		filepath.Join(folder, "server.mjs"), addr, kind, benchSecret, tokenIssuer, tokenAudience)
}
