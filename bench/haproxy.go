// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// haproxyConfig protects a fixed answer as the manual of HAProxy shows it: the
// algorithm is the one expected, then the signature, then issuer, audience and
// expiry.
const haproxyConfig = `global
	nbthread 1
defaults
	mode http
	timeout client 60s
	timeout server 60s
	timeout connect 5s
frontend site
	bind %s
%s
	http-request return status 200 content-type text/plain string "hello"
`

const haproxyJWT = `	http-request set-var(txn.bearer) http_auth_bearer
	http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
	http-request deny deny_status 401 unless { var(txn.alg) -m str "%[1]s" }
	http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify(txn.alg,"%[2]s") 1 }
	http-request deny deny_status 401 unless { var(txn.bearer),jwt_payload_query('$.iss') -m str "%[3]s" }
	http-request deny deny_status 401 unless { var(txn.bearer),jwt_payload_query('$.aud[0]') -m str "%[4]s" }
	http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
	http-request set-var(txn.now) date
	http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 0 }`

// startHAProxy runs HAProxy; without an algorithm it protects nothing.
func (l *lab) startHAProxy(ctx context.Context, alg string) (*server, error) {
	path, err := haproxyPath()
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	folder, err := l.folderFor("haproxy")
	if err != nil {
		return nil, err
	}
	rules := ""
	if alg != "" {
		key := benchSecret
		if alg != "HS256" {
			key = l.minter.public[alg]
		}
		rules = fmt.Sprintf(haproxyJWT, alg, key, tokenIssuer, tokenAudience)
	}
	file := filepath.Join(folder, "haproxy.cfg")
	if err := os.WriteFile(file, fmt.Appendf(nil, haproxyConfig, addr, rules), 0o600); err != nil {
		return nil, err
	}
	return start(ctx, "HAProxy", addr, nil, path, "-db", "-f", file)
}

// haproxyPath finds HAProxy, where Debian puts it too, which is not in
// everybody's PATH.
func haproxyPath() (string, error) {
	for _, name := range []string{"haproxy", "/usr/sbin/haproxy"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", missingPeer("haproxy", "the Debian package haproxy")
}

// errMissing is wrapped where another try would find nothing either.
var errMissing = errors.New("not measured")

// missingPeer is the error of a program that is not there.
func missingPeer(program, from string) error {
	return fmt.Errorf("%w: %s is not installed (%s)", errMissing, program, from)
}
