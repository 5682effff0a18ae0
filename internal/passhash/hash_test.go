// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package passhash

import (
	"context"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"

	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// Hashes of low cost.
const (
	bcryptHorse = "$2a$04$syvzuIKACw.aR2A5r.BgROf50wIuG8XzM/2EspkG9Pk4btu0OgSIa" // correct horse
	bcryptA     = "$2a$04$EnYbWlh9MHbLEfBLr9h82uI.OT8co3UsJQMfTMVHH.7I/oHkAU6Ji" // a
	bcrypt72    = "$2a$04$UlhEnjjj5/6Ersm6RCzvU.4WJwkFOmin9eFCRQLIy/q.DWuBIDnBW" // 72 times x
	bcryptCaddy = "$2a$09$bXyllL2eRAjEGHRydAbX0OC50NtOdObK0iChNFWKfUZ1C5t8VhXWy" // battery staple
	bcryptEmpty = "$2a$04$Pex3PkTwPdP4pG4UlLvKXuMfYpRYm7rMimsxH..L5Wjw6.crkzeEy"
	argonHorse  = "$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MjZP1+1U9JUbDWvDvtLyEsZiNXOKEUxfi6O2oe46uxA"
	argonUmlaut = "$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$UDkXHjQauoZeY+k4DmMnK5kw55NftyebQldnBWc4f5Q" // pässword
)

func mustParse(t *testing.T, text string) Hash {
	t.Helper()
	h, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func verify(t *testing.T, hash, password string) bool {
	t.Helper()
	ok, err := New(1, clock.Clock{}).Verify(context.Background(), "u", mustParse(t, hash), password)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestPasswordsAreComparedToTheirHashes(t *testing.T) {
	t.Parallel()
	htpasswd := strings.Replace(bcryptHorse, "$2a$", "$2y$", 1)
	for _, tc := range []struct {
		name, hash, password string
		want                 bool
	}{
		{"bcrypt, right", bcryptHorse, "correct horse", true},
		{"bcrypt, wrong", bcryptHorse, "correct Horse", false},
		{"bcrypt, empty password", bcryptHorse, "", false},
		{"bcrypt as htpasswd writes it", htpasswd, "correct horse", true},
		{"bcrypt of the empty password", bcryptEmpty, "", true},
		{"bcrypt as caddy prints it", bcryptCaddy, "battery staple", true},
		{"argon2id, right", argonHorse, "correct horse", true},
		{"argon2id, wrong", argonHorse, "correct horse ", false},
		{"argon2id, beyond ASCII", argonUmlaut, "pässword", true},
		{"argon2id, decomposed", argonUmlaut, "pa\u0308ssword", false},
		{"argon2id as caddy prints it", string(caddyauth.Argon2idHash{}.FakeHash()), "antitiming", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := verify(t, tc.hash, tc.password); got != tc.want {
				t.Errorf("Verify = %v, want %v", got, tc.want)
			}
		})
	}
}

// Attack: bcrypt reads 72 bytes of a password. Whoever knows, or guesses, the
// first 72 would be let in with anything behind them.
func TestPasswordLongerThanBcryptReadsIsRefused(t *testing.T) {
	t.Parallel()
	x72 := strings.Repeat("x", 72)
	if verify(t, bcrypt72, x72+"y") {
		t.Error("73 bytes match a hash of the first 72")
	}
	if !verify(t, bcrypt72, x72) { // control
		t.Error("72 bytes do not match their hash")
	}
}

// Attack: bcrypt repeats a password with a NUL in between, so that "a" and
// "a\x00a" have one hash.
func TestPasswordWithNULIsNotItsRepetition(t *testing.T) {
	t.Parallel()
	same, err := caddyauth.BcryptHash{}.Compare([]byte(bcryptA), []byte("a\x00a"))
	if err != nil || !same {
		t.Fatalf("the function tells them apart by now (%v, %v): this test shows nothing", same, err)
	}
	if verify(t, bcryptA, "a\x00a") {
		t.Error("\"a\\x00a\" matches the hash of \"a\"")
	}
	if !verify(t, bcryptA, "a") { // control
		t.Error("\"a\" does not match its hash")
	}
}

func TestArgon2idPasswordAboveTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	if verify(t, argonHorse, strings.Repeat("x", MaxPassword+1)) {
		t.Error("accepted")
	}
}

// Attack: a hash whose key is empty equals the key of every password, one with
// no rounds ends the process at the first log-in, and one of a terabyte takes
// the machine with it.
func TestHashesThatAreNoneOrTooDearAreRefused(t *testing.T) {
	t.Parallel()
	const salt, key = "MDEyMzQ1Njc4OWFiY2RlZg", "MjZP1+1U9JUbDWvDvtLyEsZiNXOKEUxfi6O2oe46uxA"
	for name, text := range map[string]string{
		"empty":                       "",
		"plain password":              "hunter2",
		"md5 of htpasswd":             "$apr1$abcdefgh$abcdefghijklmnopqrstuv",
		"sha1 of htpasswd":            "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
		"scrypt":                      "$scrypt$ln=16,r=8,p=1$c2FsdA$aGFzaA",
		"base64 of a hash":            "JDJhJDE0JFgzdWxxZi9pR3huZjFrNm9NWi5SWmVKVW9xSTlQWDJQTTRyUzVsa0lLSlhkdUxHWEdQcnQ2",
		"bcrypt cut":                  bcryptHorse[:59],
		"bcrypt with a tail":          bcryptHorse + "x",
		"bcrypt with a newline":       bcryptHorse + "\n",
		"bcrypt of the broken kind":   strings.Replace(bcryptHorse, "$2a$", "$2x$", 1),
		"bcrypt cost 3":               strings.Replace(bcryptHorse, "$04$", "$03$", 1),
		"bcrypt cost 31":              strings.Replace(bcryptHorse, "$04$", "$31$", 1),
		"bcrypt cost without a zero":  strings.Replace(bcryptHorse, "$04$", "$4$", 1),
		"argon2id without key":        "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$",
		"argon2id with a short key":   "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$AAAAAAAA",
		"argon2id without salt":       "$argon2id$v=19$m=64,t=1,p=1$$" + key,
		"argon2id with a short salt":  "$argon2id$v=19$m=64,t=1,p=1$AAAA$" + key,
		"argon2id without rounds":     "$argon2id$v=19$m=64,t=0,p=1$" + salt + "$" + key,
		"argon2id without threads":    "$argon2id$v=19$m=64,t=1,p=0$" + salt + "$" + key,
		"argon2id of a terabyte":      "$argon2id$v=19$m=999999999,t=1,p=1$" + salt + "$" + key,
		"argon2id without end":        "$argon2id$v=19$m=64,t=999999999,p=1$" + salt + "$" + key,
		"argon2id of an old version":  "$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + key,
		"argon2i":                     "$argon2i$v=19$m=64,t=1,p=1$" + salt + "$" + key,
		"argon2id, padded base64":     "$argon2id$v=19$m=64,t=1,p=1$" + salt + "==$" + key,
		"argon2id, bits left over":    "$argon2id$v=19$m=64,t=1,p=1$" + salt[:21] + "h$" + key,
		"argon2id with unnamed costs": "$argon2id$v=19$64,1,1$" + salt + "$" + key,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := Parse(text)
			if err == nil {
				t.Fatal("accepted")
			}
			if len(text) > 8 && strings.Contains(err.Error(), text[len(text)-8:]) {
				t.Errorf("the error shows the hash: %v", err)
			}
			if ok, err := New(1, clock.Clock{}).Verify(context.Background(), "u", h, ""); ok || err == nil {
				t.Errorf("the refused hash verifies: %v, %v", ok, err)
			}
		})
	}
}

func TestFakeHasTheCostOfItsHash(t *testing.T) {
	t.Parallel()
	for _, text := range []string{bcryptHorse, argonHorse, strings.Replace(bcryptHorse, "$04$", "$12$", 1)} {
		h := mustParse(t, text)
		fake := mustParse(t, string(h.fake))
		if len(fake.text) != len(h.text) || fake.algo != h.algo {
			t.Errorf("%s: its fake is of another kind", text[:10])
		}
		costs := func(s string) string { // all but the salt and the key
			parts := strings.Split(s, "$")
			return strings.Join(parts[:min(len(parts)-1, 4)], "$")
		}
		if costs(string(h.fake)) != costs(text) {
			t.Errorf("fake costs %s, hash costs %s", costs(string(h.fake)), costs(text))
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{bcryptHorse, argonHorse, "$2a$04$", "$argon2id$v=19$m=64,t=1,p=1$$", "hunter2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := Parse(text)
		if err != nil {
			if h.algo != nil || h.text != nil {
				t.Error("a hash beside an error")
			}
			return
		}
		if string(h.text) != text {
			t.Error("the hash is not the text")
		}
		if _, err := Parse(string(h.fake)); err != nil {
			t.Errorf("the fake is no hash: %v", err)
		}
	})
}
