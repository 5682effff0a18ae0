// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// load is a kind of request. Header fields that differ from request to request,
// such as tokens, are taken in turn.
type load struct {
	addr   string
	path   string
	field  string   // "Authorization: Bearer "
	values []string // none: the field is not sent
	before []string // values that are sent once, before anything is measured
	http2  bool     // without TLS
}

// sent is what came of some requests.
type sent struct {
	requests  int
	took      time.Duration
	latencies []time.Duration // sorted
}

// connections are how many clients ask at once, each over its own connection
// and for one thing at a time.
const connections = 8

// client sends requests of one kind over connections that it keeps.
type client struct {
	load
	next  atomic.Uint64 // of values
	conns [connections]exchanger
}

// exchanger asks once and returns the status of the answer.
type exchanger interface {
	exchange(value string) (status int, err error)
	close()
}

// dial connects.
func dial(ctx context.Context, l load) (*client, error) {
	c := &client{load: l}
	var shared *http.Client
	if l.http2 {
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		shared = &http.Client{Transport: &http.Transport{Protocols: protocols}}
	}
	for i := range c.conns {
		if l.http2 {
			c.conns[i] = &http2Conn{ctx, shared, l}
			continue
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", l.addr)
		if err != nil {
			c.close()
			return nil, err
		}
		c.conns[i] = &http1Conn{load: l, conn: conn, r: bufio.NewReaderSize(conn, 16<<10)}
	}
	return c, nil
}

func (c *client) close() {
	for _, conn := range c.conns {
		if conn != nil {
			conn.close()
		}
	}
}

// value returns the value of the next request.
func (c *client) value() string {
	if len(c.values) == 0 {
		return ""
	}
	return c.values[(c.next.Add(1)-1)%uint64(len(c.values))]
}

// otherStatus is an answer that was not expected.
type otherStatus struct{ got, want int }

func (o *otherStatus) Error() string { return fmt.Sprintf("answered %d, not %d", o.got, o.want) }

// isUnavailable reports whether a server answered 503: it is not connected to
// its store.
func isUnavailable(err error) bool {
	var o *otherStatus
	return errors.As(err, &o) && o.got == http.StatusServiceUnavailable
}

// prepare sends the values that come before the others.
func (c *client) prepare(ctx context.Context) error {
	if len(c.before) == 0 {
		return nil
	}
	others := c.load
	others.values = c.before
	first, err := dial(ctx, others)
	if err != nil {
		return err
	}
	defer first.close()
	_, err = first.send(len(others.values), 200)
	return err
}

// send sends n requests, all of which must be answered with the status.
func (c *client) send(n, status int) (sent, error) {
	var (
		wg   sync.WaitGroup
		lat  [connections][]time.Duration
		errs [connections]error
	)
	begin := time.Now()
	for i, conn := range c.conns {
		share := n / connections
		if i < n%connections {
			share++
		}
		lat[i] = make([]time.Duration, 0, share)
		wg.Go(func() {
			before := time.Now()
			for range share {
				got, err := conn.exchange(c.value())
				if err == nil && got != status {
					err = &otherStatus{got, status}
				}
				if err != nil {
					errs[i] = err
					return
				}
				after := time.Now()
				lat[i] = append(lat[i], after.Sub(before))
				before = after
			}
		})
	}
	wg.Wait()
	s := sent{requests: n, took: time.Since(begin)}
	for i := range lat {
		s.latencies = append(s.latencies, lat[i]...)
	}
	slices.Sort(s.latencies)
	return s, errors.Join(errs[:]...)
}

// http1Conn speaks as little HTTP/1.1 as is needed, so that the load generator
// keeps up with what it measures.
type http1Conn struct {
	load

	conn net.Conn
	r    *bufio.Reader
	buf  []byte
}

func (c *http1Conn) close() { _ = c.conn.Close() }

func (c *http1Conn) exchange(value string) (int, error) {
	b := append(c.buf[:0], "GET "...)
	b = append(b, c.path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, c.addr...)
	b = append(b, "\r\nUser-Agent: bench\r\nAccept: */*\r\n"...)
	if value != "" {
		b = append(b, c.field...)
		b = append(b, value...)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	c.buf = b
	if err := c.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return 0, err
	}
	if _, err := c.conn.Write(b); err != nil {
		return 0, err
	}
	return readAnswer(c.r)
}

var (
	contentLength = []byte("content-length:")
	errAnswer     = errors.New("not an answer that this client can read")
)

// readAnswer reads an answer with a Content-Length and throws its body away.
func readAnswer(r *bufio.Reader) (status int, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < len("HTTP/1.1 200") {
		return 0, errAnswer
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, errAnswer
	}
	length := -1
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if n := len(contentLength); len(line) > n && bytes.EqualFold(line[:n], contentLength) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[n:]))); err != nil {
				return 0, errAnswer
			}
		}
	}
	if length < 0 {
		return 0, errAnswer
	}
	_, err = r.Discard(length)
	return status, err
}

// http2Conn is a stream at a time over the connection of a client that others
// use, too.
type http2Conn struct {
	ctx    context.Context // of the whole run
	client *http.Client
	load   load
}

func (c *http2Conn) close() { c.client.CloseIdleConnections() }

func (c *http2Conn) exchange(value string) (int, error) {
	req, err := http.NewRequestWithContext(c.ctx, http.MethodGet, "http://"+c.load.addr+c.load.path, nil)
	if err != nil {
		return 0, err
	}
	if value != "" {
		name, scheme, _ := bytes.Cut([]byte(c.load.field), []byte(": "))
		req.Header.Set(string(name), string(scheme)+value)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}
