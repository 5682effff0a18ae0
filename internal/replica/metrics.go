// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package replica

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

var (
	metricUp = prometheus.NewDesc("caddy_auth_revocation_up",
		"Whether the copy of what is revoked is trusted: 1, or 0 in an outage of the server.", []string{"store"}, nil)
	metricEntries = prometheus.NewDesc("caddy_auth_revocation_entries",
		"Revoked tokens, sessions and users in the copy.", []string{"store"}, nil)
	metricUnwritten = prometheus.NewDesc("caddy_auth_revocation_unwritten",
		"Revocations that the server does not hold yet.", []string{"store"}, nil)
	metricOutages = prometheus.NewDesc("caddy_auth_revocation_outages_total",
		"How often the server was not heard for longer than max_stale.", []string{"store"}, nil)
	metricAllowed = prometheus.NewDesc("caddy_auth_revocation_allowed_total",
		"Requests that passed in an outage without being checked, as on_error allow says.", []string{"store"}, nil)
)

// collector tells the state of all nodes.
type collector struct{}

// Register registers the collector, once for a configuration.
func Register(registry prometheus.Registerer) error {
	err := registry.Register(collector{})
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		return nil
	}
	return err
}

// Describe implements prometheus.Collector.
func (collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{metricUp, metricEntries, metricUnwritten, metricOutages, metricAllowed} {
		descs <- d
	}
}

// Collect implements prometheus.Collector. Two nodes of one kind, which only a
// reload brings about for a moment, are one store.
func (collector) Collect(metrics chan<- prometheus.Metric) {
	type store struct {
		up                 bool
		entries, unwritten int
		outages, allowed   uint64
	}
	stores := make(map[string]*store)
	Nodes.Range(func(_, value any) bool {
		n, ok := value.(*Node)
		if !ok {
			return true
		}
		s := stores[n.Store]
		if s == nil {
			s = &store{up: true}
			stores[n.Store] = s
		}
		s.up = s.up && n.Fresh()
		s.entries += n.size() + n.Foreign.Len(revoked.Token)
		s.unwritten += n.backlog()
		s.outages += n.outage.count.Load()
		s.allowed += n.outage.passed.Load()
		return true
	})
	for name, s := range stores {
		up := 0.0
		if s.up {
			up = 1
		}
		metrics <- prometheus.MustNewConstMetric(metricUp, prometheus.GaugeValue, up, name)
		metrics <- prometheus.MustNewConstMetric(metricEntries, prometheus.GaugeValue, float64(s.entries), name)
		metrics <- prometheus.MustNewConstMetric(metricUnwritten, prometheus.GaugeValue, float64(s.unwritten), name)
		metrics <- prometheus.MustNewConstMetric(metricOutages, prometheus.CounterValue, float64(s.outages), name)
		metrics <- prometheus.MustNewConstMetric(metricAllowed, prometheus.CounterValue, float64(s.allowed), name)
	}
}

// Interface guards
var _ prometheus.Collector = collector{}
