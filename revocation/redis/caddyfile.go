// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/internal/module"
)

// UnmarshalCaddyfile sets up the store. Syntax:
//
//	redis [<address...>] {
//	    address <address...>
//	    sentinel <master>
//	    sentinel_username <name>
//	    sentinel_password <password>
//	    cluster
//	    username <name>
//	    password <password>
//	    database <number>
//	    tls {
//	        ca <file>
//	        server_name <name>
//	        certificate <file> <key file>
//	    }
//	    key_prefix <text>
//	    max_stale <duration>
//	    on_error deny|allow
//	}
func (r *Redis) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name
	r.Addresses = d.RemainingArgs()
	options := module.NewOptions(d)
	for d.NextBlock(0) {
		if err := r.option(d, options); err != nil {
			return err
		}
	}
	if err := r.checkLiterals(); err != nil {
		return d.Errf("redis: %v", err)
	}
	return nil
}

// checkLiterals judges what stands in the Caddyfile itself, and leaves what
// placeholders stand for to Provision.
func (r *Redis) checkLiterals() error {
	literal := &settings{Redis: *r}
	literal.Addresses = nil
	for _, a := range r.Addresses {
		if !strings.Contains(a, "{") {
			literal.Addresses = append(literal.Addresses, a)
		}
	}
	if err := r.check(); err != nil {
		return err
	}
	return literal.takeAddresses()
}

func (r *Redis) option(d *caddyfile.Dispenser, options *module.Options) error {
	switch d.Val() {
	case "address":
		if len(r.Addresses) > 0 {
			return d.Err("the address is given already, after \"redis\"")
		}
		return options.Words(&r.Addresses)
	case "sentinel":
		return options.Text(&r.Sentinel)
	case "sentinel_username":
		return options.Text(&r.SentinelUsername)
	case "sentinel_password":
		return options.Text(&r.SentinelPassword)
	case "cluster":
		return options.Flag(&r.Cluster)
	case "username":
		return options.Text(&r.Username)
	case "password":
		return options.Text(&r.Password)
	case "database":
		var text string
		if err := options.Text(&text); err != nil {
			return err
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return d.Errf("option \"database\": %q is not a number from 0 on", text)
		}
		r.Database = n
	case "tls":
		return r.tlsOption(d, options)
	case "key_prefix":
		return options.Text(&r.KeyPrefix)
	case "max_stale":
		return options.Duration(&r.MaxStale)
	case "on_error":
		return options.Text(&r.OnError)
	default:
		return options.Unknown("redis", "address", "sentinel", "sentinel_username", "sentinel_password", "cluster",
			"username", "password", "database", "tls", "key_prefix", "max_stale", "on_error")
	}
	return nil
}

func (r *Redis) tlsOption(d *caddyfile.Dispenser, options *module.Options) error {
	if err := options.Once(); err != nil {
		return err
	}
	if d.NextArg() {
		return d.Errf("option \"tls\" takes no argument, not %q", d.Val())
	}
	r.TLS = new(TLS)
	inner := module.NewOptions(d)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch d.Val() {
		case "ca":
			if err := inner.Text(&r.TLS.CA); err != nil {
				return err
			}
		case "server_name":
			if err := inner.Text(&r.TLS.ServerName); err != nil {
				return err
			}
		case "certificate":
			var files []string
			if err := inner.Words(&files); err != nil {
				return err
			}
			if len(files) != 2 {
				return d.Err("option \"certificate\" needs two files, the certificate and its key")
			}
			r.TLS.Certificate, r.TLS.Key = files[0], files[1]
		default:
			return inner.Unknown("tls", "ca", "server_name", "certificate")
		}
	}
	return nil
}
