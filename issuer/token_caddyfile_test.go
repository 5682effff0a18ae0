// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

func TestTokenOptionsAreJudgedInJSONToo(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]*Token{
		"too long":          {ExpiresIn: caddy.Duration(367 * 24 * time.Hour)},
		"negative":          {ExpiresIn: -1},
		"half a second":     {ExpiresIn: caddy.Duration(1500 * time.Millisecond)},
		"reserved claim":    {Claims: map[string]string{"is_superuser": "x"}},
		"reserved include":  {Include: []string{"exp"}},
		"empty include":     {Include: []string{""}},
		"included twice":    {Include: []string{"a", "a"}},
		"include and claim": {Include: []string{"a"}, Claims: map[string]string{"a": "x"}},
		"empty claim":       {Claims: map[string]string{"a": ""}},
		"claim, no name":    {Claims: map[string]string{"": "x"}},
		"refresh, empty":    {Refresh: new(Refresh)},
		"refresh, too long": {Refresh: &Refresh{Lifetime: caddy.Duration(367 * 24 * time.Hour)}},
		"refresh, half":     {Refresh: &Refresh{Lifetime: caddy.Duration(1500 * time.Millisecond)}},
		"idle, longer":      {Refresh: &Refresh{Lifetime: caddy.Duration(time.Hour), Idle: caddy.Duration(2 * time.Hour)}},
		"idle, negative":    {Refresh: &Refresh{Lifetime: caddy.Duration(time.Hour), Idle: -1}},
		"exchange, refresh": {Exchange: true, Refresh: &Refresh{Lifetime: caddy.Duration(time.Hour)}},
		"cookie, no name":   {Cookie: new(Cookie)},
		"cookie, bad name":  {Cookie: &Cookie{Name: "a b"}},
		"cookie, not read":  {Cookie: &Cookie{Name: "other"}},
		"cookie, same_site": {Cookie: &Cookie{Name: "session", SameSite: "none"}},
		"refresh_name":      {Cookie: &Cookie{Name: "session", RefreshName: "r"}},
		"both alike":        {Cookie: &Cookie{Name: "session", RefreshName: "session"}, Refresh: &Refresh{Lifetime: caddy.Duration(time.Hour)}},
		"refresh_path":      {Cookie: &Cookie{Name: "session", RefreshPath: "//a"}, Refresh: &Refresh{Lifetime: caddy.Duration(time.Hour)}},
	} {
		if err := newServer().provision(t, h); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := newServer().provision(t, &Token{ExpiresIn: caddy.Duration(maxExpiresIn), Include: []string{"a"}}); err != nil {
		t.Errorf("control: %v", err)
	}
	all := &Token{
		Refresh: &Refresh{Lifetime: caddy.Duration(maxRefresh), Idle: caddy.Duration(time.Hour)},
		Cookie:  &Cookie{Name: "session", RefreshName: "r", RefreshPath: "/a", SameSite: "strict"},
	}
	if err := newServer().provision(t, all); err != nil {
		t.Errorf("control: %v", err)
	}
}

func TestTokenCaddyfile(t *testing.T) {
	t.Parallel()
	var h Token
	err := parse(`auth_token {
		for app
		expires_in 2h
		include permissions email
		claim a b
		claim c "d e"
		refresh 30d {
			idle 7d
		}
		cookie session {
			refresh_name r
			refresh_path /auth
			same_site strict
		}
	}`, &h)
	want := Token{
		For: "app", ExpiresIn: caddy.Duration(2 * time.Hour),
		Include: []string{"permissions", "email"}, Claims: map[string]string{"a": "b", "c": "d e"},
		Refresh: &Refresh{Lifetime: caddy.Duration(30 * 24 * time.Hour), Idle: caddy.Duration(7 * 24 * time.Hour)},
		Cookie:  &Cookie{Name: "session", RefreshName: "r", RefreshPath: "/auth", SameSite: "strict"},
	}
	if err != nil || !reflect.DeepEqual(h, want) {
		t.Errorf("%+v, error %v", h, err)
	}
	raw, err := json.Marshal(new(Token))
	if err != nil || string(raw) != "{}" {
		t.Errorf("defaults are written: %s, %v", raw, err)
	}
	for text, want := range map[string]string{
		"auth_token x":                                                        `takes no argument but a matcher, not "x"`,
		"auth_token {\n\trefresh\n}":                                          `option "refresh" needs an argument, at Caddyfile:2`,
		"auth_token {\n\trefresh 0s\n}":                                       "at least one",
		"auth_token {\n\trefresh 400d\n}":                                     "at most 366 days",
		"auth_token {\n\trefresh 30d 7d\n}":                                   "an argument too many",
		"auth_token {\n\trefresh 30d {\n\t\tlazy 7d\n\t}\n}":                  `unrecognized refresh option "lazy"; there are: idle, at Caddyfile:3`,
		"auth_token {\n\trefresh 30d {\n\t\tidle 0s\n\t}\n}":                  "is zero",
		"auth_token {\n\trefresh 30d {\n\t\tidle 31d\n\t}\n}":                 "at most those of refresh",
		"auth_token {\n\tcookie\n}":                                           `option "cookie" needs an argument, at Caddyfile:2`,
		"auth_token {\n\tcookie a;b\n}":                                       `"a;b" is not the name of a cookie`,
		"auth_token {\n\tcookie session {\n\t\tsecure off\n\t}\n}":            `unrecognized cookie option "secure"; there are: refresh_name, refresh_path, same_site`,
		"auth_token {\n\tcookie session {\n\t\tsame_site none\n\t}\n}":        `same_site "none"; there are: lax, strict`,
		"auth_token {\n\tcookie session {\n\t\trefresh_path //evil\n\t}\n}":   `refresh_path "//evil" is not a plain path`,
		"auth_token {\n\tcookie session {\n\t\trefresh_name __Host-r\n\t}\n}": "browsers keep the prefix for cookies of the whole site: it needs refresh_path /",
		"auth_token {\n\tcookie session {\n\t\trefresh_name r\n\t}\n}":        "refresh_name and refresh_path need refresh",
		"auth_token {\n\texchange on\n}":                                      "an argument too many",
		"auth_token {\n\texchange\n\trefresh 1h\n}":                           "exchange issues no refresh tokens",
		"auth_token {\n\tusers static\n}":                                     `unrecognized auth_token option "users"`,
		"auth_token {\n\texpires_in 0s\n}":                                    "is zero",
		"auth_token {\n\texpires_in 500ms\n}":                                 "whole seconds",
		"auth_token {\n\texpires_in 400d\n}":                                  "at most 366 days",
		"auth_token {\n\texpires_in soon\n}":                                  `"soon" is not a duration`,
		"auth_token {\n\texpires_in 1h\n\texpires_in 1h\n}":                   "given already at line 2",
		"auth_token {\n\tinclude\n}":                                          "needs at least one argument",
		"auth_token {\n\tinclude email email\n}":                              `"email" is included twice`,
		"auth_token {\n\tinclude sub\n}":                                      `claim "sub" is set by auth_token itself`,
		"auth_token {\n\tclaim is_superuser true\n}":                          `claim "is_superuser" is set by auth_token itself`,
		"auth_token {\n\tclaim a\n}":                                          "needs a name and a value",
		"auth_token {\n\tclaim a b c\n}":                                      "needs a name and a value",
		"auth_token {\n\tclaim a \"\"\n}":                                     "needs a name and a value",
		"auth_token {\n\tclaim a b\n\tclaim a c\n}":                           `claim "a" is given already, at Caddyfile:3`,
		"auth_token {\n\tclaim a b\n\tinclude a\n}":                           `claim "a" is given already`,
		"auth_token {\n\tinclude a\n\tclaim a b\n}":                           `claim "a" is given already`,
		"auth_token {\n\tfor a b\n}":                                          "an argument too many",
	} {
		if err := parse(text, new(Token)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
