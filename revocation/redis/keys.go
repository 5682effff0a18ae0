// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"fmt"
	"strings"

	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

// keys are the names of what is stored. Those of tokens are the prefix and the
// "jti", so that an application can write them. All others begin with a word
// of their own: a token's ID can be anything, and must not reach them.
type keys struct {
	tokens   string
	sessions string
	users    string
	refresh  string
}

func newKeys(prefix string) (keys, error) {
	k := keys{
		tokens:   prefix,
		sessions: "sessions@" + prefix,
		users:    "users@" + prefix,
		refresh:  "refresh@" + prefix,
	}
	for _, other := range []string{k.sessions, k.users, k.refresh} {
		if strings.HasPrefix(other, prefix) {
			return keys{}, fmt.Errorf("key_prefix %q: the ID of a token could make the key of a user, %q: choose a longer one", prefix, other)
		}
	}
	return k, nil
}

// prefixes are those of what is followed.
func (k keys) prefixes() []string { return []string{k.tokens, k.sessions, k.users} }

// of returns the key of an entry.
func (k keys) of(e revoked.Entry) string {
	switch e.Kind {
	case revoked.Session:
		return k.sessions + e.ID
	case revoked.User:
		return k.users + e.ID
	default:
		return k.tokens + e.ID
	}
}

// parse says what a key is of.
func (k keys) parse(key string) (kind revoked.Kind, id string, ok bool) {
	for _, p := range []struct {
		prefix string
		kind   revoked.Kind
	}{{k.tokens, revoked.Token}, {k.sessions, revoked.Session}, {k.users, revoked.User}} {
		if id, ok := strings.CutPrefix(key, p.prefix); ok {
			return p.kind, id, id != "" && len(id) <= revoked.MaxName
		}
	}
	return 0, "", false
}

// pattern matches all keys.
func (k keys) pattern() string {
	var b strings.Builder
	b.WriteByte('*')
	for _, c := range []byte(k.tokens) {
		if strings.IndexByte(`*?[]^-\`, c) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	b.WriteByte('*')
	return b.String()
}
