// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"encoding/json"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/internal/matching"
	"github.com/caddybolt/caddy-bolt/internal/module"
)

// defaultRevocation is the store that "revocation" alone means.
const defaultRevocation = "bolt"

const (
	authenticatorSpace = "http.auth.authenticators"
	guardSpace         = "http.auth.guards"
	usersSpace         = "http.auth.users"
	revocationSpace    = "http.auth.revocation"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("auth", parseGlobal)
	httpcaddyfile.RegisterDirective("auth", parseDirective)

	httpcaddyfile.RegisterHandlerDirective("auth_token", parseToken)
	httpcaddyfile.RegisterDirective("auth_jwks", parseJWKS)
	httpcaddyfile.RegisterHandlerDirective("auth_logout", parseLogout)

	// Every plugin's "after basic_auth" comes out in the reverse order of
	// registration; these come out right in any order.
	httpcaddyfile.RegisterDirectiveOrder("auth_token", httpcaddyfile.Before, "basic_auth")
	httpcaddyfile.RegisterDirectiveOrder("auth_jwks", httpcaddyfile.Before, "basic_auth")
	httpcaddyfile.RegisterDirectiveOrder("auth", httpcaddyfile.After, "basic_auth")
	httpcaddyfile.RegisterDirectiveOrder("auth_logout", httpcaddyfile.Before, "forward_auth")
}

// settingsWords are the options that stand at every level, beside the names of
// authenticators.
var settingsWords = []string{
	"guard", "realm", "strip_credentials", "forward", "login_url",
	"allow_preflight", "errors",
}

// level is one block of settings that is being parsed.
type level struct {
	name  string   // for messages
	extra []string // the words that stand here beside settingsWords
}

var (
	globalLevel = level{"global auth", []string{"insecure_paths", "secret", "users", "revocation", "policy"}}
	policyLevel = level{"policy", []string{"insecure_paths"}}
	blockLevel  = level{"auth", []string{"insecure_paths", "public", "when"}}
	ruleLevel   = level{"when", nil}
)

// elsewhere says where a word belongs that stands at the wrong level.
var elsewhere = map[string]string{
	"secret":         "the global auth block, or a jwt block",
	"users":          "the global auth block",
	"revocation":     "the global auth block",
	"policy":         "the global auth block",
	"public":         "an auth block of a site",
	"when":           "an auth block of a site",
	"insecure_paths": "an auth block, outside its rules",
}

// parseGlobal parses the global option:
//
//	auth {
//	    secret     <secret>
//	    users      <store> ...
//	    revocation [<store> ...]
//	    policy <name> {
//	        <settings>
//	    }
//	    <settings>
//	}
func parseGlobal(d *caddyfile.Dispenser, existing any) (any, error) {
	d.Next() // "auth"
	if existing != nil {
		return nil, d.Err("the global auth block is given twice")
	}
	// placeholders such as {path} mean the same here as in a site
	segment := d.NextSegment()
	httpcaddyfile.NewShorthandReplacer().ApplyToSegment(&segment)
	d = caddyfile.NewDispenser(segment)
	d.Next()
	if d.NextArg() {
		return nil, d.Errf("the global auth block takes no argument, but %q", d.Val())
	}
	app := new(App)
	opts := module.NewOptions(d)
	nesting := d.Nesting()
	for d.NextBlock(nesting) {
		if err := parseGlobalWord(d, opts, app); err != nil {
			return nil, err
		}
	}
	if err := closed(d, nesting); err != nil {
		return nil, err
	}
	if err := checkGuardList(app.GuardsRaw); err != nil {
		return nil, d.Errf("%v", err)
	}
	return httpcaddyfile.App{Name: "auth", Value: caddyconfig.JSON(app, nil)}, nil
}

func parseGlobalWord(d *caddyfile.Dispenser, opts *module.Options, app *App) error {
	switch d.Val() {
	case "secret":
		return opts.Text(&app.SecretKey)
	case "users":
		return parseStore(d, opts, usersSpace, "user store", "", &app.UsersRaw)
	case "revocation":
		return parseStore(d, opts, revocationSpace, "revocation store", defaultRevocation, &app.RevocationRaw)
	case "policy":
		return parsePolicy(d, app)
	default:
		return app.Settings.parseWord(d, opts, globalLevel)
	}
}

// parseStore parses the module of a store. Without an argument it is the one
// named by fallback, if there is one.
func parseStore(d *caddyfile.Dispenser, opts *module.Options, space, kind, fallback string, target *json.RawMessage) error {
	option := d.Val()
	if err := opts.Once(); err != nil {
		return err
	}
	if !d.NextArg() {
		if fallback == "" || !module.Known(space, fallback) {
			return d.Errf("option %q needs the name of a %s; there are: %s", option, kind, strings.Join(module.Names(space), ", "))
		}
		*target = caddyconfig.JSON(map[string]string{"store": fallback}, nil)
		return nil
	}
	raw, err := module.Parse(d, space, kind, "store")
	*target = raw
	return err
}

func parsePolicy(d *caddyfile.Dispenser, app *App) error {
	var name string
	if !d.AllArgs(&name) {
		return d.Err("policy needs a name and nothing else before its block")
	}
	if err := checkPolicyName(name); err != nil {
		return d.Errf("%v", err)
	}
	if _, ok := app.Policies[name]; ok {
		return d.Errf("policy %q is defined twice", name)
	}
	settings, err := parseBlock(d, policyLevel)
	if err != nil {
		return err
	}
	if app.Policies == nil {
		app.Policies = make(map[string]*Settings)
	}
	app.Policies[name] = settings
	return nil
}

// parseBlock parses a block of settings and nothing else.
func parseBlock(d *caddyfile.Dispenser, l level) (*Settings, error) {
	settings := new(Settings)
	opts := module.NewOptions(d)
	nesting := d.Nesting()
	for d.NextBlock(nesting) {
		if err := settings.parseWord(d, opts, l); err != nil {
			return nil, err
		}
	}
	if err := closed(d, nesting); err != nil {
		return nil, err
	}
	if err := checkGuardList(settings.GuardsRaw); err != nil {
		return nil, d.Errf("%v", err)
	}
	return settings, nil
}

// parseDirective parses the directive with its matcher, which becomes the
// handler's own: a matcher of the route would be asked before anybody looks at
// whether the path is ambiguous.
//
// Caddy 2.11 keeps the first handler alone of a named route whose directives
// have no matchers, and drops the others, be they another auth. A matcher that
// matches every request keeps it from doing so.
func parseDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !h.Next() {
		return nil, h.ArgErr()
	}
	where := at(h.Dispenser)
	set, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	if err := matching.CheckPaths(caddyhttp.RawMatcherSets{set}); err != nil {
		return nil, where.errorf("%v", err)
	}
	handler, err := parseAuth(h)
	if err != nil {
		return nil, err
	}
	if len(set) > 0 {
		handler.MatcherSetsRaw = caddyhttp.RawMatcherSets{set}
	}
	var all caddy.ModuleMap
	if h.IsNamedRoute() {
		all = caddy.ModuleMap{"path": caddyconfig.JSON(caddyhttp.MatchPath{"*"}, nil)}
	}
	return h.NewRoute(all, handler), nil
}

// parseAuth parses the directive:
//
//	auth [<matcher>] [<policy>] {
//	    public <path...>
//	    when <matcher> [<policy>] {
//	        <settings>
//	    }
//	    <settings>
//	}
func parseAuth(h httpcaddyfile.Helper) (*Handler, error) {
	p, err := newBlockParser(h)
	if err != nil {
		return nil, err
	}
	h.Next() // "auth"
	start := at(h.Dispenser)
	if h.NextArg() {
		p.handler.Policy = PolicyName(h.Val())
		if err := p.checkPolicy(p.handler.Policy); err != nil {
			return nil, err
		}
	}
	if h.NextArg() {
		return nil, h.Errf("auth takes a matcher and the name of a policy; %q is too many", h.Val())
	}
	opts := module.NewOptions(h.Dispenser)
	nesting := h.Nesting()
	for h.NextBlock(nesting) {
		if err := p.parseWord(opts); err != nil {
			return nil, err
		}
	}
	if err := closed(h.Dispenser, nesting); err != nil {
		return nil, err
	}
	return p.handler, p.finish(start)
}

// Interface guards
var _ caddy.Module = (*Handler)(nil)
