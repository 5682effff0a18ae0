// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
)

// errorf returns an error in the form of the dispenser's, for a place that the
// dispenser has left behind.
func (p position) errorf(format string, args ...any) error {
	return fmt.Errorf("%s, at %s:%d", fmt.Sprintf(format, args...), p.file, p.line)
}

func isZero(s *Settings) bool { return reflect.DeepEqual(*s, Settings{}) }

// moduleNames returns what stands under the inline key of each module.
func moduleNames(raws []json.RawMessage, key string) []string {
	var names []string
	for _, raw := range raws {
		var module map[string]json.RawMessage
		var name string
		if json.Unmarshal(raw, &module) == nil && json.Unmarshal(module[key], &name) == nil {
			names = append(names, name)
		}
	}
	return names
}

// checkGuardList refuses guards beside the one that lets everybody in.
func checkGuardList(raws []json.RawMessage) error {
	names := moduleNames(raws, "guard")
	if len(names) > 1 && slices.Contains(names, "allow_any") {
		return errAllowAnyBeside
	}
	return nil
}

// checkInherited says what combine will say of these modules, while there is a
// line to name. A list of scopes is the own settings and the policy's.
func checkInherited(own, block []*Settings, global *Settings) error {
	var authenticators, guards []string
	for _, s := range slices.Concat(own, block, []*Settings{global}) {
		if s != nil && len(authenticators) == 0 {
			authenticators = moduleNames(s.AuthenticatorsRaw, "authenticator")
		}
	}
	for _, scope := range [][]*Settings{own, block, {global}} {
		if len(guards) > 0 {
			break
		}
		opens := map[bool]bool{} // whether some list is open, whether some is not
		for _, s := range scope {
			if s == nil || len(s.GuardsRaw) == 0 {
				continue
			}
			names := moduleNames(s.GuardsRaw, "guard")
			opens[slices.Contains(names, "allow_any") || slices.Contains(names, "optional")] = true
			guards = append(guards, names...)
		}
		if len(opens) > 1 {
			return errOpensPolicy
		}
	}
	switch open := slices.Contains(guards, "allow_any"); {
	case open && len(guards) > 1:
		return errAllowAnyBeside
	case len(authenticators) == 0 && !open:
		return errNoAuthenticator
	case slices.Contains(guards, "optional") && slices.Contains(guards, guardAuthenticated):
		return errOptionalAuthenticated
	case slices.Contains(guards, "optional") && slices.Contains(authenticators, "provider"):
		return errOptionalProvider
	}
	return nil
}
