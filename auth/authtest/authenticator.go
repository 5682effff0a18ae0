// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"

	"github.com/caddybolt/caddy-bolt/auth"
)

// AuthenticatorCase is an authenticator and what it accepts and refuses.
type AuthenticatorCase struct {
	// New returns a provisioned authenticator.
	New func(testing.TB) auth.Authenticator

	// Request returns the request that the credentials are put into. Optional:
	// a GET made with NewRequest.
	Request func(testing.TB) *http.Request

	// Good puts a credential into the request that is accepted.
	Good func(*http.Request)

	// Bad puts credentials into the request that are refused, each by a name.
	Bad map[string]func(*http.Request)

	// Secrets are texts that must appear in no error and no identity: keys,
	// passwords, hashes, claims that are private. The credentials that Good and
	// Bad put into headers and the query are watched for without being named.
	Secrets []string

	// WantBackend is the Backend of the identity.
	WantBackend string

	// Down returns the authenticator while what it depends on does not answer,
	// such as a store or a network. Optional. It must not decide about Good.
	Down func(testing.TB) auth.Authenticator
}

// TestAuthenticator checks an authenticator against the contract of
// auth.Authenticator, auth.SourceLister and auth.Challenger. An auth.Responder,
// which cannot tell a missing credential from a bad one, may answer either.
func TestAuthenticator(t *testing.T, c AuthenticatorCase) {
	t.Helper()
	runChecks(t, c, authenticatorChecks)
}

var authenticatorChecks = []check[AuthenticatorCase]{
	{"the case is complete", authenticatorCaseComplete},
	{"a good credential gives an identity", authenticatorGood},
	{"an empty request has no credentials", authenticatorEmpty},
	{"a bad credential is refused with a reason", authenticatorBad},
	{"no secret in an error or an identity", authenticatorSecrets},
	{"the request stays as it was", authenticatorUnchanged},
	{"many requests at once", authenticatorConcurrent},
	{"a cancelled context", authenticatorCancelled},
	{"one request does not decide another", authenticatorForgets},
	{"the sources hold the credential", authenticatorSources},
	{"the challenge is a scheme", authenticatorChallenge},
	{"what could not be decided is not refused", authenticatorDown},
}

// request returns a request with what put puts into it.
func (c AuthenticatorCase) request(tb testing.TB, put func(*http.Request)) *http.Request {
	tb.Helper()
	var r *http.Request
	if c.Request != nil {
		r = c.Request(tb)
	} else {
		r = NewRequest(tb, http.MethodGet, "https://app.example.com/path?q=1")
	}
	if put != nil {
		put(r)
	}
	return r
}

// authenticate asks a as the handler does.
func authenticate(a auth.Authenticator, r *http.Request) (*auth.Identity, error) {
	if resp, ok := a.(auth.Responder); ok {
		id, _, err := resp.AuthenticateResponse(r)
		return id, err
	}
	return a.Authenticate(r)
}

// oneOfTwo fails tb unless there is exactly one of identity and error.
func oneOfTwo(tb testing.TB, what string, id *auth.Identity, err error) {
	tb.Helper()
	switch {
	case id == nil && err == nil:
		tb.Errorf("%s: neither an identity nor an error", what)
	case id != nil && err != nil:
		tb.Errorf("%s: an identity beside an error", what)
	}
}

func authenticatorCaseComplete(tb testing.TB, c AuthenticatorCase) {
	if c.New == nil || c.Good == nil || len(c.Bad) == 0 || c.WantBackend == "" {
		tb.Fatalf("New, Good, Bad and WantBackend are required")
	}
	if c.New(tb) == nil {
		tb.Fatalf("New returned nil")
	}
	if len(presented(c.request(tb, nil), c.request(tb, c.Good))) == 0 {
		tb.Errorf("Good puts nothing into a header or the query")
	}
}

func authenticatorGood(tb testing.TB, c AuthenticatorCase) {
	a := c.New(tb)
	r := c.request(tb, c.Good)
	id, err := authenticate(a, r)
	oneOfTwo(tb, "good credential", id, err)
	if err != nil || id == nil {
		tb.Fatalf("a good credential is refused: %v", err)
	}
	wellFormed(tb, id, c.WantBackend)
	if _, ok := a.(auth.Responder); ok {
		id, err := a.Authenticate(c.request(tb, c.Good))
		oneOfTwo(tb, "Authenticate of a Responder", id, err)
		if err != nil {
			tb.Errorf("Authenticate of a Responder refuses what AuthenticateResponse accepts: %v", err)
		}
	}
}

// wellFormed fails tb where the identity breaks a rule of auth.Identity.
func wellFormed(tb testing.TB, id *auth.Identity, backend string) {
	tb.Helper()
	if id.ID == "" {
		tb.Errorf("the identity has no ID")
	}
	if id.Backend != backend {
		tb.Errorf("Backend is %q, want %q", id.Backend, backend)
	}
	local := id.User().IsLocal()
	switch {
	case id.TokenID == "" && !local:
		tb.Errorf("Issuer is %q; an identity that no token brought has one that begins with %q", id.Issuer, auth.LocalIssuer)
	case id.TokenID != "" && local:
		tb.Errorf("Issuer is %q; no token may claim one that begins with %q", id.Issuer, auth.LocalIssuer)
	case id.TokenID != "" && strings.HasPrefix(id.ID, auth.APIKeyPrefix):
		tb.Errorf("ID begins with %q: a token passes for an API key", auth.APIKeyPrefix)
	case id.Issuer == auth.LocalIssuer:
		tb.Errorf("Issuer is %q, without the name of a backend", id.Issuer)
	}
	if id.TokenID == "" && id.SessionID != "" {
		tb.Errorf("the identity has a session and no token")
	}
	if _, err := auth.ParseClaims(id.Claims.JSON()); err != nil {
		tb.Errorf("Claims are not a JSON object that ParseClaims accepts: %v", err)
	}
}

func authenticatorEmpty(tb testing.TB, c AuthenticatorCase) {
	a := c.New(tb)
	bare := c.request(tb, nil)
	noHeader := c.request(tb, nil)
	noHeader.Header = nil
	foreign := c.request(tb, nil)
	foreign.Header.Set("Authorization", "X-Authtest-Foreign abc")
	foreign.Header.Add("Cookie", "authtest-foreign=abc")
	for what, r := range map[string]*http.Request{
		"empty request":                    bare,
		"request without a header map":     noHeader,
		"request with foreign credentials": foreign,
	} {
		id, err := authenticate(a, r)
		oneOfTwo(tb, what, id, err)
		if id != nil {
			tb.Errorf("%s: accepted", what)
		}
		if !errors.Is(err, auth.ErrNoCredentials) && !mayConfuse(a, err) && !readsAll(a, r) {
			tb.Errorf("%s: error is not ErrNoCredentials: %v", what, err)
		}
	}
}

// mayConfuse reports whether err is the one that a Responder may answer in
// place of the right one.
func mayConfuse(a auth.Authenticator, err error) bool {
	_, ok := a.(auth.Responder)
	return ok && (errors.Is(err, auth.ErrNoCredentials) || errors.Is(err, auth.ErrInvalidCredentials))
}

// readsAll reports whether a takes the whole Authorization header of r, of
// whatever scheme, for its credential.
func readsAll(a auth.Authenticator, r *http.Request) bool {
	lister, ok := a.(auth.SourceLister)
	return ok && r.Header.Get("Authorization") != "" && slices.ContainsFunc(lister.Sources(), func(s auth.Source) bool {
		return strings.EqualFold(s.Header, "Authorization") && s.Scheme == ""
	})
}

// aboutCredential are the reasons that can be the reason of a bad credential.
func aboutCredential(r auth.Reason) bool {
	switch r {
	case auth.ReasonMissingCredentials, auth.ReasonAmbiguousPath, auth.ReasonForbidden,
		auth.ReasonTooManyAttempts, auth.ReasonKeysUnavailable, auth.ReasonStoreUnavailable:
		return false
	default:
		return slices.Contains(auth.Reasons(), r)
	}
}

func authenticatorBad(tb testing.TB, c AuthenticatorCase) {
	a := c.New(tb)
	for _, name := range slices.Sorted(maps.Keys(c.Bad)) {
		id, err := authenticate(a, c.request(tb, c.Bad[name]))
		oneOfTwo(tb, name, id, err)
		if id != nil {
			tb.Errorf("%s: accepted", name)
		}
		if mayConfuse(a, err) {
			continue
		}
		if !errors.Is(err, auth.ErrInvalidCredentials) || errors.Is(err, auth.ErrNoCredentials) {
			tb.Errorf("%s: error is not ErrInvalidCredentials alone: %v", name, err)
			continue
		}
		if reason := auth.ReasonOf(err); !aboutCredential(reason) {
			tb.Errorf("%s: %q is no reason of a bad credential", name, reason)
		}
	}
}

func authenticatorSecrets(tb testing.TB, c AuthenticatorCase) {
	a := c.New(tb)
	base := c.request(tb, nil)
	ask := func(what string, put func(*http.Request)) {
		r := c.request(tb, put)
		secrets := append(slices.Clone(c.Secrets), presented(base, r)...)
		id, err := authenticate(a, r)
		if err != nil {
			showsNone(tb, what+": the error", errorText(err)+auth.ScopesOf(err), secrets)
			showsNone(tb, what+": the candidate", auth.CandidateOf(err), secrets)
		}
		if id != nil {
			showsNone(tb, what+": the identity", identityText(id), secrets)
		}
	}
	ask("good credential", c.Good)
	for name, put := range c.Bad {
		ask(name, put)
	}
}

func authenticatorUnchanged(tb testing.TB, c AuthenticatorCase) {
	a := c.New(tb)
	for what, put := range c.all() {
		r := c.request(tb, put)
		unchanged(tb, what, r, func() { _, _ = authenticate(a, r) })
	}
}

// all are the good credential, the bad ones and none.
func (c AuthenticatorCase) all() map[string]func(*http.Request) {
	all := map[string]func(*http.Request){"empty request": nil, "good credential": c.Good}
	maps.Copy(all, c.Bad)
	return all
}

// outcome is what became of one request, in words that can be compared.
func outcome(id *auth.Identity, err error) string {
	switch {
	case err != nil:
		return string(auth.ReasonOf(err))
	case id == nil:
		return "nothing"
	default:
		return "identity " + id.Issuer + " " + id.ID
	}
}

func authenticatorConcurrent(tb testing.TB, c AuthenticatorCase) {
	a := c.New(tb)
	type asked struct {
		name string
		r    *http.Request
		want string
	}
	var all []asked
	for name, put := range c.all() {
		want := outcome(authenticate(a, c.request(tb, put)))
		all = append(all, asked{name, c.request(tb, put), want})
	}
	first, _ := authenticate(a, c.request(tb, c.Good))
	if first == nil {
		tb.Fatalf("a good credential is refused")
	}
	text := identityText(first)
	together(5*len(all), func(call int) {
		q := all[call%len(all)]
		id, err := authenticate(a, q.r)
		if _, bad := c.Bad[q.name]; bad && id == nil && auth.WaitOf(err) > 0 {
			return // it slows who guesses
		}
		if got := outcome(id, err); got != q.want {
			tb.Errorf("%s: %q among others, %q alone", q.name, got, q.want)
		}
	})
	if identityText(first) != text {
		tb.Errorf("an identity changed after it was returned")
	}
}

func authenticatorCancelled(tb testing.TB, c AuthenticatorCase) {
	a := c.New(tb)
	for what, put := range c.all() {
		r := c.request(tb, put)
		r = r.WithContext(cancelled(r.Context()))
		var id *auth.Identity
		var err error
		within(tb, what, func() { id, err = authenticate(a, r) })
		oneOfTwo(tb, what, id, err)
		switch what {
		case "good credential":
			if errors.Is(err, auth.ErrInvalidCredentials) || errors.Is(err, auth.ErrNoCredentials) {
				tb.Errorf("%s: a cancelled context made it bad: %v", what, err)
			}
		default:
			if id != nil {
				tb.Errorf("%s: accepted", what)
			}
		}
	}
}

// authenticatorForgets looks for an answer that is remembered for the wrong
// request: a failure taken for a success, or the reverse.
func authenticatorForgets(tb testing.TB, c AuthenticatorCase) {
	a := c.New(tb)
	good, _ := authenticate(a, c.request(tb, c.Good))
	if good == nil {
		tb.Fatalf("a good credential is refused")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Bad)) {
		for range 2 {
			if id, _ := authenticate(a, c.request(tb, c.Bad[name])); id != nil {
				tb.Errorf("%s: accepted after a good credential", name)
			}
		}
		again, err := authenticate(a, c.request(tb, c.Good))
		if again == nil {
			tb.Errorf("a good credential is refused after %s: %v", name, err)
		} else if again.User() != good.User() {
			tb.Errorf("the good credential became another user after %s", name)
		}
	}
	if id, _ := authenticate(a, c.request(tb, nil)); id != nil {
		tb.Errorf("empty request: accepted after a good credential")
	}
}

// authenticatorSources removes what the authenticator says it reads: the
// handler does so to strip credentials, so nothing may be left.
func authenticatorSources(tb testing.TB, c AuthenticatorCase) {
	a := c.New(tb)
	lister, ok := a.(auth.SourceLister)
	if !ok {
		return
	}
	r := c.request(tb, c.Good)
	for i, s := range lister.Sources() {
		set := 0
		for _, name := range []string{s.Header, s.Cookie, s.Query} {
			if name != "" {
				set++
			}
		}
		if set != 1 || (s.Scheme != "" && s.Header == "") {
			tb.Errorf("source %d names not exactly one header, cookie or query", i)
			continue
		}
		remove(r, s)
	}
	id, err := authenticate(a, r)
	if id != nil {
		tb.Errorf("the credential is still there after all sources were removed")
	} else if !errors.Is(err, auth.ErrNoCredentials) && !mayConfuse(a, err) {
		tb.Errorf("something is still there after all sources were removed: %v", err)
	}
}

// remove deletes what stands at the source.
func remove(r *http.Request, s auth.Source) {
	switch {
	case s.Header != "":
		r.Header.Del(s.Header)
	case s.Cookie != "":
		cookies := r.Cookies()
		r.Header.Del("Cookie")
		for _, cookie := range cookies {
			if cookie.Name != s.Cookie {
				r.AddCookie(cookie)
			}
		}
	default:
		q := r.URL.Query()
		q.Del(s.Query)
		r.URL.RawQuery = q.Encode()
	}
}

func authenticatorChallenge(tb testing.TB, c AuthenticatorCase) {
	ch, ok := c.New(tb).(auth.Challenger)
	if !ok {
		return
	}
	// RFC 9110, section 11.1: a scheme is a token; anything else could forge
	// parameters of the challenge.
	if scheme := ch.Challenge(); !httpguts.ValidHeaderFieldName(scheme) {
		tb.Errorf("Challenge returns %q, which is no authentication scheme", scheme)
	}
}

func authenticatorDown(tb testing.TB, c AuthenticatorCase) {
	if c.Down == nil {
		return
	}
	a := c.Down(tb)
	var id *auth.Identity
	var err error
	within(tb, "good credential", func() { id, err = authenticate(a, c.request(tb, c.Good)) })
	oneOfTwo(tb, "good credential", id, err)
	if id != nil {
		tb.Fatalf("accepted by what could not decide")
	}
	if errors.Is(err, auth.ErrNoCredentials) || errors.Is(err, auth.ErrInvalidCredentials) {
		tb.Errorf("what could not be decided is refused: %v", err)
	}
	switch reason := auth.ReasonOf(err); reason {
	case auth.ReasonKeysUnavailable, auth.ReasonStoreUnavailable:
	default:
		tb.Errorf("%q is no reason of what could not be decided", reason)
	}
	if err != nil {
		showsNone(tb, "the error", errorText(err), append(slices.Clone(c.Secrets), presented(c.request(tb, nil), c.request(tb, c.Good))...))
	}
}
