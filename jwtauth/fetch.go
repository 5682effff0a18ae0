// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// What a key server may send.
const (
	maxDocument        = 1 << 20 // bytes, after decompression
	maxResponseHeaders = 64 << 10
	maxRedirects       = 3
)

// document is what a fetch found.
type document struct {
	data     []byte
	etag     string
	same     bool          // as that of the ETag that was sent
	lifetime time.Duration // that the server gives it; negative: it says nothing
}

// statusError is an answer that is no document.
type statusError int

func (e statusError) Error() string { return "answered with status " + strconv.Itoa(int(e)) }

// newClient returns a client for the documents of one key server.
func newClient(s remoteSettings) (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.ca != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(s.ca)) {
			return nil, errors.New("ca: holds no certificate in PEM")
		}
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            new(net.Dialer).DialContext,
			TLSClientConfig:        config,
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: maxResponseHeaders,
			DisableKeepAlives:      true, // minutes pass between two fetches
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			switch {
			case len(via) > maxRedirects:
				return redirectError{fmt.Errorf("redirects more than %d times", maxRedirects)}
			case r.URL.Scheme != via[0].URL.Scheme:
				return redirectError{errors.New("redirects to another scheme")}
			}
			if err := checkRemoteURL(r.URL, s.insecureHTTP); err != nil {
				return redirectError{err}
			}
			return nil
		},
	}, nil
}

// parseRemoteURL reads an address of the configuration or of a discovery
// document. Errors do not quote it.
func parseRemoteURL(text string, insecureHTTP bool) (*url.URL, error) {
	if strings.ContainsAny(text, "{}") {
		return nil, errors.New("holds a placeholder, which no request can fill")
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("is not a URL")
	}
	return u, checkRemoteURL(u, insecureHTTP)
}

// checkRemoteURL refuses what keys must not come from.
func checkRemoteURL(u *url.URL, insecureHTTP bool) error {
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("is not a URL that begins with https://")
	case u.Host == "" || u.Hostname() == "":
		return errors.New("names no host")
	case u.User != nil:
		return errors.New("holds a user or a password, which logs would show")
	case u.Fragment != "":
		return errors.New("holds a fragment")
	case u.Scheme == "http" && !insecureHTTP && !isLoopback(u.Hostname()):
		return errors.New("is not https: whoever is on the way could exchange the keys (insecure_http allows it)")
	default:
		return nil
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// get fetches one document. Errors quote nothing of it. The timeout is for all of
// it, the body included: a server that drips is one that hangs.
func get(ctx context.Context, client *http.Client, address, etag string, now time.Time, timeout time.Duration) (*document, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("is not a URL")
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	r.Header.Set("User-Agent", "caddy-bolt")
	if etag != "" {
		r.Header.Set("If-None-Match", etag)
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer resp.Body.Close()
	d := &document{etag: resp.Header.Get("ETag"), lifetime: lifetimeOf(resp.Header, now)}
	switch {
	case resp.StatusCode == http.StatusNotModified && etag != "":
		d.same = true
		return d, nil
	case resp.StatusCode != http.StatusOK:
		return nil, statusError(resp.StatusCode)
	}
	// The body is what the transport has decompressed: a small bomb stops here.
	d.data, err = io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", withoutURL(err))
	}
	if len(d.data) > maxDocument {
		return nil, fmt.Errorf("answered with more than %d bytes", maxDocument)
	}
	return d, nil
}

// redirectError is a redirect that is not followed. Its text is ours.
type redirectError struct{ error }

// withoutURL returns an error that quotes nothing of an address, whose query may
// be private, nor of an answer, which may reflect it.
func withoutURL(err error) error {
	var redirect redirectError
	var certificate *tls.CertificateVerificationError
	var operation *net.OpError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &redirect):
		return redirect
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("did not answer in time")
	case errors.As(err, &certificate):
		return certificate
	case errors.As(err, &operation):
		return operation
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("ended its answer early")
	default:
		return errors.New("does not answer as HTTP asks for")
	}
}

// lifetimeOf returns how long the server says that its answer is good for (RFC
// 9111, sections 4.2.1 and 5.2.2).
func lifetimeOf(h http.Header, now time.Time) time.Duration {
	lifetime := time.Duration(-1)
	for _, line := range h.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			switch strings.ToLower(name) {
			case "no-store", "no-cache":
				return 0
			case "max-age":
				if age, ok := seconds(value); ok {
					lifetime = age
				}
			}
		}
	}
	if lifetime >= 0 {
		if age, ok := seconds(h.Get("Age")); ok {
			lifetime = max(0, lifetime-age)
		}
		return lifetime
	}
	expires := h.Get("Expires")
	if expires == "" {
		return -1
	}
	if at, err := http.ParseTime(expires); err == nil {
		if date, err := http.ParseTime(h.Get("Date")); err == nil {
			now = date
		}
		return max(0, at.Sub(now))
	}
	return 0 // RFC 9111, section 5.3: no date, "0" among them, is over
}

// seconds reads a number of seconds; one that is too large is a long time.
func seconds(text string) (time.Duration, bool) {
	n, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(text), `"`), 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return time.Duration(min(n, math.MaxInt32)) * time.Second, true
}
