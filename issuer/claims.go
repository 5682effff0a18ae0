// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

// maxClaim bounds a claim that is made of the request: the token must fit into
// requests.
const maxClaim = 1 << 10

// reserved are the claims that say who somebody is and for how long. They are
// never those of an option, whatever it says.
var reserved = []string{
	"sub", "iss", "aud", "exp", "nbf", "iat", "jti", "sid",
	"username", "is_staff", "is_superuser", "is_admin",
}

func isReserved(claim string) bool { return slices.Contains(reserved, claim) }

// tokenIDSize is how many bytes the ID of a token is made of: 128 bits, which
// nobody can guess.
const tokenIDSize = 16

// identify returns the ID of a new token.
func identify() string {
	var id [tokenIDSize]byte
	_, _ = rand.Read(id[:]) // never fails: it ends the process instead
	return idText(id)
}

// idText returns an ID as text that begins with a letter: one that began with a
// hyphen would be an option of commands, such as "caddy auth revoke <jti>".
func idText(id [tokenIDSize]byte) string {
	id[0] &= 0x7f // of the alphabet's first half
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// stamp is what a token says besides whose it is.
type stamp struct {
	id       string // "jti"
	session  string // "sid", or empty
	issued   time.Time
	lifetime time.Duration
}

// payload returns the claims of a token for the user.
func (t *Token) payload(r *http.Request, user *auth.User, s stamp) ([]byte, error) {
	replace := t.replacer(r, user)
	return t.payloadOf(user, s, func(text string) string { return replace.ReplaceAll(text, "") })
}

// payloadOf is payload with the placeholders of claims replaced by the function.
func (t *Token) payloadOf(user *auth.User, s stamp, replace func(string) string) ([]byte, error) {
	claims := map[string]any{
		"sub":          user.ID,
		"username":     user.Username,
		"is_staff":     user.Staff,
		"is_superuser": user.Superuser,
		"iat":          s.issued.Unix(),
		"exp":          s.issued.Add(s.lifetime).Unix(),
		"jti":          s.id,
	}
	if s.session != "" {
		claims["sid"] = s.session
	}
	if iss := t.signer.Issuer(); iss != "" {
		claims["iss"] = iss
	}
	if aud := t.signer.Audience(); aud != "" {
		claims["aud"] = aud
	}
	for _, name := range t.Include {
		if name == "permissions" {
			claims[name] = user.Permissions.List()
			continue
		}
		if value, ok := user.Fields[name]; ok {
			claims[name] = value
		}
	}
	for name, text := range t.Claims {
		value := replace(text)
		switch {
		case value == "":
			continue
		case len(value) > maxClaim || !utf8.ValidString(value):
			return nil, invalid("a claim that is taken from the request is too long or not text")
		}
		claims[name] = value
	}
	for _, name := range []string{"sub", "jti"} {
		if claims[name] == "" {
			return nil, fmt.Errorf("claim %q is empty", name)
		}
	}
	object, err := auth.NewClaims(claims)
	if err != nil {
		return nil, err
	}
	return object.JSON(), nil
}

// replacer returns what replaces the placeholders of claims: those of the user
// who signs in, and those of the request. A value is text, and placeholders
// within it stay what they are.
func (t *Token) replacer(r *http.Request, user *auth.User) *caddy.Replacer {
	request, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	repl := caddy.NewEmptyReplacer()
	repl.Map(func(key string) (any, bool) {
		if field, ok := strings.CutPrefix(key, "http.auth.user."); ok {
			return userField(user, field), true
		}
		if request == nil {
			return nil, false
		}
		return request.Get(key)
	})
	return repl
}

// userField returns what {http.auth.user.<field>} shows.
func userField(user *auth.User, field string) any {
	switch field {
	case "id":
		return user.ID
	case "username":
		return user.Username
	case "is_staff":
		return user.Staff
	case "is_superuser":
		return user.Superuser
	case "permissions":
		return user.Permissions.String()
	default:
		return user.Fields[field]
	}
}

// checkUser refuses a user for whom no token can be issued that would be
// accepted.
func checkUser(user *auth.User) error {
	switch {
	case user == nil:
		return errors.New("the user store returned neither a user nor an error")
	case user.ID == "":
		return errors.New("the user has no ID")
	case strings.HasPrefix(user.ID, auth.APIKeyPrefix):
		return fmt.Errorf("the user's ID begins with %q, which is kept for API keys", auth.APIKeyPrefix)
	case strings.HasPrefix(user.ID, auth.ExchangedPrefix):
		return fmt.Errorf("the user's ID begins with %q, which is kept for tokens that were exchanged", auth.ExchangedPrefix)
	default:
		return nil
	}
}
