// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// A stored key that cannot be read is never replaced by another: tokens that are
// out there would be refused, and nobody would know why.
func TestStoredKeyThatCannotBeReadIsNotReplaced(t *testing.T) {
	t.Parallel()
	h := newHands()
	good := startNode(t, newDisk(), h, &JWT{})
	document := good.get(storedAt)
	edit := func(old, new string) []byte {
		out := bytes.Replace(document, []byte(old), []byte(new), 1)
		if bytes.Equal(out, document) {
			t.Fatalf("%q is not there", old)
		}
		return out
	}
	twice := bytes.Replace(document, []byte("]}"), append(append([]byte(","), document[len(`{"keys":[`):len(document)-2]...), "]}"...), 1)
	for name, text := range map[string][]byte{
		"empty":               {},
		"half":                document[:len(document)/2],
		"other JSON":          []byte(`[]`),
		"no key":              []byte(`{"keys":[]}`),
		"a newer version":     edit(`"kid"`, `"hsm":true,"kid"`),
		"text after it":       append(bytes.Clone(document), '}'),
		"another kid":         edit(good.kids()[0][:4], "AAAA"),
		"no PEM":              edit("-----BEGIN", "----BEGIN"),
		"damaged PEM":         edit("MIG", "MIH"),
		"an end":              edit(`"signs_from"`, `"signs_till":"2030-01-01T00:00:00Z","signs_from"`),
		"no lifetime":         edit(`"lifetime":86400`, `"lifetime":0`),
		"a lifetime for good": edit(`"lifetime":86400`, `"lifetime":9223372036854775807`),
		"no times":            edit(`"signs_from":"2`, `"signs_from":"x`),
		"the same twice":      twice,
		"huge":                append(bytes.Clone(document), bytes.Repeat([]byte(" "), maxGeneratedFile)...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDisk()
			d.set(storedAt, text)
			n := newNode(t, d, h, &JWT{})
			err := n.Start(t.Context())
			if err == nil || !strings.Contains(err.Error(), `generated_key: storage: "`+storedAt+`" `) {
				t.Errorf("error %v", err)
			}
			if err != nil && (strings.Contains(err.Error(), "MIG") || strings.Contains(err.Error(), "BEGIN")) {
				t.Errorf("the error quotes the key: %v", err)
			}
			if !bytes.Equal(d.get(storedAt), text) || d.writes() != 0 {
				t.Error("it was written over")
			}
			if token, err := n.token(time.Hour); err == nil {
				t.Errorf("signed %s", token)
			}
		})
	}
	t.Run("storage that is down", func(t *testing.T) {
		t.Parallel()
		d := newDisk()
		n := newNode(t, d, h, &JWT{})
		n.mount.set(true, false)
		if err := n.Start(t.Context()); !errors.Is(err, errDisk) || !strings.Contains(err.Error(), storedAt) || d.writes() != 0 {
			t.Errorf("error %v after %d writes", err, d.writes())
		}
		n.mount.set(false, true)
		if err := n.Start(t.Context()); !errors.Is(err, errDisk) || n.loaded() {
			t.Errorf("error %v of a storage that cannot be written to", err)
		}
		n.mount.set(false, false)
		if err := n.Start(t.Context()); err != nil || !n.loaded() {
			t.Errorf("after the outage: %v", err)
		}
	})
	t.Run("control", func(t *testing.T) {
		t.Parallel()
		d := newDisk()
		d.set(storedAt, document)
		n := startNode(t, d, h, &JWT{})
		wantAccepted(t, n.JWT, good.mustToken(time.Hour))
	})
}

func (n *node) loaded() bool { return n.generated.loaded() }

// A document that is damaged or gone while Caddy runs changes nothing, and is
// said once.
func TestKnownKeysOutliveADamagedDocument(t *testing.T) {
	t.Parallel()
	d, h := newDisk(), newHands()
	n := startNode(t, d, h, &JWT{})
	document := d.get(storedAt)
	for _, text := range [][]byte{[]byte("{"), nil} {
		d.set(storedAt, text)
		n.look()
		wantAccepted(t, n.JWT, n.mustToken(time.Hour))
		if !bytes.Equal(d.get(storedAt), text) || n.KeyStatus()[0].LastError == "" {
			t.Error("it was written over, or nobody is told")
		}
	}
	d.set(storedAt, document)
	n.look()
	wantAccepted(t, n.JWT, n.mustToken(time.Hour))

	// Keys of another document, such as that of a node that was told to begin
	// anew, take the place of the known ones.
	fresh := startNode(t, newDisk(), h, &JWT{})
	old := n.mustToken(time.Hour)
	wantAccepted(t, n.JWT, old)
	d.set(storedAt, fresh.get(storedAt))
	n.look()
	wantRefused(t, n.JWT, old, auth.ReasonUnknownKey)
	wantAccepted(t, n.JWT, fresh.mustToken(time.Hour))
}

// What is read is written as it was, and what is not read is no set.
func FuzzGeneratedDocument(f *testing.F) {
	n := startNode(f, newDisk(), newHands(), &JWT{})
	f.Add(n.get(storedAt))
	f.Add([]byte(`{"keys":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := parseGenerated(text)
		if (set == nil) == (err == nil) {
			t.Fatalf("%v beside %v", set, err)
		}
		if err != nil {
			return
		}
		again, err := set.encode()
		if err != nil {
			t.Fatal(err)
		}
		same, err := parseGenerated(again)
		if err != nil || len(same.keys) != len(set.keys) {
			t.Fatalf("%v", err)
		}
		for i, k := range same.keys {
			if o := set.keys[i]; k.kid != o.kid || !k.signsFrom.Equal(o.signsFrom) || k.lifetime != o.lifetime || !k.private.Equal(o.private) {
				t.Fatalf("keys[%d] is another", i)
			}
		}
	})
}
