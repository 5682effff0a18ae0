// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
)

func init() { caddy.RegisterModule(User{}) }

// User lets pass whose user has a field, as the global user store knows the
// user now: not as the credential said when it was issued. The user is loaded
// once per request.
//
// Values are compared as by the guard claim: without values, the field must be
// there and say something; with values, it must be equal to one of them or, if
// it is a list, contain one of them.
//
// Who is not signed in gets 401. A user whose field is another, who is not in
// the store, who may no longer sign in, or whose issuer the store does not
// serve gets 403. When the store does not answer, the answer is 503.
type User struct {
	// Field is the name of the field: "id", "username", "is_staff",
	// "is_superuser", "permissions", or any other that the store knows, such as
	// "email". Required.
	Field string `json:"field,omitempty"`

	// Values are the values of which one must be there. Without them, any that
	// says something will do. They are taken as written: placeholders are
	// refused.
	Values []string `json:"values,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (User) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.guards.user",
		New: func() caddy.Module { return new(User) },
	}
}

var errNoField = errors.New("a field is required")

func checkField(field string) error {
	if field == "" {
		return errNoField
	}
	return checkLiteral("field", []string{field})
}

// Validate makes sure that there is a field, and no empty list of values.
func (u *User) Validate() error {
	if err := checkField(u.Field); err != nil {
		return err
	}
	return checkValues(u.Values)
}

// Check asks for the field.
func (u *User) Check(r *http.Request, id *auth.Identity) error {
	if id == nil {
		return auth.ErrUnauthenticated
	}
	user, err := auth.UserFromContext(r.Context())
	switch {
	case errors.Is(err, auth.ErrUserNotFound):
		return auth.Forbidden("user not found")
	case err != nil:
		return undecided("user store", err)
	case user == nil || user.UserRef != id.User():
		// the field of somebody else decides nothing
		return undecided("user store", errOtherUser)
	}
	value, ok := field(user, u.Field)
	switch {
	case !ok:
		return auth.Forbidden(fmt.Sprintf("field %q is missing", u.Field))
	case len(u.Values) == 0 && !isSet(value):
		return auth.Forbidden(fmt.Sprintf("field %q is empty", u.Field))
	case len(u.Values) > 0 && !equalsAny(value, u.Values):
		return auth.Forbidden(fmt.Sprintf("field %q: none of %d values accepted", u.Field, len(u.Values)))
	default:
		return nil
	}
}

var errOtherUser = errors.New("returned another user than was asked for")

// field returns a field of the user.
func field(user *auth.User, name string) (any, bool) {
	switch name {
	case "id":
		return user.ID, true
	case "username":
		return user.Username, true
	case "is_staff":
		return user.Staff, true
	case "is_superuser":
		return user.Superuser, true
	case "permissions":
		return user.Permissions.List(), true
	default:
		value, ok := user.Fields[name]
		return value, ok
	}
}

// UnmarshalCaddyfile parses:
//
//	user <field> [<values...>]
func (u *User) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	name, values, err := parseValues(d, "the name of a field", checkField)
	u.Field, u.Values = name, values
	return err
}

// Interface guards
var (
	_ auth.Guard            = (*User)(nil)
	_ caddy.Validator       = (*User)(nil)
	_ caddyfile.Unmarshaler = (*User)(nil)
)
