// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package apikey accepts API keys.
package apikey

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"unsafe"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/extract"
	"github.com/caddybolt/caddy-bolt/internal/secret"
)

func init() {
	caddy.RegisterModule(new(APIKey))
}

const (
	backend = "api_key"
	issuer  = auth.LocalIssuer + backend

	// defaultMaxSize is larger than any key in use, and small enough that
	// hashing what is presented costs nothing.
	defaultMaxSize = 4 << 10

	// weakBelow is the length in bytes from which a key that stands here in
	// clear is worth no warning: 128 bits, if they are random.
	weakBelow = 16
)

var defaultSources = []auth.Source{{Header: "X-API-Key"}}

// APIKey accepts API keys, for programs that call an API.
//
// Each key has a name, and may have permissions, flags, an end and metadata.
// The key itself stands in the configuration as it is or, better, as its
// SHA-256 digest; a key is random text of at least 16 bytes, such as
// "openssl rand -hex 32" prints, for which no slower hash is needed. Only
// digests are kept in memory.
//
// A request that presents a key is that key's: {http.auth.user.id} is
// "apikey:" and the name of the key, never the key itself; {http.auth.backend}
// is "api_key", and the metadata are {http.auth.claims.*}.
//
// An unknown, disabled or expired key is answered with 401 and the challenge
// ApiKey, or Bearer where keys are presented as bearer tokens (RFC 6750); the
// reason is in {http.auth.error}: "unknown_api_key" or "api_key_expired".
type APIKey struct {
	// Where the key may stand, tried in order. Default: the header X-API-Key,
	// which Caddy writes into its logs unless they are redacted; the header
	// Authorization with the scheme Bearer it does not.
	Places []auth.Source `json:"sources,omitempty"`

	// The keys. Each needs a name and a value of its own.
	Keys []Key `json:"keys,omitempty"`

	// The path of a JSON file with more keys: {"keys":[…]}, with the members
	// that a key has here. Placeholders are replaced. It is read again within
	// two seconds when it changes. While it cannot be read or is not well
	// formed, the keys that it had last stay in force; when it is deleted, it
	// has none. It must be there when Caddy starts.
	File string `json:"file,omitempty"`

	// The largest key in bytes. Default: 4 KiB.
	MaxSize int64 `json:"max_size,omitempty"`

	extractor *extract.Extractor
	challenge string
	inline    []prepared
	own       *keySet // of the keys that stand in the configuration
	keys      atomic.Pointer[keySet]
	file      *keysFile
	problem   string // with the file, said already
	clock     clock.Clock
	logger    *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (*APIKey) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.authenticators.api_key",
		New: func() caddy.Module { return new(APIKey) },
	}
}

// Provision prepares the keys and follows the file, if there is one.
func (a *APIKey) Provision(ctx caddy.Context) error {
	a.logger = ctx.Logger()
	if a.MaxSize < 0 {
		return errors.New("max_size is negative")
	}
	places := a.Places
	if len(places) == 0 {
		places = defaultSources
	}
	var err error
	if a.extractor, err = extract.New(places, a.maxSize()); err != nil {
		return fmt.Errorf("sources: %w", err)
	}
	a.challenge = challengeOf(places)
	if len(a.Keys) == 0 && a.File == "" {
		return errors.New("at least one key or a file of keys is required")
	}
	if a.inline, err = prepare(a.Keys, a.maxSize()); err != nil {
		return err
	}
	a.warnInline()
	a.Keys = nil // what was in clear there is in memory no longer for us
	if a.own, err = newKeySet(a.inline); err != nil {
		return err
	}
	a.keys.Store(a.own)
	if a.File == "" {
		return nil
	}
	path, err := secret.Resolve(a.File)
	if err != nil {
		return fmt.Errorf("file: %w", err)
	}
	a.file = newKeysFile(a.File, path, a.maxSize(), a.clock)
	if err := a.open(); err != nil {
		return err
	}
	go a.follow(ctx)
	return nil
}

func (a *APIKey) maxSize() int {
	if a.MaxSize == 0 {
		return defaultMaxSize
	}
	return int(a.MaxSize)
}

// challengeOf returns the scheme to ask for: Bearer where a key is presented as
// a bearer token and in no other header.
func challengeOf(places []auth.Source) string {
	bearer := false
	for _, s := range places {
		if s.Header == "" {
			continue
		}
		if bearer || !strings.EqualFold(s.Scheme, "Bearer") {
			return "ApiKey"
		}
		bearer = true
	}
	if bearer {
		return "Bearer"
	}
	return "ApiKey"
}

// warnInline warns once of keys that the configuration shows.
func (a *APIKey) warnInline() {
	var shown []string
	for _, k := range a.Keys {
		if secret.IsInline(k.Key) && !strings.HasPrefix(k.Key, digestPrefix) {
			shown = append(shown, k.Name)
		}
	}
	if len(shown) > 0 {
		a.logger.Warn("API keys stand in the configuration itself, which Caddy's admin API, autosave file and debug log show: use {env.NAME}, {file./path} or sha256:<digest>",
			zap.Strings("keys", shown))
	}
	a.warnWeak(a.inline)
}

// warnWeak warns of keys that can be guessed. It cannot tell of those that it
// knows the digest of.
func (a *APIKey) warnWeak(keys []prepared) {
	const most = 10
	var weak []string
	for i := range keys {
		if keys[i].weak && len(weak) < most {
			weak = append(weak, keys[i].name)
		}
	}
	if len(weak) > 0 {
		a.logger.Warn(fmt.Sprintf("API keys are shorter than %d bytes and can be guessed", weakBelow), zap.Strings("keys", weak))
	}
}

// errUnknown is the answer to a key that nobody has, and to one that is
// disabled.
var errUnknown = auth.Invalid(auth.ReasonUnknownAPIKey, "")

// Authenticate implements auth.Authenticator.
func (a *APIKey) Authenticate(r *http.Request) (*auth.Identity, error) {
	text, _, err := a.extractor.Extract(r)
	if err != nil {
		return nil, err
	}
	// hashed where it stands: nothing changes it, and nothing keeps it
	k := a.keys.Load().find(sha256.Sum256(unsafe.Slice(unsafe.StringData(text), len(text)))) //nolint:gosec // read only
	if k == nil || k.disabled {
		return nil, errUnknown
	}
	if !k.expires.IsZero() && !a.clock.Now().Before(k.expires) {
		return nil, k.expired
	}
	return k.identity, nil
}

// Challenge implements auth.Challenger.
func (a *APIKey) Challenge() string { return a.challenge }

// Sources implements auth.SourceLister.
func (a *APIKey) Sources() []auth.Source { return a.extractor.Sources() }

// Interface guards
var (
	_ caddy.Provisioner  = (*APIKey)(nil)
	_ auth.Authenticator = (*APIKey)(nil)
	_ auth.Challenger    = (*APIKey)(nil)
	_ auth.SourceLister  = (*APIKey)(nil)
)
