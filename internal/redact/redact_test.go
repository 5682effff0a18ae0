// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/extract"
)

var listed = New(
	auth.Source{Header: "Authorization", Scheme: "Bearer"},
	auth.Source{Header: "x-api-key"},
	auth.Source{Cookie: "session"},
	auth.Source{Query: "access_token"},
	auth.Source{Query: "key"},
	auth.Source{Query: "api key"},
)

// Attack, of whoever reads logs: X_API_Key, which Caddy drops for the module and
// logs all the same, holds the key of a client that got the name wrong.
func TestHeaderNamesAreComparedAsApplicationsFoldThem(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"X-API-Key": true, "x-api-key": true, "X-Api-Key": true, "AUTHORIZATION": true,
		"X_API_Key": true, "X.Api.Key": true, "X_api-KEY": true, "x_api_key": false, "x.api.key": false,
		"X-Api-Keys": false, "X Api Key": false, "XApiKey": false, "": false, strings.Repeat("x", 100): false,
	} {
		if got := listed.Header(name); got != want {
			t.Errorf("Header(%q) = %t, want %t", name, got, want)
		}
	}
}

func TestLongHeaderNamesAreFound(t *testing.T) {
	t.Parallel()
	name := "X-" + strings.Repeat("Long-", 30) + "Name"
	if !New(auth.Source{Header: name}).Header(strings.ToUpper(name)) {
		t.Error("not found")
	}
}

func TestTextLosesListedParameters(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"request target", "/p?access_token=abc", "/p?access_token=REDACTED"},
		{"between others", "/p?a=1&access_token=abc&b=2", "/p?a=1&access_token=REDACTED&b=2"},
		{"twice", "/p?key=1&key=2", "/p?key=REDACTED&key=REDACTED"},
		{"bare query", "access_token=abc&a=1", "access_token=REDACTED&a=1"},
		{"absolute", "https://h/p?access_token=abc#top", "https://h/p?access_token=REDACTED"},
		{"fragment", "https://h/p#access_token=abc", "https://h/p#access_token=REDACTED"},
		{"value with an equals sign", "/?key=YWJj==&a=1", "/?key=REDACTED&a=1"},
		{"value with a semicolon", "/?key=ab;cd", "/?key=REDACTED"},
		{"value with a question mark", "/?key=ab?cd", "/?key=REDACTED"},
		{"value with quotes", `/?key="ab"cd`, `/?key=REDACTED`},
		{"value with a quoted look", `/? "key=ab"cd`, `/? "key=REDACTED`},
		{"encoded name", "/?acc%65ss_token=abc", "/?acc%65ss_token=REDACTED"},
		{"wholly encoded name", "/?%6b%65%79=abc&a=1", "/?%6b%65%79=REDACTED&a=1"},
		{"name with a blank", "/?api+key=abc", "/?api+key=REDACTED"},
		{"name with an encoded blank", "/?a=1&api%20key=abc", "/?a=1&api%20key=REDACTED"},
		{"nested in clear", "/login?next=/p?access_token=abc", "/login?next=/p?access_token=REDACTED"},
		{"nested", "/login?next=%2Fp%3Faccess_token%3Dabc&a=1", "/login?next=REDACTED&a=1"},
		{"nested twice", "/l?n=%2Fm%3Fn%3D%252Fp%253Fkey%253Dabc", "/l?n=REDACTED"},
		{"nested with a broken escape", "/l?n=%2Fp%3Fkey%3Dabc%zz", "/l?n=REDACTED"},
		{"nested with a raw equals sign", "/l?n=%2Fp%3Fk%2565y=abc", "/l?n=REDACTED"},
		{"nested in the path", "/to/%2Fp%3Fkey%3Dabc", "REDACTED"},
		{"nested too deep", "/l?n=%252525252525252541", "/l?n=REDACTED"},
		{"error of net/url", `Get "http://h/p?access_token=abc": EOF`, `Get "http://h/p?access_token=REDACTED": EOF`},
		{"prose", "no page for access_token=abc here", "no page for access_token=REDACTED"},
		{"header Link", "</p?key=abc>; rel=next", "</p?key=REDACTED"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := listed.Text(tc.text)
			if got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
			if again := listed.Text(got); again != got {
				t.Errorf("a second time: %q", again)
			}
		})
	}
}

func TestTextKeepsWhatIsNotListed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "/", "/p", "/p?", "/p?a=b&c=d", "/p?Access_Token=abc", "/p?my_key=abc", "/p?keys=abc",
		"/p?a=%20%C3%A4+b", "/p?next=%2Flogin%3Fa%3Db", "/100%25?a=b", "dial tcp 127.0.0.1:80: connect: connection refused",
		"/p?key", "/p?key=", "/p?key=&a=b", "key", "%", "%zz=%", "=", "&&==",
	} {
		if got := listed.Text(text); got != text {
			t.Errorf("Text(%q) = %q", text, got)
		}
	}
}

func TestCookiesLoseListedOnes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, want string }{
		{"session=abc", "session=REDACTED"},
		{"a=1; session=abc; b=2", "a=1; session=REDACTED; b=2"},
		{"a=1;session=\"a b\";session=x", "a=1;session=REDACTED;session=REDACTED"},
		{"a=1; mysession=abc; Session=abc", "a=1; mysession=abc; Session=abc"},
		{"back=/p?key=abc; a=1", "back=/p?key=REDACTED; a=1"},
		{"session=; session; ; =", "session=; session; ; ="},
		{"REDACTED", "REDACTED"},
	} {
		if got := listed.Cookies(tc.in); got != tc.want {
			t.Errorf("Cookies(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
	if got, want := listed.SetCookie("session=abc; Path=/; HttpOnly"), "session=REDACTED; Path=/; HttpOnly"; got != want {
		t.Errorf("SetCookie = %q, want %q", got, want)
	}
	if got, want := listed.SetCookie("a=session=abc"), "a=session=abc"; got != want {
		t.Errorf("SetCookie = %q, want %q", got, want)
	}
}

// FastCGI joins the Cookie lines of a request with ", ", and a value may hold
// that, too. Attack: the session cookie is sent in a line of its own.
func TestCookieOfAnyLineIsFoundInCGI(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, in, want string }{
		{"one line", "a=1; session=abc; b=2", "a=1; session=REDACTED; b=2"},
		{"second line", "a=1, session=abc", "a=1, session=REDACTED"},
		{"both lines", `session=abc; a=1, session="d e"; b=2`, "session=REDACTED; a=1, session=REDACTED; b=2"},
		{"third line", "a=1, b=2, session=abc", "a=1, b=2, session=REDACTED"},
		{"line that ends in a semicolon", "a=1;, session=abc", "a=1;, session=REDACTED"},
		{"empty line", ", session=abc", ", session=REDACTED"},
		{"blank before the equals sign", "a=1, session =abc", "a=1, session =REDACTED"},
		{"no cookie before it", "a, session=abc", "a, session=REDACTED"},
		{"value with a comma", `session="abc, def"; a=1`, "session=REDACTED; a=1"},
		{"value that looks like a cookie", `session="abc, def=ghi"; a=1`, "session=REDACTED; a=1"},
		{"value that begins with a comma", "session=, abc; a=1", "session=REDACTED; a=1"},
		{"parameter before it", "back=/p?key=abc, session=def; a=1", "back=/p?key=REDACTED, session=REDACTED; a=1"},
		{"parameter with a comma", "back=/p?key=abc, def; a=1", "back=/p?key=REDACTED; a=1"},
		{"control: others", "a=1, b=2; mysession=abc, session, Session=d", "a=1, b=2; mysession=abc, session, Session=d"},
		{"control: empty", "a=1, session=; b=2", "a=1, session=; b=2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := listed.Field("HTTP_COOKIE", tc.in)
			if got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
			if again := listed.Field("HTTP_COOKIE", got); again != got {
				t.Errorf("a second time: %q", again)
			}
		})
	}
	if got, want := listed.Field("Cookie", "a=1, session=abc"), "a=1, session=abc"; got != want {
		t.Errorf("in a header that is one cookie: %q, want %q", got, want)
	}
}

func TestFieldsAreReadByTheirName(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ key, value, want string }{
		{"X-Api-Key", "abc", Text},
		{"x-api-key", "", ""},
		{"HTTP_X_API_KEY", "abc", Text},
		{"HTTP_AUTHORIZATION", "Bearer abc", Text},
		{"HTTP_COOKIE", "session=abc", "session=REDACTED"},
		{"Cookie", "a=1; session=abc", "a=1; session=REDACTED"},
		{"Set-Cookie", "session=abc; Path=/", "session=REDACTED; Path=/"},
		{"QUERY_STRING", "key=abc", "key=REDACTED"},
		{"Referer", "https://h/?key=abc", "https://h/?key=REDACTED"},
		{"uri", "/?key=abc", "/?key=REDACTED"},
		{"user_id", "abc", "abc"},
		{"X_API_KEY", "abc", Text},
		{"X.api.key", "abc", Text},
		{"x_api_key", "abc", "abc"}, // no header of Caddy's requests
	} {
		if got := listed.Field(tc.key, tc.value); got != tc.want {
			t.Errorf("Field(%q, %q) = %q, want %q", tc.key, tc.value, got, tc.want)
		}
	}
	if got := New().Field("Authorization", "Bearer abc"); got != "Bearer abc" {
		t.Errorf("without names: %q", got)
	}
}

// Names are added while requests are logged.
func TestAddedNamesStay(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				Add([]auth.Source{{Header: fmt.Sprintf("X-Added-%d-%d", i, j)}, {Query: "added"}})
				Current().Field("uri", "/?added=x")
			}
		})
	}
	wg.Wait()
	for i := range 8 {
		for j := range 50 {
			if name := fmt.Sprintf("x-added-%d-%d", i, j); !Current().Header(name) {
				t.Fatalf("%s was lost", name)
			}
		}
	}
	before := Current()
	Add([]auth.Source{{Query: "added"}, {}})
	if Current() != before {
		t.Error("adding nothing new made a new set")
	}
}

func TestCommonFieldsCostNoAllocation(t *testing.T) {
	for _, field := range [][2]string{
		{"X-Api-Key", "abc"}, {"uri", "/p/q?a=b&c=d"}, {"User-Agent", "curl/8.0"}, {"host", "example.com"},
	} {
		if n := testing.AllocsPerRun(100, func() { listed.Field(field[0], field[1]) }); n > 0 {
			t.Errorf("%s: %.0f allocations", field[0], n)
		}
	}
}

// What an authenticator reads as the credential is never left in the text,
// whatever the client writes around it.
func FuzzCredentialInQueryIsNeverLeft(f *testing.F) {
	f.Add("/p", "", "", uint8(0))
	f.Add("/p?x", "a=1&", "&b=2", uint8(3))
	f.Add(`/p?"`, `a=" "&`, "\"#;", uint8(7))
	f.Add("/%3f", "%", "%26", uint8(12))
	const secret = "Zq9SecretZq9"
	f.Fuzz(func(t *testing.T, path, before, after string, encode uint8) {
		name := ""
		for i, c := range []byte("access_token") { // each bit encodes bytes of the name
			if encode>>(i%8)&1 == 1 {
				name += fmt.Sprintf("%%%02x", c)
			} else {
				name += string(c)
			}
		}
		target := "/" + path + "?" + before + name + "=" + secret + after
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Skip()
		}
		e, err := extract.New([]auth.Source{{Query: "access_token"}}, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		value, _, err := e.Extract(&http.Request{URL: u, Header: http.Header{}})
		if err != nil || !strings.Contains(value, secret) {
			t.Skip() // not read as a credential
		}
		if got := listed.Text(target); strings.Contains(got, secret) {
			t.Errorf("%q leaves %q", target, got)
		}
	})
}

func BenchmarkField(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		listed.Field("uri", "/some/path/to/a/page?utm_source=mail&utm_campaign=spring&page=3")
	}
}

// A client cannot make logging slow.
func BenchmarkHostileField(b *testing.B) {
	for name, unit := range map[string]string{"names": "%=", "boundaries": "?%41;", "nested": "%25", "listed": "key="} {
		b.Run(name, func(b *testing.B) {
			text := strings.Repeat(unit, 16<<10/len(unit))
			b.ReportAllocs()
			for b.Loop() {
				listed.Field("uri", text)
			}
		})
	}
}
