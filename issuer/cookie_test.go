// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

const (
	fromHere = "same-origin"
	page     = "https://app.example/auth/login?next=%2Freports%3Fpage%3D2"
)

// browserAt sends a form as a browser does, without a script.
func browserAt(tb testing.TB, address, body string) *http.Request {
	tb.Helper()
	r := authtest.NewRequest(tb, http.MethodPost, address)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	r.TLS = new(tls.ConnectionState)
	r.Header.Set("Content-Type", mediaForm)
	r.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	r.Header.Set("Origin", "https://app.example")
	r.Header.Set("Sec-Fetch-Site", fromHere)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	return r
}

// loads asks for a page as a browser does.
func loads(tb testing.TB, address string, cookies ...*http.Cookie) *http.Request {
	tb.Helper()
	r := browserAt(tb, address, "")
	r.Method, r.Body = http.MethodGet, http.NoBody
	r.Header.Del("Content-Type")
	r.Header.Del("Origin")
	return withCookies(r, cookies...)
}

func withCookies(r *http.Request, cookies ...*http.Cookie) *http.Request {
	for _, c := range cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return r
}

// behind answers as Caddy does, with the page behind the endpoint.
func behind(h caddyhttp.MiddlewareHandler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	err := h.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		_, err := io.WriteString(w, "the page")
		return err
	}))
	if err != nil {
		panic(err)
	}
	return w
}

// cookiesOf returns the cookies of an answer: session and session_refresh.
func cookiesOf(tb testing.TB, w *httptest.ResponseRecorder) (access, refresh *http.Cookie) {
	tb.Helper()
	for _, c := range w.Result().Cookies() {
		switch c.Name {
		case "session":
			access = c
		case "session_refresh":
			refresh = c
		default:
			tb.Errorf("cookie %s", c.Name)
		}
	}
	return access, refresh
}

// wentTo checks that the answer sends a browser on.
func wentTo(tb testing.TB, w *httptest.ResponseRecorder, want string) {
	tb.Helper()
	if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != want || w.Header().Get("Cache-Control") != "no-store" {
		tb.Errorf("status %d to %q, want %q; header %v", w.Code, got, want, w.Header())
	}
}

func withCookieOf(tb testing.TB) *endpoint { return refreshing(tb, "cookie session") }

const rightForm = "username=ann&password=pw"

func TestCookiesHoldTheTokensAndNothingElseDoes(t *testing.T) {
	t.Parallel()
	e := withCookieOf(t)
	r := logIn(t, "ann", "pw")
	r.TLS = new(tls.ConnectionState)
	w := serve(e, r)
	if w.Code != http.StatusOK || w.Body.String() != `{"status":"logged in","expires_in":3600}` {
		t.Fatalf("status %d, body %q", w.Code, w.Body)
	}
	access, refresh := cookiesOf(t, w)
	for _, c := range []*http.Cookie{access, refresh} {
		if c == nil || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Domain != "" {
			t.Fatalf("%+v", c)
		}
	}
	if access.Path != "/" || access.MaxAge != 3600 || refresh.Path != "/auth" || refresh.MaxAge != 7*24*3600 {
		t.Errorf("%+v, %+v", access, refresh)
	}
	claimsOf(t, &httptest.ResponseRecorder{Code: 200, Body: asBody(t, access.Value)})

	// A script prolongs the session.
	e.now = e.now.Add(2 * time.Hour)
	w = serve(e, withCookies(post(t, mediaForm, "grant_type=refresh_token"), refresh))
	again, next := cookiesOf(t, w)
	if w.Code != http.StatusOK || next == nil || next.Value == refresh.Value || again.Value == access.Value {
		t.Errorf("status %d, %+v, %+v", w.Code, again, next)
	}
	// A token in the body is none here.
	w = serve(e, post(t, mediaForm, "grant_type=refresh_token&refresh_token="+next.Value))
	if w.Code != http.StatusBadRequest || errorOf(t, w) != "invalid_grant" {
		t.Errorf("status %d", w.Code)
	}
	// One that is not good is deleted, where it stands.
	w = serve(e, withCookies(post(t, mediaForm, "grant_type=refresh_token"), &http.Cookie{Name: "session_refresh", Value: "x"}))
	if _, gone := cookiesOf(t, w); gone == nil || gone.MaxAge != -1 || gone.Path != "/auth" || w.Code != http.StatusBadRequest {
		t.Errorf("%+v", gone)
	}
}

func asBody(tb testing.TB, token string) *bytes.Buffer {
	tb.Helper()
	text, err := json.Marshal(granted{AccessToken: token})
	if err != nil {
		tb.Fatal(err)
	}
	return bytes.NewBuffer(text)
}

// A cookie without Secure travels in clear. Behind a proxy that ends TLS the
// connection says nothing; on this machine browsers may refuse the attribute.
func TestCookiesAreForHTTPSAlone(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"app.example": true, "app.example:8080": true, "192.0.2.1": true, "localhost.evil.example": true, "[2001:db8::1]:80": true,
		"": true, "127.0.0.1.example": true,
		"localhost": false, "LOCALHOST:8080": false, "app.localhost:8080": false, "127.0.0.1:8080": false, "[::1]:8080": false, "::1": false,
	} {
		e := withCookieOf(t)
		r := logIn(t, "ann", "pw")
		r.Host, r.TLS = host, nil
		access, refresh := cookiesOf(t, serve(e, r))
		if access.Secure != want || refresh.Secure != want {
			t.Errorf("%q: Secure %t", host, access.Secure)
		}
		r.TLS = new(tls.ConnectionState)
		if !isSecure(r, "x") {
			t.Errorf("%q over TLS", host)
		}
	}
}

func TestNamesAndPathsOfCookies(t *testing.T) {
	t.Parallel()
	s := newServer()
	s.signer.sources[0].Cookie = "__Host-id"
	e := newEndpoint(t, s, "refresh 1h\ncookie __Host-id {\nsame_site strict\n}")
	r := logIn(t, "ann", "pw")
	r.Host, r.TLS = "localhost", nil
	list := serve(e, r).Result().Cookies()
	if list[0].Name != "__Host-id" || list[1].Name != "__Secure-id_refresh" || !list[0].Secure || !list[1].Secure ||
		list[0].SameSite != http.SameSiteStrictMode || list[1].SameSite != http.SameSiteStrictMode {
		t.Errorf("%v", list)
	}
	if n := s.cookies.list[0]; n.Name != "__Secure-id_refresh" || n.Path != "" {
		t.Errorf("noted %+v", n)
	}
	s = newServer()
	e = newEndpoint(t, s, "refresh 1h\ncookie session {\nrefresh_name r\nrefresh_path /x\n}")
	if list := serve(e, logIn(t, "ann", "pw")).Result().Cookies(); list[1].Name != "r" || list[1].Path != "/x" {
		t.Errorf("%v", list)
	}
	if n := s.cookies.list[0]; n.Name != "r" || n.Path != "/x" {
		t.Errorf("noted %+v", n)
	}
	s = newServer()
	e = newEndpoint(t, s, "refresh 1h\ncookie session {\nrefresh_name __Host-r\nrefresh_path /\n}")
	if list := serve(e, logIn(t, "ann", "pw")).Result().Cookies(); list[1].Name != "__Host-r" || list[1].Path != "/" || !list[1].Secure {
		t.Errorf("%v", list)
	}
	for path, want := range map[string]string{
		"/login": "/login", "/login/": "/login/", "/auth/login": "/auth", "/auth/login/": "/auth", "/a/b/c": "/a/b", "/": "/",
	} {
		if got := folder(path); got != want {
			t.Errorf("folder(%q) = %q", path, got)
		}
	}
}

func TestBrowserIsSentWhereItWantedToGo(t *testing.T) {
	t.Parallel()
	e := withCookieOf(t)
	w := serve(e, browserAt(t, page, rightForm))
	wentTo(t, w, "/reports?page=2")
	if access, refresh := cookiesOf(t, w); access == nil || refresh == nil || w.Body.Len() != 0 {
		t.Errorf("cookies %v, body %q", w.Result().Cookies(), w.Body)
	}
	wentTo(t, serve(e, browserAt(t, "https://app.example/auth/login", rightForm)), "/")
	// What the form says comes first.
	wentTo(t, serve(e, browserAt(t, page, rightForm+"&next=/here")), "/here")
	// Older browsers say less.
	r := browserAt(t, page, rightForm)
	r.Header.Del("Sec-Fetch-Mode")
	r.Header.Del("Sec-Fetch-Site")
	wentTo(t, serve(e, r), "/reports?page=2")
	// A script is answered.
	for name, value := range map[string]string{"Sec-Fetch-Mode": "cors", "X-Requested-With": "XMLHttpRequest"} {
		r = browserAt(t, page, rightForm)
		r.Header.Set(name, value)
		if w := serve(e, r); w.Code != http.StatusOK {
			t.Errorf("%s: status %d", name, w.Code)
		}
	}
}

func TestBrowserIsSentBackToTheForm(t *testing.T) {
	t.Parallel()
	e := withCookieOf(t)
	w := serve(e, browserAt(t, page, "username=ann&password=wrong"))
	wentTo(t, w, "/auth/login?error=invalid_grant&next=%2Freports%3Fpage%3D2#invalid_grant")
	if len(w.Result().Cookies()) != 0 {
		t.Errorf("cookies %v", w.Result().Cookies())
	}
	wentTo(t, serve(e, browserAt(t, "https://app.example/auth/login?error=x&next=//evil.example", "username=ann")),
		"/auth/login?error=invalid_request#invalid_request")
	e.people.err = errors.New("down")
	wentTo(t, serve(e, browserAt(t, page, rightForm)),
		"/auth/login?error=temporarily_unavailable&next=%2Freports%3Fpage%3D2#temporarily_unavailable")
	// From there to the page that was asked for, without the fragment.
	e.people.err = nil
	wentTo(t, serve(e, browserAt(t, page+"&error=invalid_grant", rightForm)), "/reports?page=2#")
	wentTo(t, serve(e, browserAt(t, page+"&error=invalid_grant", rightForm+"&next=/x%23y")), "/x#y")
	e.people.err = errors.New("down")
	// Attack: the path of the endpoint itself is an address elsewhere.
	r := browserAt(t, "https://app.example//evil.example/auth/login", rightForm)
	if w := serve(e, r); w.Code != http.StatusServiceUnavailable || w.Header().Get("Location") != "" {
		t.Errorf("status %d to %q", w.Code, w.Header().Get("Location"))
	}
}

// Attack: a link to the log-in page whose "next" leads elsewhere, to a page that
// looks like the one that was expected.
func TestNextLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	e := withCookieOf(t)
	for _, next := range []string{
		"https://evil.example", "//evil.example", "///evil.example", `/\evil.example`, `\\evil.example`, `/x\..\evil`,
		"/\t/evil.example", "/\n/evil.example", "\t//evil.example", " //evil.example", "/ /evil.example", "evil.example", "javascript:alert(1)",
		"http:evil.example", "/x/..//evil.example", "/./x", "/x/..", "/%2e%2e/x", "/%5cevil.example", "/x\r\nSet-Cookie: a=b", "/x%0d%0aSet-Cookie:%20a=b",
		"/x\x00", "/x\x7f", "/%zz", "/ü", "@evil.example", "/" + strings.Repeat("a", maxNext), "", "?x", "#x",
		"/auth/login", "/auth/login?next=/x",
	} {
		w := serve(e, browserAt(t, "https://app.example/auth/login?next="+url.QueryEscape(next), rightForm))
		wentTo(t, w, "/")
		w = serve(e, browserAt(t, "https://app.example/auth/login", rightForm+"&next="+url.QueryEscape(next)))
		wentTo(t, w, "/")
	}
	wentTo(t, serve(e, browserAt(t, "https://app.example/auth/login?next=/a&next=/b", rightForm)), "/")
	for _, next := range []string{"/", "/x", "/x/", "/x?a=//b&c=\\", "/a%20b/%C3%BC.html", "/x#y", "/x:y@z", "/.well-known/x", "/a..b/"} {
		if strings.Contains(next, `\`) {
			continue
		}
		w := serve(e, browserAt(t, "https://app.example/auth/login?next="+url.QueryEscape(next), rightForm))
		wentTo(t, w, next) // the control
	}
}

// Attack: a page elsewhere signs its visitors in as somebody else, who then
// reads what they write.
func TestOtherSitesCannotSignVisitorsIn(t *testing.T) {
	t.Parallel()
	e := withCookieOf(t)
	for name, header := range map[string]http.Header{
		"cross-site":       {"Sec-Fetch-Site": {"cross-site"}},
		"same-site":        {"Sec-Fetch-Site": {"same-site"}},
		"another origin":   {"Origin": {"https://evil.example"}},
		"no origin":        {"Origin": {"null"}},
		"another port":     {"Origin": {"https://app.example:8443"}},
		"cross-site, form": {"Sec-Fetch-Site": {"cross-site"}, "Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}},
	} {
		for _, r := range []*http.Request{logIn(t, "ann", "pw"), post(t, mediaForm, rightForm)} {
			for key, values := range header {
				r.Header[key] = values
			}
			w := serve(e, r)
			if w.Code != http.StatusForbidden || errorOf(t, w) != "invalid_request" || len(w.Result().Cookies()) != 0 {
				t.Errorf("%s: status %d, %v", name, w.Code, w.Header())
			}
		}
	}
	if e.server.sessions.count() != 0 || e.people.asked != 0 {
		t.Error("somebody was asked")
	}
	r := logIn(t, "ann", "pw")
	r.Header.Set("Sec-Fetch-Site", fromHere)
	if w := serve(e, r); w.Code != http.StatusOK { // the control
		t.Errorf("status %d", w.Code)
	}
}

// Nobody who reads a page for hours is asked for the password again, script or
// no script.
func TestLogInPageIsNotShownToWhoseSessionGoesOn(t *testing.T) {
	t.Parallel()
	e := withCookieOf(t)
	_, refresh := cookiesOf(t, serve(e, browserAt(t, page, rightForm)))
	e.now = e.now.Add(2 * time.Hour)
	w := behind(e, loads(t, page, refresh))
	wentTo(t, w, "/reports?page=2")
	access, next := cookiesOf(t, w)
	if access == nil || next == nil || next.Value == refresh.Value {
		t.Fatalf("%+v, %+v", access, next)
	}
	// At once a second time: the cookies did not help, and the page is shown.
	if w := behind(e, loads(t, page, next)); w.Code != http.StatusOK || w.Body.String() != "the page" || len(w.Result().Cookies()) != 0 {
		t.Errorf("status %d, body %q", w.Code, w.Body)
	}
	// Another tab, at the same time.
	again := behind(e, loads(t, page, refresh))
	wentTo(t, again, "/reports?page=2")
	if _, same := cookiesOf(t, again); same.Value != next.Value {
		t.Error("another refresh token")
	}
}

func TestLogInPageIsShownToEverybodyElse(t *testing.T) {
	t.Parallel()
	e := withCookieOf(t)
	_, refresh := cookiesOf(t, serve(e, browserAt(t, page, rightForm)))
	e.now = e.now.Add(2 * time.Hour)
	isPage := func(what string, r *http.Request) *httptest.ResponseRecorder {
		t.Helper()
		w := behind(e, r)
		if w.Code != http.StatusOK || w.Body.String() != "the page" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: status %d, body %q, header %v", what, w.Code, w.Body, w.Header())
		}
		return w
	}
	for what, change := range map[string]func(*http.Request){
		"nobody":      func(r *http.Request) { r.Header.Del("Cookie") },
		"a script":    func(r *http.Request) { r.Header.Set("Sec-Fetch-Mode", "cors") },
		"curl":        func(r *http.Request) { r.Header.Del("Sec-Fetch-Mode"); r.Header.Set("Accept", "*/*") },
		"a prefetch":  func(r *http.Request) { r.Header.Set("Sec-Purpose", "prefetch") },
		"HEAD":        func(r *http.Request) { r.Method = http.MethodHead },
		"two cookies": func(r *http.Request) { withCookies(r, refresh) },
	} {
		r := loads(t, page, refresh)
		change(r)
		if w := isPage(what, r); len(w.Result().Cookies()) != 0 {
			t.Errorf("%s: cookies %v", what, w.Result().Cookies())
		}
	}
	if e.server.sessions.rotated != 0 {
		t.Error("a refresh token was used")
	}
	e.server.sessions.err = errors.New("down")
	if w := isPage("a store that is down", loads(t, page, refresh)); len(w.Result().Cookies()) != 0 {
		t.Error("the session was forgotten")
	}
	e.server.sessions.err = nil
	dead := &http.Cookie{Name: "session_refresh", Value: newRefreshToken().text()}
	if _, gone := cookiesOf(t, isPage("a session that is over", loads(t, page, dead))); gone == nil || gone.MaxAge != -1 {
		t.Errorf("%+v", gone)
	}
	wentTo(t, behind(e, loads(t, page, refresh)), "/reports?page=2") // the control
	// Other methods are refused as ever.
	r := loads(t, page)
	r.Method = http.MethodPut
	if w := behind(e, r); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("status %d, header %v", w.Code, w.Header())
	}
}

// A cookie that browsers do not keep would send them round in circles.
func TestTokenThatFitsIntoNoCookieIsNotIssued(t *testing.T) {
	t.Parallel()
	s := newServer()
	s.people.user.Fields["teams"] = strings.Repeat("a", maxCookie)
	e := newEndpoint(t, s, "refresh 1h\ninclude teams\ncookie session")
	w := serve(e, logIn(t, "ann", "pw"))
	if w.Code != http.StatusBadRequest || errorOf(t, w) != "invalid_grant" || len(w.Result().Cookies()) != 0 || s.sessions.count() != 0 {
		t.Errorf("status %d, %q", w.Code, w.Body)
	}
	e = newEndpoint(t, s, "refresh 1h\ninclude teams")
	e.logsIn() // the control: without a cookie
}

// Whatever somebody writes into "next", a browser stays on the site.
func FuzzLocalPath(f *testing.F) {
	for _, seed := range []string{"/", "/x?y=//z#a", "//evil.example", `/\evil.example`, "/\t/e", "/x/..//e", "/%2f/e", "/%5ce", "https://e", "/a%20b", "/;//e"} {
		f.Add(seed)
	}
	base, err := url.Parse("https://app.example/auth/login?x=y")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, address string) {
		got := localPath(address)
		if got != address && got != "/" {
			t.Fatalf("%q became %q", address, got)
		}
		// A browser takes out tabs and line breaks, and reads "\" as "/".
		read := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(got)
		u, err := base.Parse(read)
		if err != nil || u.Scheme != "https" || u.Host != "app.example" || u.User != nil || strings.HasPrefix(u.Path, "//") {
			t.Errorf("%q leads to %v, %v", got, u, err)
		}
		if strings.ContainsAny(got, "\r\n\x00") {
			t.Errorf("%q", got)
		}
	})
}
