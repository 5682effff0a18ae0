// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"encoding/json"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/internal/matching"
	"github.com/caddybolt/caddy-bolt/internal/module"
)

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

func (p *blockParser) checkPolicy(name PolicyName) error {
	if _, ok := p.global.Policies[string(name)]; ok {
		return nil
	}
	return p.Errf("%v", unknownPolicy(string(name), p.global.Policies))
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
	if err := matching.CheckPaths(rule.MatcherSetsRaw); err != nil {
		return p.Errf("%v", err)
	}
	if p.NextArg() {
		rule.Policy = PolicyName(p.Val())
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
	block := []*Settings{&p.handler.Settings, p.global.Policies[string(p.handler.Policy)]}
	if err := checkInherited(block, nil, &p.global.Settings); err != nil {
		return start.errorf("%v", err)
	}
	for i, rule := range p.handler.Rules {
		own := []*Settings{&rule.Settings, p.global.Policies[string(rule.Policy)]}
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
