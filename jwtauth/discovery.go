// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// entraIssuer is an address of Microsoft Entra that stands for many tenants. Its
// discovery document names no issuer but a template of one.
var (
	entraIssuer = regexp.MustCompile(`^(https://login\.(?:microsoftonline\.com|microsoftonline\.us|partner\.microsoftonline\.cn)/)(?:common|organizations)(/v2\.0)$`)
	entraTenant = regexp.MustCompile(`^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// tenantPlace is where the tenant stands in a template.
const tenantPlace = "{tenantid}"

// entraTemplate returns the issuer that such a document names; empty for every
// other issuer.
func entraTemplate(issuer string) string {
	m := entraIssuer.FindStringSubmatch(issuer)
	if m == nil {
		return ""
	}
	return m[1] + tenantPlace + m[2]
}

// isTenant reports whether the issuer is that of one tenant.
func isTenant(template, issuer string) bool {
	before, after, _ := strings.Cut(template, tenantPlace)
	rest, ok := strings.CutPrefix(issuer, before)
	if !ok {
		return false
	}
	tenant, ok := strings.CutSuffix(rest, after)
	return ok && entraTenant.MatchString(tenant)
}

// discoveryURLs returns where the issuer's metadata stand: OpenID Connect
// Discovery 1.0, section 4, and RFC 8414, section 3.
func discoveryURLs(issuer *url.URL) [2]string {
	path := strings.TrimSuffix(issuer.EscapedPath(), "/")
	origin := issuer.Scheme + "://" + issuer.Host
	return [2]string{
		origin + path + "/.well-known/openid-configuration",
		origin + "/.well-known/oauth-authorization-server" + path,
	}
}

// discover asks the issuer where its keys are.
func (r *remote) discover(ctx context.Context, now time.Time, timeout time.Duration) (string, error) {
	issuer, err := parseRemoteURL(r.address, r.insecureHTTP)
	if err != nil {
		return "", err
	}
	urls := discoveryURLs(issuer)
	d, err := get(ctx, r.client, urls[0], "", now, timeout)
	var status statusError
	if errors.As(err, &status) && status >= 400 && status < 500 {
		d, err = get(ctx, r.client, urls[1], "", now, timeout)
	}
	if err != nil {
		return "", fmt.Errorf("discovery document: %w", err)
	}
	return readDiscovery(d.data, &r.remoteSettings)
}

// readDiscovery returns the address of the keys. A document of another issuer is
// refused (OpenID Connect Discovery 1.0, section 4.3; RFC 8414, section 3.3):
// it would vouch for keys that are not the issuer's.
func readDiscovery(data []byte, s *remoteSettings) (string, error) {
	var metadata struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(data, &metadata); err != nil {
		return "", errors.New("discovery document: is not one strict JSON object with issuer and jwks_uri")
	}
	want := s.address
	if s.template != "" {
		want = s.template
	}
	if metadata.Issuer != want {
		return "", fmt.Errorf("discovery document: its issuer is not %q to the letter", want)
	}
	if metadata.Keys == "" {
		return "", errors.New("discovery document: has no jwks_uri")
	}
	u, err := parseRemoteURL(metadata.Keys, s.insecureHTTP)
	if err != nil {
		return "", fmt.Errorf("discovery document: jwks_uri: %w", err)
	}
	if strings.HasPrefix(s.address, "https:") && u.Scheme != "https" {
		return "", errors.New("discovery document: jwks_uri is not https, as the issuer is")
	}
	return metadata.Keys, nil
}
