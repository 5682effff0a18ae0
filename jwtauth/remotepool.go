// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/secret"
	"github.com/caddybolt/caddy-bolt/internal/watched"
)

// remotes are the key servers of all blocks of all configurations that are
// loaded. One that a reload names again goes on as it was.
var remotes = caddy.NewUsagePool()

func remoteLogger() *zap.Logger { return caddy.Log().Named("http.auth.authenticators.jwt") }

// usesRemote reports whether the block has keys that are fetched.
func (j *JWT) usesRemote() bool { return j.JWKSURL != "" || j.OIDC != "" }

// prepareRemote resolves and judges what is said about remote keys, and takes
// the issuer from oidc. It opens no connection.
func (j *JWT) prepareRemote() error {
	if !j.usesRemote() {
		switch {
		case len(j.Refresh) > 0, j.MinRefresh != 0, j.Stale != 0, j.Timeout != 0, j.CA != "", j.InsecureHTTP, j.InsecureAnyAudience:
			return errors.New("refresh, min_refresh, stale, timeout, ca, insecure_http and insecure_any_audience belong to jwks_url and oidc")
		}
		return nil
	}
	if j.JWKSURL != "" && j.OIDC != "" {
		return errors.New("jwks_url and oidc: give one of them; oidc finds the address of the keys by itself")
	}
	option, address := "jwks_url", &j.JWKSURL
	if j.OIDC != "" {
		option, address = "oidc", &j.OIDC
	}
	resolved, err := secret.Resolve(*address)
	if err != nil {
		return fmt.Errorf("%s: %w", option, err)
	}
	*address = resolved
	u, err := parseRemoteURL(resolved, j.InsecureHTTP)
	if err != nil {
		return fmt.Errorf("%s: %w", option, err)
	}
	if j.OIDC != "" {
		if u.RawQuery != "" || u.ForceQuery {
			return errors.New("oidc: an issuer has no query")
		}
		if err := j.takeIssuer(); err != nil {
			return err
		}
	}
	if len(j.Audiences) == 0 && !j.InsecureAnyAudience {
		return fmt.Errorf("%s needs audience: without it every token would do that the issuer made for any other application (insecure_any_audience allows it)", option)
	}
	if len(j.Audiences) > 0 && j.InsecureAnyAudience {
		return errors.New("audience and insecure_any_audience contradict each other")
	}
	return nil
}

// takeIssuer makes the issuer of oidc the one to accept.
func (j *JWT) takeIssuer() error {
	template := entraTemplate(j.OIDC)
	switch {
	case template != "" && len(j.Issuers) == 0:
		return fmt.Errorf("oidc: %q stands for every tenant: list those to accept with issuer", j.OIDC)
	case template != "":
		for _, issuer := range j.Issuers {
			if !isTenant(template, issuer) {
				return fmt.Errorf("issuer: %q is not of the form %q, as oidc %q asks for", issuer, template, j.OIDC)
			}
		}
	case len(j.Issuers) == 0:
		j.Issuers = []string{j.OIDC}
	case !slices.Equal(j.Issuers, []string{j.OIDC}):
		return fmt.Errorf("issuer: oidc %q sets the issuer, and %q contradicts it", j.OIDC, j.Issuers)
	}
	return nil
}

// remoteSettings returns what the block says about its key server.
func (j *JWT) remoteSettings() (remoteSettings, error) {
	s := remoteSettings{address: j.JWKSURL, insecureHTTP: j.InsecureHTTP, remoteTimes: remoteTimes{
		refreshLeast: defaultRefreshLeast,
		refreshMost:  defaultRefreshMost,
		minRefresh:   or(j.MinRefresh, defaultMinRefresh),
		stale:        or(j.Stale, defaultStale),
		timeout:      or(j.Timeout, defaultTimeout),
	}}
	if j.OIDC != "" {
		s.address, s.discovery, s.template = j.OIDC, true, entraTemplate(j.OIDC)
	}
	if len(j.Refresh) > 0 {
		if len(j.Refresh) != 2 {
			return s, errors.New("refresh: has two durations, the shortest and the longest")
		}
		s.refreshLeast, s.refreshMost = time.Duration(j.Refresh[0]), time.Duration(j.Refresh[1])
	}
	switch {
	case s.minRefresh < time.Second:
		return s, errors.New("min_refresh: is shorter than 1s")
	case s.refreshLeast < s.minRefresh:
		return s, fmt.Errorf("refresh: is shorter than min_refresh, %s", s.minRefresh)
	case s.refreshMost < s.refreshLeast:
		return s, errors.New("refresh: the second duration is shorter than the first")
	case s.stale < s.refreshMost:
		return s, fmt.Errorf("stale: is shorter than the longest refresh, %s", s.refreshMost)
	case s.timeout < 0 || s.timeout > time.Minute:
		return s, errors.New("timeout: must be between 0 and 1m")
	}
	if j.CA != "" {
		path, err := secret.Resolve(j.CA)
		if err != nil {
			return s, fmt.Errorf("ca: %w", err)
		}
		text, err := readKeyFile(path)
		if err != nil {
			return s, fmt.Errorf("ca: reading %q: %w", j.CA, watched.Cause(err))
		}
		s.ca = string(text)
	}
	return s, nil
}

func or(configured caddy.Duration, standard time.Duration) time.Duration {
	if configured == 0 {
		return standard
	}
	return time.Duration(configured)
}

// openRemote finds or makes the remote of the block.
func (j *JWT) openRemote(rules keyRules) (keySource, error) {
	settings, err := j.remoteSettings()
	if err != nil {
		return nil, err
	}
	value, _, err := remotes.LoadOrNew(settings.place(), func() (caddy.Destructor, error) { return newRemote(settings) })
	if err != nil {
		return nil, err
	}
	algorithms := everyOne
	if rules.allowed != 0 {
		algorithms = rules.allowed
	}
	j.remote = &remoteKeys{
		remote: value.(*remote), settings: settings, rules: rules, algorithms: algorithms &^ familyHMAC, issuers: j.Issuers,
	}
	return j.remote, nil
}

// closeRemote gives up what openRemote acquired.
func (j *JWT) closeRemote() error {
	if j.remote == nil {
		return nil
	}
	_, err := remotes.Delete(j.remote.settings.place())
	return err
}

// startRemote begins to fetch keys, in the background: neither a start nor
// "caddy validate" waits for a key server.
func (j *JWT) startRemote(ctx context.Context) {
	if j.remote == nil {
		return
	}
	if c, ok := ctx.(caddy.Context); ok {
		j.remote.remote.use(c.Storage())
	}
	j.remote.remote.begin() //nolint:contextcheck // it outlives the configuration
}

// load implements keySource. There may be no keys yet.
func (s *remoteKeys) load() ([]*key, error) {
	set := s.remote.currentFor(s.settings.stale)
	s.take(set)
	s.none.Store(set == nil)
	return s.published, nil
}

// take makes the keys of a set those of the block, and reports whether they are
// others than before.
func (s *remoteKeys) take(set *remoteSet) bool {
	keys := s.of(set)
	// The same keys in other words are no change: the cache stays.
	if slices.EqualFunc(keys, s.published, func(a, b *key) bool { return a.fingerprint == b.fingerprint }) {
		return false
	}
	s.published = keys
	return true
}

// watch implements keySource.
func (s *remoteKeys) watch(ctx context.Context, publish func([]*key)) {
	end := s.remote.subscribe(s.settings.remoteTimes, func(set *remoteSet) {
		if s.take(set) {
			publish(s.published)
		}
		s.none.Store(set == nil) // who looks in between asks once more
	})
	context.AfterFunc(ctx, end)
}

// doubt is a refusal that other keys could turn into an acceptance.
type doubt struct {
	refusal error
	kid     uint64
}

func (d *doubt) Error() string { return d.refusal.Error() }
func (d *doubt) Unwrap() error { return d.refusal }

// kidSeed makes hashes of "kid"s that no client can predict.
var kidSeed = maphash.MakeSeed()

// doubt says whether the refusal of a token is for want of a remote key: there
// are none, or none of its "kid". The token's issuer is the block's, or it had
// been refused before.
func (j *JWT) doubt(keys *keySet, h *header, refusal error) error {
	if j.generated != nil && !j.generated.loaded() && h.alg == algES256 {
		return errNotStarted
	}
	if j.remote == nil || !j.remote.algorithms.has(h.alg) {
		return refusal
	}
	if !j.remote.none.Load() && (!h.withKid || keys.knows(h.kid)) {
		return refusal
	}
	return &doubt{refusal, maphash.Bytes(kidSeed, h.kid)}
}

// knows reports whether a key has the kid.
func (s *keySet) knows(kid []byte) bool {
	return slices.ContainsFunc(s.keys, func(k *key) bool { return k.kid != "" && k.kid == string(kid) })
}

// patienceVar is the request variable that keeps until when a request waits for
// keys.
const patienceVar = "caddybolt.jwt.patience"

// patience returns how long the request may wait for keys: maxWait in all, for
// however many blocks it is in doubt.
func patience(ctx context.Context) time.Duration {
	now := time.Now()
	until, ok := caddyhttp.GetVar(ctx, patienceVar).(time.Time)
	if !ok {
		until = now.Add(maxWait)
		caddyhttp.SetVar(ctx, patienceVar, until)
	}
	return max(until.Sub(now), 0)
}

// consult asks the key server about a token that was in doubt.
func (j *JWT) consult(ctx context.Context, token string, d *doubt, before *keySet) (*auth.Identity, error) {
	r := j.remote.remote
	result := r.demand(ctx, d.kid, patience(ctx))
	if result == answerMissing {
		return nil, d.refusal
	}
	// Whatever became of the fetch: keys may have come meanwhile, from the storage
	// too.
	if keys := j.keys.set(); result == answerFetched || keys != before {
		id, err := j.verify(token, keys, j.clock.Now())
		var still *doubt
		if !errors.As(err, &still) {
			return id, err
		}
		if result == answerFetched && !j.remote.none.Load() {
			r.forget(d.kid)
			return nil, still.refusal
		}
	}
	return nil, errKeysUnavailable
}

// errKeysUnavailable: the key server does not say whether there is such a key,
// or must not be asked so soon.
var errKeysUnavailable = auth.Unavailable(auth.ReasonKeysUnavailable, reported("no key for the token is at hand, and its issuer could not be asked now"))

// reported is the cause of an outage that is in the log already, once for all
// who suffer from it.
type reported string

func (r reported) Error() string { return string(r) }

// Reported keeps the handler from logging it again: who sends tokens with made
// up "kid"s would fill the log.
func (reported) Reported() bool { return true }

// Interface guards
var (
	_ keySource        = (*remoteKeys)(nil)
	_ caddy.Destructor = (*remote)(nil)
)
