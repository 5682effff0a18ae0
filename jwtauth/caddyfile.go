// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/extract"
	"github.com/caddybolt/caddy-bolt/internal/module"
)

// options are the words of the block, for the message about any other.
var options = []string{
	"algorithms", "audience", "ca", "cache", "cookie", "generated_key", "header", "insecure_any_audience", "insecure_http",
	"insecure_weak_key", "issuer", "jwks_file", "jwks_url", "leeway", "max_age", "max_size", "min_refresh", "oidc",
	"permissions_claim", "private_key", "public_key", "query", "refresh", "require_claims", "require_jti", "rotate", "secret",
	"staff_claim", "stale", "subject", "superuser_claim", "timeout", "type", "user_claim",
}

// UnmarshalCaddyfile parses the block. Every option may be given once, except
// public_key, header, cookie and query:
//
//	jwt [<name>] {
//	    secret            <secret>
//	    public_key        <PEM, JWK or file>
//	    private_key       <PEM, JWK or file>
//	    generated_key
//	    rotate            <duration>|off
//	    jwks_file         <file>
//	    jwks_url          <url>
//	    oidc              <issuer>
//	    algorithms        <algorithm...>
//
//	    refresh           <shortest> <longest>
//	    min_refresh       <duration>
//	    stale             <duration>
//	    timeout           <duration>
//	    ca                <PEM file>
//
//	    header            <name> [<scheme>]
//	    cookie            <name>
//	    query             <name>
//	    max_size          <size>
//	    cache             <tokens>|off
//
//	    issuer            <issuer...>
//	    audience          <audience...>
//	    subject           <subject>
//	    type              <media type>
//	    require_claims    <claim...>
//	    require_jti
//	    leeway            <duration>
//	    max_age           <duration>
//
//	    user_claim        <claim>
//	    staff_claim       <claim...>
//	    superuser_claim   <claim...>
//	    permissions_claim <claim...>
//
//	    insecure_weak_key
//	    insecure_http
//	    insecure_any_audience
//	}
func (j *JWT) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // jwt
	if d.NextArg() {
		if j.Label = d.Val(); j.Label == "" {
			return d.Err("the name of a jwt block is empty")
		}
		if d.NextArg() {
			return d.Errf("a jwt block has one name, not also %q", d.Val())
		}
	}
	opts := module.NewOptions(d)
	for d.NextBlock(0) {
		if err := j.parseOption(d, opts); err != nil {
			return err
		}
	}
	if err := j.checkGenerated(); err != nil {
		return d.Errf("%v", err)
	}
	return j.checkRemote(d)
}

func (j *JWT) parseOption(d *caddyfile.Dispenser, opts *module.Options) error {
	switch option := d.Val(); option {
	case "secret":
		return opts.Text(&j.Secret)
	case "public_key":
		return j.parsePublicKey(d, opts)
	case "private_key":
		return opts.Text(&j.Private)
	case "generated_key":
		return opts.Flag(&j.Generated)
	case "rotate":
		return j.parseRotate(d, opts)
	case "jwks_file":
		return opts.Text(&j.JWKSFile)
	case "algorithms":
		if err := opts.Words(&j.Algorithms); err != nil {
			return err
		}
		if _, _, err := parseAlgorithms(j.Algorithms); err != nil {
			return d.Errf("option %q: %v", option, err)
		}
		return nil
	case "header", "cookie", "query":
		return j.parseSource(d)
	case "issuer":
		if err := opts.Words(&j.Issuers); err != nil {
			return err
		}
		if slices.ContainsFunc(j.Issuers, isLocalIssuer) {
			return d.Errf("option %q: issuers that begin with %q are reserved for credentials that are no tokens", option, auth.LocalIssuer)
		}
		return nil
	case "audience":
		return opts.Words(&j.Audiences)
	case "subject":
		return opts.Text(&j.Subject)
	case "type":
		return opts.Text(&j.Type)
	case "require_claims":
		return opts.Words(&j.RequireClaims)
	case "require_jti":
		return opts.Flag(&j.RequireJTI)
	case "leeway":
		j.Leeway = new(caddy.Duration)
		if err := opts.Duration(j.Leeway); err != nil {
			return err
		}
		if err := checkLeeway(j.Leeway); err != nil {
			return d.Errf("%v", err)
		}
		return nil
	case "max_age":
		if err := opts.Duration(&j.MaxAge); err != nil {
			return err
		}
		if err := module.CheckUnit(option, j.MaxAge); err != nil {
			return d.Errf("%v", err)
		}
		if j.MaxAge == 0 {
			return d.Errf("option %q: no token is that young", option)
		}
		return nil
	case "user_claim":
		return opts.Text(&j.UserClaim)
	case "staff_claim":
		return opts.Words(&j.StaffClaims)
	case "superuser_claim":
		return opts.Words(&j.SuperuserClaims)
	case "permissions_claim":
		return opts.Words(&j.PermissionsClaims)
	case "max_size":
		if err := opts.Size(&j.MaxSize); err != nil {
			return err
		}
		if j.MaxSize > maxMaxSize {
			return d.Errf("option %q: at most %d bytes", option, maxMaxSize)
		}
		return nil
	case "cache":
		return j.parseCache(d, opts)
	case "insecure_weak_key":
		return opts.Flag(&j.InsecureWeakKey)
	default:
		if ok, err := j.parseRemoteOption(d, opts); ok {
			return err
		}
		return opts.Unknown("jwt", options...)
	}
}

func isLocalIssuer(issuer string) bool { return strings.HasPrefix(issuer, auth.LocalIssuer) }

// parsePublicKey parses a key, of which there may be several.
func (j *JWT) parsePublicKey(d *caddyfile.Dispenser, opts *module.Options) error {
	if !d.NextArg() {
		return d.Err(`option "public_key" needs an argument`)
	}
	key := d.Val()
	if key == "" {
		return d.Err(`option "public_key" is empty`)
	}
	if slices.Contains(j.Public, key) {
		return d.Err(`option "public_key": this key is given twice`)
	}
	j.Public = append(j.Public, key)
	return opts.End("public_key")
}

// parseCache parses the number of tokens to remember.
func (j *JWT) parseCache(d *caddyfile.Dispenser, opts *module.Options) error {
	var text string
	if err := opts.Text(&text); err != nil {
		return err
	}
	if text == "off" {
		j.Cache = new(int)
		return nil
	}
	tokens, err := strconv.Atoi(text)
	if err != nil || tokens < 1 || tokens > maxCache {
		return d.Errf("option \"cache\": %q is neither a number of tokens from 1 to %d nor \"off\"", text, maxCache)
	}
	j.Cache = &tokens
	return nil
}

// parseSource parses a place, of which there may be several.
func (j *JWT) parseSource(d *caddyfile.Dispenser) error {
	source, err := extract.ParseSource(d)
	if err != nil {
		return err
	}
	// The extractor knows which two places are the same.
	if _, err := extract.New(append(slices.Clone(j.Places), source), 1); err != nil {
		return d.Errf("%v", err)
	}
	j.Places = append(j.Places, source)
	return nil
}

// Interface guards
var _ caddyfile.Unmarshaler = (*JWT)(nil)
