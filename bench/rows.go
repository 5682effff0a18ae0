// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// row is one comparison: a server that protects something and its base case,
// the same server without authentication that is sent the same requests.
type row struct {
	ID    string `json:"id"`
	Group string `json:"group"`
	Name  string `json:"name"`
	Base  string `json:"base"` // what it is compared with, in words

	base, own opener
	refuses   bool // what is not good; the base case refuses nothing
}

// opener starts one side of a row.
type opener func(context.Context, *lab) (*subject, error)

// Groups of rows, in the order of the document.
const (
	groupNoise  = "What the figures are worth"
	groupSeen   = "Tokens seen before"
	groupUnseen = "Tokens never seen"
	groupVaried = "One thing varied"
	groupKeys   = "API keys and passwords"
	groupPeers  = "Other servers"
)

const sameCaddy = "Caddy without `auth`"

// bearer makes requests with tokens.
func bearer(alg string, n int) func(*lab) (load, error) {
	return func(l *lab) (load, error) {
		tokens, err := l.tokensOf(alg, n)
		return load{path: "/", field: "Authorization: Bearer ", values: tokens}, err
	}
}

// cacheSize is how many tokens a jwt block remembers by default.
const cacheSize = 10_000

// strangers makes requests with 100,000 tokens that were never seen, after
// others that fill a cache.
func strangers(l *lab) (load, error) {
	const n = 100_000
	r, err := bearer("HS256", n+cacheSize*6/5)(l)
	if err == nil {
		r.values, r.before = r.values[:n], r.values[n:]
	}
	return r, err
}

// with makes requests with one value of a header field.
func with(field, value string) func(*lab) (load, error) {
	return func(*lab) (load, error) { return load{path: "/", field: field, values: []string{value}}, nil }
}

// bare makes requests without a credential.
func bare(*lab) (load, error) { return load{path: "/"}, nil }

// caddy is a side with a Caddy.
func caddy(requests func(*lab) (load, error), configure func(context.Context, *lab) (caddyConfig, error)) opener {
	return func(ctx context.Context, l *lab) (*subject, error) {
		s := new(subject)
		var err error
		if s.load, err = requests(l); err != nil {
			return nil, err
		}
		c, err := configure(ctx, l)
		if err != nil {
			return nil, err
		}
		s.http2 = c.http2
		if s.server, err = l.startCaddy(ctx, c); err != nil {
			return nil, err
		}
		s.load.addr = s.server.addr
		return s, nil
	}
}

// fixed is a configuration that is known beforehand.
func fixed(c caddyConfig) func(context.Context, *lab) (caddyConfig, error) {
	return func(context.Context, *lab) (caddyConfig, error) { return c, nil }
}

// jwtRow is a row of a token: it differs from the base row in the options.
type jwtRow struct {
	alg      string
	tokens   int
	options  []string // of jwt
	global   string   // in the global block auth
	settings string   // of auth in the site
	variant  caddyConfig
}

func (j jwtRow) configure(ctx context.Context, l *lab) (caddyConfig, error) {
	c := j.variant
	c.global = j.global
	c.site = "auth {\n" + l.jwtBlock(j.alg, j.options...) + "\n" + j.settings + "\n}"
	return c, nil
}

// row makes the comparison with a Caddy that lacks nothing but authentication.
func (j jwtRow) row(id, group, name string) row {
	if j.alg == "" {
		j.alg = "HS256"
	}
	if j.tokens == 0 {
		j.tokens = 1
	}
	return row{
		ID: id, Group: group, Name: name, Base: sameCaddy + ", the same requests", refuses: true,
		base: caddy(bearer(j.alg, j.tokens), fixed(j.variant)),
		own:  caddy(bearer(j.alg, j.tokens), j.configure),
	}
}

// rows are all comparisons.
func rows() []row {
	list := []row{
		{
			ID: "noise", Group: groupNoise, Name: "Caddy against itself", Base: sameCaddy,
			base: caddy(bare, fixed(caddyConfig{})), own: caddy(bare, fixed(caddyConfig{})),
		},
		{
			ID: "receiving", Group: groupNoise, Name: "Caddy that is sent a token of 1 KB", Base: sameCaddy + " and without a token",
			base: caddy(bare, fixed(caddyConfig{})), own: caddy(bearer("HS256", 1), fixed(caddyConfig{})),
		},

		jwtRow{}.row("seen", groupSeen, "HS256: the base row"),
		jwtRow{alg: "RS256"}.row("seen-rs256", groupSeen, "RS256"),
		jwtRow{alg: "ES256"}.row("seen-es256", groupSeen, "ES256"),
		jwtRow{alg: "EdDSA"}.row("seen-eddsa", groupSeen, "EdDSA"),
		jwtRow{global: "revocation memory"}.row("revocation-memory", groupSeen, "with `revocation memory`"),
		jwtRow{global: "revocation bolt"}.row("revocation-bolt", groupSeen, "with `revocation bolt`"),
		{
			ID: "revocation-redis", Group: groupSeen, Name: "with `revocation redis`", Base: sameCaddy + ", the same requests", refuses: true,
			base: caddy(bearer("HS256", 1), fixed(caddyConfig{})), own: onStore(jwtRow{alg: "HS256"}, (*lab).onRedis),
		},
		{
			ID: "revocation-sql", Group: groupSeen, Name: "with `revocation sql` (PostgreSQL)", Base: sameCaddy + ", the same requests", refuses: true,
			base: caddy(bearer("HS256", 1), fixed(caddyConfig{})), own: onStore(jwtRow{alg: "HS256"}, (*lab).onPostgreSQL),
		},
	}
	for _, alg := range algorithms {
		list = append(list, jwtRow{alg: alg, tokens: 1000, options: []string{"cache off"}}.
			row("unseen-"+strings.ToLower(alg), groupUnseen, alg+", `cache off`"))
	}
	list = append(list,
		jwtRow{tokens: 1000}.row("tokens-1000", groupVaried, "1,000 distinct tokens"),
		unknownTokens("tokens-100000", "100,000 distinct tokens, none of which is in the full cache"),
		unknownTokens("tokens-100000-off", "100,000 distinct tokens, `cache off`", "cache off"),
		jwtRow{settings: "guard permission reports.view\nforward {\nX-User-ID id\nX-Tenant claims.tenant\n}"}.
			row("guard", groupVaried, "a guard for a permission, two identity headers"),
		jwtRow{variant: caddyConfig{http2: true}}.row("http2", groupVaried, "HTTP/2, without TLS"),
		file(), proxied(), fullCache(),
		apiKeys(10), apiKeys(100_000), basicAuth(), basic(),
	)
	for _, alg := range algorithms[:3] {
		list = append(list, row{
			ID: "haproxy-" + strings.ToLower(alg), Group: groupPeers, Name: "HAProxy, `jwt_verify` with " + alg, refuses: true,
			Base: "HAProxy without it, the same requests", base: haproxy(alg, ""), own: haproxy(alg, alg),
		})
	}
	for _, kind := range []struct{ id, name string }{{"jwt", ""}, {"cache", " and its cache"}} {
		list = append(list, row{
			ID: "fastify-" + kind.id, Group: groupPeers, Name: "fastify, `@fastify/jwt` with HS256" + kind.name, refuses: true,
			Base: "fastify without it, the same requests", base: fastify("open"), own: fastify(kind.id),
		})
	}
	return list
}

// unknownTokens is a row of many tokens that are not remembered.
func unknownTokens(id, name string, options ...string) row {
	return row{
		ID: id, Group: groupVaried, Name: name, Base: sameCaddy + ", the same requests", refuses: true,
		base: caddy(strangers, fixed(caddyConfig{})),
		own:  caddy(strangers, jwtRow{alg: "HS256", options: options}.configure),
	}
}

// fullCache compares tokens that miss a full cache with no cache at all.
func fullCache() row {
	return row{
		ID: "full-cache", Group: groupVaried, Name: "100,000 distinct tokens, none of which is in the full cache", Base: "the same with `cache off`", refuses: true,
		base: caddy(strangers, jwtRow{alg: "HS256", options: []string{"cache off"}}.configure),
		own:  caddy(strangers, jwtRow{alg: "HS256"}.configure),
	}
}

// file protects a file.
func file() row {
	page := func(site bool) func(context.Context, *lab) (caddyConfig, error) {
		return func(ctx context.Context, l *lab) (caddyConfig, error) {
			folder, err := l.folderFor("page")
			if err != nil {
				return caddyConfig{}, err
			}
			if err := os.WriteFile(filepath.Join(folder, "index.html"), []byte(strings.Repeat("hello\n", 170)), 0o600); err != nil {
				return caddyConfig{}, err
			}
			c := caddyConfig{handler: "root * " + folder + "\nfile_server"}
			if !site {
				return c, nil
			}
			return jwtRow{alg: "HS256", variant: c}.configure(ctx, l)
		}
	}
	return row{
		ID: "file", Group: groupVaried, Name: "in front of a file of 1 KB", Base: sameCaddy + ", the same requests", refuses: true,
		base: caddy(bearer("HS256", 1), page(false)), own: caddy(bearer("HS256", 1), page(true)),
	}
}

// proxied protects an application behind a proxy.
func proxied() row {
	app := func(site bool) func(context.Context, *lab) (caddyConfig, error) {
		return func(ctx context.Context, l *lab) (caddyConfig, error) {
			c := caddyConfig{handler: "reverse_proxy " + l.upstream}
			if !site {
				return c, nil
			}
			return jwtRow{alg: "HS256", variant: c}.configure(ctx, l)
		}
	}
	return row{
		ID: "proxy", Group: groupVaried, Name: "in front of a proxied application", Base: sameCaddy + ", the same requests", refuses: true,
		base: caddy(bearer("HS256", 1), app(false)), own: caddy(bearer("HS256", 1), app(true)),
	}
}

// apiKeys protects with so many keys.
func apiKeys(n int) row {
	request := with("X-Api-Key: ", apiKey(n/2))
	return row{
		ID: fmt.Sprintf("keys-%d", n), Group: groupKeys, Name: "API key, one of " + thousands(n), Base: sameCaddy + ", the same requests", refuses: true,
		base: caddy(request, fixed(caddyConfig{})),
		own: caddy(request, func(_ context.Context, l *lab) (caddyConfig, error) {
			folder, err := l.folderFor("keys")
			if err != nil {
				return caddyConfig{}, err
			}
			var b strings.Builder
			b.WriteString(`{"keys":[`)
			for i := range n {
				if i > 0 {
					b.WriteByte(',')
				}
				sum := sha256.Sum256([]byte(apiKey(i)))
				fmt.Fprintf(&b, `{"name":"key-%d","key":"sha256:%s","permissions":["chat"]}`, i, hex.EncodeToString(sum[:]))
			}
			b.WriteString("]}")
			path := filepath.Join(folder, "keys.json")
			if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
				return caddyConfig{}, err
			}
			return caddyConfig{site: "auth {\napi_key {\nfile " + path + "\n}\n}"}, nil
		}),
	}
}

func apiKey(i int) string { return fmt.Sprintf("sk-live-%032x", i) }

const basicUser, basicPassword = "alice", "correct horse battery staple"

// basicAuth is Caddy's own, as a Caddyfile sets it up: with bcrypt, and a cache
// of passwords that were right.
func basicAuth() row {
	return row{
		ID: "basic_auth", Group: groupKeys, Name: "Caddy's own `basic_auth`, a password seen before", Base: sameCaddy + ", the same requests", refuses: true,
		base: caddy(password, fixed(caddyConfig{})),
		own: caddy(password, func(ctx context.Context, l *lab) (caddyConfig, error) {
			hash, err := l.hashPassword(ctx, basicPassword)
			return caddyConfig{site: "basic_auth {\n" + basicUser + " " + hash + "\n}"}, err
		}),
	}
}

// basic is ours, over the same hash.
func basic() row {
	return row{
		ID: "basic", Group: groupKeys, Name: "`basic`, a password seen before", Base: sameCaddy + ", the same requests", refuses: true,
		base: caddy(password, fixed(caddyConfig{})),
		own: caddy(password, func(ctx context.Context, l *lab) (caddyConfig, error) {
			hash, err := l.hashPassword(ctx, basicPassword)
			return caddyConfig{global: "users static {\nuser " + basicUser + " " + hash + "\n}", site: "auth {\nbasic\n}"}, err
		}),
	}
}

func haproxy(tokens, alg string) opener {
	return peer(tokens, func(ctx context.Context, l *lab) (*server, error) { return l.startHAProxy(ctx, alg) })
}

func fastify(kind string) opener {
	return peer("HS256", func(ctx context.Context, l *lab) (*server, error) { return l.startFastify(ctx, kind) })
}

// peer is a side with another server, which is sent one token.
func peer(alg string, start func(context.Context, *lab) (*server, error)) opener {
	return func(ctx context.Context, l *lab) (*subject, error) {
		s := new(subject)
		var err error
		if s.load, err = bearer(alg, 1)(l); err != nil {
			return nil, err
		}
		if s.server, err = start(ctx, l); err != nil {
			return nil, err
		}
		s.load.addr = s.server.addr
		return s, nil
	}
}

// password makes requests with HTTP Basic.
func password(l *lab) (load, error) {
	return with("Authorization: Basic ", base64.StdEncoding.EncodeToString([]byte(basicUser+":"+basicPassword)))(l)
}
