// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// resident returns how many bytes of memory the process holds.
func (p *process) resident() int {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	line, _, _ := strings.Cut(rest, "\n")
	kib, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), "kB")))
	if err != nil {
		p.t.Fatal(err)
	}
	return kib << 10
}

// flood sends a GET with each token over one connection that is kept, and
// returns the first answer that is not the status, or an error.
func flood(address string, tokens func(i int) string, from, to, status int) error {
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	answers := bufio.NewReader(conn)
	var request bytes.Buffer
	for i := from; i < to; i++ {
		request.Reset()
		fmt.Fprintf(&request, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n", tokens(i))
		if _, err := conn.Write(request.Bytes()); err != nil {
			return fmt.Errorf("request %d: %w", i, err)
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			return fmt.Errorf("request %d: %w", i, err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil {
			return fmt.Errorf("request %d: %w", i, err)
		}
		if resp.StatusCode != status || resp.Close {
			return fmt.Errorf("request %d: status %d, want %d; the connection ends: %v", i, resp.StatusCode, status, resp.Close)
		}
	}
	return nil
}

// Attack: bad tokens without end, no two of them alike, from clients that keep
// their connections: whatever was remembered of each would fill the memory, and
// a line for each the disk. A good token is accepted all the while.
func TestAFloodOfDistinctBadTokensIsForgottenAndQuiet(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		needTool(t, "a /proc that shows the memory of a process", err)
	}
	p, url := gate(t, "{\n\tservers {\n\t\tmax_header_size 1MB\n\t}\n}\n"+simple)
	address := strings.TrimPrefix(url, "http://")
	b64 := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	good := hs256(t, nil)
	signature := good[strings.LastIndexByte(good, '.'):]
	claims := func(i int) string { return b64(fmt.Sprintf(`{"sub":"user-%d","jti":"%d","exp":9999999999}`, i, i)) }
	head := b64(`{"alg":"HS256","typ":"JWT"}`)
	filler := strings.Repeat("a", 64<<10)
	kinds := []struct {
		name  string
		count int
		token func(i int) string
	}{
		{"bad signature", 30_000, func(i int) string { return head + "." + claims(i) + signature }},
		{"unknown algorithm", 10_000, func(i int) string { return b64(fmt.Sprintf(`{"alg":"XS%d"}`, i)) + "." + claims(i) + signature }},
		{"unknown key", 10_000, func(i int) string {
			return b64(fmt.Sprintf(`{"alg":"RS256","kid":"%d"}`, i)) + "." + claims(i) + signature
		}},
		{"malformed", 10_000, func(i int) string { return fmt.Sprintf("%d.not a token.", i) }},
		{"no dots", 10_000, func(i int) string { return fmt.Sprint("opaque-", i) }},
		{"huge", 1000, func(i int) string { return head + "." + b64(strconv.Itoa(i)) + filler + signature }},
	}
	const clients = 8
	send := func(each func(count int) int, offset int) {
		t.Helper()
		for _, kind := range kinds {
			count := each(kind.count) / clients
			failures := make([]error, clients)
			var group sync.WaitGroup
			for i := range clients {
				group.Go(func() {
					failures[i] = flood(address, kind.token, offset+i*count, offset+(i+1)*count, http.StatusUnauthorized)
				})
			}
			want(t, 200, "in alice", url, bearer(good))
			group.Wait()
			for _, err := range failures {
				if err != nil {
					t.Fatalf("%s: %v", kind.name, err)
				}
			}
		}
	}
	// Buffers, connections and the heap grow to their size in the first tenth.
	send(func(count int) int { return count / 10 }, 10_000_000)
	before := p.resident()
	send(func(count int) int { return count }, 0)
	after := p.resident()
	// Of 71,000 tokens 300 bytes each would be more than this.
	if after > before+20<<20 {
		t.Errorf("%d MiB before the flood, %d MiB after", before>>20, after>>20)
	}
	want(t, 200, "in alice", url, bearer(good))
	p.saidNothing()
}
