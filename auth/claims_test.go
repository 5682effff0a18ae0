// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// claimsOf parses claims that are valid.
func claimsOf(tb testing.TB, text string) Claims {
	tb.Helper()
	c, err := ParseClaims([]byte(text))
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return c
}

func TestClaimIsFoundByItsPath(t *testing.T) {
	t.Parallel()
	const text = `{
		"sub": "alice", "n": 7, "half": 0.5, "yes": true, "no": false, "null": null, "": "empty",
		"realm_access": {"roles": ["ops", {"id": "o1"}, [1, 2]]},
		"https://acme.com/roles": ["admin"], "https://acme": {"com/roles": "shorter"},
		"a": {"b": {"c": 1}, "b.c": 2}, "a.b": {"c": 3}, "a.b.d": 4,
		"x": {"y": "inner"}, "x.y": {"z": "outer"},
		"0": {"1": "digits"}, "list": [[["deep"]]], "dot.": "trailing", ".dot": "leading", "..": "dots",
		"\u0065scaped": "e", "ümlaut": "ü", "nul\u0000": "zero"
	}`
	c := claimsOf(t, text)
	for path, want := range map[string]any{
		"sub": "alice", "n": int64(7), "half": 0.5, "yes": true, "no": false, "null": nil,
		"realm_access.roles.0": "ops", "realm_access.roles.1.id": "o1", "realm_access.roles.2.1": int64(2),
		"https://acme.com/roles": List{"admin"}, "https://acme.com/roles.0": "admin",
		// the longest name first, and a shorter one where the longer leads nowhere
		"a.b.c": int64(3), "a.b.d": int64(4), "a.b": Object{"c": int64(3)}, "x.y.z": "outer", "x.y": Object{"z": "outer"},
		"0.1": "digits", "list.0.0.0": "deep", "list.0": List{List{"deep"}},
		"dot.": "trailing", ".dot": "leading", "..": "dots", "escaped": "e", "ümlaut": "ü", "nul\x00": "zero",
		"realm_access": Object{"roles": List{"ops", Object{"id": "o1"}, List{int64(1), int64(2)}}},
	} {
		got, ok := c.Lookup(path)
		if !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %#v, %t, want %#v", path, got, ok, want)
		}
	}
	for _, path := range []string{
		"", ".", "...", "missing", "SUB", "Sub", "sub.", ".sub", "sub.x", "sub.0", "su", "subx", "n.0", "null.x", "yes.true",
		"realm_access.", "realm_access..roles", "realm_access.roles.", "realm_access.roles.3", "realm_access.roles.-1",
		"realm_access.roles.+0", "realm_access.roles.00", "realm_access.roles.0x0", "realm_access.roles.0.", "realm_access.roles.0.0",
		"realm_access.roles.2.1.", "realm_access.roles. 0", "realm_access.roles.99999999999999999999", "realm_access.Roles",
		"a.b.c.d", "https://acme.com", "list.0.0.0.0", "a.b.d.c", "escaped ",
	} {
		if got, ok := c.Lookup(path); ok {
			t.Errorf("%q is %#v", path, got)
		}
	}
}

func TestShorterNameIsTriedWhereTheLongerLeadsNowhere(t *testing.T) {
	t.Parallel()
	c := claimsOf(t, `{"a":{"b":{"c":1}},"a.b":{"x":2},"p.q":"text","p":{"q":{"r":3}}}`)
	for path, want := range map[string]any{"a.b.c": int64(1), "a.b.x": int64(2), "p.q.r": int64(3), "p.q": "text"} {
		if got, ok := c.Lookup(path); !ok || got != want {
			t.Errorf("%q is %v, %t, want %v", path, got, ok, want)
		}
	}
}

func TestNumbersStayWhole(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		"0": int64(0), "-0": int64(0), "-7": int64(-7), "9007199254740993": int64(9007199254740993),
		"9223372036854775807": int64(math.MaxInt64), "-9223372036854775808": int64(math.MinInt64),
		"9223372036854775808":            json.Number("9223372036854775808"),
		"123456789012345678901234567890": json.Number("123456789012345678901234567890"),
		"1.0":                            float64(1), "1e3": float64(1000), "-0.5": -0.5, "1E-2": 0.01,
		"1e999": json.Number("1e999"), "-1e999": json.Number("-1e999"),
	} {
		got, ok := claimsOf(t, `{"n":`+text+`}`).Lookup("n")
		if !ok || got != want {
			t.Errorf("%s is %#v, want %#v", text, got, want)
		}
	}
}

func TestWholeNumbersPrintAsTheyCame(t *testing.T) {
	t.Parallel()
	const text = `{"big":123456789012345678901234567890,"id":9007199254740993,"list":[9223372036854775808]}`
	if got := claimsOf(t, text).Object().String(); got != text {
		t.Errorf("got  %s\nwant %s", got, text)
	}
}

func TestListsAndObjectsPrintAsJSON(t *testing.T) {
	t.Parallel()
	c := claimsOf(t, `{"roles":["ops","a<b>&c","\u2028"],"org":{"b":[],"a":{}},"empty":{}}`)
	for path, want := range map[string]string{
		"roles": "[\"ops\",\"a<b>&c\",\"\\u2028\"]", "org": `{"a":{},"b":[]}`, "org.b": `[]`, "empty": `{}`,
	} {
		value, _ := c.Lookup(path)
		s, ok := value.(interface{ String() string })
		if !ok || s.String() != want {
			t.Errorf("%s prints as %v, want %s", path, value, want)
		}
		if !json.Valid([]byte(want)) {
			t.Errorf("%s is no JSON", want)
		}
	}
	if got := (Object{"x": make(chan int)}).String(); got != "" {
		t.Errorf("what is no JSON prints as %q", got)
	}
}

// Attack: a payload that two readers read differently.
func TestClaimsThatCanBeReadTwoWaysAreRefused(t *testing.T) {
	t.Parallel()
	for what, text := range map[string]string{
		"empty": "", "text": `"sub"`, "list": `[{}]`, "number": "1", "null": "null", "twice": `{}{}`, "trailing": `{} x`,
		"cut off": `{"a":1`, "no quotes": `{a:1}`, "comma": `{"a":1,}`, "NaN": `{"a":NaN}`, "comment": `{/**/}`,
		"duplicate": `{"sub":"alice","sub":"root"}`, "duplicate, escaped": `{"sub":"alice","\u0073ub":"root"}`,
		"duplicate deep within": `{"a":[{"b":{"c":1,"c":2}}]}`, "bad UTF-8": "{\"a\":\"\xff\"}", "bad UTF-8 in a name": "{\"\xff\":1}",
		"half a surrogate": `{"a":"\ud800"}`, "control byte": "{\"a\":\"\x01\"}", "leading zero": `{"a":01}`, "byte order mark": "\ufeff{}",
	} {
		if c, err := ParseClaims([]byte(text)); err == nil {
			t.Errorf("%s: accepted", what)
		} else if len(c.raw) > 0 {
			t.Errorf("%s: claims beside an error", what)
		}
	}
	for _, text := range []string{`{}`, ` { } `, `{"sub":"a","SUB":"b"}`, `{"":1}`} {
		claimsOf(t, text) // control
	}
}

func TestNamesAreComparedToTheLetter(t *testing.T) {
	t.Parallel()
	c := claimsOf(t, `{"SUB":"upper","\u017fub":"long s"}`)
	if v, ok := c.Lookup("sub"); ok {
		t.Errorf("sub is %v", v)
	}
	if v, ok := c.Text("SUB"); !ok || v != "upper" {
		t.Errorf("SUB is %q", v)
	}
}

func TestTextIsTextOnly(t *testing.T) {
	t.Parallel()
	c := claimsOf(t, `{"a":"x","n":1,"null":null,"list":["x"]}`)
	if v, ok := c.Text("a"); !ok || v != "x" {
		t.Errorf("a is %q, %t", v, ok)
	}
	for _, path := range []string{"n", "null", "list", "missing"} {
		if v, ok := c.Text(path); ok || v != "" {
			t.Errorf("%s is %q, %t", path, v, ok)
		}
	}
}

func TestClaimsFromMemory(t *testing.T) {
	t.Parallel()
	c, err := NewClaims(map[string]any{"team": "ci", "n": 3, "list": []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Object().String(); got != `{"list":["a"],"n":3,"team":"ci"}` {
		t.Errorf("got %s", got)
	}
	if c.Size() < len(c.JSON()) {
		t.Errorf("size is %d", c.Size())
	}
	if _, err := NewClaims(map[string]any{"x": math.Inf(1)}); err == nil {
		t.Error("infinity is JSON")
	}
	for _, none := range []Claims{{}, claimsOf(t, `{}`)} {
		if string(none.JSON()) != `{}` || len(none.Object()) != 0 {
			t.Errorf("no claims are %s", none.JSON())
		}
		if _, ok := none.Lookup("sub"); ok {
			t.Error("no claims hold sub")
		}
	}
	if c, err := NewClaims(nil); err != nil || c.Size() != 0 {
		t.Errorf("nil: %v", err)
	}
}

// Whoever trusted a text that is none must find nothing, and not crash.
func TestTrustedTextThatIsBrokenHoldsNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"sub":`, `{"sub"`, `{`, `[`, `nonsense`, `"sub"`, `{"a":{"sub":}}`, `{"sub":[}`} {
		c := TrustedClaims([]byte(text))
		if v, ok := c.Lookup("sub"); ok {
			t.Errorf("%s: sub is %v", text, v)
		}
		if v, ok := c.Lookup("a.sub"); ok {
			t.Errorf("%s: a.sub is %v", text, v)
		}
		if len(c.Object()) > 0 {
			t.Errorf("%s: holds %v", text, c.Object())
		}
	}
}

// What Lookup returns is the caller's: later reads of the same claims find them
// as they were.
func TestLookupGivesAway(t *testing.T) {
	t.Parallel()
	const text = `{"list":["a","b"],"o":{"k":"v"}}`
	c := claimsOf(t, text)
	v, _ := c.Lookup("list")
	v.(List)[0] = "changed"
	o, _ := c.Lookup("o")
	o.(Object)["k"] = "changed"
	if got := string(c.JSON()); got != text {
		t.Errorf("claims became %s", got)
	}
	if v, _ := c.Text("list.0"); v != "a" {
		t.Errorf("list.0 became %q", v)
	}
}

// walk looks a path up in decoded values: the plain meaning of Lookup.
func walk(value any, path string) (any, bool) {
	switch v := value.(type) {
	case Object:
		best, found := "", false
		var result any
		for name, member := range v {
			rest, ok := strings.CutPrefix(path, name)
			if !ok || found && len(name) <= len(best) {
				continue
			}
			switch {
			case rest == "":
				result, best, found = member, name, true
			case rest[0] == '.' && len(rest) > 1:
				if inner, ok := walk(member, rest[1:]); ok {
					result, best, found = inner, name, true
				}
			}
		}
		return result, found
	case List:
		head, rest, deeper := strings.Cut(path, ".")
		i, err := strconv.Atoi(head)
		if err != nil || strconv.Itoa(i) != head || i < 0 || i >= len(v) || deeper && rest == "" {
			return nil, false
		}
		if !deeper {
			return v[i], true
		}
		return walk(v[i], rest)
	default:
		return nil, false
	}
}

// FuzzClaimsLookup: no text makes Lookup panic, and it finds what a walk through
// the decoded claims finds.
func FuzzClaimsLookup(f *testing.F) {
	for text, path := range map[string]string{
		`{"a":{"b":1},"a.b":2}`: "a.b", `{"a.b":{"c":1},"a":{"b":{"d":2}}}`: "a.b.d", `{"https://acme.com/roles":["x"]}`: "https://acme.com/roles.0",
		`{"":{"":1}}`: ".", `{"a":{"":1}}`: "a.", `{"":1}`: "", `{"a.":1,"a":[0]}`: "a.", `{"a":[[1],{"b":null}]}`: "a.1.b",
		`{"n":1e999,"m":-0}`: "m", `[1]`: "0", `{"a":"\ud800"}`: "a", "{\"\xff\":1}": "\xff", `{"..":{".":1}}`: "....",
		`{"a":[1,2`: "a.1", `{"\u0061":1}`: "a",
	} {
		f.Add([]byte(text), path)
	}
	f.Fuzz(func(t *testing.T, text []byte, path string) {
		_, _ = TrustedClaims(text).Lookup(path) // whatever it is
		c, err := ParseClaims(text)
		if err != nil {
			return
		}
		if jsontext.Value(text).Kind() != '{' {
			t.Fatalf("%q are claims", text)
		}
		got, ok := c.Lookup(path)
		want, wanted := walk(c.Object(), path)
		if path == "" {
			want, wanted = nil, false
		}
		if ok != wanted || !reflect.DeepEqual(got, want) {
			t.Errorf("%q in %s is %#v, %t; a walk finds %#v, %t", path, text, got, ok, want, wanted)
		}
		again, err := ParseClaims([]byte(c.Object().String()))
		if err != nil {
			t.Fatalf("%s prints as no claims: %v", text, err)
		}
		if !reflect.DeepEqual(again.Object(), c.Object()) {
			t.Errorf("%s prints as %s", text, c.Object())
		}
	})
}
