// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"errors"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// label names the key server in logs and metrics: its address without the query.
func (r *remote) label() string {
	u, err := url.Parse(r.address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath()
}

var (
	metricAge = prometheus.NewDesc("caddy_auth_jwks_age_seconds",
		"How long ago the key server last confirmed the keys that are in force.", []string{"source"}, nil)
	metricKeys = prometheus.NewDesc("caddy_auth_jwks_keys",
		"Keys of the key server that can be used.", []string{"source"}, nil)
	metricFetches = prometheus.NewDesc("caddy_auth_jwks_fetches_total",
		"Fetches of the keys of a key server that were begun.", []string{"source"}, nil)
	metricFailures = prometheus.NewDesc("caddy_auth_jwks_failures_total",
		"Fetches of the keys of a key server that failed.", []string{"source"}, nil)
)

// remoteCollector tells the state of all key servers.
type remoteCollector struct{}

// registerRemotes registers the collector, once for a configuration.
func registerRemotes(registry prometheus.Registerer) error {
	err := registry.Register(remoteCollector{})
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		return nil
	}
	return err
}

// Describe implements prometheus.Collector.
func (remoteCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{metricAge, metricKeys, metricFetches, metricFailures} {
		descs <- d
	}
}

// Collect implements prometheus.Collector. Several remotes with one label, which
// differ in other settings, are one source.
func (remoteCollector) Collect(metrics chan<- prometheus.Metric) {
	type source struct {
		age               time.Duration
		known             bool
		keys              int
		fetches, failures uint64
	}
	sources := make(map[string]*source)
	remotes.Range(func(_, value any) bool {
		r, ok := value.(*remote)
		if !ok {
			return true
		}
		s := sources[r.label()]
		if s == nil {
			s = new(source)
			sources[r.label()] = s
		}
		r.mu.Lock()
		if r.set != nil {
			s.age, s.known = max(s.age, r.now().Sub(r.confirmed)), true
			s.keys = max(s.keys, r.set.keys)
		}
		r.mu.Unlock()
		s.fetches += r.fetches.Load()
		s.failures += r.failed.Load()
		return true
	})
	for label, s := range sources {
		if s.known {
			metrics <- prometheus.MustNewConstMetric(metricAge, prometheus.GaugeValue, s.age.Seconds(), label)
		}
		metrics <- prometheus.MustNewConstMetric(metricKeys, prometheus.GaugeValue, float64(s.keys), label)
		metrics <- prometheus.MustNewConstMetric(metricFetches, prometheus.CounterValue, float64(s.fetches), label)
		metrics <- prometheus.MustNewConstMetric(metricFailures, prometheus.CounterValue, float64(s.failures), label)
	}
}

// Interface guards
var _ prometheus.Collector = remoteCollector{}
