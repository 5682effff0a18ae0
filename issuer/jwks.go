// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/module"
)

func init() {
	caddy.RegisterModule(JWKS{})
}

// JWKS publishes the public keys with which others verify the tokens that a jwt
// of the global auth block signs, as a JWK set (RFC 7517, section 5).
//
// It answers GET and HEAD, others with 405, and with 503 while there is no key.
// The answer may be kept for 5 minutes, has an ETag, and is always whole. A jwt that signs with a
// secret has no public key: its set is empty.
type JWKS struct {
	// The name of the jwt authenticator of the global auth block. Default: the
	// first.
	For string `json:"for,omitempty"`

	logger *zap.Logger
	signer auth.Signer
	outage *outage
	last   *atomic.Pointer[published]
}

// published is a set that was found to hold public keys alone.
type published struct {
	set  []byte
	etag string
}

// CaddyModule returns the Caddy module information.
func (JWKS) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.auth_jwks",
		New: func() caddy.Module { return new(JWKS) },
	}
}

// Provision finds the keys.
func (j *JWKS) Provision(ctx caddy.Context) error {
	j.logger = ctx.Logger()
	j.outage = new(outage)
	j.last = new(atomic.Pointer[published])
	services, err := auth.ServicesOf(ctx)
	if err != nil {
		return err
	}
	j.signer, err = signer(services, j.For)
	return err
}

// ServeHTTP answers the request. There is nothing behind it.
func (j *JWKS) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return refuse(w, r, http.StatusMethodNotAllowed, "the method must be GET or HEAD")
	}
	p, err := j.publish()
	if err != nil {
		j.outage.begin(r.Context(), j.logger, "public keys cannot be published", err)
		w.Header().Set("Retry-After", seconds(retryAfter))
		return refuse(w, r, http.StatusServiceUnavailable, "the keys are not available at the moment")
	}
	j.outage.end(j.logger)
	h := w.Header()
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("ETag", p.etag)
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(whole{w}, withoutRange(r), "", time.Time{}, bytes.NewReader(p.set))
	return nil
}

// withoutRange returns the request without what asks for a part: half a set is
// none, and a cache could keep it.
func withoutRange(r *http.Request) *http.Request {
	if r.Header.Get("Range") == "" {
		return r
	}
	clone := *r
	clone.Header = r.Header.Clone()
	clone.Header.Del("Range")
	return &clone
}

// whole is an answer that says that there are no parts of it.
type whole struct{ http.ResponseWriter }

func (w whole) WriteHeader(status int) {
	w.Header().Set("Accept-Ranges", "none")
	w.ResponseWriter.WriteHeader(status)
}

// publish returns the keys as they are now.
func (j *JWKS) publish() (*published, error) {
	set, err := j.signer.PublicKeys()
	if err != nil {
		return nil, err
	}
	if last := j.last.Load(); last != nil && bytes.Equal(last.set, set) {
		return last, nil
	}
	if err := checkPublic(set); err != nil {
		return nil, err
	}
	digest := sha256.Sum256(set)
	p := &published{
		set:  bytes.Clone(set),
		etag: `"` + base64.RawURLEncoding.EncodeToString(digest[:12]) + `"`,
	}
	j.last.Store(p)
	return p, nil
}

// checkPublic refuses a set with anything private in it. A signer of a third
// party that mixes up its keys must not give them away.
func checkPublic(set []byte) error {
	var keys struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(set, &keys); err != nil || keys.Keys == nil {
		return errors.New("not a set of keys")
	}
	for i, key := range keys.Keys {
		if key["kty"] == "oct" {
			return fmt.Errorf("key %d is a secret", i)
		}
		// RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1
		for _, member := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, ok := key[member]; ok {
				return fmt.Errorf("key %d is private: it has %q", i, member)
			}
		}
	}
	return nil
}

// UnmarshalCaddyfile sets up the handler. Syntax:
//
//	auth_jwks [<matcher>] {
//	    for <name>
//	}
func (j *JWKS) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive
	if d.NextArg() {
		return d.Errf("auth_jwks takes no argument but a matcher, not %q", d.Val())
	}
	options := module.NewOptions(d)
	for d.NextBlock(0) {
		switch d.Val() {
		case "for":
			if err := options.Text(&j.For); err != nil {
				return err
			}
		default:
			return options.Unknown("auth_jwks", "for")
		}
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*JWKS)(nil)
	_ caddyhttp.MiddlewareHandler = (*JWKS)(nil)
	_ caddyfile.Unmarshaler       = (*JWKS)(nil)
)
