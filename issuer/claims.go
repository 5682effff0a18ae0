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

// identify returns the ID of a new token: 128 bits that nobody can guess.
func identify() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails: it ends the process instead
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// payload returns the claims of a token for the user.
func (t *Token) payload(r *http.Request, user *auth.User, id string, issued, expires time.Time) ([]byte, error) {
	claims := map[string]any{
		"sub":          user.ID,
		"username":     user.Username,
		"is_staff":     user.Staff,
		"is_superuser": user.Superuser,
		"iat":          issued.Unix(),
		"exp":          expires.Unix(),
		"jti":          id,
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
	replace := t.replacer(r, user)
	for name, text := range t.Claims {
		value := replace.ReplaceAll(text, "")
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
	default:
		return nil
	}
}
