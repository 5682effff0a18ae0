// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"
	"os/exec"
)

// startRedis runs a Redis with nothing in it, on the CPU of the load generator.
func (l *lab) startRedis(ctx context.Context) (*server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, missingPeer("redis-server", "the Debian package redis-server")
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	folder, err := l.folderFor("redis")
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	return startAt(ctx, loadCPU, "Redis", addr, nil, path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", folder)
}

// redisOption is how a Caddyfile names a Redis.
func redisOption(addr string) string {
	return "revocation redis {\naddress " + addr + "\n}"
}

// onRedis is a store over a Redis with nothing in it.
func (l *lab) onRedis(ctx context.Context) (option string, end func(), err error) {
	redis, err := l.startRedis(ctx)
	if err != nil {
		return "", nil, err
	}
	return redisOption(redis.addr), redis.stop, nil
}
