// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/internal/module"
)

// UnmarshalCaddyfile sets up the handler. Syntax:
//
//	auth_token [<matcher>] {
//	    for        <name>
//	    expires_in <duration>
//	    include    permissions|<field> ...
//	    claim      <name> <value>
//	    refresh    <duration> {
//	        idle <duration>
//	    }
//	    cookie <name> {
//	        refresh_name <name>
//	        refresh_path <path>
//	        same_site    lax|strict
//	    }
//	    exchange
//	}
//
// "claim" may be repeated with other names.
func (t *Token) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive
	if d.NextArg() {
		return d.Errf("auth_token takes no argument but a matcher, not %q", d.Val())
	}
	options := module.NewOptions(d)
	for d.NextBlock(0) {
		var err error
		switch d.Val() {
		case "for":
			err = options.Text(&t.For)
		case "expires_in":
			err = t.parseExpiresIn(d, options)
		case "include":
			err = t.parseInclude(d, options)
		case "claim":
			err = t.parseClaim(d)
		case "refresh":
			err = t.parseRefresh(d, options)
		case "cookie":
			err = t.parseCookie(d, options)
		case "exchange":
			err = options.Flag(&t.Exchange)
		default:
			err = options.Unknown("auth_token", "for", "expires_in", "include", "claim", "refresh", "cookie", "exchange")
		}
		if err != nil {
			return err
		}
		if t.Exchange && t.Refresh != nil {
			return d.Errf("%v", errExchangeRefresh)
		}
	}
	if t.Cookie.needsRefresh() && t.Refresh == nil {
		return d.Errf("%v", errCookieRefresh)
	}
	return nil
}

func (t *Token) parseExpiresIn(d *caddyfile.Dispenser, options *module.Options) error {
	if err := options.Duration(&t.ExpiresIn); err != nil {
		return err
	}
	if t.ExpiresIn == 0 {
		return d.Errf("option \"expires_in\" is zero")
	}
	if err := checkExpiresIn(time.Duration(t.ExpiresIn)); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}

func (t *Token) parseInclude(d *caddyfile.Dispenser, options *module.Options) error {
	if err := options.Words(&t.Include); err != nil {
		return err
	}
	for i, name := range t.Include {
		if err := checkClaim(name); err != nil {
			return d.Errf("%v", err)
		}
		if slices.Contains(t.Include[:i], name) {
			return d.Errf("%q is included twice", name)
		}
		if _, ok := t.Claims[name]; ok {
			return d.Errf("claim %q is given already", name)
		}
	}
	return nil
}

func (t *Token) parseClaim(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 || args[1] == "" {
		return d.Errf("option \"claim\" needs a name and a value")
	}
	name, value := args[0], args[1]
	if err := checkClaim(name); err != nil {
		return d.Errf("%v", err)
	}
	if _, ok := t.Claims[name]; ok || slices.Contains(t.Include, name) {
		return d.Errf("claim %q is given already", name)
	}
	if t.Claims == nil {
		t.Claims = make(map[string]string)
	}
	t.Claims[name] = value
	return nil
}

func (t *Token) parseRefresh(d *caddyfile.Dispenser, options *module.Options) error {
	t.Refresh = new(Refresh)
	if err := options.Duration(&t.Refresh.Lifetime); err != nil {
		return err
	}
	inner := module.NewOptions(d)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() != "idle" {
			return inner.Unknown("refresh", "idle")
		}
		if err := parseIdle(d, inner, &t.Refresh.Idle); err != nil {
			return err
		}
	}
	if err := t.Refresh.check(); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}

func parseIdle(d *caddyfile.Dispenser, options *module.Options, target *caddy.Duration) error {
	if err := options.Duration(target); err != nil {
		return err
	}
	if *target == 0 {
		return d.Errf("option \"idle\" is zero")
	}
	return nil
}

func (t *Token) parseCookie(d *caddyfile.Dispenser, options *module.Options) error {
	t.Cookie = new(Cookie)
	if err := options.Text(&t.Cookie.Name); err != nil {
		return err
	}
	inner := module.NewOptions(d)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "refresh_name":
			err = inner.Text(&t.Cookie.RefreshName)
		case "refresh_path":
			err = inner.Text(&t.Cookie.RefreshPath)
		case "same_site":
			err = inner.Text(&t.Cookie.SameSite)
		default:
			err = inner.Unknown("cookie", "refresh_name", "refresh_path", "same_site")
		}
		if err != nil {
			return err
		}
	}
	if err := t.Cookie.check(); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}
