// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddybolt

import (
	"github.com/prometheus/client_golang/prometheus"
)

// The outcomes of a request, the values of a label.
const (
	outcomeAllowed   = "allowed"
	outcomeAnonymous = "anonymous"
	outcomePreflight = "preflight"
)

// outcomeOf names refusals by their status.
var outcomeOf = map[int]string{
	400: "bad_request",
	401: "unauthenticated",
	403: "forbidden",
	425: "too_early",
	429: "too_many_attempts",
	503: "unavailable",
}

// metrics counts decisions. Labels come from closed sets: nothing that a client
// sends becomes one.
type metrics struct {
	requests  *prometheus.CounterVec
	allowed   prometheus.Counter
	anonymous prometheus.Counter
	preflight prometheus.Counter
}

// newMetrics registers the collectors of one configuration.
func newMetrics(registry *prometheus.Registry) (*metrics, error) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy",
		Subsystem: "auth",
		Name:      "requests_total",
		Help:      "Requests that an auth handler decided, by outcome and, for refusals, reason.",
	}, []string{"outcome", "reason"})
	if err := registry.Register(requests); err != nil {
		return nil, err
	}
	return &metrics{
		requests:  requests,
		allowed:   requests.WithLabelValues(outcomeAllowed, ""),
		anonymous: requests.WithLabelValues(outcomeAnonymous, ""),
		preflight: requests.WithLabelValues(outcomePreflight, ""),
	}, nil
}

func (m *metrics) refused(f *refusal) {
	reason := f.reason
	if reason.Telling() < 0 {
		reason = "other" // a reason that a third party made up
	}
	m.requests.WithLabelValues(outcomeOf[f.status], string(reason)).Inc()
}
