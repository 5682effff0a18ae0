// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/internal/module"
)

// UnmarshalCaddyfile sets up the handler. Syntax:
//
//	auth_logout [<matcher>] {
//	    all
//	    cookie          <name>
//	    trusted_origins <origin...>
//	    redirect        <path>
//	}
//
// "cookie" may be repeated.
func (l *Logout) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive
	if d.NextArg() {
		return d.Errf("auth_logout takes no argument but a matcher, not %q", d.Val())
	}
	options := module.NewOptions(d)
	for d.NextBlock(0) {
		var err error
		switch d.Val() {
		case "all":
			err = options.Flag(&l.All)
		case "cookie":
			err = l.parseCookie(d)
		case "trusted_origins":
			err = l.parseOrigins(d, options)
		case "redirect":
			err = l.parseRedirect(d, options)
		default:
			err = options.Unknown("auth_logout", "all", "cookie", "trusted_origins", "redirect")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *Logout) parseCookie(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 1 {
		return d.Errf("option \"cookie\" needs one name")
	}
	l.Cookies = append(l.Cookies, args[0])
	if err := l.Validate(); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}

func (l *Logout) parseOrigins(d *caddyfile.Dispenser, options *module.Options) error {
	if err := options.Words(&l.TrustedOrigins); err != nil {
		return err
	}
	for _, origin := range l.TrustedOrigins {
		if err := http.NewCrossOriginProtection().AddTrustedOrigin(origin); err != nil {
			return d.Errf("%q: an origin is written as https://www.example.com", origin)
		}
	}
	return nil
}

func (l *Logout) parseRedirect(d *caddyfile.Dispenser, options *module.Options) error {
	if err := options.Text(&l.Redirect); err != nil {
		return err
	}
	if err := l.Validate(); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}

// Interface guards
var _ caddyfile.Unmarshaler = (*Logout)(nil)
