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
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
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

// hold is a server in front of another that takes a number of connections and
// says nothing on them, and passes on what comes later.
func hold(tb testing.TB, target string, held int) (address string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var passing sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	}
	passing.Go(func() {
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			if n >= held {
				if server, err := net.Dial("tcp", target); err == nil {
					conns = append(conns, server)
					passing.Go(func() { pass(server, conn) })
					passing.Go(func() { pass(conn, server) })
				}
			}
			mu.Unlock()
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, conn := range conns {
			_ = conn.Close()
		}
		mu.Unlock()
		passing.Wait()
	})
	return l.Addr().String()
}

// Attack: a machine in between takes the connection and never answers the
// handshake; the node would be without its server for ever.
func TestHandshakeThatIsNotAnsweredIsGivenUp(t *testing.T) {
	ca, certificate, key := authority(t, t.TempDir())
	server := testservers.OwnRedis(t, testservers.RedisOptions{Options: []string{
		"--tls-port", freePort(t), "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", ca, "--tls-auth-clients", "no",
	}})
	port := strings.Fields(server.CLI(t, "CONFIG", "GET", "tls-port"))[1]
	connected(t, &Redis{Addresses: []string{hold(t, "127.0.0.1:"+port, 1)}, TLS: &TLS{CA: ca}})

	// A configuration that goes meanwhile takes its connection with it.
	gone := begin(t, &Redis{Addresses: []string{silent(t)}, TLS: &TLS{CA: ca}})
	before := runtime.NumGoroutine()
	if err := gone.Cleanup(); err != nil {
		t.Error(err)
	}
	eventually(t, "its goroutines end", func() bool { return runtime.NumGoroutine() < before })
}
