// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"bytes"
	"crypto/rand"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/extract"
)

// warnReadable warns of what the handlers of this configuration read, now that
// all of them are there.
func (a *App) warnReadable() {
	warnReadable(a.ctx, a.logger, a.sources)
}

// warnReadable warns, in one line, of credentials that Caddy's logs show: those
// of the sources that are neither among what Caddy hides by itself nor taken
// out by the format of the logs, be it auth_redact or a filter that somebody
// wrote. It says which logs and what to write.
func warnReadable(ctx caddy.Context, logger *zap.Logger, sources []auth.Source) {
	var shown []auth.Source
	for _, s := range sources {
		if !hiddenByCaddy(s) {
			shown = append(shown, s)
		}
	}
	if len(shown) == 0 {
		return
	}
	p := newLogProbe(shown)
	for logger, place := range requestLoggers(ctx) {
		p.look(ctx, logger, place)
	}
	if len(p.found) == 0 {
		return
	}
	logger.Warn("Caddy's logs show credentials in clear: Caddy hides Authorization and cookies, and nothing else. "+
		"Add these lines to the global options and to every site with a log of its own; what its format was follows as \"wrap\" in a block of auth_redact",
		zap.Strings("credentials", p.credentials()),
		zap.Strings("logs", p.logs()),
		zap.Strings("lines", []string{"log {", "\tformat auth_redact", "}"}))
}

// hiddenByCaddy reports whether Caddy itself keeps the source out of its logs.
// With log_credentials it does not, because somebody asked for that.
func hiddenByCaddy(s auth.Source) bool {
	switch http.CanonicalHeaderKey(s.Header) {
	case "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie":
		return true
	}
	return s.Cookie != ""
}

// requestLoggers returns the names of the loggers that requests are logged to,
// each with what a person calls it.
func requestLoggers(ctx caddy.Context) map[string]string {
	loggers := map[string]string{}
	mod, err := ctx.AppIfConfigured("http")
	if err != nil {
		return loggers // no HTTP, no requests
	}
	app, ok := mod.(*caddyhttp.App)
	if !ok {
		return loggers
	}
	for _, server := range app.Servers {
		// Whatever is answered with 500 or more is logged with its request.
		loggers["http.log.error"] = "errors"
		if server.Logs == nil {
			continue
		}
		if !server.Logs.SkipUnmappedHosts {
			name := strings.TrimSuffix("http.log.access."+server.Logs.DefaultLoggerName, ".")
			loggers[name] = "access log"
		}
		for _, host := range slices.Sorted(maps.Keys(server.Logs.LoggerNames)) {
			for _, name := range server.Logs.LoggerNames[host] {
				name = strings.TrimSuffix("http.log.access."+name, ".")
				if loggers[name] == "" {
					loggers[name] = "access log of " + host
				}
			}
		}
	}
	return loggers
}

// logProbe finds out what loggers show, by asking their encoders: it has each
// encode a request that holds a random value in every source, and looks whether
// the value is there. Nothing is written to a log.
type logProbe struct {
	sources []auth.Source
	values  []string
	request *http.Request
	found   map[auth.Source]bool
	places  map[string]bool
}

func newLogProbe(sources []auth.Source) *logProbe {
	p := &logProbe{sources: sources, found: map[auth.Source]bool{}, places: map[string]bool{}}
	p.request = &http.Request{Method: http.MethodGet, Proto: "HTTP/1.1", Host: "localhost", Header: http.Header{}}
	query := url.Values{}
	for _, s := range sources {
		value := rand.Text()
		p.values = append(p.values, value)
		if s.Header != "" {
			p.request.Header.Add(s.Header, strings.TrimSpace(s.Scheme+" "+value))
		} else {
			query.Add(s.Query, value)
		}
	}
	p.request.RequestURI = "/?" + query.Encode()
	p.request.URL = &url.URL{Path: "/", RawQuery: query.Encode()}
	return p
}

// look asks the encoders of a logger. A field that is added to a logger is
// encoded right away, by a copy of the encoder of each log that the logger
// writes to; this field is handed that encoder and adds nothing to it.
func (p *logProbe) look(ctx caddy.Context, logger, place string) {
	ctx.Logger(probeModule(logger)).With(zap.Inline(zapcore.ObjectMarshalerFunc(func(enc zapcore.ObjectEncoder) error {
		if encoder, ok := enc.(zapcore.Encoder); ok && p.shows(encoder) {
			p.places[place] = true
		}
		return nil
	})))
}

// shows reports whether the encoder shows one of the values.
func (p *logProbe) shows(encoder zapcore.Encoder) (shown bool) {
	defer func() {
		if recover() != nil { // an encoder of a third party: say nothing about it
			shown = false
		}
	}()
	line, err := encoder.EncodeEntry(
		zapcore.Entry{Level: zapcore.ErrorLevel, Time: time.Now(), Message: "probe"},
		[]zapcore.Field{zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: p.request})},
	)
	if err != nil {
		return false
	}
	defer line.Free()
	for i, value := range p.values {
		if bytes.Contains(line.Bytes(), []byte(value)) {
			p.found[p.sources[i]] = true
			shown = true
		}
	}
	return shown
}

func (p *logProbe) credentials() []string {
	var names []string
	for s := range p.found {
		names = append(names, extract.Describe(s))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (p *logProbe) logs() []string { return slices.Sorted(maps.Keys(p.places)) }

// probeModule is a module whose logger writes to the logs that the logger of
// that name writes to.
type probeModule string

// CaddyModule implements caddy.Module. Caddy gives a module every log that any
// logger below its name writes to; below this one there is none.
func (m probeModule) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: caddy.ModuleID(m + ".probe")}
}
