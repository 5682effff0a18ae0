// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

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
	set, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
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
		p.handler.Policy = h.Val()
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

// blockParser parses one auth block.
type blockParser struct {
	httpcaddyfile.Helper
	handler *Handler
	global  *App
	rules   []position // where each rule stands
}

func newBlockParser(h httpcaddyfile.Helper) (*blockParser, error) {
	p := &blockParser{Helper: h, handler: new(Handler), global: new(App)}
	if option, ok := h.Option("auth").(httpcaddyfile.App); ok {
		if err := json.Unmarshal(option.Value, p.global); err != nil {
			return nil, h.WrapErr(err)
		}
	}
	return p, nil
}

func (p *blockParser) checkPolicy(name string) error {
	if _, ok := p.global.Policies[name]; ok {
		return nil
	}
	return p.Errf("%v", unknownPolicy(name, p.global.Policies))
}

func (p *blockParser) parseWord(opts *module.Options) error {
	switch p.Val() {
	case "public":
		return p.parsePublic()
	case "when":
		return p.parseWhen()
	default:
		return p.handler.Settings.parseWord(p.Dispenser, opts, blockLevel)
	}
}

// closed refuses words on the line of the brace that closes a block: Caddy takes
// them for part of the block, and the brace for none.
func closed(d *caddyfile.Dispenser, nesting int) error {
	if d.Nesting() != nesting {
		return d.Err("a block ends with } on a line of its own")
	}
	return nil
}

// parsePublic parses "public <path...>", which is short for
//
//	when <matcher for the paths> {
//	    guard allow_any
//	}
func (p *blockParser) parsePublic() error {
	where := at(p.Dispenser)
	paths := p.RemainingArgs()
	if len(paths) == 0 {
		return p.Err("public needs at least one path, such as /assets/*")
	}
	for _, path := range paths {
		if !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "*") {
			return p.Errf("public takes paths such as /assets/*, not %q; for a named matcher write \"when @name { guard allow_any }\"", path)
		}
	}
	if p.NextBlock(p.Nesting()) {
		return p.Err("public takes no block")
	}
	return p.addRule(where, &Rule{
		MatcherSetsRaw: caddyhttp.RawMatcherSets{{"path": caddyconfig.JSON(caddyhttp.MatchPath(paths), nil)}},
		Settings:       Settings{GuardsRaw: []json.RawMessage{caddyconfig.JSON(map[string]string{"guard": "allow_any"}, nil)}},
	})
}

func (p *blockParser) parseWhen() error {
	where := at(p.Dispenser)
	set, ok, err := p.MatcherToken()
	if err != nil {
		return err
	}
	if !ok {
		return p.Errf("when needs a matcher: a path such as /admin/*, a named matcher such as @admins, or *")
	}
	rule := new(Rule)
	if set != nil {
		rule.MatcherSetsRaw = caddyhttp.RawMatcherSets{set}
	}
	if err := checkMatchers(rule.MatcherSetsRaw); err != nil {
		return p.Errf("%v", err)
	}
	if p.NextArg() {
		rule.Policy = p.Val()
		if err := p.checkPolicy(rule.Policy); err != nil {
			return err
		}
	}
	if p.NextArg() {
		return p.Errf("when takes a matcher and the name of a policy; %q is too many", p.Val())
	}
	settings, err := parseBlock(p.Dispenser, ruleLevel)
	if err != nil {
		return err
	}
	rule.Settings = *settings
	if rule.Policy == "" && isZero(settings) {
		return where.errorf("when changes nothing: it needs the name of a policy or a block with settings")
	}
	return p.addRule(where, rule)
}

// addRule adds the rule unless an earlier one leaves nothing to it.
func (p *blockParser) addRule(where position, rule *Rule) error {
	for i, earlier := range p.handler.Rules {
		if covers(earlier.MatcherSetsRaw, rule.MatcherSetsRaw) {
			return where.errorf("this rule can never apply: the rule at line %d matches first", p.rules[i].line)
		}
	}
	p.handler.Rules = append(p.handler.Rules, rule)
	p.rules = append(p.rules, where)
	return nil
}

// finish judges the block as a whole, together with what it inherits.
func (p *blockParser) finish(start position) error {
	if err := checkGuardList(p.handler.GuardsRaw); err != nil {
		return start.errorf("%v", err)
	}
	block := []*Settings{&p.handler.Settings, p.global.Policies[p.handler.Policy]}
	if err := checkInherited(block, nil, &p.global.Settings); err != nil {
		return start.errorf("%v", err)
	}
	for i, rule := range p.handler.Rules {
		own := []*Settings{&rule.Settings, p.global.Policies[rule.Policy]}
		if err := checkInherited(own, block, &p.global.Settings); err != nil {
			return p.rules[i].errorf("%v", err)
		}
	}
	return nil
}

// position is where something stands in a Caddyfile.
type position struct {
	d    *caddyfile.Dispenser
	line int
	file string
}

func at(d *caddyfile.Dispenser) position {
	return position{d: d, line: d.Line(), file: d.File()}
}

// Interface guards
var _ caddy.Module = (*Handler)(nil)
