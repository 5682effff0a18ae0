// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"errors"
	"math"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/extract"
	"github.com/caddybolt/caddy-bolt/internal/redact"
)

// warnEvery bounds how often something that goes up and down is logged.
const warnEvery = int64(time.Minute)

// outage says when it is time for a warning again.
type outage struct{ last atomic.Int64 }

// due reports whether to warn now, which is then the last time.
func (o *outage) due() bool {
	now, last := time.Now().UnixNano(), o.last.Load()
	return (last == 0 || now-last >= warnEvery) && o.last.CompareAndSwap(last, now)
}

// member is an authenticator in a list, with what the handler needs to know of
// it. Whoever inherits the list shares it.
type member struct {
	auth.Authenticator
	responder auth.Responder // nil for all but providers
	scheme    string         // of its challenge
	sources   []auth.Source
	places    []*extract.Extractor // one for each source
	users     auth.UserStore       // nil: the global one

	outage outage
	down   atomic.Bool
}

// userStorer is an authenticator with a user store of its own.
type userStorer interface {
	UserStore() auth.UserStore
}

func newMember(a auth.Authenticator) *member {
	m := &member{Authenticator: a}
	m.responder, _ = a.(auth.Responder)
	if c, ok := a.(auth.Challenger); ok {
		m.scheme = c.Challenge()
	}
	if s, ok := a.(auth.SourceLister); ok {
		m.sources = s.Sources()
		redact.Add(m.sources)
		m.places = placesOf(m.sources)
	}
	if u, ok := a.(userStorer); ok {
		m.users = u.UserStore()
	}
	return m
}

// placesOf returns an extractor for each source, none if one of them is not
// for us to read.
func placesOf(sources []auth.Source) []*extract.Extractor {
	places := make([]*extract.Extractor, len(sources))
	for i := range sources {
		e, err := extract.New(sources[i:i+1], math.MaxInt)
		if err != nil {
			return nil
		}
		places[i] = e
	}
	return places
}

// authenticate asks the authenticator. An answer comes from a Responder only.
func (m *member) authenticate(r *http.Request) (*auth.Identity, *auth.Response, error) {
	if m.responder != nil {
		return m.responder.AuthenticateResponse(r)
	}
	id, err := m.Authenticator.Authenticate(r)
	return id, nil, err
}

// cookiesOf returns the names of the cookies of the request that the
// authenticator reads.
func (m *member) cookiesOf(r *http.Request) []string {
	var names []string
	for _, s := range m.sources {
		if s.Cookie == "" {
			continue
		}
		if extract.HasCookie(r.Header, s.Cookie) {
			names = append(names, s.Cookie)
		}
	}
	return names
}

// spentBy returns the names of the cookies that are of no use once the credential
// of the request is ended.
func (m *member) spentBy(r *http.Request) []string {
	if len(m.places) == 0 { // where it came in is not known
		return m.cookiesOf(r)
	}
	return m.carrierOf(r)
}

// carrierOf returns the name of the cookie that a credential of the request came
// in, if it came in one: the first source that holds something has it.
func (m *member) carrierOf(r *http.Request) []string {
	for i, e := range m.places {
		if _, _, err := e.Extract(r); errors.Is(err, auth.ErrNoCredentials) {
			continue
		}
		if m.sources[i].Cookie != "" {
			return []string{m.sources[i].Cookie}
		}
		return nil
	}
	return nil
}

// reporter is the cause of an outage that an authenticator has logged by itself.
type reporter interface{ Reported() bool }

// undecided notes that the authenticator could not decide. It warns once when
// that begins, and at most once a minute.
func (m *member) undecided(logger *zap.Logger, err error) {
	var r reporter
	if errors.As(err, &r) && r.Reported() {
		return
	}
	m.down.Store(true)
	if !m.outage.due() {
		return
	}
	logger.Warn("authenticator cannot decide; its requests are refused with 503",
		zap.String("reason", string(auth.ReasonOf(err))), zap.Error(err))
}

// decided notes that it could.
func (m *member) decided(logger *zap.Logger) {
	if m.down.Load() && m.down.CompareAndSwap(true, false) {
		if c := logger.Check(zapcore.DebugLevel, "authenticator decides again"); c != nil {
			c.Write()
		}
	}
}
