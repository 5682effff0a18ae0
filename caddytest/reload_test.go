// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// reload loads a Caddyfile through the admin API and returns the status.
func (p *process) reload(caddyfile string) int {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "http://"+p.Admin+"/load", strings.NewReader(caddyfile))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/caddyfile")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

var goroutinesLine = regexp.MustCompile(`goroutine profile: total ([0-9]+)`)

// goroutines returns how many there are.
func (p *process) goroutines() int {
	p.t.Helper()
	_, body := do(p.t, http.MethodGet, "http://"+p.Admin+"/debug/pprof/goroutine?debug=1")
	m := goroutinesLine.FindStringSubmatch(body)
	if m == nil {
		p.t.Fatalf("no goroutine profile: %.200s", body)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

const reloadable = `
{
	auth {
		secret {env.CADDYBOLT_SECRET}
		jwt
		api_key {
			key ci-bot sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
		}
		revocation memory
	}
}
http://:PORT {
	auth {
		public /public/*
	}
	respond "in {http.auth.user.id} MARK"
}`

func TestARejectedReloadChangesNothing(t *testing.T) {
	p, url := gate(t, strings.ReplaceAll(reloadable, "MARK", "one"))
	port := url[strings.LastIndexByte(url, ':')+1:]
	good := bearer(hs256(t, nil))
	want(t, 200, "in alice one", url, good)
	for name, text := range map[string]string{
		"an unknown word": strings.ReplaceAll(reloadable, "public /public/*", "publik /public/*"),
		"a weak secret":   strings.ReplaceAll(reloadable, "{env.CADDYBOLT_SECRET}", "short"),
		"no secret":       strings.ReplaceAll(reloadable, "secret {env.CADDYBOLT_SECRET}", "secret {env.CADDYBOLT_NOT_THERE}"),
	} {
		if status := p.reload(strings.ReplaceAll(strings.ReplaceAll(text, "PORT", port), "MARK", "two")); status < 400 {
			t.Errorf("%s: %d", name, status)
		}
		want(t, 200, "in alice one", url, good)
		want(t, 401, "", url)
		want(t, 200, "in  one", url+"/public/x")
	}
	if status := p.reload(strings.ReplaceAll(strings.ReplaceAll(reloadable, "PORT", port), "MARK", "two")); status != 200 {
		t.Fatalf("the control: %d\n%s", status, p.log)
	}
	want(t, 200, "in alice two", url, good)
}

// Reloads come while requests do. Nobody gets in who may not, nobody is kept out
// who may, and nothing is left behind.
func TestReloadsUnderLoad(t *testing.T) {
	text := func(port string, n int) string {
		return strings.ReplaceAll(strings.ReplaceAll(reloadable, "PORT", port), "MARK", strconv.Itoa(n))
	}
	p, url := gate(t, strings.ReplaceAll(reloadable, "MARK", "0"))
	port := url[strings.LastIndexByte(url, ':')+1:]
	good, bad := bearer(hs256(t, nil)), bearer(hs256(t, jwt.MapClaims{"exp": 1}))
	want(t, 200, "in alice 0", url, good)
	if status := p.reload(text(port, 1)); status != 200 {
		t.Fatal(status)
	}
	before := p.goroutines()

	var stop atomic.Bool
	var wrong sync.Map
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
			defer client.CloseIdleConnections()
			for !stop.Load() {
				for header, expected := range map[string]int{good: 200, bad: 401, "X-None: x": 401} {
					req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
					if err != nil {
						return
					}
					name, value, _ := strings.Cut(header, ": ")
					req.Header.Set(name, value)
					resp, err := client.Do(req)
					if err != nil {
						continue // a connection that the old server closed
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					if resp.StatusCode != expected {
						wrong.Store(header[:8], resp.StatusCode)
					}
				}
			}
		})
	}
	for n := range 20 {
		if status := p.reload(text(port, n+2)); status != 200 {
			t.Errorf("reload %d: %d", n, status)
		}
	}
	stop.Store(true)
	group.Wait()
	wrong.Range(func(header, status any) bool {
		t.Errorf("%s: %d", header, status)
		return true
	})
	var after int
	for range 50 {
		if after = p.goroutines(); after <= before+3 {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Errorf("%d goroutines before 20 reloads, %d after", before, after)
}
