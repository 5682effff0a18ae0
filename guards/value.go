// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/caddybolt/caddy-bolt/auth"
)

// isSet reports whether a value says something: it is not null, false, an empty
// text, zero, or an empty list or object.
func isSet(value any) bool {
	switch v := plain(value).(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case int64:
		return v != 0
	case float64:
		return v != 0
	case auth.List:
		return len(v) > 0
	case auth.Object:
		return len(v) > 0
	default: // a json.Number is one that no int64 and no float64 holds: not zero
		return true
	}
}

// equalsAny reports whether a value is one of the texts or, if it is a list,
// holds one of them.
func equalsAny(value any, texts []string) bool {
	value = plain(value)
	if list, ok := value.(auth.List); ok {
		return slices.ContainsFunc(list, func(element any) bool { return isOneOf(plain(element), texts) })
	}
	return isOneOf(value, texts)
}

// isOneOf compares a text with the texts as it is; a number and a boolean as
// JSON writes them, a number in its shortest form. Anything else equals nothing.
func isOneOf(value any, texts []string) bool {
	switch v := value.(type) {
	case string:
		return slices.Contains(texts, v)
	case bool:
		return slices.Contains(texts, strconv.FormatBool(v))
	case int64:
		return slices.Contains(texts, strconv.FormatInt(v, 10))
	case json.Number:
		return slices.Contains(texts, v.String())
	case float64:
		text, err := json.Marshal(v)
		return err == nil && slices.Contains(texts, string(text))
	default:
		return false
	}
}

// plain returns the value in the types of auth.Claims. Claims are in them
// already; a user store may give what its database driver gave it.
func plain(value any) any {
	switch v := value.(type) {
	case nil, bool, string, int64, float64, json.Number, auth.List, auth.Object:
		return v
	case []byte:
		return string(v) // a text column of a driver, which JSON would show as base64
	case int:
		return int64(v)
	default:
		claims, err := auth.NewClaims(map[string]any{"v": v})
		if err != nil {
			return nil
		}
		value, _ = claims.Lookup("v")
		return value
	}
}
