// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/replica"
	"github.com/caddybolt/caddy-bolt/internal/secret"
)

// settings are what the configuration says, with placeholders replaced.
type settings struct {
	Redis
	ca, certificate, certificateKey []byte
}

// resolve replaces placeholders and judges what is said.
func (r *Redis) resolve() (*settings, error) {
	s := &settings{Redis: Redis{
		Sentinel: r.Sentinel, SentinelUsername: r.SentinelUsername, SentinelPassword: r.SentinelPassword,
		Cluster: r.Cluster, Username: r.Username, Password: r.Password, Database: r.Database,
		KeyPrefix: r.KeyPrefix, MaxStale: r.MaxStale, OnError: r.OnError,
	}}
	if r.TLS != nil {
		t := *r.TLS
		s.TLS = &t
	}
	s.Addresses = append(s.Addresses, r.Addresses...)
	for option, text := range map[string]*string{
		"sentinel": &s.Sentinel, "sentinel_username": &s.SentinelUsername, "sentinel_password": &s.SentinelPassword,
		"username": &s.Username, "password": &s.Password, "key_prefix": &s.KeyPrefix,
	} {
		if *text == "" {
			continue
		}
		resolved, err := secret.Resolve(*text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", option, err)
		}
		*text = resolved
	}
	if s.KeyPrefix == "" {
		s.KeyPrefix = DefaultKeyPrefix
	}
	if s.MaxStale == 0 {
		s.MaxStale = caddy.Duration(replica.DefaultMaxStale)
	}
	if len(s.Addresses) == 0 {
		s.Addresses = []string{"127.0.0.1"}
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := s.takeAddresses(); err != nil {
		return nil, err
	}
	return s, s.readTLS()
}

// check judges what can be judged without resolving placeholders.
func (r *Redis) check() error {
	switch {
	case r.Sentinel != "" && r.Cluster:
		return errors.New("sentinel and cluster: give one of them")
	case r.Sentinel == "" && (r.SentinelUsername != "" || r.SentinelPassword != ""):
		return errors.New("sentinel_username and sentinel_password belong to sentinel")
	case r.Sentinel == "" && !r.Cluster && len(r.Addresses) > 1:
		return fmt.Errorf("there are %d addresses: several are those of sentinels (sentinel <master>) or of a cluster (cluster)", len(r.Addresses))
	case r.Cluster && r.Database != 0:
		return errors.New("database: a cluster has no other than 0")
	case r.Database < 0:
		return errors.New("database: is a number from 0 on")
	case r.Username != "" && r.Password == "":
		return errors.New("username: needs a password")
	case r.OnError != "" && r.OnError != "deny" && r.OnError != "allow":
		return fmt.Errorf("on_error: %q is neither deny nor allow", r.OnError)
	}
	if err := replica.CheckMaxStale(time.Duration(r.MaxStale)); err != nil {
		return err
	}
	if r.TLS != nil && (r.TLS.Certificate == "") != (r.TLS.Key == "") {
		return errors.New("tls: certificate and key belong together")
	}
	if r.KeyPrefix != "" {
		if _, err := newKeys(r.KeyPrefix); err != nil {
			return err
		}
	}
	return nil
}

// takeAddresses parses the addresses. What a URL says must not contradict the
// options, or another URL.
func (s *settings) takeAddresses() error {
	port := defaultPort
	if s.Sentinel != "" {
		port = defaultSentinelPort
	}
	for i, text := range s.Addresses {
		resolved, err := secret.Resolve(text)
		if err != nil {
			return fmt.Errorf("address %d: %w", i+1, err)
		}
		p, err := parseAddress(resolved, port)
		if err != nil {
			return err
		}
		s.Addresses[i] = p.address
		if err := s.merge(p); err != nil {
			return err
		}
	}
	return nil
}

func (s *settings) merge(p parsed) error {
	username, password := &s.Username, &s.Password
	if s.Sentinel != "" {
		username, password = &s.SentinelUsername, &s.SentinelPassword
	}
	if p.password != "" {
		if *password != "" && (*password != p.password || *username != p.username) {
			return errors.New("address: a user or password is given twice, and they differ")
		}
		*username, *password = p.username, p.password
	} else if p.username != "" {
		return errors.New("address: there is a user without a password in it")
	}
	if p.said {
		if s.Cluster && p.database != 0 || s.Database != 0 && s.Database != p.database {
			return errors.New("address: its database contradicts what is said elsewhere")
		}
		s.Database = p.database
	}
	if p.secure && s.TLS == nil {
		s.TLS = new(TLS)
	}
	return nil
}

// readTLS reads the files.
func (s *settings) readTLS() error {
	if s.TLS == nil {
		return nil
	}
	for _, f := range []struct {
		option string
		path   *string
		into   *[]byte
	}{
		{"ca", &s.TLS.CA, &s.ca}, {"certificate", &s.TLS.Certificate, &s.certificate}, {"key", &s.TLS.Key, &s.certificateKey},
	} {
		if *f.path == "" {
			continue
		}
		path, err := secret.Resolve(*f.path)
		if err != nil {
			return fmt.Errorf("tls: %s: %w", f.option, err)
		}
		if *f.into, err = os.ReadFile(path); err != nil {
			return fmt.Errorf("tls: %s: %w", f.option, err)
		}
	}
	return nil
}

// key is that of the pool: a digest of everything that the connection is made
// from.
func (s *settings) key() (string, error) {
	all := struct {
		Redis
		CA, Certificate, Key []byte
	}{Redis: s.Redis, CA: s.ca, Certificate: s.certificate, Key: s.certificateKey}
	all.OnError = "" // of the configuration, not of the connection
	text, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("redis %x", sha256.Sum256(text)), nil
}

// label names the server in logs.
func (s *settings) label() string {
	text := strings.Join(s.Addresses, ",")
	switch {
	case s.Sentinel != "":
		return text + " (sentinels of " + s.Sentinel + ")"
	case s.Cluster:
		return text + " (cluster)"
	case s.Database != 0:
		return fmt.Sprintf("%s/%d", text, s.Database)
	default:
		return text
	}
}

func (s *settings) source(c clock.Clock) (*source, error) {
	k, err := newKeys(s.KeyPrefix)
	if err != nil {
		return nil, err
	}
	made := &source{
		addresses: s.Addresses, username: s.Username, password: s.Password, database: s.Database,
		sentinel: s.Sentinel, sentinelUsername: s.SentinelUsername, sentinelPassword: s.SentinelPassword,
		cluster: s.Cluster, clock: c, keys: k,
	}
	if s.TLS == nil {
		return made, nil
	}
	made.tls = &tls.Config{ServerName: s.TLS.ServerName, MinVersion: tls.VersionTLS12}
	if s.ca != nil {
		made.tls.RootCAs = x509.NewCertPool()
		if !made.tls.RootCAs.AppendCertsFromPEM(s.ca) {
			return nil, errors.New("tls: ca: there is no certificate in the file")
		}
	}
	if s.certificate != nil {
		pair, err := tls.X509KeyPair(s.certificate, s.certificateKey)
		if err != nil {
			return nil, errors.New("tls: certificate and key are not a pair in PEM")
		}
		made.tls.Certificates = []tls.Certificate{pair}
	}
	return made, nil
}
