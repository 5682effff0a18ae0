// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"encoding/json"
	"fmt"
	"os"

	"go.uber.org/zap/zapcore"
	"golang.org/x/term"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/logging"

	"github.com/caddybolt/caddy-bolt/internal/module"
)

func init() {
	caddy.RegisterModule(LogRedact{})
}

// LogRedact keeps credentials out of logs: it takes out the value of every
// header, cookie and query parameter that an authenticator of any
// configuration of this process reads, puts "REDACTED" in its place, and leaves
// the rest to another encoder.
//
// By itself, Caddy hides the headers Authorization, Proxy-Authorization, Cookie
// and Set-Cookie of the requests that it logs, and nothing else. It logs
// requests in the access log and, without any log being configured, whenever it
// answers with a status of 500 or more.
//
// Headers are found at any depth of an entry, in the variables of FastCGI too.
// Parameters of a query are found in any text: the URI of the request, the
// headers Referer and Location, the message of an error; also under a
// percent-encoded name and within the value of another parameter. With Caddy's
// log_credentials, of cookies and Authorization only those are taken out that
// an authenticator reads.
//
// What a credential was copied to under another name cannot be known, such as
// a field of log_append with the value {http.request.header.X-API-Key}.
type LogRedact struct {
	// The encoder that writes the entries. Default: "json", or "console" if the
	// log is written to a terminal.
	WrappedRaw json.RawMessage `json:"wrap,omitempty" caddy:"namespace=caddy.logging.encoders inline_key=format"`

	*redactingEncoder `json:"-"`

	ctx              caddy.Context
	wrappedIsDefault bool
}

// CaddyModule returns the Caddy module information.
func (LogRedact) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "caddy.logging.encoders.auth_redact",
		New: func() caddy.Module { return new(LogRedact) },
	}
}

// Provision loads the encoder that writes.
func (l *LogRedact) Provision(ctx caddy.Context) error {
	l.ctx = ctx
	if l.WrappedRaw == nil {
		l.wrappedIsDefault = true
		return l.wrap(new(logging.JSONEncoder))
	}
	mod, err := ctx.LoadModule(l, "WrappedRaw")
	if err != nil {
		return fmt.Errorf("loading the wrapped encoder: %w", err)
	}
	encoder, ok := mod.(zapcore.Encoder)
	if !ok {
		return fmt.Errorf("wrap: %T is not an encoder", mod)
	}
	l.redactingEncoder = newRedactingEncoder(encoder)
	return nil
}

// wrap provisions a default encoder, which no configuration loads.
func (l *LogRedact) wrap(encoder interface {
	zapcore.Encoder
	caddy.Provisioner
},
) error {
	if err := encoder.Provision(l.ctx); err != nil {
		return fmt.Errorf("making the default encoder: %w", err)
	}
	l.redactingEncoder = newRedactingEncoder(encoder)
	return nil
}

// ConfigureDefaultFormat chooses between console and json as Caddy does for a
// log without a format.
func (l *LogRedact) ConfigureDefaultFormat(writer caddy.WriterOpener) error {
	if !l.wrappedIsDefault {
		if wrapped, ok := l.wrapped.(caddy.ConfiguresFormatterDefault); ok {
			return wrapped.ConfigureDefaultFormat(writer)
		}
		return nil
	}
	if caddy.IsWriterStandardStream(writer) && term.IsTerminal(int(os.Stderr.Fd())) {
		return l.wrap(new(logging.ConsoleEncoder))
	}
	return nil
}

// UnmarshalCaddyfile sets up the encoder from Caddyfile tokens. Syntax:
//
//	auth_redact {
//	    wrap <encoder> { … }
//	}
func (l *LogRedact) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the encoder
	if d.NextArg() {
		return d.Errf("format auth_redact takes no argument, not %q; the encoder that it wraps follows wrap", d.Val())
	}
	options := module.NewOptions(d)
	for d.NextBlock(0) {
		if d.Val() != "wrap" {
			return options.Unknown("auth_redact", "wrap")
		}
		if err := options.Once(); err != nil {
			return err
		}
		if !d.NextArg() {
			return d.Errf("option %q needs an encoder, such as console", "wrap")
		}
		raw, err := module.Parse(d, "caddy.logging.encoders", "log format", "format")
		if err != nil {
			return err
		}
		l.WrappedRaw = raw
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner                = (*LogRedact)(nil)
	_ caddy.ConfiguresFormatterDefault = (*LogRedact)(nil)
	_ caddyfile.Unmarshaler            = (*LogRedact)(nil)
	_ zapcore.Encoder                  = (*LogRedact)(nil)
)
