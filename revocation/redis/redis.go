// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package redis has the store of revoked tokens in Redis or Valkey: the module
// http.auth.revocation.redis. Its client makes Caddy some megabytes larger, so
// it is added with a --with of its own.
package redis

import (
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/replica"
	"github.com/caddybolt/caddy-bolt/internal/secret"
)

func init() {
	caddy.RegisterModule(Redis{})
}

// DefaultKeyPrefix stands before the "jti" of a revoked token.
const DefaultKeyPrefix = "revoked_tokens:"

// Redis remembers revoked tokens in Redis 6 or later, or in Valkey: in one
// server, in a group that sentinels watch, or in a cluster. All Caddys that
// share it refuse what one of them revoked, within a tenth of a second.
//
// Each Caddy keeps a copy of what is revoked, and no request asks the server, but
// while the copy is being filled: then it may take 50 milliseconds to answer. If
// the server was not heard for max_stale, the copy is trusted in what it holds
// alone: what is revoked stays refused, and whatever else comes is answered
// with 503 and Retry-After, or passes with "on_error allow". A log-out that the
// server does not take within two seconds is 503; this Caddy refuses the token
// all the same, and writes it as soon as the server is back. What the server
// lost, each Caddy that knows it writes again.
//
// An application revokes a token by itself when it sets the key "<key_prefix><jti>"
// to anything, with the lifetime of the token. Sessions and refresh tokens stand
// in keys of their own.
type Redis struct {
	// The server, or the sentinels, or some servers of the cluster: host,
	// host:port, unix//path, redis://[user:password@]host[:port][/database], or
	// rediss:// for TLS. Placeholders such as {env.REDIS_URL} are replaced.
	// Default: 127.0.0.1:6379.
	Addresses []string `json:"addresses,omitempty"`

	// The name of the master that the sentinels watch. The addresses are then
	// those of the sentinels, whose default port is 26379.
	Sentinel string `json:"sentinel,omitempty"`

	// The user and the password of the sentinels, if they have any.
	SentinelUsername string `json:"sentinel_username,omitempty"`
	SentinelPassword string `json:"sentinel_password,omitempty"`

	// Whether the servers are a cluster.
	Cluster bool `json:"cluster,omitempty"`

	// The user and the password. A password alone is that of the user "default".
	// Write {env.NAME} or {file./path} rather than the password itself.
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`

	// The number of the database. Default: 0. A cluster has no other.
	Database int `json:"database,omitempty"`

	// How to secure the connection. Default: not at all, unless an address
	// begins with rediss://.
	TLS *TLS `json:"tls,omitempty"`

	// What stands before the "jti" in a key. Default: "revoked_tokens:". Django's
	// cache puts ":1:" before it.
	KeyPrefix string `json:"key_prefix,omitempty"`

	// For how long the copy is trusted after the server was heard. Default: 2s,
	// at least 1s, at most 1h.
	MaxStale caddy.Duration `json:"max_stale,omitempty"`

	// What to do with a token when nobody knows whether it is revoked: "deny"
	// answers 503, "allow" lets it pass. Default: "deny".
	OnError string `json:"on_error,omitempty"`

	*replica.Handle `json:"-"`

	clock    clock.Clock
	pool     *caddy.UsagePool
	source   *source
	released bool
}

// TLS is how the connection is secured.
type TLS struct {
	// A file with the certificates of the authorities that are trusted. Default:
	// those of the system.
	CA string `json:"ca,omitempty"`

	// The name in the certificate of the server. Default: the host of the address.
	ServerName string `json:"server_name,omitempty"`

	// Files with a certificate and its key, for servers that ask for one.
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Redis) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.revocation.redis",
		New: func() caddy.Module { return new(Redis) },
	}
}

// Provision finds the connection that an earlier configuration left, or notes
// how to connect. It opens none.
func (r *Redis) Provision(ctx caddy.Context) error {
	if registry := ctx.GetMetricsRegistry(); registry != nil {
		if err := replica.Register(registry); err != nil {
			return err
		}
	}
	if r.showsPassword() {
		ctx.Logger().Warn("the password stands in the configuration itself, which Caddy's admin API, autosave file and debug log show: use {env.NAME} or {file./path}")
	}
	settings, err := r.resolve()
	if err != nil {
		return err
	}
	key, err := settings.key()
	if err != nil {
		return err
	}
	made, err := settings.source(r.clock)
	if err != nil {
		return err
	}
	r.Handle, err = replica.Acquire(r.pool, key, r.OnError == "allow", func() (*replica.Node, error) {
		return replica.NewNode(replica.Settings{
			Store:    "redis",
			Server:   settings.label(),
			MaxStale: time.Duration(settings.MaxStale),
			Source:   made,
			Clock:    r.clock,
			Logger:   caddy.Log().Named("http.auth.revocation.redis"),
		}), nil
	})
	if err != nil {
		return err
	}
	r.source = r.Node().Source.(*source) // that of the node which was there
	return nil
}

// showsPassword reports whether a password is written in the configuration.
func (r *Redis) showsPassword() bool {
	for _, address := range r.Addresses {
		if strings.Contains(address, "@") && secret.IsInline(address) {
			return true
		}
	}
	return secret.IsInline(r.Password) || secret.IsInline(r.SentinelPassword)
}

// Cleanup gives the connection away. It is closed with the last configuration
// that uses it.
func (r *Redis) Cleanup() error {
	h := r.Handle
	if r.released || h == nil {
		return nil
	}
	r.released = true
	return h.Release()
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Redis)(nil)
	_ caddy.CleanerUpper    = (*Redis)(nil)
	_ caddyfile.Unmarshaler = (*Redis)(nil)
	_ auth.RevocationPager  = (*Redis)(nil)
)
