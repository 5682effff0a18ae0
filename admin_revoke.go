// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

// maxAhead is how far ahead the cut-off of a user may lie: clocks differ. One
// that lies further ahead refuses the tokens of log-ins to come.
const maxAhead = 5 * time.Minute

// addRevocation revokes what the body names.
func (a *App) addRevocation(w http.ResponseWriter, r *http.Request) error {
	if _, err := checkQuery(r); err != nil {
		return err
	}
	asked, err := readRevocation(w, r)
	if err != nil {
		return err
	}
	now := time.Now()
	if asked.User.ID != "" {
		if err := a.completeUser(asked, now); err != nil {
			return err
		}
	}
	if !asked.Until.IsZero() && !asked.Until.After(now) {
		return badRequest("\"until\" has passed")
	}
	ctx, cancel := writing(r)
	defer cancel()
	if err := a.writeRevocation(ctx, asked); err != nil {
		return storeError(w, "the revocation could not be written", err)
	}
	return writeAdmin(w, shown(asked.Revocation))
}

// completeUser fills in what the body left out.
func (a *App) completeUser(asked *askedRevocation, now time.Time) error {
	if !asked.withIssuer {
		issuer, err := a.ownIssuer()
		if err != nil {
			return err
		}
		asked.User.Issuer = issuer
	}
	if asked.IssuedBefore.IsZero() {
		asked.IssuedBefore = now.UTC()
	}
	if asked.IssuedBefore.After(now.Add(maxAhead)) {
		return badRequest("\"issued_before\" lies ahead: the user could not sign in until then")
	}
	return nil
}

// ownIssuer returns the issuer of the tokens that are made here.
func (a *App) ownIssuer() (string, error) {
	issuers := slices.Compact(slices.Sorted(slices.Values(a.issuers)))
	switch len(issuers) {
	case 1:
		return issuers[0], nil
	case 0:
		return "", badRequest("\"issuer\" is missing, and no auth_token makes tokens here; the issuer of tokens without \"iss\" is \"\"")
	default:
		return "", badRequest(fmt.Sprintf("\"issuer\" is missing, and tokens of several are made here: %q", issuers))
	}
}

// writeRevocation tells the store.
func (a *App) writeRevocation(ctx context.Context, asked *askedRevocation) error {
	switch {
	case asked.User.ID != "":
		return a.revocation.RevokeUser(ctx, asked.User, asked.IssuedBefore, asked.Until)
	case asked.SessionID != "":
		return a.revocation.Revoke(ctx, auth.TokenRef{SessionID: asked.SessionID, User: asked.User}, asked.Until)
	default:
		token := auth.TokenRef{ID: asked.ID, User: asked.User, ExpiresAt: asked.Until}
		return auth.RevokeIn(ctx, a.revocation, token, a.tolerance)
	}
}

// forgetByPath forgets the token whose jti is the rest of the path.
func (a *App) forgetByPath(w http.ResponseWriter, r *http.Request, escaped string) error {
	if err := checkMethod(w, r, http.MethodDelete); err != nil {
		return err
	}
	jti, err := url.PathUnescape(escaped)
	if err != nil || jti == "" {
		return badRequest("the path is " + revocationsPath + "/<jti>; a jti that makes no path is given as ?jti=")
	}
	query, err := checkQuery(r, "issuer")
	if err != nil {
		return err
	}
	return a.forget(w, r, auth.Revocation{ID: jti}, query)
}

// forgetByQuery forgets what the query names.
func (a *App) forgetByQuery(w http.ResponseWriter, r *http.Request) error {
	query, err := checkQuery(r, "jti", "sid", "user", "issuer")
	if err != nil {
		return err
	}
	entry, err := entryIn(query)
	if err != nil {
		return err
	}
	if entry.User.ID != "" && !query.Has("issuer") {
		issuer, err := a.ownIssuer()
		if err != nil {
			return err
		}
		query.Set("issuer", issuer)
	}
	return a.forget(w, r, entry, query)
}

// forget removes the entry of the issuer in the query; without one, those of
// every issuer.
func (a *App) forget(w http.ResponseWriter, r *http.Request, entry auth.Revocation, query url.Values) error {
	if err := checkLength(entry); err != nil {
		return err
	}
	lister, ok := a.revocation.(auth.RevocationLister)
	if !ok {
		return caddy.APIError{HTTPStatus: http.StatusNotImplemented, Err: errors.New("this store forgets nothing before its time")}
	}
	ctx, cancel := writing(r)
	defer cancel()
	found, err := findRevocations(ctx, lister, entry, query)
	if err != nil {
		return storeError(w, "the revocations cannot be listed", err)
	}
	if len(found) == 0 {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("it is not revoked")}
	}
	for _, e := range found {
		if err := lister.Unrevoke(ctx, auth.TokenRef{ID: e.ID, SessionID: e.SessionID, User: e.User}); err != nil {
			return storeError(w, "the revocation could not be removed", err)
		}
	}
	return writeAdmin(w, struct {
		Removed int `json:"removed"`
	}{len(found)})
}

// entryIn returns what the query names.
func entryIn(query url.Values) (auth.Revocation, error) {
	entry := auth.Revocation{ID: query.Get("jti"), SessionID: query.Get("sid"), User: auth.UserRef{ID: query.Get("user")}}
	if err := namesOne(entry.ID, entry.SessionID, entry.User.ID); err != nil {
		return entry, err
	}
	return entry, checkLength(entry)
}

func checkLength(entry auth.Revocation) error {
	if len(entry.ID)+len(entry.SessionID)+len(entry.User.ID) > maxName {
		return badRequest(fmt.Sprintf("an ID is longer than %d bytes", maxName))
	}
	return nil
}

// findRevocations returns the entries of that ID, of the issuer in the query or
// of every one.
func findRevocations(ctx context.Context, store auth.RevocationStore, entry auth.Revocation, query url.Values) ([]auth.Revocation, error) {
	list, _, err := listPage(ctx, store, entry, maxPage)
	if err != nil {
		return nil, err
	}
	var found []auth.Revocation
	for _, e := range list {
		if e.ID != entry.ID || e.SessionID != entry.SessionID || e.User.ID != entry.User.ID {
			break // they are sorted
		}
		if !query.Has("issuer") || e.User.Issuer == query.Get("issuer") {
			found = append(found, e)
		}
	}
	return found, nil
}

// writing returns the context of a change, which goes on when the client hangs
// up.
func writing(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), revokeTimeout)
}

// namesOne says whether exactly one thing is named.
func namesOne(jti, sid, user string) error {
	named := 0
	for _, id := range []string{jti, sid, user} {
		if id != "" {
			named++
		}
	}
	if named != 1 {
		return badRequest("give one of \"jti\", \"sid\" and \"user\"")
	}
	return nil
}

// checkMethod refuses other methods.
func checkMethod(w http.ResponseWriter, r *http.Request, allowed ...string) error {
	if slices.Contains(allowed, r.Method) {
		return nil
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("the method must be %s", strings.Join(allowed, " or "))}
}

// checkQuery returns the query, in which each of the parameters may stand once
// and no other.
func checkQuery(r *http.Request, allowed ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("the query is malformed")
	}
	for name, values := range query {
		if !slices.Contains(allowed, name) {
			if len(allowed) == 0 {
				return nil, badRequest("there is no query here")
			}
			return nil, badRequest(fmt.Sprintf("unrecognized parameter %q; there are: %s", cut(name), strings.Join(allowed, ", ")))
		}
		if len(values) > 1 {
			return nil, badRequest(fmt.Sprintf("parameter %q is given twice", name))
		}
	}
	return query, nil
}
