// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package caddytest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Attack: more headers than max_header_size, 16 KiB, and the 4 KiB that Go takes
// beyond it. They are too many for Caddy, whoever sends them: 431, before any
// module. The control is what fits.
func TestMoreHeadersThanCaddyTakesAreRefused(t *testing.T) {
	p, url := gate(t, simple)
	token := bearer(hs256(t, nil))
	want(t, 200, "in alice", url, token, "X-Long: "+strings.Repeat("a", 12<<10))
	want(t, 401, "", url, bearer(strings.Repeat("a", 12<<10)))
	for _, headers := range [][]string{
		{bearer(strings.Repeat("a", 21<<10))},
		{token, "X-Long: " + strings.Repeat("a", 21<<10)},
	} {
		text := "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + strings.Join(headers, "\r\n") + "\r\n\r\n"
		if line := raw(t, url[strings.LastIndexByte(url, ':')+1:], text); !strings.HasPrefix(line, "HTTP/1.1 431 ") {
			t.Errorf("21 KiB: %s", line)
		}
	}
	want(t, 200, "in alice", url, token)
	p.saidNothing()
}

// Who it was is in the access log, and is nobody of whom nothing is known: a
// token that is refused names nobody there, whatever it claims.
func TestTheAccessLogSaysWhoItWas(t *testing.T) {
	p, url := gate(t, `
http://:PORT {
	log
	auth {
		jwt {
			secret {env.CADDYBOLT_SECRET}
		}
		api_key {
			key ci key_0123456789abcdef
		}
		public /public
	}
	respond in
}`)
	token := hs256(t, nil)
	want(t, 200, "in", url+"/token", bearer(token))
	want(t, 200, "in", url+"/key", "X-API-Key: key_0123456789abcdef")
	want(t, 200, "in", url+"/public")
	want(t, 401, "", url+"/refused", bearer(token[:len(token)-4]+"AAAA"))
	p.stop()
	got := map[string]string{}
	for line := range strings.Lines(p.log.String()) {
		var entry struct {
			Logger  string
			UserID  *string `json:"user_id"`
			Request struct{ URI string }
		}
		if json.Unmarshal([]byte(line), &entry) != nil || !strings.HasPrefix(entry.Logger, "http.log.access") {
			continue
		}
		if entry.UserID == nil {
			t.Fatalf("no user_id: %s", line)
		}
		got[entry.Request.URI] = *entry.UserID
	}
	for uri, id := range map[string]string{"/token": "alice", "/key": "apikey:ci", "/public": "", "/refused": ""} {
		if logged, ok := got[uri]; !ok || logged != id {
			t.Errorf("%s: user_id %q (%v), want %q", uri, logged, ok, id)
		}
	}
}

// Secrets that stand in the configuration are shown by the admin API: Caddy says
// so at start. The control are the same secrets behind placeholders.
func TestSecretsInTheConfigurationAreWarnedOf(t *testing.T) {
	k := newKeys(t)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(hmacSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(key, []byte(k.privPEM), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CADDYBOLT_KEY", k.privPEM)
	inline := "<<PEM\n" + strings.TrimSpace(k.privPEM) + "\nPEM"
	const (
		ofBlock  = "the configuration itself holds a secret"
		ofGlobal = "option secret holds the secret itself"
	)
	block := func(option string) string {
		return "http://:PORT {\n\tauth {\n\t\tjwt {\n\t\t\t" + option + "\n\t\t}\n\t}\n}\n"
	}
	global := func(value string) string {
		return "{\n\tauth {\n\t\tsecret " + value + "\n\t\tjwt\n\t}\n}\nhttp://:PORT {\n\tauth\n}\n"
	}
	for name, c := range map[string]struct{ text, warning, option string }{
		"secret":                         {block(`secret "` + hmacSecret + `"`), ofBlock, "secret"},
		"private_key":                    {block("private_key " + inline), ofBlock, "private_key"},
		"global secret":                  {global(`"` + hmacSecret + `"`), ofGlobal, ""},
		"secret of the environment":      {block("secret {env.CADDYBOLT_SECRET}"), "", ""},
		"secret of a file":               {block("secret {file." + file + "}"), "", ""},
		"private_key of the environment": {block("private_key {env.CADDYBOLT_KEY}"), "", ""},
		"private_key of a placeholder":   {block("private_key {file." + key + "}"), "", ""},
		"private_key of a path":          {block("private_key " + key), "", ""},
		"global secret of a placeholder": {global("{env.CADDYBOLT_SECRET}"), "", ""},
		"global secret of a file":        {global("{file." + file + "}"), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, url := gate(t, c.text)
			want(t, 401, "", url)
			p.stop()
			var warned []string
			for line := range strings.Lines(p.log.String()) {
				if strings.Contains(line, ofBlock) || strings.Contains(line, ofGlobal) {
					warned = append(warned, line)
				}
				for _, private := range []string{hmacSecret, strings.Split(k.privPEM, "\n")[1]} {
					if strings.Contains(line, private) {
						t.Errorf("the log shows the secret: %s", line)
					}
				}
			}
			if c.warning == "" {
				if len(warned) != 0 {
					t.Errorf("warned: %s", warned)
				}
				return
			}
			if len(warned) != 1 || !strings.Contains(warned[0], c.warning) || !strings.Contains(warned[0], `"level":"warn"`) ||
				c.option != "" && !strings.Contains(warned[0], `"option":"`+c.option+`"`) {
				t.Errorf("warned %q, want %q once", warned, c.warning)
			}
		})
	}
}
