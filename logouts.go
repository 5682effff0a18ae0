// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

// logoutHandler is one that ends the token of a request and answers, as
// auth_logout does. Nothing that it says or does is for those alone who are
// signed in.
type logoutHandler interface {
	caddyhttp.MiddlewareHandler
	LogsOut()
}

// place is where a request goes on behind a handler: behind it in its route, in
// the routes that follow, and then behind the handler that holds those routes.
type place struct {
	routes         caddyhttp.RouteList
	route, handler int
	around         *place
}

// notePlaces tells each auth handler in which places it stands.
func (a *App) notePlaces() {
	mod, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return // nothing is served
	}
	app, ok := mod.(*caddyhttp.App)
	if !ok {
		return
	}
	for _, server := range app.Servers {
		notePlaces(server.Routes, nil)
	}
}

func notePlaces(routes caddyhttp.RouteList, around *place) {
	for i := range routes {
		for j, handler := range routes[i].Handlers {
			here := &place{routes: routes, route: i, handler: j, around: around}
			switch handler := handler.(type) {
			case *Handler:
				handler.places = append(handler.places, here)
			case *caddyhttp.Subroute:
				notePlaces(handler.Routes, here)
			}
		}
	}
}

// logout answers a request to log out that nobody could be found for, since a
// store or a key server is away: the browser forgets the token, and this node
// remembers that it is revoked. It reports whether the request was one.
//
// The request goes no other way than to auth_logout.
func (h *Handler) logout(w http.ResponseWriter, r *http.Request, st *state, e *effective, f *refusal) (is bool, err error) {
	if f.status != http.StatusServiceUnavailable || r.Method != http.MethodPost || st.identity != nil || len(h.places) != 1 {
		return false, nil
	}
	s := search{r: copyOf(r), groups: make(map[string]bool)}
	handler := s.behind(h.places[0])
	if handler == nil {
		return false, nil
	}
	st.refused(f, e, st.stripped.restore(r))
	for _, asked := range s.between {
		if !asked.lets(st) {
			return false, nil
		}
	}
	h.app.metrics.refused(f)
	return true, handler.ServeHTTP(w, s.r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		return h.refuse(w, r, e, f) // nothing else is behind it
	}))
}

// search follows a request to a log-out.
type search struct {
	r       *http.Request
	groups  map[string]bool // of which a route was taken
	between []question      // for the auth handlers on the way
	over    bool            // something else answers, as far as one can tell
}

// question is what an auth handler on the way is asked: the request as it comes
// to it.
type question struct {
	h *Handler
	r *http.Request
}

// lets reports whether the handler lets the request pass, or would if a store or
// a key server answered. The token that it reads is the one to end.
func (q question) lets(st *state) bool {
	r := st.stripped.restore(q.r)
	e, refused := q.h.settingsFor(r)
	if refused != nil || e == nil {
		return refused == nil
	}
	id, m, refused := q.h.authenticate(nowhere{}, r, e)
	switch {
	case refused == nil:
		st.undecided = id
		st.accepted(m, r)
		return id.TokenID != ""
	case !e.admits(refused) && refused.status != http.StatusServiceUnavailable:
		return false
	case !refused.missing():
		st.refused(refused, e, r)
	}
	return true
}

// nowhere takes what is said to nobody.
type nowhere struct{}

func (nowhere) Header() http.Header            { return make(http.Header) }
func (nowhere) Write(text []byte) (int, error) { return len(text), nil }
func (nowhere) WriteHeader(int)                {}

// behind returns the log-out that the request comes to if it is let pass in that
// place.
func (s *search) behind(p *place) logoutHandler {
	for q := p; q != nil; q = q.around {
		s.groups[q.routes[q.route].Group] = true
		for i := range q.routes[:q.route] {
			earlier := &q.routes[i]
			if earlier.Group == "" || s.groups[earlier.Group] {
				continue
			}
			if match, err := earlier.MatcherSets.AnyMatchWithError(s.r); match || err != nil {
				s.groups[earlier.Group] = true
			}
		}
	}
	for q := p; q != nil && !s.over; q = q.around {
		route := &q.routes[q.route]
		if found := s.handlers(route.Handlers[q.handler+1:]); found != nil || s.over || route.Terminal {
			return found
		}
		if found := s.routes(q.routes[q.route+1:]); found != nil {
			return found
		}
	}
	return nil
}

func (s *search) routes(routes caddyhttp.RouteList) logoutHandler {
	for i := range routes {
		route := &routes[i]
		match, err := route.MatcherSets.AnyMatchWithError(s.r)
		if err != nil {
			s.over = true
			return nil
		}
		if !match || route.Group != "" && s.groups[route.Group] {
			continue
		}
		s.groups[route.Group] = true
		if found := s.handlers(route.Handlers); found != nil || s.over {
			return found
		}
		if route.Terminal {
			s.over = true
			return nil
		}
	}
	return nil
}

func (s *search) handlers(handlers []caddyhttp.MiddlewareHandler) logoutHandler {
	for _, handler := range handlers {
		switch handler := handler.(type) {
		case logoutHandler:
			return handler
		case *Handler:
			s.between = append(s.between, question{handler, copyOf(s.r)})
		case *caddyhttp.Subroute:
			if found := s.routes(handler.Routes); found != nil {
				return found
			}
		case *rewrite.Rewrite:
			repl, _ := s.r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
			if repl == nil {
				repl = caddy.NewReplacer()
			}
			handler.Rewrite(s.r, repl)
		default:
			s.over = !passesOn[moduleID(handler)]
		}
		if s.over {
			return nil
		}
	}
	return nil
}

// passesOn are the handlers of Caddy that hand every request on, or refuse it.
var passesOn = map[string]bool{
	"http.handlers.authentication": true,
	"http.handlers.encode":         true,
	"http.handlers.headers":        true,
	"http.handlers.log_append":     true,
	"http.handlers.map":            true,
	"http.handlers.push":           true,
	"http.handlers.request_body":   true,
	"http.handlers.templates":      true,
	"http.handlers.tracing":        true,
	"http.handlers.vars":           true,
}

func moduleID(handler caddyhttp.MiddlewareHandler) string {
	mod, ok := handler.(caddy.Module)
	if !ok {
		return ""
	}
	return string(mod.CaddyModule().ID)
}

// copyOf returns a request whose address may change while the other's does not.
func copyOf(r *http.Request) *http.Request {
	c, address := *r, *r.URL
	c.URL = &address
	return &c
}
