// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package password

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

func init() {
	caddy.RegisterModule(new(acting))
	caddy.RegisterModule(new(worded))
	caddy.RegisterModule(new(noProvider))
}

// acting is a provider that does what its Act says, to the worst of its
// abilities.
type acting struct {
	Act string `json:"act,omitempty"`
}

func (*acting) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.authentication.providers.acting", New: func() caddy.Module { return new(acting) }}
}

const secretToken = "tok-0123456789abcdef"

var errLeaky = errors.New("cannot parse token " + secretToken)

func (a *acting) Authenticate(w http.ResponseWriter, r *http.Request) (caddyauth.User, bool, error) {
	ann := caddyauth.User{ID: "ann", Metadata: map[string]string{"email": "ann@example.com", "role": "{env.HOME}"}}
	switch a.Act {
	case "accept":
		return ann, true, nil
	case "refuse":
		return caddyauth.User{}, false, nil
	case "refuse named":
		return ann, false, nil
	case "refuse with metadata":
		return caddyauth.User{Metadata: ann.Metadata}, false, nil
	case "error":
		return caddyauth.User{}, false, errLeaky
	case "accept with error":
		w.Header().Set("Set-Cookie", "session=stolen")
		return ann, true, errLeaky
	case "accept nobody":
		return caddyauth.User{Metadata: ann.Metadata}, true, nil
	case "accept key":
		return caddyauth.User{ID: "apikey:ci-bot"}, true, nil
	case "panic":
		w.Header().Set("Set-Cookie", "session=half")
		panic("token " + secretToken)
	case "panic abort":
		panic(http.ErrAbortHandler)
	case "panic after error":
		defer func() { panic(errLeaky) }()
		return ann, true, nil
	case "write and refuse":
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "you are in")
		w.WriteHeader(http.StatusTeapot) // too late
		return caddyauth.User{}, false, nil
	case "redirect":
		http.Redirect(w, r, "/login", http.StatusFound)
		return caddyauth.User{}, false, nil
	case "flood":
		chunk := bytes.Repeat([]byte("x"), 64<<10)
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("X-Kept", "1")
		w.WriteHeader(http.StatusOK)
		for range 100 << 20 / len(chunk) {
			_, _ = w.Write(chunk)
		}
		return caddyauth.User{}, false, nil
	case "flood at once":
		_, _ = w.Write(make([]byte, 100<<20))
		return ann, true, nil
	case "odd statuses":
		for _, status := range []int{0, -1, 99, 100, 103, 199, 1000} {
			w.WriteHeader(status)
		}
		return caddyauth.User{}, false, nil
	case "session":
		header := w.Header()
		header.Add("Set-Cookie", "session=1")
		header.Add("Set-Cookie", "theme=2")
		for _, name := range []string{"Content-Length", "content-type", "Transfer-Encoding", "Connection", "Www-Authenticate", "LOCATION", "Trailer"} {
			header[name] = []string{"7"}
		}
		header[http.TrailerPrefix+"X"] = []string{"7"}
		_, _ = io.WriteString(w, "welcome")
		return ann, true, nil
	case "change the request":
		r.Header.Set("Authorization", "changed")
		r.Header.Set("X-New", "1")
		r.URL.Path, r.Host, r.Method, r.RemoteAddr = "/changed", "changed", http.MethodPost, "changed"
		_ = r.ParseForm()
		r.Form.Set("a", "changed")
		_, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
		return ann, true, nil
	case "take the connection":
		if _, ok := w.(http.Hijacker); ok {
			return ann, true, nil
		}
		if err := http.NewResponseController(w).SetWriteDeadline(time.Time{}); err == nil {
			return ann, true, nil
		}
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		return caddyauth.User{}, false, nil
	default:
		panic(fmt.Sprintf("unknown act %q", a.Act))
	}
}

// worded is a provider with Caddyfile support.
type worded struct {
	Words []string `json:"words,omitempty"`
}

func (*worded) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.authentication.providers.worded", New: func() caddy.Module { return new(worded) }}
}

func (v *worded) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	v.Words = d.RemainingArgs()
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() != "word" || !d.NextArg() {
			return d.Errf("unrecognized worded option %q", d.Val())
		}
		v.Words = append(v.Words, d.Val())
	}
	return nil
}

func (*worded) Authenticate(http.ResponseWriter, *http.Request) (caddyauth.User, bool, error) {
	return caddyauth.User{}, false, nil
}

// noProvider stands among the providers and is none.
type noProvider struct{}

func (*noProvider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.authentication.providers.not_a_provider", New: func() caddy.Module { return new(noProvider) }}
}

func providing(tb testing.TB, raw string) *Provider {
	tb.Helper()
	ctx, _ := authtest.NewContext(tb, nil)
	p := &Provider{ProviderRaw: json.RawMessage(raw)}
	if err := p.Provision(ctx); err != nil {
		tb.Fatal(err)
	}
	return p
}

func act(tb testing.TB, what string) *Provider {
	return providing(tb, fmt.Sprintf(`{"provider":"acting","act":%q}`, what))
}

// httpBasic is Caddy's own provider with one user, whose hash costs little.
func httpBasic(tb testing.TB) *Provider {
	return providing(tb, `{"provider":"http_basic","accounts":[{"username":"ann","password":"$2a$04$syvzuIKACw.aR2A5r.BgROf50wIuG8XzM/2EspkG9Pk4btu0OgSIa"}],"realm":"vault"}`)
}

func TestProviderKeepsTheContract(t *testing.T) {
	t.Parallel()
	authtest.TestAuthenticator(t, authtest.AuthenticatorCase{
		New:         func(tb testing.TB) auth.Authenticator { return httpBasic(tb) },
		Good:        header("Basic " + encode("ann:correct horse")),
		Bad:         map[string]func(*http.Request){"wrong password": header("Basic " + encode("ann:wrong horse")), "two headers": header("Basic x", "Basic "+encode("ann:correct horse"))},
		Secrets:     []string{"correct horse", "$2a$04$"},
		WantBackend: "provider",
		Down:        func(tb testing.TB) auth.Authenticator { return act(tb, "panic") },
	})
}

func TestCaddysOwnProvider(t *testing.T) {
	t.Parallel()
	p := httpBasic(t)
	id, answer, err := p.AuthenticateResponse(asked(t, "Basic "+encode("ann:correct horse")))
	if err != nil || id.ID != "ann" || id.Issuer != "local:provider" || id.Backend != "provider" || id.Staff || id.Superuser || id.Permissions.Len() != 0 {
		t.Fatalf("%+v, %v", id, err)
	}
	if len(answer.Header) != 0 || answer.Status != 0 || len(answer.Body) != 0 {
		t.Errorf("answer is %+v", answer)
	}
	for name, r := range map[string]*http.Request{"wrong": asked(t, "Basic "+encode("ann:wrong horse")), "missing": authtest.NewRequest(t, http.MethodGet, "/")} {
		id, answer, err := p.AuthenticateResponse(r)
		if id != nil || !errors.Is(err, auth.ErrNoCredentials) {
			t.Errorf("%s: %v, %v", name, id, err)
		}
		if got := answer.Header.Get("WWW-Authenticate"); got != `Basic realm="vault"` || answer.Status != 0 {
			t.Errorf("%s: challenge %q, status %d", name, got, answer.Status)
		}
	}
	if s := p.Sources(); len(s) != 1 || s[0] != (auth.Source{Header: "Authorization", Scheme: "Basic"}) {
		t.Errorf("sources are %v", s)
	}
	if s := act(t, "accept").Sources(); s != nil {
		t.Errorf("sources of an unknown provider are %v", s)
	}
}

func TestOutcomesOfAProvider(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		act, id   string
		reason    auth.Reason // of the error
		candidate string
	}{
		{"accept", "ann", "", ""},
		{"refuse", "", auth.ReasonMissingCredentials, ""},
		{"refuse named", "", auth.ReasonBadPassword, "ann"},
		{"refuse with metadata", "", auth.ReasonBadPassword, ""},
		{"error", "", auth.ReasonBadPassword, ""},
		{"accept with error", "", auth.ReasonBadPassword, ""},
		{"accept nobody", "", auth.ReasonStoreUnavailable, ""},
		{"accept key", "", auth.ReasonBadPassword, ""},
		{"panic", "", auth.ReasonStoreUnavailable, ""},
		{"panic abort", "", auth.ReasonStoreUnavailable, ""},
		{"panic after error", "", auth.ReasonStoreUnavailable, ""},
		{"write and refuse", "", auth.ReasonMissingCredentials, ""},
		{"redirect", "", auth.ReasonMissingCredentials, ""},
		{"flood", "", auth.ReasonMissingCredentials, ""},
		{"flood at once", "ann", "", ""},
		{"odd statuses", "", auth.ReasonMissingCredentials, ""},
		{"take the connection", "", auth.ReasonMissingCredentials, ""},
	} {
		t.Run(tc.act, func(t *testing.T) {
			t.Parallel()
			p := act(t, tc.act)
			id, err := p.Authenticate(asked(t, "Bearer "+secretToken))
			if (id == nil) != (tc.id == "") || (id == nil) == (err == nil) || (id != nil && id.ID != tc.id) {
				t.Fatalf("%v, %v", id, err)
			}
			if err == nil {
				return
			}
			if auth.ReasonOf(err) != tc.reason || auth.CandidateOf(err) != tc.candidate {
				t.Errorf("%v, candidate %q", err, auth.CandidateOf(err))
			}
			if undecided := !errors.Is(err, auth.ErrNoCredentials) && !errors.Is(err, auth.ErrInvalidCredentials); undecided != (tc.reason == auth.ReasonStoreUnavailable) {
				t.Errorf("could not decide: %t", undecided)
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(fmt.Sprintf("%+v%#v", e, e), secretToken) {
					t.Error("the error shows the token")
				}
			}
		})
	}
}

func TestMetadataAreClaimsAndData(t *testing.T) {
	t.Parallel()
	id, err := act(t, "accept").Authenticate(asked(t))
	if err != nil {
		t.Fatal(err)
	}
	if string(id.Claims.JSON()) != `{"email":"ann@example.com","role":"{env.HOME}"}` {
		t.Errorf("claims are %s", id.Claims.JSON())
	}
}

// Attack: a provider that writes before it refuses must not have answered the
// request, with 200 for example, nor fill the memory.
func TestWhatAProviderWritesIsKeptApart(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		act    string
		status int
		body   string
		header map[string]string // "" means absent
		none   bool
	}{
		{act: "refuse"},
		{act: "write and refuse", status: http.StatusOK, body: "you are in", header: map[string]string{"Content-Type": "text/html"}},
		{act: "redirect", status: http.StatusFound, body: "<a href=\"/login\">Found</a>.\n\n", header: map[string]string{"Location": "/login"}},
		{act: "error"},
		{act: "accept with error", header: map[string]string{"Set-Cookie": "session=stolen"}},
		{act: "panic", none: true},
		{act: "accept nobody", none: true},
		{act: "flood", header: map[string]string{"X-Kept": "1", "Content-Type": ""}},
		{act: "flood at once"},
		{act: "odd statuses"},
		{act: "session", header: map[string]string{"Set-Cookie": "session=1", "Content-Length": "", "Content-Type": "", "Transfer-Encoding": "", "Connection": "", "WWW-Authenticate": "", "Location": "", "Trailer": ""}},
	} {
		t.Run(tc.act, func(t *testing.T) {
			t.Parallel()
			_, answer, _ := act(t, tc.act).AuthenticateResponse(asked(t, "Bearer x"))
			if tc.none {
				if answer != nil {
					t.Errorf("answer is %+v", answer)
				}
				return
			}
			if answer.Status != tc.status || string(answer.Body) != tc.body || cap(answer.Body) > 2*maxResponse {
				t.Errorf("answer is %d %q", answer.Status, answer.Body)
			}
			for name, want := range tc.header {
				if got := answer.Header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			for name := range answer.Header {
				if strings.EqualFold(name, "content-type") != (name == "Content-Type") || strings.HasPrefix(name, http.TrailerPrefix) || name == "LOCATION" {
					t.Errorf("header %q is left", name)
				}
			}
		})
	}
	_, answer, _ := act(t, "session").AuthenticateResponse(asked(t))
	if got := answer.Header.Values("Set-Cookie"); len(got) != 2 {
		t.Errorf("cookies are %v", got)
	}
}

func TestAnswerIsKeptWholeUpToItsLimit(t *testing.T) {
	t.Parallel()
	b := newBuffer()
	if n, err := b.Write(make([]byte, maxResponse)); n != maxResponse || err != nil {
		t.Fatal(n, err)
	}
	if a := b.refused(); len(a.Body) != maxResponse || a.Status != http.StatusOK {
		t.Errorf("%d bytes with %d", len(a.Body), a.Status)
	}
	if n, err := b.Write([]byte("x")); n != 0 || err == nil {
		t.Errorf("one more: %d, %v", n, err)
	}
	if n, err := b.Write(nil); n != 0 || err == nil {
		t.Errorf("nothing more: %d, %v", n, err)
	}
	if a := b.refused(); a.Body != nil || a.Status != 0 {
		t.Errorf("%d bytes with %d", len(a.Body), a.Status)
	}
}

func TestProviderCannotChangeTheRequest(t *testing.T) {
	t.Parallel()
	r := asked(t, "Bearer x")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader("a=1")), 3
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if _, err := act(t, "change the request").Authenticate(r); err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(r.Body)
	if r.Header.Get("Authorization") != "Bearer x" || r.Header.Get("X-New") != "" || r.URL.Path != "/" || r.Host == "changed" ||
		r.Method != http.MethodGet || r.RemoteAddr == "changed" || r.Form != nil || string(body) != "a=1" || r.ContentLength != 3 {
		t.Errorf("the request was changed: %+v", r)
	}
}

func TestProviderLogsNoCredentialAndNoFlood(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for _, tc := range []struct {
		act, want string
		times     int
	}{
		{"panic", "provider panicked; its requests are refused with 503", 2},
		{"error", "provider reported an error", 200},
	} {
		buf := new(bytes.Buffer)
		core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(buf), zapcore.DebugLevel)
		p := act(t, tc.act)
		p.logger, p.clock = zap.New(core), clock.Func(func() time.Time { return now })
		for range 100 {
			_, _ = p.Authenticate(asked(t, "Bearer "+secretToken))
		}
		now = now.Add(time.Minute)
		for range 100 {
			_, _ = p.Authenticate(asked(t, "Bearer "+secretToken))
		}
		if n := strings.Count(buf.String(), tc.want); n != tc.times {
			t.Errorf("%s: logged %d times", tc.act, n)
		}
		if strings.Contains(buf.String(), secretToken) || !strings.Contains(buf.String(), `"provider":"acting"`) {
			t.Errorf("%s: logged %s", tc.act, buf.String()[:200])
		}
	}
}

func TestProviderConfiguration(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, raw, want string }{
		{"nothing", ``, "provider is required"},
		{"null", `null`, "loading provider"},
		{"no name", `{}`, "loading provider"},
		{"unknown", `{"provider":"nowhere"}`, "unknown module: http.authentication.providers.nowhere"},
		{"not a provider", `{"provider":"not_a_provider"}`, "provider: *password.noProvider is not an authentication provider"},
		{"bad accounts", `{"provider":"http_basic","accounts":[{"username":"a"}]}`, "username and password are required"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ctx, _ := authtest.NewContext(t, nil)
			err := (&Provider{ProviderRaw: json.RawMessage(tc.raw)}).Provision(ctx)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error is %v, want %s", err, tc.want)
			}
		})
	}
}

func parseProvider(text string) (*Provider, error) {
	tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
	if err != nil {
		return nil, err
	}
	p := new(Provider)
	return p, p.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
}

func TestProviderCaddyfile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"bare", "provider worded", `{"provider":{"provider":"worded"}}`},
		{"arguments and block", "provider worded a b {\n\tword c\n}", `{"provider":{"provider":"worded","words":["a","b","c"]}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p, err := parseProvider(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			if raw, err := json.Marshal(p); err != nil || string(raw) != tc.want {
				t.Errorf("JSON is %s, %v", raw, err)
			}
		})
	}
}

func TestProviderCaddyfileErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"no name", "provider", `provider takes the name of an authentication provider, at Caddyfile:1`},
		{"a block", "provider {\n\tworded\n}", `provider takes the name of an authentication provider, at Caddyfile:1`},
		{"unknown", "provider ldap", `unrecognized provider "ldap"; there are: acting, http_basic, not_a_provider, worded, at Caddyfile:1`},
		{"deeper", "provider http_basic.x", `unrecognized provider "http_basic.x"; there are: acting, http_basic, not_a_provider, worded, at Caddyfile:1`},
		{"Caddy's own", "provider http_basic {\n\tann x\n}", `provider "http_basic" cannot be configured in a Caddyfile: use basic, at Caddyfile:1`},
		{"without support", "provider acting", `provider "acting" cannot be configured in a Caddyfile: configure it in JSON, at Caddyfile:1`},
		{"the provider's own error", "provider worded {\n\tphrase x\n}", `unrecognized worded option "phrase", at Caddyfile:2`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := parseProvider(tc.text)
			if err == nil || err.Error() != tc.want {
				t.Errorf("error is\n%v\nwant\n%v", err, tc.want)
			}
		})
	}
}

func TestProviderIsAModule(t *testing.T) {
	t.Parallel()
	info, err := caddy.GetModule("http.auth.authenticators.provider")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := info.New().(auth.Responder); !ok {
		t.Error("it answers nothing by itself")
	}
}

// What is parsed survives being written as JSON and read again.
func FuzzProviderCaddyfile(f *testing.F) {
	f.Add("provider worded a b {\n\tword c\n}")
	f.Add("provider http_basic")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "import") || strings.Contains(text, "{$") {
			return // the tokenizer's business
		}
		p, err := parseProvider(text)
		if err != nil {
			return
		}
		raw, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var again Provider
		if err := caddy.StrictUnmarshalJSON(raw, &again); err != nil {
			t.Fatal(err)
		}
		if second, err := json.Marshal(&again); err != nil || string(second) != string(raw) {
			t.Errorf("%s became %s, %v", raw, second, err)
		}
		ctx, _ := authtest.NewContext(t, nil)
		if err := again.Provision(ctx); err != nil {
			t.Errorf("what was parsed does not load: %v", err)
		}
	})
}
