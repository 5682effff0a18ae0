// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

const space = "caddybolt.test.things"

func init() {
	caddy.RegisterModule(new(pear))
	caddy.RegisterModule(new(apple))
	caddy.RegisterModule(new(stone))
	caddy.RegisterModule(new(word))
	caddy.RegisterModule(new(knot))
	caddy.RegisterModule(new(seed))
}

// apple takes a text.
type apple struct {
	Color string `json:"color,omitempty"`
}

func (*apple) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: space + ".apple", New: func() caddy.Module { return new(apple) }}
}

func (a *apple) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.NextArg() {
		return d.ArgErr()
	}
	a.Color = d.Val()
	return nil
}

// pear takes nothing.
type pear struct{}

func (*pear) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: space + ".pear", New: func() caddy.Module { return new(pear) }}
}

func (*pear) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

// stone cannot be written in a Caddyfile.
type stone struct{}

func (*stone) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: space + ".stone", New: func() caddy.Module { return new(stone) }}
}

// word is encoded as a text, in which there is no room for its name.
type word struct{ pear }

func (*word) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: space + ".word", New: func() caddy.Module { return new(word) }}
}

func (*word) MarshalJSON() ([]byte, error) { return []byte(`"word"`), nil }

// knot cannot be encoded.
type knot struct{ pear }

func (*knot) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: space + ".knot", New: func() caddy.Module { return new(knot) }}
}

func (*knot) MarshalJSON() ([]byte, error) { return nil, errors.New("tied") }

// seed is a module of a namespace further in.
type seed struct{ pear }

func (*seed) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: space + ".apple.seed", New: func() caddy.Module { return new(seed) }}
}

// dispenser stands at the first token of the text, which begins in line 3.
func dispenser(tb testing.TB, text string) *caddyfile.Dispenser {
	tb.Helper()
	tokens, err := caddyfile.Tokenize([]byte("\n\n"+text), "Caddyfile")
	if err != nil {
		tb.Fatal(err)
	}
	d := caddyfile.NewDispenser(tokens)
	d.Next()
	return d
}

func TestModuleIsParsedIntoTheJSONThatLoadsIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"apple red":           `{"color":"red","thing":"apple"}`,
		`apple "{env.COLOR}"`: `{"color":"{env.COLOR}","thing":"apple"}`,
		"pear":                `{"thing":"pear"}`,
	} {
		raw, err := Parse(dispenser(t, text), space, "thing", "thing")
		if err != nil || string(raw) != want {
			t.Errorf("%s: %s, %v; want %s", text, raw, err, want)
		}
	}
}

func TestParsingEndsWithTheSegment(t *testing.T) {
	t.Parallel()
	d := dispenser(t, "apple red\npear")
	if _, err := Parse(d, space, "thing", "thing"); err != nil {
		t.Fatal(err)
	}
	if !d.Next() || d.Val() != "pear" {
		t.Errorf("the next token is %q", d.Val())
	}
}

func TestModuleThatCannotBeParsedIsAnErrorWithItsLine(t *testing.T) {
	t.Parallel()
	const there = "there are: apple, knot, pear, stone, word"
	for _, tc := range []struct{ name, text, want string }{
		{"unknown", "plum red", `unrecognized thing "plum"; ` + there},
		{"another case", "Apple red", `unrecognized thing "Apple"; ` + there},
		{"empty", `"" red`, `unrecognized thing ""; ` + there},
		{"a module further in", "apple.seed", `unrecognized thing "apple.seed"; ` + there},
		{"a module further out", ".", `unrecognized thing "."; ` + there},
		{"a placeholder", "{env.X}", `unrecognized thing "{env.X}"; ` + there},
		{"no unmarshaler", "stone", "module " + space + ".stone is not a Caddyfile unmarshaler"},
		{"its own error", "apple", "wrong argument count"},
		{"not an object", "word", `encoding thing "word": `},
		{"not encoded", "knot", `encoding thing "knot": `},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			raw, err := Parse(dispenser(t, tc.text), space, "thing", "thing")
			if raw != nil || err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), ", at Caddyfile:3") {
				t.Errorf("%s, %v; want %s, at Caddyfile:3", raw, err, tc.want)
			}
		})
	}
}

// Attack: a name with a dot in it reaches a module of another namespace, whose
// type nobody expects.
func TestKnownAreTheModulesOfTheNamespaceItself(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"apple": true, "pear": true, "stone": true,
		"plum": false, "APPLE": false, "": false, ".": false, ".apple": false, "apple.": false,
		"apple.seed": false, "seed": false, " apple": false, "apple\x00": false,
	} {
		if got := Known(space, name); got != want {
			t.Errorf("Known(%q) = %t", name, got)
		}
	}
	if !Known(space+".apple", "seed") {
		t.Error("control: it is known in its own namespace")
	}
	if Known("caddybolt.test.nothing", "apple") {
		t.Error("known in a namespace that is not there")
	}
}

func TestNamesAreSortedAndOfTheNamespaceItself(t *testing.T) {
	t.Parallel()
	if got := Names(space); !slices.Equal(got, []string{"apple", "knot", "pear", "stone", "word"}) {
		t.Errorf("%v", got)
	}
	if got := Names("caddybolt.test.nothing"); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*apple)(nil)
	_ caddyfile.Unmarshaler = (*pear)(nil)
)
