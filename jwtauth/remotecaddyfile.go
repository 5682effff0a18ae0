// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/internal/module"
)

// parseRemoteOption parses an option about remote keys; ok is false when it is
// none.
func (j *JWT) parseRemoteOption(d *caddyfile.Dispenser, opts *module.Options) (ok bool, err error) {
	switch d.Val() {
	case "jwks_url":
		err = opts.Text(&j.JWKSURL)
	case "oidc":
		err = opts.Text(&j.OIDC)
	case "refresh":
		err = j.parseRefresh(d, opts)
	case "min_refresh":
		err = positive(d, opts, &j.MinRefresh)
	case "stale":
		err = positive(d, opts, &j.Stale)
	case "timeout":
		err = positive(d, opts, &j.Timeout)
	case "ca":
		err = opts.Text(&j.CA)
	case "insecure_http":
		err = opts.Flag(&j.InsecureHTTP)
	case "insecure_any_audience":
		err = opts.Flag(&j.InsecureAnyAudience)
	default:
		return false, nil
	}
	return true, err
}

// checkRemote judges what the block says about remote keys, as far as that does
// not depend on placeholders, which Provision replaces.
func (j *JWT) checkRemote(d *caddyfile.Dispenser) error {
	said := &JWT{
		JWKSURL: j.JWKSURL, OIDC: j.OIDC, Issuers: j.Issuers, Audiences: j.Audiences,
		Refresh: j.Refresh, MinRefresh: j.MinRefresh, Stale: j.Stale, Timeout: j.Timeout,
		InsecureHTTP: j.InsecureHTTP, InsecureAnyAudience: j.InsecureAnyAudience,
	}
	if j.CA != "" && !j.usesRemote() {
		said.CA = j.CA
	}
	if strings.Contains(strings.Join(append([]string{j.JWKSURL, j.OIDC}, j.Issuers...), ""), "{") {
		return nil
	}
	if err := said.prepareRemote(); err != nil {
		return d.Errf("%v", err)
	}
	if !j.usesRemote() {
		return nil
	}
	if _, err := said.remoteSettings(); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}

// positive parses a duration that is not zero.
func positive(d *caddyfile.Dispenser, opts *module.Options, target *caddy.Duration) error {
	option := d.Val()
	if err := opts.Duration(target); err != nil {
		return err
	}
	if *target == 0 {
		return d.Errf("option %q: must not be zero", option)
	}
	if err := module.CheckUnit(option, *target); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}

// parseRefresh parses the shortest and the longest time between two fetches.
func (j *JWT) parseRefresh(d *caddyfile.Dispenser, opts *module.Options) error {
	var words []string
	if err := opts.Words(&words); err != nil {
		return err
	}
	if len(words) != 2 {
		return d.Err(`option "refresh" has two durations, the shortest and the longest`)
	}
	for _, word := range words {
		duration, err := caddy.ParseDuration(word)
		if err != nil || duration <= 0 {
			return d.Errf("option \"refresh\": %q is not a duration such as 30s, 5m, 12h or 7d", word)
		}
		j.Refresh = append(j.Refresh, caddy.Duration(duration))
	}
	return nil
}
