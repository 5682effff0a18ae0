// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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

// reached is a propagation: over what, and where its result stands.
type reached struct {
	id, name, servers string
	store             sharedStore
	trials            int
	limit             float64 // ms, of 99 of 100
	result            **propagation
}

// propagations are those that are measured. A store that is polled takes half a
// second for each, so there are fewer.
func (r *results) propagations(e effort) []reached {
	return []reached{
		{"propagation", "Redis", "one Redis", (*lab).onRedis, e.Revocations, 100, &r.Propagation},
		{"propagation-postgresql", "PostgreSQL", "one PostgreSQL", (*lab).onPostgreSQL, e.Revocations, 100, &r.ByDatabase},
		{"propagation-mariadb", "MariaDB, which is polled", "one MariaDB, which is polled", (*lab).onMariaDB, max(e.Revocations/5, 1), 1000, &r.ByPolling},
	}
}

// sharedStore starts the server of a revocation store and returns how a
// Caddyfile names it.
type sharedStore func(l *lab, ctx context.Context) (option string, end func(), err error)

// onStore is the Caddy of a row over such a store.
func onStore(j jwtRow, store sharedStore) opener {
	return func(ctx context.Context, l *lab) (*subject, error) {
		option, end, err := store(l, ctx)
		if err != nil {
			return nil, err
		}
		j.global = option
		s, err := caddy(bearer(j.alg, 1), j.configure)(ctx, l)
		if err != nil {
			end()
			return nil, err
		}
		s.also = append(s.also, end)
		return s, nil
	}
}

// measurePropagation logs tokens out at one Caddy and asks another until it
// refuses them, from the moment at which the log-out is sent.
func (l *lab) measurePropagation(ctx context.Context, store sharedStore, trials int) (*propagation, error) {
	option, end, err := store(l, ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	c := caddyConfig{global: option, site: "auth_logout /auth/logout\nauth {\n" + l.jwtBlock("HS256") + "\n}"}
	var nodes [2]*server
	for i := range nodes {
		if nodes[i], err = l.startCaddy(ctx, c); err != nil {
			return nil, err
		}
		defer nodes[i].stop()
	}

	var took []time.Duration
	for i := range trials {
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
