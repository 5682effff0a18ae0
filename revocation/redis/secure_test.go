// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/internal/testservers"
)

// authority writes a certificate authority, and a certificate for 127.0.0.1.
func authority(tb testing.TB, dir string) (ca, certificate, key string) {
	tb.Helper()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			tb.Fatal(err)
		}
		return path
	}
	make1 := func(serial int64, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, []byte) {
		priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			tb.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "caddy-bolt test " + strconv.FormatInt(serial, 10)},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: parent == nil,
			KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		}
		if parent == nil {
			parent, signer = template, priv
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &priv.PublicKey, signer)
		if err != nil {
			tb.Fatal(err)
		}
		return template, priv, der
	}
	root, rootKey, rootDER := make1(1, nil, nil)
	_, leafKey, leafDER := make1(2, root, rootKey)
	keyDER, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		tb.Fatal(err)
	}
	return write("ca.pem", "CERTIFICATE", rootDER), write("cert.pem", "CERTIFICATE", leafDER), write("key.pem", "PRIVATE KEY", keyDER)
}

// Attack: somebody between Caddy and the server answers that nothing is revoked.
func TestServerProvesWhoItIs(t *testing.T) {
	t.Parallel()
	ca, certificate, key := authority(t, t.TempDir())
	otherCA, _, _ := authority(t, t.TempDir())
	plain := freePort(t)
	server := testservers.OwnRedis(t, testservers.RedisOptions{
		Options: []string{
			"--tls-port", plain, "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", ca,
			"--tls-auth-clients", "yes",
		},
	})
	secured := "127.0.0.1:" + plain
	r := connected(t, &Redis{Addresses: []string{secured}, TLS: &TLS{CA: ca, Certificate: certificate, Key: key}})
	revoke(t, r, token("a"))
	if server.CLI(t, "EXISTS", DefaultKeyPrefix+"a") != "1" {
		t.Error("not written")
	}
	connected(t, &Redis{Addresses: []string{"rediss://" + secured}, TLS: &TLS{CA: ca, Certificate: certificate, Key: key}})
	for what, bad := range map[string]*Redis{
		"another authority": {Addresses: []string{secured}, TLS: &TLS{CA: otherCA, Certificate: certificate, Key: key}},
		"the system's":      {Addresses: []string{"rediss://" + secured}},
		"another name":      {Addresses: []string{secured}, TLS: &TLS{CA: ca, Certificate: certificate, Key: key, ServerName: "redis.example.com"}},
		"no certificate":    {Addresses: []string{secured}, TLS: &TLS{CA: ca}},
		"no TLS":            {Addresses: []string{secured}},
	} {
		begin(t, bad)
		eventually(t, "the outage is noticed", func() bool { return down(bad) })
		if !unknown(t, bad, token("a")) {
			t.Errorf("%s: it is trusted", what)
		}
	}
}

// The commands that docs/modules/revocation-redis.md lists are enough.
func TestUserOfAnACLNeedsNoMoreThanTheDocumentationSays(t *testing.T) {
	t.Parallel()
	server := own(t)
	server.CLI(t, "ACL", "SETUSER", "caddy", "on", ">pass-word", "~*"+DefaultKeyPrefix+"*", "resetchannels",
		"+ping", "+role", "+get", "+mget", "+set", "+del", "+hget", "+hset", "+exists", "+pttl", "+pexpire", "+scan", "+eval", "+evalsha", "+select", "+hello", "+auth",
		"+client|tracking", "+client|setname")
	server.CLI(t, "SET", DefaultKeyPrefix+"foreign", "1", "EX", "100")
	r := connected(t, &Redis{Addresses: []string{server.Address()}, Username: "caddy", Password: "pass-word", Database: 1})
	r0 := connected(t, &Redis{Addresses: []string{"redis://caddy:pass-word@" + server.Address()}})
	revoke(t, r0, token("a"))
	if !is(t, r0, token("foreign")) || is(t, r, token("foreign")) {
		t.Error("databases are not apart")
	}
	if err := r0.Unrevoke(t.Context(), token("a")); err != nil {
		t.Error(err)
	}
	sessionRoundTrip(t, r0)
}
