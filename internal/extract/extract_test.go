// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package extract

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
)

var (
	bearer  = auth.Source{Header: "Authorization", Scheme: "Bearer"}
	header  = auth.Source{Header: "X-API-Key"}
	session = auth.Source{Cookie: "session"}
	query   = auth.Source{Query: "token"}
)

const roomy = 1 << 10

func mustNew(tb testing.TB, maxSize int, sources ...auth.Source) *Extractor {
	tb.Helper()
	e, err := New(sources, maxSize)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// request is one with the query and with headers, given as name, value, ….
func request(rawQuery string, headers ...string) *http.Request {
	r := &http.Request{URL: &url.URL{RawQuery: rawQuery}, Header: make(http.Header)}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// extraction is a request and what is found in it: a value, or an error.
type extraction struct {
	name    string
	request *http.Request
	want    string
	err     error
}

func checkExtractions(t *testing.T, e *Extractor, cases []extraction) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, source, err := e.Extract(tc.request)
			if got != tc.want || !errors.Is(err, tc.err) || (err == nil) != (tc.err == nil) {
				t.Errorf("found %q, %v; want %q, %v", got, err, tc.want, tc.err)
			}
			if (source == nil) != errors.Is(err, auth.ErrNoCredentials) {
				t.Errorf("source %v with %v", source, err)
			}
		})
	}
}

func TestTheFirstSourceThatHoldsSomethingDecides(t *testing.T) {
	t.Parallel()
	e := mustNew(t, roomy, bearer, header, session, query)
	for _, tc := range []struct {
		name    string
		request *http.Request
		want    string
		source  string
		err     error
	}{
		{"all of them", request("token=q", "Authorization", "Bearer b", "X-API-Key", "h", "Cookie", "session=c"), "b", "header Authorization Bearer", nil},
		{"another scheme is not ours", request("token=q", "Authorization", "Basic b", "X-API-Key", "h", "Cookie", "session=c"), "h", "header X-Api-Key", nil},
		{"cookie before query", request("token=q", "Cookie", "session=c"), "c", "cookie session", nil},
		{"the last", request("token=q", "Cookie", "other=c"), "q", "query token", nil},
		{"nothing", request("other=q", "Cookie", "other=c"), "", "", auth.ErrNoCredentials},
		{"nothing at all", request(""), "", "", auth.ErrNoCredentials},

		// Attack: a credential that is refused in one place is tried again in
		// another, which the application behind does not look at.
		{"an empty one is not passed over", request("token=q", "Authorization", "Bearer", "X-API-Key", "h"), "", "header Authorization Bearer", errEmpty},
		{"a repeated one is not passed over", request("token=q", "X-API-Key", "h", "X-API-Key", "i"), "", "header X-Api-Key", errRepeated},
		{"a long one is not passed over", request("token=q", "Cookie", "session="+strings.Repeat("c", roomy+1)), "", "cookie session", errTooLong},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, source, err := e.Extract(tc.request)
			if got != tc.want || !errors.Is(err, tc.err) || (err == nil) != (tc.err == nil) {
				t.Errorf("found %q, %v; want %q, %v", got, err, tc.want, tc.err)
			}
			if tc.source == "" {
				if source != nil {
					t.Errorf("source %v", source)
				}
			} else if source == nil || Describe(*source) != tc.source {
				t.Errorf("source %v, want %s", source, tc.source)
			}
		})
	}
}

// The order is that of the configuration, whatever it is.
func TestTheOrderOfTheSourcesIsTheirOwn(t *testing.T) {
	t.Parallel()
	r := request("token=q", "Authorization", "Bearer b", "Cookie", "session=c")
	for want, sources := range map[string][]auth.Source{
		"q": {query, session, bearer},
		"c": {session, bearer, query},
		"b": {header, bearer, query},
	} {
		got, _, err := mustNew(t, roomy, sources...).Extract(r)
		if got != want || err != nil {
			t.Errorf("found %q, %v; want %q", got, err, want)
		}
	}
}

// Attack: a scheme that is searched for rather than anchored accepts
// "xBearer …" and "Bearerx …", which nobody else reads as Bearer.
func TestSchemeStandsAtTheBeginningWithSpacesBehindIt(t *testing.T) {
	t.Parallel()
	one := func(value string) *http.Request { return request("", "Authorization", value) }
	checkExtractions(t, mustNew(t, roomy, bearer), []extraction{
		{"as written", one("Bearer abc"), "abc", nil},
		{"lower case", one("bearer abc"), "abc", nil},
		{"upper case", one("BEARER abc"), "abc", nil},
		{"several spaces", one("Bearer    abc"), "abc", nil},
		{"blanks around", one(" \tBearer abc \t"), "abc", nil},
		{"spaces within", one("Bearer abc def"), "abc def", nil},
		{"a tab after the spaces belongs to the credential", one("Bearer \tabc"), "\tabc", nil},
		{"a list is one credential", one("Bearer abc, Bearer def"), "abc, Bearer def", nil},

		{"longer scheme", one("Bearerx abc"), "", auth.ErrNoCredentials},
		{"shorter scheme", one("Beare abc"), "", auth.ErrNoCredentials},
		{"scheme further in", one("x Bearer abc"), "", auth.ErrNoCredentials},
		{"scheme glued to something", one("xBearer abc"), "", auth.ErrNoCredentials},
		{"scheme quoted", one(`"Bearer" abc`), "", auth.ErrNoCredentials},
		{"a tab behind the scheme", one("Bearer\tabc"), "", auth.ErrNoCredentials},
		{"a colon behind the scheme", one("Bearer: abc"), "", auth.ErrNoCredentials},
		{"the credential alone", one("abc"), "", auth.ErrNoCredentials},
		{"the credential alone, shaped like a JWT", one("aaaaaaaa.bbbbbbbb.cccccccc"), "", auth.ErrNoCredentials},
		{"a letter that folds to one of the scheme", one("Bea\u017fer abc"), "", auth.ErrNoCredentials},
		{"an empty header", one(""), "", auth.ErrNoCredentials},

		{"nothing behind the scheme", one("Bearer"), "", errEmpty},
		{"spaces behind the scheme", one("Bearer   "), "", errEmpty},
	})
}

// Folding beyond ASCII must not make one scheme of two: U+212A folds to k.
func TestSchemeIsFoldedWithinItsLength(t *testing.T) {
	t.Parallel()
	e := mustNew(t, roomy, auth.Source{Header: "Authorization", Scheme: "Key"})
	for _, value := range []string{"\u212aey abc", "\u212aey  ", "\u212a", "\u212ae"} {
		if got, _, err := e.Extract(request("", "Authorization", value)); got != "" || !errors.Is(err, auth.ErrNoCredentials) {
			t.Errorf("%q: found %q, %v", value, got, err)
		}
	}
	if got, _, err := e.Extract(request("", "Authorization", "kEY abc")); got != "abc" || err != nil {
		t.Errorf("control: found %q, %v", got, err)
	}
}

func TestHeaderWithoutASchemeIsTakenWhole(t *testing.T) {
	t.Parallel()
	checkExtractions(t, mustNew(t, roomy, header), []extraction{
		{"a key", request("", "X-API-Key", "abc"), "abc", nil},
		{"name in any case", request("", "x-api-key", "abc"), "abc", nil},
		{"blanks around", request("", "X-API-Key", " \tabc\t "), "abc", nil},
		{"what looks like a scheme", request("", "X-API-Key", "Bearer abc"), "Bearer abc", nil},
		{"quotes stay", request("", "X-API-Key", `"abc"`), `"abc"`, nil},
		{"escapes stay", request("", "X-API-Key", "a%62c"), "a%62c", nil},
		{"empty", request("", "X-API-Key", ""), "", errEmpty},
		{"blank", request("", "X-API-Key", " \t "), "", errEmpty},
		{"another header", request("", "X-API-Keys", "abc"), "", auth.ErrNoCredentials},
	})
}

// Attack: two values in one place, of which we check the one and the
// application behind believes the other.
func TestCredentialThatIsPresentedTwiceIsRefused(t *testing.T) {
	t.Parallel()
	checkExtractions(t, mustNew(t, roomy, bearer, header, session, query), []extraction{
		{"header", request("", "X-API-Key", "a", "X-API-Key", "b"), "", errRepeated},
		{"header, alike", request("", "X-API-Key", "a", "X-API-Key", "a"), "", errRepeated},
		{"header, empty beside", request("", "X-API-Key", "", "X-API-Key", "a"), "", errRepeated},
		{"scheme", request("", "Authorization", "Bearer a", "Authorization", "Bearer b"), "", errRepeated},
		{"scheme, another first", request("", "Authorization", "Basic a", "Authorization", "Bearer b"), "", errRepeated},
		{"scheme, another last", request("", "Authorization", "Bearer a", "Authorization", "Basic b"), "", errRepeated},
		{"scheme, empty last", request("", "Authorization", "Basic a", "Authorization", "Bearer"), "", errRepeated},
		{"cookie", request("", "Cookie", "session=a; session=b"), "", errRepeated},
		{"cookie, alike", request("", "Cookie", "session=a; session=a"), "", errRepeated},
		{"cookie, in two lines", request("", "Cookie", "session=a", "Cookie", "x=y; session=b"), "", errRepeated},
		{"cookie, empty beside", request("", "Cookie", "session=; session=b"), "", errRepeated},
		{"cookie, without an equals sign beside", request("", "Cookie", "session; session=b"), "", errRepeated},
		{"cookie, quoted beside", request("", "Cookie", `session="a"; session=b`), "", errRepeated},
		{"cookie, blank before the equals sign", request("", "Cookie", "session =a; session=b"), "", errRepeated},
		{"cookie, tab before the equals sign", request("", "Cookie", "session=a; session\t=b"), "", errRepeated},
		{"query", request("token=a&token=b"), "", errRepeated},
		{"query, alike", request("token=a&token=a"), "", errRepeated},
		{"query, encoded name beside", request("token=a&t%6Fken=b"), "", errRepeated},
		{"query, empty beside", request("token=a&token"), "", errRepeated},
		{"query, badly encoded beside", request("token=%zz&token=b"), "", errRepeated},

		{"control: other schemes are nobody's", request("", "Authorization", "Basic a", "Authorization", "Digest b"), "", auth.ErrNoCredentials},
		{"control: other cookies and parameters", request("tokens=a&token=b&Token=c"), "b", nil},
	})
}

func TestCookieIsReadAsOthersReadIt(t *testing.T) {
	t.Parallel()
	one := func(value string) *http.Request { return request("", "Cookie", value) }
	checkExtractions(t, mustNew(t, roomy, session), []extraction{
		{"alone", one("session=abc"), "abc", nil},
		{"among others", one("a=b; session=abc; c=d"), "abc", nil},
		{"without blanks", one("a=b;session=abc;c=d"), "abc", nil},
		{"with many blanks", one("a=b; \t session=abc \t;"), "abc", nil},
		{"in the second line", request("", "Cookie", "a=b", "Cookie", "session=abc"), "abc", nil},
		{"with equals signs", one("session=YWJj=="), "YWJj==", nil},
		{"quoted", one(`session="abc"`), "abc", nil},
		{"one quote", one(`session="`), `"`, nil},
		{"quote at the beginning", one(`session="abc`), `"abc`, nil},
		{"quotes within", one(`session=""abc""`), `"abc"`, nil},
		{"escapes stay", one("session=a%62c+d"), "a%62c+d", nil},
		{"blank before the equals sign", one("session =abc"), "abc", nil},
		{"a blank behind the equals sign is the value's", one("session= abc"), " abc", nil},
		{"what net/http leaves out", one(`session=a"b\c`), `a"b\c`, nil},

		{"empty", one("session="), "", errEmpty},
		{"empty in quotes", one(`session=""`), "", errEmpty},
		{"without an equals sign", one("session"), "", errEmpty},
		{"name in another case", one("Session=abc"), "", auth.ErrNoCredentials},
		{"longer name", one("xsession=abc"), "", auth.ErrNoCredentials},
		{"prefixed name", one("__Host-session=abc"), "", auth.ErrNoCredentials},
		{"escaped name", one("sessi%6Fn=abc"), "", auth.ErrNoCredentials},
		{"quoted name", one(`"session"=abc`), "", auth.ErrNoCredentials},
		{"name within a value", one("a=session=abc"), "", auth.ErrNoCredentials},
		{"comma for a semicolon", one("a=b, session=abc"), "", auth.ErrNoCredentials},
		{"separators alone", one(";;=; ;"), "", auth.ErrNoCredentials},
		{"empty header", one(""), "", auth.ErrNoCredentials},
	})
}

// Whoever asks with HasCookie and whoever extracts must see the same: a log-out
// asks to know whether a browser sent the credential by itself.
func TestHasCookieAgreesWithExtract(t *testing.T) {
	t.Parallel()
	e := mustNew(t, roomy, session)
	for line, want := range map[string]bool{
		"session=abc": true, "a=b; session=abc": true, "session =abc": true,
		"session": true, "session=": true, `session=""`: true, "session=a; session=b": true, // refused, and there
		`session=a"b\c`: true, "session=\x80": true, // net/http leaves these out
		"": false, "Session=abc": false, "a=session=b": false, "xsession=abc": false,
	} {
		r := request("", "Cookie", line)
		if got := HasCookie(r.Header, "session"); got != want {
			t.Errorf("%q: HasCookie = %t", line, got)
		}
		if _, _, err := e.Extract(r); errors.Is(err, auth.ErrNoCredentials) == want {
			t.Errorf("%q: Extract = %v", line, err)
		}
	}
	if HasCookie(http.Header{}, "session") || HasCookie(nil, "session") {
		t.Error("there is none without a header")
	}
}

func TestQueryIsDecoded(t *testing.T) {
	t.Parallel()
	checkExtractions(t, mustNew(t, roomy, query), []extraction{
		{"alone", request("token=abc"), "abc", nil},
		{"among others", request("a=b&token=abc&c"), "abc", nil},
		{"empty pieces", request("&&token=abc&&"), "abc", nil},
		{"equals signs", request("token=YWJj=="), "YWJj==", nil},
		{"encoded value", request("token=a%62%2Bc+d"), "ab+c d", nil},
		{"encoded name", request("%74oke%6e=abc"), "abc", nil},
		{"encoded twice", request("token=%2562"), "%62", nil},
		{"bytes that are no text", request("token=%00%ff"), "\x00\xff", nil},
		{"semicolon stays", request("token=a;token=b"), "a;token=b", nil},
		{"bad escape in another value", request("a=%zz&token=abc"), "abc", nil},
		{"bad escape in another name", request("toke%6=x&token=abc"), "abc", nil},

		{"bad escape", request("token=a%zz"), "", errEncoding},
		{"cut escape", request("token=a%6"), "", errEncoding},
		{"percent sign at the end", request("token=a%"), "", errEncoding},
		{"empty", request("token="), "", errEmpty},
		{"without an equals sign", request("token"), "", errEmpty},
		{"name in another case", request("Token=abc"), "", auth.ErrNoCredentials},
		{"name encoded twice", request("%2574oken=abc"), "", auth.ErrNoCredentials},
		{"name behind a semicolon", request("a=b;token=abc"), "", auth.ErrNoCredentials},
		{"name with a blank", request("token+=abc"), "", auth.ErrNoCredentials},
		{"name in a list", request("token[]=abc"), "", auth.ErrNoCredentials},
	})
}

// The name of a parameter is what stands in the query once it is decoded, for
// names that look like escapes too.
func TestParameterThatLooksEncodedIsComparedDecoded(t *testing.T) {
	t.Parallel()
	for name, encoded := range map[string]string{"a+b": "a%2Bb", "%41": "%2541", "api key": "api+key", "a=b": "a%3Db", "a&b": "a%26b", "ä": "%C3%A4"} {
		e := mustNew(t, roomy, auth.Source{Query: name})
		if got, _, err := e.Extract(request(encoded + "=abc")); got != "abc" || err != nil {
			t.Errorf("%s: found %q, %v", encoded, got, err)
		}
	}
	for name, another := range map[string]string{"a+b": "a+b", "%41": "%41"} { // which are "a b" and "A"
		e := mustNew(t, roomy, auth.Source{Query: name})
		if got, _, err := e.Extract(request(another + "=abc")); !errors.Is(err, auth.ErrNoCredentials) {
			t.Errorf("%s is not the name %q: found %q, %v", another, name, got, err)
		}
	}
}

func TestCredentialIsAtMostMaxSizeLong(t *testing.T) {
	t.Parallel()
	const limit = 8
	e := mustNew(t, limit, bearer, header, session, query)
	fits, long := strings.Repeat("x", limit), strings.Repeat("x", limit+1)
	checkExtractions(t, e, []extraction{
		{"scheme, fits", request("", "Authorization", "Bearer "+fits), fits, nil},
		{"scheme, too long", request("", "Authorization", "Bearer "+long), "", errTooLong},
		{"header, fits", request("", "X-API-Key", fits), fits, nil},
		{"header, too long", request("", "X-API-Key", long), "", errTooLong},
		{"cookie, fits", request("", "Cookie", `session="`+fits+`"`), fits, nil},
		{"cookie, too long", request("", "Cookie", "session="+long), "", errTooLong},
		{"query, fits once it is decoded", request("token=" + strings.Repeat("%78", limit)), fits, nil},
		{"query, too long", request("token=" + long), "", errTooLong},
		{"another scheme may be long", request("", "Authorization", "Basic "+long), "", auth.ErrNoCredentials},
	})
}

// What a refusal says ends in a log: it never holds what the client sent.
func TestRefusalsAreMalformedAndQuoteNothing(t *testing.T) {
	t.Parallel()
	e := mustNew(t, 12, bearer, session, query)
	for _, r := range []*http.Request{
		request("token=hunter2%zz"),
		request("token=hunter2&token=hunter2"),
		request("", "Cookie", "session=hunter2; session=hunter2"),
		request("", "Authorization", "Bearer hunter2hunter2"),
		request("", "Authorization", "Bearer"),
	} {
		got, _, err := e.Extract(r)
		if got != "" || !errors.Is(err, auth.ErrInvalidCredentials) || auth.ReasonOf(err) != auth.ReasonMalformedToken {
			t.Errorf("%v: found %q, %v", r, got, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error quotes the credential: %v", err)
		}
	}
}

func TestExtractingAllocatesNothing(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"scheme":            request("", "Authorization", "Bearer abc"),
		"header":            request("", "X-API-Key", "abc"),
		"cookie":            request("", "Cookie", `a=b; session="abc"; c=d`),
		"plain query":       request("a=b&token=abc"),
		"nothing":           request("a=b", "Authorization", "Basic abc", "Cookie", "a=b"),
		"presented twice":   request("", "Cookie", "session=a; session=b"),
		"empty":             request("", "Authorization", "Bearer"),
		"too long":          request("token=" + strings.Repeat("x", roomy+1)),
		"two header values": request("", "X-API-Key", "a", "X-API-Key", "b"),
	} {
		e := mustNew(t, roomy, bearer, header, session, query)
		if n := testing.AllocsPerRun(100, func() { _, _, _ = e.Extract(r) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	h := request("", "Cookie", "a=b; session=abc").Header
	if n := testing.AllocsPerRun(100, func() { _ = HasCookie(h, "session") }); n != 0 {
		t.Errorf("HasCookie: %v allocations", n)
	}
}

func TestSourceThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	const one = "a source names exactly one header, cookie or query parameter"
	for _, tc := range []struct {
		name   string
		source auth.Source
		want   string // "" is a control that passes
	}{
		{"header", header, ""},
		{"header and scheme", bearer, ""},
		{"cookie", session, ""},
		{"cookie with a prefix", auth.Source{Cookie: "__Host-session"}, ""},
		{"query", query, ""},
		{"query beyond ASCII", auth.Source{Query: "Schlüssel & mehr"}, ""},

		{"nothing", auth.Source{}, one},
		{"a scheme alone", auth.Source{Scheme: "Bearer"}, one},
		{"header and cookie", auth.Source{Header: "X", Cookie: "x"}, one},
		{"header and query", auth.Source{Header: "X", Query: "x"}, one},
		{"cookie and query", auth.Source{Cookie: "x", Query: "x"}, one},
		{"all three", auth.Source{Header: "X", Cookie: "x", Query: "x"}, one},
		{"cookie and scheme", auth.Source{Cookie: "x", Scheme: "Bearer"}, "a scheme belongs to a header"},
		{"query and scheme", auth.Source{Query: "x", Scheme: "Bearer"}, "a scheme belongs to a header"},
		{"scheme with a blank", auth.Source{Header: "Authorization", Scheme: "Bearer "}, `"Bearer " is not an authentication scheme`},
		{"scheme with a colon", auth.Source{Header: "Authorization", Scheme: "Bearer:"}, `"Bearer:" is not an authentication scheme`},
		{"scheme beyond ASCII", auth.Source{Header: "Authorization", Scheme: "Schlüssel"}, `"Schlüssel" is not an authentication scheme`},
		{"header with a blank", auth.Source{Header: "X Key"}, `"X Key" is not the name of a header`},
		{"header with a colon", auth.Source{Header: "X-Key:"}, `"X-Key:" is not the name of a header`},
		{"header with a line break", auth.Source{Header: "X-Key\r\n"}, `"X-Key\r\n" is not the name of a header`},
		{"cookie with a blank", auth.Source{Cookie: "my session"}, `"my session" is not the name of a cookie`},
		{"cookie with a semicolon", auth.Source{Cookie: "a;b"}, `"a;b" is not the name of a cookie`},
		{"cookie with an equals sign", auth.Source{Cookie: "a=b"}, `"a=b" is not the name of a cookie`},

		// Caddy drops them before any module: the credential would never be
		// seen, and nobody would know why.
		{"header with an underscore", auth.Source{Header: "X_API_Key"}, "expected_underscore_headers"},
		{"header with a dot", auth.Source{Header: "X.Key"}, "expected_dot_headers"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := check(tc.source)
			e, newErr := New([]auth.Source{tc.source}, roomy)
			if tc.want == "" {
				if err != nil || newErr != nil || e == nil {
					t.Errorf("refused: %v, %v", err, newErr)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
			if newErr == nil || newErr.Error() != err.Error() || e != nil {
				t.Errorf("New: %v, %v", e, newErr)
			}
		})
	}
}

func TestNewRefusesNothingAndTheSameTwice(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		sources []auth.Source
		want    string // "" is a control that passes
	}{
		{"no source", nil, "at least one header, cookie or query is required"},
		{"header", []auth.Source{header, header}, "header X-Api-Key is given twice"},
		{"header in another case", []auth.Source{header, query, {Header: "x-api-KEY"}}, "header X-Api-Key is given twice"},
		{"scheme in another case", []auth.Source{bearer, {Header: "authorization", Scheme: "bEARER"}}, "header Authorization bEARER is given twice"},
		{"cookie", []auth.Source{session, session}, "cookie session is given twice"},
		{"query", []auth.Source{query, bearer, query}, "query token is given twice"},

		{"two schemes", []auth.Source{bearer, {Header: "Authorization", Scheme: "ApiKey"}}, ""},
		{"with a scheme and without", []auth.Source{bearer, {Header: "Authorization"}}, ""},
		{"names of cookies differ in case", []auth.Source{session, {Cookie: "Session"}}, ""},
		{"names of parameters differ in case", []auth.Source{query, {Query: "Token"}}, ""},
		{"one name, three places", []auth.Source{{Header: "x"}, {Cookie: "x"}, {Query: "x"}}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e, err := New(tc.sources, roomy)
			switch {
			case tc.want == "":
				if err != nil || len(e.Sources()) != len(tc.sources) {
					t.Errorf("%v, %v", e, err)
				}
			case err == nil || err.Error() != tc.want || e != nil:
				t.Errorf("%v, %v; want %q", e, err, tc.want)
			}
		})
	}
}

func TestSourcesAreListedInOrderAndTheArgumentIsLeftAlone(t *testing.T) {
	t.Parallel()
	given := []auth.Source{query, {Header: "x-api-key"}}
	got := mustNew(t, roomy, given...).Sources()
	if len(got) != 2 || got[0] != query || got[1] != (auth.Source{Header: "X-Api-Key"}) {
		t.Errorf("%v", got)
	}
	if given[1].Header != "x-api-key" {
		t.Error("New changed what it was given")
	}
}
