// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package testservers

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy stands between an application and a server, and fails as networks and
// machines do.
type Proxy struct {
	Port string

	target   string
	listener net.Listener
	mu       sync.Mutex
	thaw     *sync.Cond
	frozen   bool
	down     bool
	ended    bool
	delay    time.Duration
	conns    map[net.Conn]struct{}
	accepted int
	wg       sync.WaitGroup
}

// NewProxy returns a proxy for a port of the loopback interface.
func NewProxy(tb testing.TB, port string) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{target: "127.0.0.1:" + port, listener: l, conns: make(map[net.Conn]struct{})}
	p.thaw = sync.NewCond(&p.mu)
	_, p.Port, _ = net.SplitHostPort(l.Addr().String())
	p.wg.Go(p.accept)
	tb.Cleanup(p.close)
	return p
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		if p.down || p.ended {
			p.mu.Unlock()
			_ = client.Close()
			_ = server.Close()
			continue
		}
		p.accepted++
		p.conns[client], p.conns[server] = struct{}{}, struct{}{}
		p.mu.Unlock()
		p.wg.Go(func() { p.copy(client, server) })
		p.wg.Go(func() { p.copy(server, client) })
	}
}

// copy passes on what comes, and holds it while the proxy is frozen.
func (p *Proxy) copy(to, from net.Conn) {
	defer func() {
		p.mu.Lock()
		delete(p.conns, to)
		delete(p.conns, from)
		p.mu.Unlock()
		_ = to.Close()
		_ = from.Close()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		for p.frozen && !p.ended {
			p.thaw.Wait()
		}
		delay := p.delay
		p.mu.Unlock()
		time.Sleep(delay)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// Slow holds whatever comes, in both directions, for so long; none lets it pass
// at once again.
func (p *Proxy) Slow(delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = delay
}

// Freeze lets connections stand and passes nothing on, as a machine does that
// hangs.
func (p *Proxy) Freeze() { p.set(true, false) }

// Cut ends every connection, and each new one as well.
func (p *Proxy) Cut() { p.set(false, true) }

// Restore lets everything pass again.
func (p *Proxy) Restore() { p.set(false, false) }

func (p *Proxy) set(frozen, down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen, p.down = frozen, down
	if down {
		p.cut()
	}
	p.thaw.Broadcast()
}

// cut ends every connection. p.mu is held.
func (p *Proxy) cut() {
	for conn := range p.conns {
		_ = conn.Close()
	}
}

// Accepted returns how many connections there were.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.ended = true
	p.cut()
	p.thaw.Broadcast()
	p.mu.Unlock()
	p.wg.Wait()
}
