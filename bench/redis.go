// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"time"
)

// propagation is how long it takes until a token that was logged out at one
// Caddy is refused by another, in milliseconds.
type propagation struct {
	Trials int     `json:"trials"`
	P50    float64 `json:"p50"`
	P99    float64 `json:"p99"`
	Most   float64 `json:"most"`
}

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

// onRedis adds a Redis to the Caddy of a row.
func onRedis(j jwtRow) opener {
	return func(ctx context.Context, l *lab) (*subject, error) {
		redis, err := l.startRedis(ctx)
		if err != nil {
			return nil, err
		}
		j.global = redisOption(redis.addr)
		s, err := caddy(bearer(j.alg, 1), j.configure)(ctx, l)
		if err != nil {
			redis.stop()
			return nil, err
		}
		s.others = append(s.others, redis)
		return s, nil
	}
}

// measurePropagation logs tokens out at one Caddy and asks another until it
// refuses them, from the moment at which the log-out is sent.
func (l *lab) measurePropagation(ctx context.Context, e effort) (*propagation, error) {
	redis, err := l.startRedis(ctx)
	if err != nil {
		return nil, err
	}
	defer redis.stop()
	c := caddyConfig{global: redisOption(redis.addr), site: "auth_logout /auth/logout\nauth {\n" + l.jwtBlock("HS256") + "\n}"}
	var nodes [2]*server
	for i := range nodes {
		if nodes[i], err = l.startCaddy(ctx, c); err != nil {
			return nil, err
		}
		defer nodes[i].stop()
	}

	var took []time.Duration
	for i := range e.Revocations {
		token, err := l.minter.token("HS256", fmt.Sprintf("revoked-%d", i), nil)
		if err != nil {
			return nil, err
		}
		d, err := revoke(ctx, nodes, token)
		if err != nil {
			return nil, err
		}
		took = append(took, d)
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return micros(d) / 1000 }
	return &propagation{
		Trials: len(took), P50: ms(percentile(took, 50)), P99: ms(percentile(took, 99)), Most: ms(took[len(took)-1]),
	}, nil
}

// revoke logs a token out at the first node and returns when the second refuses
// it.
func revoke(ctx context.Context, nodes [2]*server, token string) (time.Duration, error) {
	var conns [2]*client
	for i, node := range nodes {
		var err error
		if conns[i], err = dial(ctx, load{addr: node.addr, path: "/", field: "Authorization: Bearer ", values: []string{token}}); err != nil {
			return 0, err
		}
		defer conns[i].close()
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		status, err := conns[1].conns[0].exchange(token)
		if err != nil {
			return 0, err
		}
		if status == http.StatusOK {
			break
		}
		if time.Now().After(deadline) { // 503: not connected to the store
			return 0, fmt.Errorf("a valid token was %w", &otherStatus{status, http.StatusOK})
		}
	}
	begin := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+nodes[0].addr+"/auth/logout", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the log-out was %w", &otherStatus{resp.StatusCode, http.StatusOK})
	}
	for time.Since(begin) < 10*time.Second {
		status, err := conns[1].conns[0].exchange(token)
		if err != nil {
			return 0, err
		}
		if status == http.StatusUnauthorized {
			return time.Since(begin), nil
		}
	}
	return 0, errors.New("a revoked token is accepted by another node after ten seconds")
}
