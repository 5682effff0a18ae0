// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/internal/module"
)

// parseWord parses one of the settings:
//
//	<authenticator> ...
//	guard <guard> ...
//	realm <text>
//	strip_credentials [off]
//	forward <header> <value>
//	forward {
//	    <header> <value>
//	}
//	login_url <path>|off
//	allow_preflight [off]
//	errors problem_json|default
//	insecure_paths [off]
func (s *Settings) parseWord(d *caddyfile.Dispenser, opts *module.Options, l level) error {
	switch word := d.Val(); word {
	case "guard":
		return s.parseGuard(d)
	case "realm":
		return check(d, opts.Text(&s.Realm), func() error { return checkRealm(s.Realm) })
	case "strip_credentials":
		return opts.Switch(&s.StripCredentials)
	case "forward":
		return s.parseForward(d, opts)
	case "login_url":
		return check(d, opts.Text(&s.LoginURL), func() error { return checkLoginURL(s.LoginURL) })
	case "allow_preflight":
		return opts.Switch(&s.AllowPreflight)
	case "errors":
		return check(d, opts.Text(&s.Errors), s.validate)
	case "insecure_paths":
		if !slices.Contains(l.extra, word) {
			return unknownWord(d, l)
		}
		return opts.Switch(&s.InsecurePaths)
	default:
		if !module.Known(authenticatorSpace, word) {
			return unknownWord(d, l)
		}
		raw, err := module.Parse(d, authenticatorSpace, "authenticator", "authenticator")
		if err != nil {
			return err
		}
		s.AuthenticatorsRaw = append(s.AuthenticatorsRaw, raw)
		return nil
	}
}

// check judges an option that was parsed, and says at which line it stands.
func check(d *caddyfile.Dispenser, parsed error, judge func() error) error {
	if parsed != nil {
		return parsed
	}
	if err := judge(); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}

func unknownWord(d *caddyfile.Dispenser, l level) error {
	word := d.Val()
	if place, ok := elsewhere[word]; ok {
		return d.Errf("%s stands only in %s", word, place)
	}
	if module.Known(guardSpace, word) {
		return d.Errf("%s is a guard: write \"guard %s\"", word, word)
	}
	words := slices.Concat(module.Names(authenticatorSpace), settingsWords, l.extra)
	return d.Errf("unrecognized %s option %q; there are: %s", l.name, word, strings.Join(words, ", "))
}

func (s *Settings) parseGuard(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("guard needs a name; there are: %s", strings.Join(module.Names(guardSpace), ", "))
	}
	raw, err := module.Parse(d, guardSpace, "guard", "guard")
	if err != nil {
		return err
	}
	s.GuardsRaw = append(s.GuardsRaw, raw)
	return nil
}

func (s *Settings) parseForward(d *caddyfile.Dispenser, opts *module.Options) error {
	if err := opts.Once(); err != nil {
		return err
	}
	add := func(args []string) error {
		if len(args) != 2 {
			return d.Err("forward needs a header and a value, such as \"X-User-ID id\"")
		}
		s.Forward = append(s.Forward, ForwardHeader{Name: args[0], Value: args[1]})
		if err := checkForward(s.Forward); err != nil {
			return d.Errf("%v", err)
		}
		return nil
	}
	if args := d.RemainingArgs(); len(args) > 0 {
		if err := add(args); err != nil {
			return err
		}
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := add(append([]string{d.Val()}, d.RemainingArgs()...)); err != nil {
			return err
		}
	}
	if len(s.Forward) == 0 {
		return d.Err("forward needs a header and a value, such as \"X-User-ID id\"")
	}
	return nil
}

// closed refuses words on the line of the brace that closes a block: Caddy takes
// them for part of the block, and the brace for none.
func closed(d *caddyfile.Dispenser, nesting int) error {
	if d.Nesting() != nesting {
		return d.Err("a block ends with } on a line of its own")
	}
	return nil
}
