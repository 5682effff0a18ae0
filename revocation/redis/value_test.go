// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/internal/replica"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

func TestTimesKeepTheirOrderAsTexts(t *testing.T) {
	t.Parallel()
	times := []int64{math.MinInt64, -1 << 40, -1, 0, 1, time.Now().UnixNano(), math.MaxInt64}
	for i, a := range times {
		text := sortable(a)
		if back, ok := unsortable(text); !ok || back != a || len(text) != 20 {
			t.Errorf("%d becomes %q and %d", a, text, back)
		}
		if i > 0 && sortable(times[i-1]) >= text {
			t.Errorf("%d does not come after %d", a, times[i-1])
		}
	}
}

func TestMillisecondsNeverEndEarly(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{1, 999_999, 1_000_000, 1_000_001, time.Now().UnixNano(), math.MaxInt64 - 1, math.MaxInt64} {
		if back := nanoseconds(milliseconds(n)); back < n {
			t.Errorf("%d became %d", n, back)
		}
	}
}

// What the script of the server writes must be read back, and what is cut short
// or made up must count as somebody else's entry, which revokes for all.
func TestValueIsReadWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	group := " 1767225600000:" + sortable(0) + "::https%3A%2F%2Fid.example"
	for text, want := range map[string]int{
		magic + group + ending: 1,
		magic + group + " 1767225600000:" + sortable(7) + ":TOMB:" + ending: 2,
		magic + group:                     0,
		magic + ending:                    0,
		magic + " x" + ending:             0,
		magic + " 1:2:3" + ending:         0,
		magic + " -1:2::" + ending:        0,
		magic + " 1:2::%zz" + ending:      0,
		magic + group + " 1:x::" + ending: 0,
		"1":                               0,
		"":                                0,
		magic + strings.Repeat(group, 1<<15) + ending: 0, // larger than what is read
	} {
		records, own := new(reader).value(revoked.Token, "a", text)
		if len(records) != want || own != (want > 0) {
			t.Errorf("%.80q: %d records, own is %t; want %d", text, len(records), own, want)
		}
	}
}

func FuzzValue(f *testing.F) {
	f.Add(magic + " 1767225600000:" + sortable(0) + "::https%3A%2F%2Fid.example" + ending)
	f.Add(magic + " 1:" + sortable(-1) + ":ABC: 2:" + sortable(1) + "::x+y" + ending)
	f.Add("1")
	f.Fuzz(func(t *testing.T, text string) {
		records, own := new(reader).value(revoked.User, "id", text)
		if own != (len(records) > 0) {
			t.Fatal("own without records, or the reverse")
		}
		// Written again, it is the same.
		again := magic
		for _, r := range records {
			args := arguments(replica.Change{Entry: r.Entry, Tombstone: r.Tombstone}, 0)
			again += " " + args[2] + ":" + args[3] + ":" + args[4] + ":" + args[5]
		}
		back, _ := new(reader).value(revoked.User, "id", again+ending)
		if len(back) != len(records) {
			t.Fatalf("%d records became %d", len(records), len(back))
		}
		for i := range back {
			if back[i] != records[i] {
				t.Errorf("%+v became %+v", records[i], back[i])
			}
		}
	})
}

// Attack: see keys. Whatever the ID, it stays that of a token.
func FuzzKeys(f *testing.F) {
	f.Add("revoked_tokens:", "sessions@revoked_tokens:x")
	f.Add(":1:revoked_tokens:", "users@:1:revoked_tokens:1")
	f.Add("u", "sers@u1")
	f.Add("*[a]", "\x00")
	f.Fuzz(func(t *testing.T, prefix, id string) {
		k, err := newKeys(prefix)
		if err != nil || prefix == "" || id == "" || len(id) > revoked.MaxName {
			return
		}
		for _, kind := range []revoked.Kind{revoked.Token, revoked.Session, revoked.User} {
			key := k.of(revoked.Entry{Kind: kind, ID: id})
			gotKind, gotID, ok := k.parse(key)
			if !ok || gotKind != kind || gotID != id {
				t.Errorf("%c %q becomes %q, which is of %c %q", kind, id, key, gotKind, gotID)
			}
			if strings.HasPrefix(key, k.refresh) {
				t.Errorf("%q is the key of a refresh token", key)
			}
		}
	})
}

func FuzzAddress(f *testing.F) {
	for _, text := range []string{"localhost", "[::1]:6379", "redis://u:p@h:1/2", "rediss://h", "unix//run/x", "redis://h/x", "a:b:c", "http://h"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseAddress(text, defaultPort)
		if err != nil {
			if strings.Contains(err.Error(), "p@ssw0rd") {
				t.Error("the error shows a password")
			}
			return
		}
		again, err := parseAddress(p.address, "1")
		if err != nil || again.address != p.address {
			t.Errorf("%q became %q, and that %q, %v", text, p.address, again.address, err)
		}
	})
}

func FuzzCaddyfile(f *testing.F) {
	f.Add("redis localhost {\n\tkey_prefix x:\n\ttls {\n\t\tca a\n\t}\n}")
	f.Add("redis a b {\n\tcluster\n}")
	f.Add("redis {\n\tdatabase 1\n\tdatabase 2\n}")
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
		if err != nil || len(tokens) == 0 {
			return
		}
		r := new(Redis)
		if err := r.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)); err != nil {
			return
		}
		if err := r.check(); err != nil {
			t.Errorf("accepted, and then refused: %v", err)
		}
	})
}

func TestErrorsDoNotShowPasswords(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"redis://u:hunter2@host/x", "redis://u:hunter2@host:port", "http://u:hunter2@host", "u:hunter2@host",
		"redis://u:hunter2@host?db=1", "redis://u:hunter2%zz@host", "redis://u:hunter2@:1",
	} {
		if _, err := parseAddress(address, defaultPort); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", address, err)
		}
	}
	text := "redis redis://u:hunter2@host/1 {\n\tdatabase 2\n\tpassword hunter2\n}"
	tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	if err := new(Redis).UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}
