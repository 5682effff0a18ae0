// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
)

// state is what the auth handlers of one request share: one identity, that of
// the innermost success, and one set of placeholders over it.
type state struct {
	app       *App
	identity  *auth.Identity
	member    *member        // who accepted the identity
	cookies   []string       // that were there when it was accepted, of those that the member reads
	spent     []string       // the one of them that it came in, and those that nobody accepted
	undecided *auth.Identity // of nobody's request: who it is, if their token is not revoked
	candidate string
	reason    auth.Reason
	forward   []ForwardHeader // the headers that are set now
	stripped  stripped

	ctx     context.Context // of the request, which the state ends with
	mu      sync.Mutex      // over what follows: placeholders may be asked for anywhere
	user    *auth.User
	userErr error
	userOf  *auth.Identity // whose user it is
}

// stateOf returns the state of the request, and makes it at the first auth.
func stateOf(r *http.Request, app *App) *state {
	if st, ok := caddyhttp.GetVar(r.Context(), auth.RequestVar).(*state); ok {
		return st
	}
	st := &state{app: app, ctx: r.Context()}
	caddyhttp.SetVar(r.Context(), auth.RequestVar, st)
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(st.placeholder)
	}
	return st
}

// String keeps {http.vars.caddybolt.auth} from printing the state.
func (st *state) String() string { return "" }

// Identity implements auth.Request.
func (st *state) Identity() *auth.Identity { return st.identity }

// Revoke implements auth.Request.
func (st *state) Revoke(ctx context.Context, token auth.TokenRef) error {
	store := st.app.Revocation()
	if store == nil {
		return auth.ErrNoRevocation
	}
	return auth.RevokeIn(ctx, store, token, st.Leeway())
}

// Leeway returns how long after its end a token may still be accepted here.
func (st *state) Leeway() time.Duration { return st.app.tolerance }

// CredentialCookies returns the names of the cookies that the accepted
// credential may have come in, be they stripped from the request or not.
func (st *state) CredentialCookies() []string { return st.cookies }

// HadCookie reports whether a cookie of that name was stripped from the request.
func (st *state) HadCookie(name string) bool { return st.stripped.hasCookie(name) }

// SpentCookies returns the names of the cookies that are of no use after a
// log-out: the one that the credential came in and, where nobody is known, all
// that hold one.
func (st *state) SpentCookies() []string { return st.spent }

// UndecidedIdentity returns who the request would come from if somebody could say
// that the token is not revoked. It is nobody: a log-out alone asks, which ends
// the token in any case.
func (st *state) UndecidedIdentity() *auth.Identity { return st.undecided }

// accepted notes which cookies the credential may have come in.
func (st *state) accepted(m *member, r *http.Request) {
	st.cookies, st.spent = m.cookiesOf(r), nil
	if len(st.cookies) > 0 {
		st.spent = m.spentBy(r)
	}
}

// refused notes the credentials of a request that passes as nobody's.
func (st *state) refused(f *refusal, e *effective, r *http.Request) {
	st.reason = f.reason
	st.undecided = f.undecided
	for _, m := range e.members {
		spent := m.cookiesOf(r)
		st.cookies = appendNew(st.cookies, spent)
		if f.doubtful == nil {
			st.spent = appendNew(st.spent, spent)
		}
	}
	if f.doubtful != nil { // the tokens in the others are not ended
		st.spent = f.doubtful.spentBy(r)
	}
}

func appendNew(list, more []string) []string {
	for _, name := range more {
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// User implements auth.Request: it loads the user once per identity.
func (st *state) User(ctx context.Context) (*auth.User, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.identity == nil {
		return nil, auth.ErrNoCredentials
	}
	if st.userOf == st.identity {
		return st.user, st.userErr
	}
	st.userOf = st.identity
	st.user, st.userErr = nil, auth.ErrUserNotFound
	store := st.app.Users()
	if st.member != nil && st.member.users != nil {
		store = st.member.users
	}
	if store == nil {
		return nil, st.userErr
	}
	st.user, st.userErr = store.Load(ctx, st.identity.User())
	if st.userErr == nil && st.user == nil {
		st.userErr = auth.ErrUserNotFound
	}
	if st.userErr != nil {
		st.user = nil
		if c := st.app.logger.Check(zapcore.DebugLevel, "user could not be loaded"); c != nil {
			c.Write(zap.Error(st.userErr))
		}
	}
	return st.user, st.userErr
}

// userField returns a field of the user, nil when there is none.
func (st *state) userField(field string) (any, error) {
	user, err := st.User(st.ctx)
	if errors.Is(err, auth.ErrUserNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if field == "username" {
		return user.Username, nil
	}
	return user.Fields[field], nil
}

// placeholder answers everything below http.auth.user., http.auth.claims. and
// a few names beside them. An unknown claim is an empty text, not a literal.
//
// A value is data: nobody expands it again.
func (st *state) placeholder(key string) (any, bool) {
	name, ok := strings.CutPrefix(key, "http.auth.")
	if !ok {
		return nil, false
	}
	id := st.identity
	if path, ok := strings.CutPrefix(name, "claims."); ok {
		if id == nil {
			return nil, true
		}
		v, _ := id.Claims.Lookup(path)
		return v, true
	}
	if field, ok := strings.CutPrefix(name, "user."); ok {
		if id == nil {
			return nil, true
		}
		return st.userPlaceholder(id, field), true
	}
	switch name {
	case "claims":
		if id == nil {
			return nil, true
		}
		return id.Claims.Object(), true
	case "backend":
		if id == nil {
			return nil, true
		}
		return id.Backend, true
	case "error":
		return string(st.reason), true
	case "candidate.id":
		return st.candidate, true
	default: // {http.auth.<provider>.error} is Caddy's
		return nil, false
	}
}

func (st *state) userPlaceholder(id *auth.Identity, field string) any {
	switch field {
	case "id":
		return id.ID
	case "issuer":
		return id.Issuer
	case "is_staff":
		return id.Staff
	case "is_superuser":
		return id.Superuser
	case "permissions":
		return permissions(id.Permissions.Words())
	default:
		v, _ := st.userField(field) // a text cannot say "could not decide": the guard user can
		return v
	}
}

// permissions print separated by spaces, as auth.Set does; an expression sees a
// list.
type permissions []string

func (p permissions) String() string { return auth.NewSet(p...).String() }
