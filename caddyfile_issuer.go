// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/issuer"
)

// jwksPath is where others look for public keys, unless told otherwise.
const jwksPath = "/.well-known/jwks.json"

func parseToken(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next()
	start := at(h.Dispenser)
	h.Reset()
	t := new(issuer.Token)
	if err := t.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	if t.Exchange && runsBeforeAuth(h) {
		return nil, start.errorf("exchange issues a token for whom an auth has accepted, and auth_token runs before the auth of its site: put it into handle or route")
	}
	if err := checkFor(h, t.For); err != nil {
		return nil, start.errorf("%v", err)
	}
	if t.Refresh != nil {
		if err := checkSessions(h); err != nil {
			return nil, start.errorf("%v", err)
		}
	}
	return t, nil
}

// runsBeforeAuth reports whether the directive stands where Caddy sorts it before
// every auth: in the block of a site itself, whose state is that of all sites.
func runsBeforeAuth(h httpcaddyfile.Helper) bool {
	if h.IsNamedRoute() || reflect.ValueOf(h.BlockState).Pointer() != reflect.ValueOf(h.State).Pointer() {
		return false
	}
	order, ok := h.Option("order").([]string)
	return !ok || slices.Index(order, "auth_token") < slices.Index(order, "auth")
}

// checkFor refuses the name of a jwt that the global block does not have, and a
// jwt that cannot sign, while there is a line to name.
func checkFor(h httpcaddyfile.Helper, name string) error {
	p, err := newBlockParser(h)
	if err != nil {
		return err
	}
	raws := p.global.AuthenticatorsRaw
	for _, policy := range slices.Sorted(maps.Keys(p.global.Policies)) {
		raws = slices.Concat(raws, p.global.Policies[policy].AuthenticatorsRaw)
	}
	for _, module := range moduleNames(raws, "authenticator") {
		if !slices.Contains([]string{"jwt", "api_key", "basic", "provider"}, module) {
			return nil // another's may sign, and be named in another way: its provisioning says
		}
	}
	for _, raw := range raws {
		jwt := []json.RawMessage{raw}
		if !slices.Contains(moduleNames(jwt, "authenticator"), "jwt") || name != "" && !slices.Contains(moduleNames(jwt, "name"), name) {
			continue
		}
		if verifiesOnly(raw) {
			return errVerifiesOnly
		}
		return nil
	}
	if name == "" {
		return nil // its provisioning says which block is missing
	}
	return fmt.Errorf("for %q: the global auth block has no jwt of that name", name)
}

var errVerifiesOnly = errors.New("tokens are issued as a jwt of the global auth block accepts them, and this one has public keys alone: signing needs secret, private_key or generated_key")

// verifiesOnly reports whether a jwt names keys and none of them signs. One that
// names none has the global secret.
func verifiesOnly(raw json.RawMessage) bool {
	var options map[string]json.RawMessage
	if json.Unmarshal(raw, &options) != nil {
		return false
	}
	has := func(name string) bool { return options[name] != nil }
	return !slices.ContainsFunc([]string{"secret", "private_key", "generated_key"}, has) &&
		slices.ContainsFunc([]string{"public_keys", "jwks_file", "jwks_url", "oidc"}, has)
}

// checkSessions refuses refresh tokens with a store that keeps no sessions, while
// there is a line to name.
func checkSessions(h httpcaddyfile.Helper) error {
	p, err := newBlockParser(h)
	if err != nil || p.global.RevocationRaw == nil {
		return err
	}
	for _, name := range moduleNames([]json.RawMessage{p.global.RevocationRaw}, "store") {
		info, err := caddy.GetModule(revocationSpace + "." + name)
		if err != nil {
			return err
		}
		if _, ok := info.New().(auth.RefreshStore); !ok {
			return fmt.Errorf("refresh needs a revocation store that keeps sessions, and %s does not", name)
		}
	}
	return nil
}

func parseLogout(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	l := new(issuer.Logout)
	return l, l.UnmarshalCaddyfile(h.Dispenser)
}

// parseJWKS parses "auth_jwks [<matcher>] { ... }". Without a matcher the keys
// are at /.well-known/jwks.json.
func parseJWKS(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !h.Next() {
		return nil, h.ArgErr()
	}
	start := at(h.Dispenser)
	set, matched, err := h.MatcherToken()
	if err != nil {
		return nil, err
	}
	if matched {
		h.Delete()
	} else {
		set = caddy.ModuleMap{"path": caddyconfig.JSON(caddyhttp.MatchPath{jwksPath}, nil)}
	}
	h.Reset()
	j := new(issuer.JWKS)
	if err := j.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	if err := checkFor(h, j.For); err != nil {
		return nil, start.errorf("%v", err)
	}
	return h.NewRoute(set, j), nil
}
