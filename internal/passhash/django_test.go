// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package passhash

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// Hashes that Django 3.2 wrote with its own hashers at low cost; scrypt by
// hashlib, the first of them the one of Django's own tests.
const (
	djangoSHA256    = "pbkdf2_sha256$1000$DkA735b6O3RzKJIEGJbSQ0$rZgroY9DT9bmmIk+dQgKDOcbzzUNGLcZvA8GdQJ0GE8="
	djangoSHA1      = "pbkdf2_sha1$1000$SsLR6oDYnhGkne5e37HY9L$y9IqdPUSPxo3/+ivqUU0vmZ354Q="
	djangoArgon2id  = "argon2$argon2id$v=19$m=64,t=1,p=2$amlqakZrNXYyWVREVXNhS3JSY2JDRA$3X0YCyR4nipj4KyJValXcA"
	djangoArgon2i   = "argon2$argon2i$v=19$m=512,t=2,p=2$c2FsdHNhbHRzYWx0$bynHEyr4haxtPeI7EZzgYQ"
	djangoBcrypt256 = "bcrypt_sha256$$2b$04$oE26KFVwBxEfe//oVhZSAugFAmnfploJbbPpuWRw6u03XFiOjT/mm"
	djangoBcryptRaw = "bcrypt$$2b$04$eXlnMV3KETUplM1XbM4l7.A1bMLfP/vzANArbDOjDW3Q1dyaPlJp2"
	djangoScrypt    = "scrypt$1024$saltsaltsalt$8$5$Kc4G/Z/sXNdpyJ3LA2iScqjXi5dcUdJjvGFcHHaopUBuAIBmjcsT7arqi7ouFHELmir7VXCJnsuMxD3W9oBDHw=="
)

var djangoHashes = map[string]string{ // of "correct horse"
	"pbkdf2_sha256": djangoSHA256, "pbkdf2_sha1": djangoSHA1, "argon2id": djangoArgon2id, "argon2i": djangoArgon2i,
	"bcrypt_sha256": djangoBcrypt256, "bcrypt": djangoBcryptRaw, "scrypt": djangoScrypt,
}

var djangoHashesOfUmlaut = map[string]string{ // of "lètmein"
	"pbkdf2_sha256": "pbkdf2_sha256$1000$3W3esbCLneOzExJ8bQJFrB$iQxxXRA0KeGiFwjzdQeJ5nPVzRZuDKfdxGgmhluvsm4=",
	"pbkdf2_sha1":   "pbkdf2_sha1$1000$dks8ZKuVD3bI2Sa6ZzvDW6$N4ulSSzrlynFM9u0obXrqxWz1nQ=",
	"argon2id":      "argon2$argon2id$v=19$m=64,t=1,p=2$b3ZuUHlNbHFlZHppaEJ1eXBRRThUVA$IgnJBq21TgQocUnRItQcsA",
	"bcrypt_sha256": "bcrypt_sha256$$2b$04$pO63fjvD5XnSVrSCiRBDhOJrfvtAyNBgujeau340fdFaK5qfi92G2",
	"bcrypt":        "bcrypt$$2b$04$dotpRl0f7B4c1m9JHyOM4OewwHfbGZ.fSWm8HLB11CeGO1N06f7Ba",
	"scrypt":        "scrypt$16384$seasalt$8$1$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw==",
}

func verifyDjango(t *testing.T, text, password string) bool {
	t.Helper()
	h, err := ParseDjango(text)
	if err != nil {
		t.Fatal(err)
	}
	ok, err := New(1, clock.Clock{}).Verify(context.Background(), "u", h, password)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestHashesThatDjangoWroteAreVerified(t *testing.T) {
	t.Parallel()
	for name, text := range djangoHashes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !verifyDjango(t, text, "correct horse") {
				t.Error("the right password is refused")
			}
			if other := djangoHashesOfUmlaut[name]; other != "" && !verifyDjango(t, other, "lètmein") {
				t.Error("the right password beyond ASCII is refused")
			}
			// Attack: HMAC fills a key up with NULs, and bcrypt repeats one.
			for _, wrong := range []string{"", "correct Horse", "correct horse ", "correct hors", "correct horse\x00", "correct horse\x00correct horse", strings.Repeat("x", MaxPassword+1)} {
				if verifyDjango(t, text, wrong) {
					t.Errorf("a wrong password of %d bytes is accepted", len(wrong))
				}
			}
		})
	}
}

// Attack: the first 72 bytes of a long passphrase open, as with plain bcrypt.
func TestBcryptSHA256ReadsAllOfAPassword(t *testing.T) {
	t.Parallel()
	const hundred = "bcrypt_sha256$$2b$04$BsW2fZkeubzLJu5FoYxYOuXh3FY5SYY/OuIqGtItFOmmMsd7kP7aC" // 100 times x
	if verifyDjango(t, hundred, strings.Repeat("x", 72)) || verifyDjango(t, hundred, strings.Repeat("x", 99)) {
		t.Error("a part of the password opens")
	}
	if !verifyDjango(t, hundred, strings.Repeat("x", 100)) { // control
		t.Error("the password is refused")
	}
}

func TestUnusablePasswordsAreToldApart(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "!", "!XvQm2kP9", "!pbkdf2_sha256$1000$x$y"} {
		if _, err := ParseDjango(text); !errors.Is(err, ErrUnusable) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Attack: whoever can write one row of the table makes every attempt cost
// minutes or gigabytes; or a hash is so fast that a leak is the passwords.
func TestDjangoHashesThatAreNoneOrTooDearAreRefused(t *testing.T) {
	t.Parallel()
	const key32, key64 = "rZgroY9DT9bmmIk+dQgKDOcbzzUNGLcZvA8GdQJ0GE8=", "Kc4G/Z/sXNdpyJ3LA2iScqjXi5dcUdJjvGFcHHaopUBuAIBmjcsT7arqi7ouFHELmir7VXCJnsuMxD3W9oBDHw=="
	for name, text := range map[string]string{
		"plain":                        "hunter2",
		"md5":                          "md5$salt$0d7a5eb9a7f6a6e0a4d1a5c6b3f0a1b2",
		"unsalted md5":                 "0d7a5eb9a7f6a6e0a4d1a5c6b3f0a1b2",
		"unsalted md5 as Django 1.3":   "md5$$0d7a5eb9a7f6a6e0a4d1a5c6b3f0a1b2",
		"sha1":                         "sha1$salt$f0a1b20d7a5eb9a7f6a6e0a4d1a5c6b3f0a1b2aa",
		"crypt":                        "crypt$$ab1234567890a",
		"wrapped md5":                  "pbkdf2_wrapped_md5$1000$salt$" + key32,
		"pbkdf2 without end":           "pbkdf2_sha256$1000000000$salt$" + key32,
		"pbkdf2 beyond numbers":        "pbkdf2_sha256$99999999999999999999$salt$" + key32,
		"pbkdf2 without rounds":        "pbkdf2_sha256$0$salt$" + key32,
		"pbkdf2 of negative rounds":    "pbkdf2_sha256$-1$salt$" + key32,
		"pbkdf2 without salt":          "pbkdf2_sha256$1000$$" + key32,
		"pbkdf2 with a long salt":      "pbkdf2_sha256$1000$" + strings.Repeat("s", 129) + "$" + key32,
		"pbkdf2 without key":           "pbkdf2_sha256$1000$salt$",
		"pbkdf2 with a short key":      "pbkdf2_sha256$1000$salt$AAAA",
		"pbkdf2 with a tail":           djangoSHA256 + "\n",
		"pbkdf2 with a field too many": "pbkdf2_sha256$1000$salt$x$" + key32,
		"pbkdf2_sha1 with 32 bytes":    "pbkdf2_sha1$1000$salt$" + key32,
		"argon2 of four gigabytes":     strings.Replace(djangoArgon2id, "m=64", "m=4194304", 1),
		"argon2 without end":           strings.Replace(djangoArgon2id, "t=1", "t=999999999", 1),
		"argon2 without threads":       strings.Replace(djangoArgon2id, "p=2", "p=0", 1),
		"argon2d":                      strings.Replace(djangoArgon2id, "argon2id", "argon2d", 1),
		"argon2 of an old version":     strings.Replace(djangoArgon2id, "v=19$", "", 1),
		"argon2 without key":           "argon2$argon2id$v=19$m=64,t=1,p=2$amlqakZrNXYyWVREVXNhS3JSY2JDRA$",
		"bcrypt cost 31":               strings.Replace(djangoBcryptRaw, "$04$", "$31$", 1),
		"bcrypt_sha256 cost 31":        strings.Replace(djangoBcrypt256, "$04$", "$31$", 1),
		"bcrypt twice":                 "bcrypt$" + djangoBcryptRaw,
		"scrypt huge":                  "scrypt$1073741824$salt$8$1$" + key64,
		"scrypt wide":                  "scrypt$16384$salt$4294967295$1$" + key64,
		"scrypt long":                  "scrypt$16384$salt$8$4294967295$" + key64,
		"scrypt overflowing":           "scrypt$4294967296$salt$4294967296$4294967296$" + key64,
		"scrypt slow":                  "scrypt$1048576$salt$8$64$" + key64,
		"scrypt of no power":           "scrypt$1000$salt$8$1$" + key64,
		"scrypt of nothing":            "scrypt$0$salt$0$0$" + key64,
		"scrypt with a short key":      "scrypt$1024$salt$8$1$" + key32,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := ParseDjango(text)
			if err == nil || errors.Is(err, ErrUnusable) {
				t.Fatalf("error is %v", err)
			}
			if strings.Contains(err.Error(), "salt$") || strings.Contains(err.Error(), key32[:8]) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the hash: %v", err)
			}
			if ok, err := New(1, clock.Clock{}).Verify(context.Background(), "u", h, ""); ok || err == nil {
				t.Errorf("the refused hash verifies: %v, %v", ok, err)
			}
		})
	}
}

// Attack: a salt that reads like the costs must not make the fake cheap.
func TestFakeOfDjangoHashHasItsCost(t *testing.T) {
	t.Parallel()
	hashes := map[string]string{"salt like the rounds": "pbkdf2_sha256$1000$1000$rZgroY9DT9bmmIk+dQgKDOcbzzUNGLcZvA8GdQJ0GE8="}
	for name, text := range djangoHashes {
		hashes[name] = text
	}
	for name, text := range hashes {
		h, err := ParseDjango(text)
		if err != nil {
			t.Fatal(err)
		}
		fake, err := ParseDjango(string(h.fake))
		if err != nil {
			t.Fatalf("%s: its fake is no hash: %v", name, err)
		}
		if len(fake.text) != len(h.text) || fake.algo != h.algo || string(fake.text) == text {
			t.Errorf("%s: its fake is %s", name, h.fake)
		}
	}
	h, _ := ParseDjango(hashes["salt like the rounds"])
	if !strings.HasPrefix(string(h.fake), "pbkdf2_sha256$1000$0000$") {
		t.Errorf("the fake is %s", h.fake)
	}
	h, _ = ParseDjango(djangoScrypt)
	if !strings.HasPrefix(string(h.fake), "scrypt$1024$000000000000$8$5$AAAA") {
		t.Errorf("the fake is %s", h.fake)
	}
}

func TestAnyHashIsParsed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{bcryptHorse, argonHorse, djangoSHA256, djangoScrypt} {
		if _, err := ParseAny(text); err != nil {
			t.Errorf("%.12s: %v", text, err)
		}
	}
	for text, want := range map[string]error{"": ErrUnusable, "!x": ErrUnusable, "hunter2": ErrUnknownFormat, "$1$x": ErrUnknownFormat, "$2a$04$x": ErrUnknownFormat} {
		if _, err := ParseAny(text); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

// What is parsed can be verified, at a bounded cost, and no password matches by
// accident; what is refused is no hash at all.
func FuzzParseDjango(f *testing.F) {
	for _, text := range djangoHashes {
		f.Add(text, "correct horse")
	}
	f.Add("!unusable", "")
	f.Add("md5$salt$0d7a5eb9a7f6a6e0a4d1a5c6b3f0a1b2", "")
	f.Fuzz(func(t *testing.T, text, password string) {
		h, err := ParseDjango(text)
		if err != nil {
			if h.algo != nil || h.text != nil || h.fake != nil {
				t.Error("a hash beside an error")
			}
			return
		}
		if string(h.text) != text {
			t.Error("the hash is not the text")
		}
		fake, err := ParseDjango(string(h.fake))
		if err != nil || fake.algo != h.algo || len(fake.text) != len(text) {
			t.Errorf("the fake %q is no hash of this kind: %v", h.fake, err)
		}
		if len(text) > 200 || strings.ContainsAny(text, "123456789") && !isCheap(text) {
			return
		}
		if password == "correct horse" {
			return
		}
		plain, whole := h.algo.fits([]byte(password))
		ok, err := h.algo.Compare(h.text, plain)
		if err != nil {
			t.Errorf("what was parsed cannot be compared: %v", err)
		}
		if ok && whole {
			t.Errorf("%q matches", password)
		}
	})
}

// isCheap keeps the fuzz target to hashes that take less than a moment.
func isCheap(text string) bool {
	for _, begin := range []string{"pbkdf2_sha256$1000$", "pbkdf2_sha1$1000$", "argon2$argon2id$v=19$m=64,t=1,p=2$", "bcrypt$$2b$04$", "bcrypt_sha256$$2b$04$"} {
		if strings.HasPrefix(text, begin) {
			return true
		}
	}
	return false
}
