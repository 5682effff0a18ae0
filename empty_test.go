// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"strings"
	"testing"
)

// Attack, against oneself: configurations that load, read like protection and
// protect less. A template left something empty, or a path lost its slash.
func TestConfigurationsThatProtectLessThanTheySayDoNotLoad(t *testing.T) {
	t.Parallel()
	config := func(settings string) string {
		return `{"apps":{"auth":{"policies":{"admins":{"guards":[{"guard":"superuser"}]}}},"http":{"servers":{"s":{"listen":[":80"],"routes":[{"handle":[{"handler":"auth","authenticators":[{"authenticator":"fake"}],` + settings + `}]}]}}}}}`
	}
	const rule = `"guards":[{"guard":"superuser"}]`
	for settings, want := range map[string]string{
		`"match":[]`:                                                    "match must not be an empty list",
		`"rules":[{"match":[],` + rule + `}]`:                           "rules: position 0: match must not be an empty list",
		`"match":[{"path":[]}]`:                                         "matcher path: the list is empty",
		`"match":[{"path":["admin/*"]}]`:                                `"admin/*" begins with neither / nor *`,
		`"match":[{"path":["{env.CB_UNSET}"]}]`:                         "placeholder {env.CB_UNSET} is empty",
		`"policy":""`:                                                   "policy is empty",
		`"rules":[{"policy":"",` + rule + `}]`:                          "policy is empty",
		`"rules":[{"policy":1}]`:                                        "cannot unmarshal number",
		`"rules":[{"match":[{"path":["a"]}],` + rule + `}]`:             `rules: position 0: matcher path: "a" begins`,
		`"rules":[{"match":[{"path":["/{file./none}"]}],` + rule + `}]`: "rules: position 0: matcher path:",
		`"rules":[{"match":[{"not":[{"path":[]}]}],` + rule + `}]`:      "not: matcher path: the list is empty",
		`"guards":[{"guard":"match","match":[{"path":["admin"]}]}]`:     `"admin" begins with neither`,
		`"rules":[{"polici":"admins"}]`:                                 "unknown field",
	} {
		if _, err := provision(t, []byte(config(settings))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", settings, err, want)
		}
	}
	for _, settings := range []string{ // the control
		`"match":[{"path":["/admin/*"]}],"policy":"admins"`,
		`"match":null,"policy":null`,
		`"rules":[{"match":[{"path":["*.php"]}],"policy":"admins"}]`,
	} {
		if _, err := provision(t, []byte(config(settings))); err != nil {
			t.Errorf("%s: %v", settings, err)
		}
	}
}
