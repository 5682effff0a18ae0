// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package jwtauth accepts JSON Web Tokens.
package jwtauth

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/extract"
	"github.com/caddybolt/caddy-bolt/internal/module"
)

func init() {
	caddy.RegisterModule(new(JWT))
}

// What is not configured.
const (
	defaultLeeway  = 30 * time.Second
	defaultMaxSize = 16 << 10
)

var (
	defaultSources     = []auth.Source{{Header: "Authorization", Scheme: "Bearer"}}
	defaultStaff       = []string{"is_staff"}
	defaultSuperuser   = []string{"is_superuser", "is_admin"}
	defaultPermissions = []string{"permissions", "scope", "scp"}
)

// JWT accepts JSON Web Tokens (RFC 7519) that are signed with a key of the
// configuration: one compact JWS (RFC 7515) per request, in a header, a cookie
// or the query.
//
// The configuration says which keys there are and which algorithms each may be
// used with. The token chooses among them and nothing else: what it says about
// its own key ("jwk", "jku", "x5u", "x5c") is not read, "none" does not exist,
// and a public key never serves as a secret. A token with a "crit" or "b64"
// header, a token within a token, duplicate members, text after the JSON and
// any but the one spelling of base64url are refused.
//
// Files of keys and placeholders are read when the configuration is loaded, and
// jwks_file again when it changes: "caddy reload --force" reads them once more.
//
// Key sources may be combined. Without any, the global secret is used; without
// that either, the configuration does not load. A key that is weak (a secret
// shorter than its hash, RSA below 2048 bits) does not load.
//
// A token needs "exp" and a user: the claim "sub" or the one that user_claim
// names. Its claims become the placeholders {http.auth.claims.*}, the user
// {http.auth.user.id}, and {http.auth.backend} is "jwt".
//
// A bad token is answered with 401 and the challenge Bearer; the reason is in
// {http.auth.error}.
type JWT struct {
	// The name by which other parts of the configuration refer to this block,
	// such as a token endpoint that issues what it accepts.
	Label string `json:"name,omitempty"`

	// A secret for HMAC, as {env.NAME} or {file./path}, or the secret itself:
	// plain text, or "base64:" or "hex:" and the encoded bytes. It must be as
	// long as the hash of its algorithm: 32 bytes for HS256.
	Secret string `json:"secret,omitempty"`

	// Public keys: each the path of a file, a placeholder, or the text itself.
	// PEM (PKIX, PKCS #1 or a certificate) or a JWK.
	Public []string `json:"public_keys,omitempty"`

	// A private key whose public half verifies, and which can sign: the path
	// of a file, a placeholder, or the text itself. PEM (PKCS #8, PKCS #1,
	// SEC 1) or a JWK.
	Private string `json:"private_key,omitempty"`

	// Sign with a key that Caddy makes for itself, for ES256, and keeps in its
	// storage: auth/generated_key.json, or auth/generated_key/<name>.json for a
	// block with a name. The first one is made when Caddy starts; every Caddy that
	// shares the storage, and every block of the same name, signs and verifies with
	// it. What is stored there and cannot be read keeps Caddy from starting.
	Generated bool `json:"generated_key,omitempty"`

	// How long a generated key signs before the next one does, at least an hour.
	// The next one is published 10 minutes before, and the former one verifies as
	// long as a token that it signed may be valid. 0 for never. Default: 30 days.
	Rotate *caddy.Duration `json:"rotate,omitempty"`

	// The path of a file that holds a JWK set (RFC 7517, section 5). It is read
	// again within a second or two when it changes; if it cannot be used then,
	// the former keys stay in force.
	JWKSFile string `json:"jwks_file,omitempty"`

	// The address of a JWK set that is fetched in the background, when Caddy
	// starts and again as refresh says. It must begin with https://, unless it is
	// on this machine or insecure_http is set. It needs audiences.
	JWKSURL string `json:"jwks_url,omitempty"`

	// The issuer of an OpenID provider, which says itself where its keys are
	// (OpenID Connect Discovery 1.0; RFC 8414). It is the issuer to accept, too.
	// It needs audiences.
	OIDC string `json:"oidc,omitempty"`

	// The shortest and the longest time between two fetches of remote keys. The
	// answer's Cache-Control or Expires decides in between; where it says
	// nothing, 15 minutes. Default: 5m and 1h.
	Refresh []caddy.Duration `json:"refresh,omitempty"`

	// The shortest time between two fetches that tokens with an unknown "kid"
	// cause, all of them together. Default: 30s.
	MinRefresh caddy.Duration `json:"min_refresh,omitempty"`

	// How long the last good keys serve while no others can be fetched, over a
	// restart too. Default: 24h.
	Stale caddy.Duration `json:"stale,omitempty"`

	// How long a fetch may take. Default: 5s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// The path of a file with the certificates (PEM) that vouch for the key
	// server. Default: those of the system.
	CA string `json:"ca,omitempty"`

	// Fetch keys over http from other machines: whoever is on the way can then
	// exchange them.
	InsecureHTTP bool `json:"insecure_http,omitempty"`

	// Accept tokens that the issuer of remote keys made for any application.
	InsecureAnyAudience bool `json:"insecure_any_audience,omitempty"`

	// The algorithms to accept, of HS256, HS384, HS512, RS256, RS384, RS512,
	// PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA. Default: HS256 for a
	// secret; for other keys those that fit the type of the key and its "alg".
	Algorithms []string `json:"algorithms,omitempty"`

	// Where the token may stand, tried in order. Default: the header
	// Authorization with the scheme Bearer.
	Places []auth.Source `json:"sources,omitempty"`

	// The issuers ("iss") to accept; placeholders such as {env.ISSUER} are
	// replaced, as in audiences and subject. Default: any, and none.
	Issuers []string `json:"issuers,omitempty"`

	// The audiences ("aud") of which the token must have one. Default: any,
	// and none.
	Audiences []string `json:"audiences,omitempty"`

	// The subject ("sub") that the token must have. Default: any.
	Subject string `json:"subject,omitempty"`

	// The media type that the header's "typ" must say, such as "at+jwt" (RFC
	// 9068, section 2.1). Default: any, and none.
	Type string `json:"type,omitempty"`

	// Claims that must be present and not null. A name with dots that is no
	// member is a path: "realm_access.roles".
	RequireClaims []string `json:"require_claims,omitempty"`

	// How much the clocks of the issuer and of this server may differ, at most an
	// hour. Default: 30s.
	Leeway *caddy.Duration `json:"leeway,omitempty"`

	// How long after its "iat" a token is accepted at most, whatever its "exp"
	// says. Default: no limit.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	// Refuse tokens without "jti".
	RequireJTI bool `json:"require_jti,omitempty"`

	// The claim that names the user: text, or a whole number, which is taken
	// as its digits. Default: "sub".
	UserClaim string `json:"user_claim,omitempty"`

	// The claims of which one that is true makes the user staff. Default:
	// "is_staff".
	StaffClaims []string `json:"staff_claims,omitempty"`

	// The claims of which one that is true makes the user a superuser.
	// Default: "is_superuser" and "is_admin".
	SuperuserClaims []string `json:"superuser_claims,omitempty"`

	// The claims that hold the permissions: the first that is present counts,
	// a list of text or text with spaces. Default: "permissions", "scope",
	// "scp".
	PermissionsClaims []string `json:"permissions_claims,omitempty"`

	// The largest token in bytes. Default: 16 KiB, which is also what Caddy
	// allows for all headers of a request together (max_header_size).
	MaxSize int64 `json:"max_size,omitempty"`

	// How many verified tokens to remember, so that one that is presented again
	// costs no signature; 0 for none. The cache takes at most 2000 bytes for
	// each, survives a reload that changes nothing about this block and its
	// keys, and is asked about nothing that time decides: "exp", "nbf" and
	// max_age are checked every time, and so is revocation. Default: 10000.
	Cache *int `json:"cache,omitempty"`

	// Accept a secret shorter than its hash, and RSA keys from 1024 bits.
	InsecureWeakKey bool `json:"insecure_weak_key,omitempty"`

	extractor *extract.Extractor
	keys      keyring
	headers   knownHeaders
	names     *claimNames
	typ       string
	limits    limits
	clock     clock.Clock
	ticks     <-chan time.Time // when to look at files; nil in production
	signing   *signingKey
	cache     *pooledCache // nil when off
	remote    *remoteKeys  // nil without jwks_url and oidc
	generated *generatedKeys
	storage   keyStorage // for tests; nil: Caddy's
	logger    *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (*JWT) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.authenticators.jwt",
		New: func() caddy.Module { return new(JWT) },
	}
}

// Provision loads the keys.
func (j *JWT) Provision(ctx caddy.Context) error {
	j.logger = ctx.Logger()
	if err := j.expand(); err != nil {
		return err
	}
	if err := j.prepareRemote(); err != nil {
		return err
	}
	if err := j.checkGenerated(); err != nil {
		return err
	}
	algorithms, allowed, err := parseAlgorithms(j.Algorithms)
	if err != nil {
		return fmt.Errorf("algorithms: %w", err)
	}
	sources, err := j.keySources(ctx, algorithms, keyRules{allowed: allowed, weak: j.InsecureWeakKey})
	if err != nil {
		return err
	}
	config, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("encoding the configuration: %w", err)
	}
	j.keys.fingerprint = sha256.Sum256(config)
	if j.remote != nil {
		j.keys.awaited = j.remote.algorithms
		if err := registerRemotes(ctx.GetMetricsRegistry()); err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	if j.generated != nil {
		j.keys.awaited |= setOf(algES256)
	}
	if err := j.keys.open(sources); err != nil {
		return err
	}
	for _, alg := range algorithms {
		if !j.keys.set().algorithms.has(alg) {
			return fmt.Errorf("algorithms: no key can serve %s", alg)
		}
	}

	j.extractor, err = extract.New(orDefault(j.Places, defaultSources), j.maxSize())
	if err != nil {
		return fmt.Errorf("sources: %w", err)
	}

	j.limits = limits{leeway: j.leeway(), maxAge: time.Duration(j.MaxAge)}
	j.typ = normalizeType(j.Type)
	user := j.UserClaim
	if user == "" {
		user = registeredNames[claimSub]
	}
	j.names = newClaimNames(user,
		orDefault(j.StaffClaims, defaultStaff),
		orDefault(j.SuperuserClaims, defaultSuperuser),
		orDefault(j.PermissionsClaims, defaultPermissions),
		j.RequireClaims)

	if err := j.openCache(config, sources); err != nil {
		return err
	}
	j.keys.watch(ctx, sources)
	return nil
}

// maxSize is the length of the largest token.
func (j *JWT) maxSize() int {
	if j.MaxSize == 0 {
		return defaultMaxSize
	}
	return int(j.MaxSize)
}

func orDefault[T any](configured, standard []T) []T {
	if len(configured) == 0 {
		return standard
	}
	return configured
}

func (j *JWT) leeway() time.Duration {
	if j.Leeway == nil {
		return defaultLeeway
	}
	return time.Duration(*j.Leeway)
}

// Cleanup gives up the cache, the key server and the generated keys.
func (j *JWT) Cleanup() error {
	return errors.Join(j.closeCache(), j.closeRemote(), j.closeGenerated())
}

// Validate refuses what no Caddyfile can say.
func (j *JWT) Validate() error {
	if err := checkLeeway(j.Leeway); err != nil {
		return err
	}
	for option, d := range map[string]caddy.Duration{"max_age": j.MaxAge, "timeout": j.Timeout} {
		if err := module.CheckUnit(option, d); err != nil {
			return err
		}
	}
	switch {
	case j.MaxAge < 0:
		return errors.New("max_age: must not be negative")
	case j.Cache != nil && (*j.Cache < 0 || *j.Cache > maxCache):
		return fmt.Errorf("cache: must be between 0 and %d tokens", maxCache)
	case j.MaxSize < 0 || j.MaxSize > maxMaxSize:
		return fmt.Errorf("max_size: must be between 1 and %d bytes", maxMaxSize)
	}
	for option, list := range map[string][]string{
		"issuers": j.Issuers, "audiences": j.Audiences, "require_claims": j.RequireClaims,
		"staff_claims": j.StaffClaims, "superuser_claims": j.SuperuserClaims, "permissions_claims": j.PermissionsClaims,
	} {
		for i, word := range list {
			if word == "" {
				return fmt.Errorf("%s[%d]: is empty", option, i)
			}
		}
	}
	for i, issuer := range j.Issuers {
		if strings.HasPrefix(issuer, auth.LocalIssuer) {
			return fmt.Errorf("issuers[%d]: %q is reserved for credentials that are no tokens", i, issuer)
		}
	}
	return nil
}

// maxLeeway is the largest leeway: clocks that differ by more are broken, and a
// token that has expired long ago is not to be let in.
const maxLeeway = time.Hour

func checkLeeway(leeway *caddy.Duration) error {
	switch {
	case leeway == nil:
		return nil
	case *leeway < 0:
		return errors.New("leeway: must not be negative")
	case time.Duration(*leeway) > maxLeeway:
		return fmt.Errorf("leeway: must not be longer than %s", maxLeeway)
	default:
		return module.CheckUnit("leeway", *leeway)
	}
}

// maxMaxSize is the largest max_size: no server accepts larger headers.
const maxMaxSize = 16 << 20

// Challenge implements auth.Challenger.
func (*JWT) Challenge() string { return "Bearer" }

// Sources implements auth.SourceLister.
func (j *JWT) Sources() []auth.Source { return j.extractor.Sources() }

// Interface guards
var (
	_ caddy.Provisioner  = (*JWT)(nil)
	_ caddy.Validator    = (*JWT)(nil)
	_ caddy.CleanerUpper = (*JWT)(nil)
	_ auth.Authenticator = (*JWT)(nil)
	_ auth.Challenger    = (*JWT)(nil)
	_ auth.SourceLister  = (*JWT)(nil)
)
