// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

const (
	revocationsPath = "/auth/revocations"

	// adminTimeout bounds how long an answer waits for the store.
	adminTimeout = 5 * time.Second

	// revokeTimeout bounds how long a revocation waits for the store.
	revokeTimeout = 2 * time.Second

	defaultPage = 1000
	maxPage     = 10_000
)

// revocationJSON is an entry as the admin API shows it.
type revocationJSON struct {
	JTI          string     `json:"jti,omitempty"`
	SID          string     `json:"sid,omitempty"`
	User         string     `json:"user,omitempty"`
	Issuer       *string    `json:"issuer,omitempty"`
	IssuedBefore *time.Time `json:"issued_before,omitempty"`
	Until        *time.Time `json:"until,omitempty"`
}

// listJSON is a list of entries as the admin API shows it.
type listJSON struct {
	Count       int              `json:"count"`
	Revocations []revocationJSON `json:"revocations"`
	Next        string           `json:"next,omitempty"`
}

// shown returns the entry for the admin API. The issuer of a token or session
// is left out when the entry counts for every one; that of a user never is.
func shown(r auth.Revocation) revocationJSON {
	s := revocationJSON{JTI: r.ID, SID: r.SessionID, User: r.User.ID}
	if r.User.ID != "" || r.User.Issuer != "" {
		s.Issuer = &r.User.Issuer
	}
	if !r.IssuedBefore.IsZero() {
		s.IssuedBefore = &r.IssuedBefore
	}
	if !r.Until.IsZero() {
		s.Until = &r.Until
	}
	return s
}

// serveRevocations answers for all of them.
func serveRevocations(w http.ResponseWriter, r *http.Request) error {
	app, err := activeApp()
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err}
	}
	return app.serveRevocations(w, r)
}

func (a *App) serveRevocations(w http.ResponseWriter, r *http.Request) error {
	if err := checkMethod(w, r, http.MethodGet, http.MethodPost, http.MethodDelete); err != nil {
		return err
	}
	if err := a.checkRevocation(); err != nil {
		return err
	}
	// Of the path as it was sent: a jti may hold "%2F".
	escaped, one := strings.CutPrefix(r.URL.EscapedPath(), revocationsPath+"/")
	switch {
	case one:
		return a.forgetByPath(w, r, escaped)
	case r.Method == http.MethodGet:
		return a.listRevocations(w, r)
	case r.Method == http.MethodPost:
		return a.addRevocation(w, r)
	default:
		return a.forgetByQuery(w, r)
	}
}

// checkRevocation says whether there is a revocation store.
func (a *App) checkRevocation() error {
	if a.revocation == nil {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: fmt.Errorf("%w: add \"revocation\" to the global auth block", auth.ErrNoRevocation)}
	}
	return nil
}

// listRevocations shows a page.
func (a *App) listRevocations(w http.ResponseWriter, r *http.Request) error {
	query, err := checkQuery(r, "limit", "from", "jti", "sid", "user", "issuer")
	if err != nil {
		return err
	}
	if query.Has("jti") || query.Has("sid") || query.Has("user") || query.Has("issuer") {
		return a.showRevocation(w, r, query)
	}
	limit := defaultPage
	if text := query.Get("limit"); query.Has("limit") {
		if limit, err = strconv.Atoi(text); err != nil || limit < 0 || limit > maxPage {
			return badRequest(fmt.Sprintf("\"limit\" is a whole number up to %d", maxPage))
		}
	}
	from, err := parseCursor(query.Get("from"))
	if err != nil {
		return badRequest("\"from\" is the \"next\" of another answer")
	}
	ctx, cancel := context.WithTimeout(r.Context(), adminTimeout)
	defer cancel()
	ask := limit
	if limit > 0 {
		ask++ // where the next page begins
	}
	list, count, err := listPage(ctx, a.revocation, from, ask)
	if err != nil {
		return storeError(w, "the revocations cannot be listed", err)
	}
	answer := listJSON{Count: count, Revocations: make([]revocationJSON, 0, min(limit, len(list)))}
	for i, entry := range list {
		if i == limit {
			answer.Next = cursor(entry)
			break
		}
		answer.Revocations = append(answer.Revocations, shown(entry))
	}
	return writeAdmin(w, answer)
}

// showRevocation shows the entries of one token, session or user: those of the
// issuer in the query, or of all.
func (a *App) showRevocation(w http.ResponseWriter, r *http.Request, query url.Values) error {
	if query.Has("limit") || query.Has("from") {
		return badRequest("\"limit\" and \"from\" do not go with what is looked for")
	}
	entry, err := entryIn(query)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), adminTimeout)
	defer cancel()
	found, err := findRevocations(ctx, a.revocation, entry, query)
	if err != nil {
		return storeError(w, "the revocations cannot be listed", err)
	}
	answer := listJSON{Count: len(found), Revocations: make([]revocationJSON, 0, len(found))}
	for _, e := range found {
		answer.Revocations = append(answer.Revocations, shown(e))
	}
	return writeAdmin(w, answer)
}

// errNotListed is the error of a store that lists nothing.
var errNotListed = errors.New("this store does not list what is revoked")

// listPage is Page of a store that may have no Page.
func listPage(ctx context.Context, store auth.RevocationStore, from auth.Revocation, limit int) ([]auth.Revocation, int, error) {
	if pager, ok := store.(auth.RevocationPager); ok {
		return pager.Page(ctx, from, limit)
	}
	lister, ok := store.(auth.RevocationLister)
	if !ok {
		return nil, 0, errNotListed
	}
	all, err := lister.List(ctx)
	if err != nil {
		return nil, 0, err
	}
	slices.SortFunc(all, compareRevocations)
	start, _ := slices.BinarySearchFunc(all, from, compareRevocations)
	return all[start:min(start+limit, len(all))], len(all), nil
}

// compareRevocations is the order of auth.RevocationPager.
func compareRevocations(a, b auth.Revocation) int {
	key := func(r auth.Revocation) []string {
		switch {
		case r.User.ID != "":
			return []string{"3", r.User.ID, r.User.Issuer}
		case r.SessionID != "":
			return []string{"2", r.SessionID, r.User.Issuer}
		default:
			return []string{"1", r.ID, r.User.Issuer}
		}
	}
	return slices.Compare(key(a), key(b))
}

// cursor names an entry for the query.
func cursor(r auth.Revocation) string {
	text, err := json.Marshal(revocationJSON{JTI: r.ID, SID: r.SessionID, User: r.User.ID, Issuer: &r.User.Issuer})
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// parseCursor is the reverse of cursor; nothing is the beginning.
func parseCursor(text string) (auth.Revocation, error) {
	if text == "" {
		return auth.Revocation{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return auth.Revocation{}, err
	}
	var c revocationJSON
	if err := json.Unmarshal(raw, &c); err != nil {
		return auth.Revocation{}, err
	}
	r := auth.Revocation{ID: c.JTI, SessionID: c.SID, User: auth.UserRef{ID: c.User}}
	if c.Issuer == nil || namesOne(c.JTI, c.SID, c.User) != nil {
		return auth.Revocation{}, errors.New("names no entry")
	}
	r.User.Issuer = *c.Issuer
	return r, nil
}
