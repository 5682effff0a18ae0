// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package replica

import (
	"context"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

// Nodes holds the nodes of the process. A configuration that says the same as
// the one before it goes on with the same node.
var Nodes = caddy.NewUsagePool()

// Handle is what one configuration has of a node. It is the revocation store.
type Handle struct {
	node  *Node
	pool  *caddy.UsagePool
	key   string
	allow bool
}

// Acquire finds the node of that key, which must cover all that the node is made
// from, or makes it.
func Acquire(pool *caddy.UsagePool, key string, allow bool, newNode func() (*Node, error)) (*Handle, error) {
	if pool == nil {
		pool = Nodes
	}
	node, _, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) { return newNode() })
	if err != nil {
		return nil, err
	}
	return &Handle{node: node.(*Node), pool: pool, key: key, allow: allow}, nil
}

// Release gives the node away. It ends with the last configuration that uses it.
func (h *Handle) Release() error {
	if h == nil {
		return nil
	}
	_, err := h.pool.Delete(h.key)
	return err
}

// Node returns the node.
func (h *Handle) Node() *Node { return h.node }

// Start implements the starter of the app. It does not wait for the server.
func (h *Handle) Start(context.Context) error {
	h.node.Start()
	return nil
}

// Revoked implements auth.RevocationStore.
func (h *Handle) Revoked(ctx context.Context, token auth.TokenRef) (bool, error) {
	is, err := h.node.Revoked(&token)
	if err != nil {
		if is, err := h.node.ask(ctx, &token); err == nil {
			return is, nil
		}
	}
	if err != nil && h.allow && h.node.mayAllow() {
		h.node.outage.pass(h.node)
		return false, nil
	}
	return is, err
}

// Revoke implements auth.RevocationStore.
func (h *Handle) Revoke(ctx context.Context, token auth.TokenRef, until time.Time) error {
	list, err := revoked.TokenEntries(token, until, h.node.Now())
	if err != nil {
		return err
	}
	return h.named(h.node.Revoke(ctx, list))
}

// RevokeUser implements auth.RevocationStore.
func (h *Handle) RevokeUser(ctx context.Context, user auth.UserRef, issuedBefore, until time.Time) error {
	e, err := revoked.UserEntry(user, issuedBefore, until, h.node.Now())
	if err != nil {
		return err
	}
	return h.named(h.node.Revoke(ctx, []revoked.Entry{e}))
}

// List implements auth.RevocationLister.
func (h *Handle) List(ctx context.Context) ([]auth.Revocation, error) {
	list, err := h.node.List(ctx)
	return list, h.named(err)
}

// Page implements auth.RevocationPager.
func (h *Handle) Page(ctx context.Context, from auth.Revocation, limit int) ([]auth.Revocation, int, error) {
	list, count, err := h.node.Page(ctx, from, limit)
	return list, count, h.named(err)
}

// Unrevoke implements auth.RevocationLister.
func (h *Handle) Unrevoke(ctx context.Context, token auth.TokenRef) error {
	list, err := revoked.UnrevokeEntries(token)
	if err != nil {
		return err
	}
	return h.named(h.node.Forget(ctx, list))
}

func (h *Handle) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("revocation store %s: %w", h.node.Store, err)
}

// Interface guards
var (
	_ auth.RevocationPager = (*Handle)(nil)
	_ caddy.Destructor     = (*Node)(nil)
)
