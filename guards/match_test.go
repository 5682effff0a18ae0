// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
	"github.com/caddybolt/caddy-bolt/internal/matching"
)

// withClaims returns a request whose replacer knows the claims, as behind the
// auth handler.
func withClaims(tb testing.TB, id *auth.Identity) *http.Request {
	tb.Helper()
	r := authtest.NewRequest(tb, http.MethodGet, "https://app.example.com/reports?year=2026")
	r.Header.Set("X-Level", "3")
	authtest.SignIn(r, id, nil)
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	repl.Map(func(key string) (any, bool) {
		path, ok := strings.CutPrefix(key, "http.auth.claims.")
		if !ok || id == nil {
			return nil, ok
		}
		v, _ := id.Claims.Lookup(path)
		return v, true
	})
	return r
}

func TestMatchKeepsTheContract(t *testing.T) {
	t.Parallel()
	authtest.TestGuard(t, authtest.GuardCase{
		New: from("match expression `{http.auth.claims.level} >= 3`"), Request: withClaims,
		Pass: ids{"level": signedIn(`{"level":3}`), "fraction": signedIn(`{"level":3.5}`)},
		Refuse: ids{
			"lower": signedIn(`{"level":2}`), "missing": signedIn(`{}`), "null": signedIn(`{"level":null}`),
			"text": signedIn(`{"level":"secret-level-9"}`), "list": signedIn(`{"level":[3]}`),
		},
		Secrets: []string{"secret-level-9"},
	})
	authtest.TestGuard(t, authtest.GuardCase{
		New:  from("match {\n\tpath /reports\n\theader X-Level 3\n}"),
		Pass: ids{"anybody": signedIn(`{}`)}, Request: withClaims,
	})
}

func TestMatchAsksTheMatchers(t *testing.T) {
	t.Parallel()
	id := signedIn(`{"level":3,"groups":["ops","dev"],"admin":true,"name":"Ann","org":{"id":"o1"},"big":9007199254740993}`)
	for text, want := range map[string]outcome{
		"match path /reports":                        passed,
		"match path /other":                          forbidden,
		"match method GET HEAD":                      passed,
		"match remote_ip 192.0.2.0/24":               passed, // what net/http/httptest comes from
		"match remote_ip 10.0.0.0/8":                 forbidden,
		"match not remote_ip 10.0.0.0/8":             passed,
		"match {\n\tpath /reports\n\tmethod POST\n}": forbidden,
		"match {\n\tpath /reports\n\tmethod GET\n}":  passed,
		"match query year=2026":                      passed,

		"match expression `{http.auth.claims.level} == 3`":                                  passed,
		"match `{http.auth.claims.level} == 3`":                                             passed,
		"match expression `{http.auth.claims.level} == 4`":                                  forbidden,
		`match expression "ops" in {http.auth.claims.groups}`:                               passed,
		`match expression "root" in {http.auth.claims.groups}`:                              forbidden,
		"match expression `{http.auth.claims.admin} == true`":                               passed,
		"match expression `{http.auth.claims.org}.id == 'o1'`":                              passed,
		"match expression `{http.auth.claims.org.id} == 'o1'`":                              passed,
		"match expression `{http.auth.claims.big} == 9007199254740993`":                     passed,
		"match expression `path('/reports') && {http.auth.claims.level} > 2`":               passed,
		"match expression `{http.auth.claims.level} > 2 || {http.auth.claims.none} > 3`":    passed,
		"match expression `{http.auth.claims.none} > 3 || {http.auth.claims.level} > 2`":    passed,
		"match expression `{http.auth.claims.none} > 3 && {http.auth.claims.level} > 9`":    forbidden,
		"match expression `{http.auth.claims.level} > 2 // a comment`":                      passed,
		"match expression `{http.auth.claims.level} > 3 // a comment`":                      forbidden,
		"match expression `true || false && false`":                                         passed,
		"match expression `false && true || false`":                                         forbidden,
		"match expression `has({http.auth.claims.org}.id)`":                                 passed,
		"match expression `has({http.auth.claims.org}.no)`":                                 forbidden,
		"match expression `{http.auth.claims.none} != null && {http.auth.claims.none} > 3`": forbidden,

		// what cannot be evaluated
		"match expression `{http.auth.claims.none} > 3`":                              notEvaluated,
		"match expression `!({http.auth.claims.none} > 3)`":                           notEvaluated,
		`match expression "ops" in {http.auth.claims.none}`:                           notEvaluated,
		`match expression !("ops" in {http.auth.claims.none})`:                        notEvaluated,
		"match expression `{http.auth.claims.none.x}.y == 1`":                         notEvaluated,
		"match expression `int({http.auth.claims.name}) > 3`":                         notEvaluated,
		"match expression `{http.auth.claims.level} / 0 == 1`":                        notEvaluated,
		"match expression `{http.auth.claims.org}.no == 'o1'`":                        notEvaluated,
		"match not expression `{http.auth.claims.none} > 3`":                          notEvaluated,
		"match {\n\tnot {\n\t\texpression `{http.auth.claims.none} > 3`\n\t}\n}":      notEvaluated,
		"not match expression `{http.auth.claims.none} > 3`":                          notEvaluated,
		"any {\n\tstaff\n\tmatch expression `{http.auth.claims.none} > 3`\n}":         notEvaluated,
		"not any {\n\tstaff\n\tmatch expression `{http.auth.claims.none} > 3`\n}":     notEvaluated,
		"any {\n\tmatch expression `{http.auth.claims.none} > 3`\n\tauthenticated\n}": passed,
	} {
		if got := outcomeOf(mustLoad(t, text).Check(withClaims(t, id), id)); got != want {
			t.Errorf("%s is %s, want %s", text, outcomeNames[got], outcomeNames[want])
		}
	}
}

// A failure is forgotten before the next expression of the same request is
// asked.
func TestExpressionsOfOneRequestAreApart(t *testing.T) {
	t.Parallel()
	id := signedIn(`{"level":3}`)
	r := withClaims(t, id)
	bad := mustLoad(t, "match expression `{http.auth.claims.none} > 3`")
	yes := mustLoad(t, "match expression `{http.auth.claims.level} == 3`")
	no := mustLoad(t, "match expression `{http.auth.claims.level} == 4`")
	for range 3 {
		for g, want := range map[auth.Guard]outcome{bad: notEvaluated, yes: passed, no: forbidden} {
			if got := outcomeOf(g.Check(r, id)); got != want {
				t.Errorf("%s, want %s", outcomeNames[got], outcomeNames[want])
			}
		}
	}
}

// A matcher set of JSON is one of several.
func TestOneMatcherSetOfSeveralIsEnough(t *testing.T) {
	t.Parallel()
	id := signedIn(`{"level":3}`)
	for raw, want := range map[string]outcome{
		`{"guard":"match","match":[{"path":["/x"]},{"path":["/reports"]}]}`:                                      passed,
		`{"guard":"match","match":[{"path":["/x"]},{"path":["/y"]}]}`:                                            forbidden,
		`{"guard":"match","match":[{"expression":{"expr":"path('/reports')","name":"n"}}]}`:                      passed,
		`{"guard":"match","match":[{"path":["/x"]},{"expression":"{http.auth.claims.level} == 3"}]}`:             passed,
		`{"guard":"match","match":[{"path":["/reports"]},{"expression":"{http.auth.claims.none} > 3"}]}`:         passed,
		`{"guard":"match","match":[{"expression":"{http.auth.claims.none} > 3"},{"path":["/reports"]}]}`:         notEvaluated,
		`{"guard":"match","match":[{"expression":"{http.auth.claims.level} == 3"},{"expression":"1 / 0 == 1"}]}`: passed,
	} {
		if got := outcomeOf(mustLoad(t, raw).Check(withClaims(t, id), id)); got != want {
			t.Errorf("%s is %s, want %s", raw, outcomeNames[got], outcomeNames[want])
		}
	}
}

// A claim's text is data for an expression too.
func TestClaimThatLooksLikeAPlaceholderOrAnExpressionIsText(t *testing.T) {
	t.Setenv("AUTH_TEST_LEAK", "leaked")
	for _, text := range []string{`{env.AUTH_TEST_LEAK}`, `' || true || '`, `{caddybolt.match.failed}`, `{http.auth.claims.other}`} {
		id := signedIn(`{"name":"` + text + `","other":"x"}`)
		for expr, want := range map[string]outcome{
			"{http.auth.claims.name} == 'leaked'":                          forbidden,
			"{http.auth.claims.name} == 'x'":                               forbidden,
			"{http.auth.claims.name}.size() == " + itoa(len([]rune(text))): passed,
		} {
			if got := outcomeOf(mustLoad(t, "match expression `"+expr+"`").Check(withClaims(t, id), id)); got != want {
				t.Errorf("%s with %q is %s, want %s", expr, text, outcomeNames[got], outcomeNames[want])
			}
		}
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

// failing is a matcher that fails in each of the two ways of Caddy.
type failing struct{}

func (failing) Match(r *http.Request) bool {
	//nolint:staticcheck // deprecated, and what older matchers do
	caddyhttp.SetVar(r.Context(), caddyhttp.MatcherErrorVarKey, caddyhttp.Error(http.StatusNotFound, io.EOF))
	return false
}

// failingLoudly also has the newer method.
type failingLoudly struct{ failing }

func (failingLoudly) MatchWithError(*http.Request) (bool, error) {
	return true, caddyhttp.Error(http.StatusInternalServerError, io.ErrUnexpectedEOF)
}

func TestMatcherThatFailsIsNotEvaluated(t *testing.T) {
	t.Parallel()
	for _, m := range []any{failing{}, failingLoudly{}} {
		g := &Match{sets: matching.Of(caddyhttp.MatcherSets{{m}})}
		id := signedIn(`{}`)
		for _, g := range []auth.Guard{g, &Not{guard: g}, &Any{guards: []auth.Guard{g}}} {
			err := g.Check(withClaims(t, id), id)
			if outcomeOf(err) != notEvaluated {
				t.Errorf("%T: %v", m, err)
			}
			if contains(err.Error(), "EOF") {
				t.Errorf("%T: the error tells what the matcher said: %v", m, err)
			}
		}
	}
}

// A request that nobody prepared has no placeholders: nothing can be decided,
// and Caddy's own code would panic.
func TestExpressionOnARequestThatWasNotPreparedDecidesNothing(t *testing.T) {
	t.Parallel()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://app.example.com/reports", nil)
	id := signedIn(`{}`)
	if err := mustLoad(t, "match expression `true`").Check(r, id); outcomeOf(err) != notDecided {
		t.Errorf("%v", err)
	}
}

func TestMatchInTheConfiguration(t *testing.T) {
	t.Parallel()
	adapts(t, map[string]string{
		"match path /a /b":                           `{"guard":"match","match":[{"path":["/a","/b"]}]}`,
		"match {\n\tpath /a\n\tmethod GET\n}":        `{"guard":"match","match":[{"method":["GET"],"path":["/a"]}]}`,
		"match {\n\tpath /a\n\tpath /b\n}":           `{"guard":"match","match":[{"path":["/a","/b"]}]}`,
		"match expression `1 == 1`":                  `{"guard":"match","match":[{"expression":"1 == 1"}]}`,
		"match not path /a":                          `{"guard":"match","match":[{"not":[{"path":["/a"]}]}]}`,
		"any {\n\tmatch path /a\n\tmatch path /b\n}": `{"guard":"any","guards":[{"guard":"match","match":[{"path":["/a"]}]},{"guard":"match","match":[{"path":["/b"]}]}]}`,
	})
	refused(t, map[string]string{
		"match":                          "at least one matcher is required",
		"match {\n}":                     "at least one matcher is required",
		"match nothing":                  "getting matcher module 'nothing'",
		"match @named":                   "getting matcher module '@named'",
		`{"guard":"match"}`:              "at least one matcher is required",
		`{"guard":"match","match":[]}`:   "at least one matcher is required",
		`{"guard":"match","match":[{}]}`: "at least one matcher is required",
		`{"guard":"match","match":[{"path":["/a"]},{}]}`:                        "at least one matcher is required",
		`{"guard":"match","match":[{"nothing":1}]}`:                             "unknown module: http.matchers.nothing",
		`{"guard":"match","match":[{"expression":"1 +"}]}`:                      "compiling CEL program",
		`{"guard":"match","match":[{"expression":"1 + 1"}]}`:                    "expects return type of bool",
		`{"guard":"match","match":[{"expression":"{http.auth.claims.admin}"}]}`: "expects return type of bool",
		`{"guard":"match","match":[{"expression":"true) || (true"}]}`:           "compiling CEL program",
		`{"guard":"match","match":[{"expression":{"expr":1,"name":"x"}}]}`:      "expression:",
		`{"guard":"match","match":[{"expression":{"expression":"true"}}]}`:      "expression:",
		`{"guard":"match","match":[{"not":[{"expression":"1 +"}]}]}`:            "compiling CEL program",
		`{"guard":"match","match":[{"not":1}]}`:                                 "not:",
		`{"guard":"match","match":{"path":["/a"]}}`:                             "cannot unmarshal",
		`{"guard":"match","match":[{"remote_ip":{"ranges":["x"]}}]}`:            "",
	})
}

// An error names the expression as it was written, not as it is watched.
func TestErrorOfAnExpressionShowsWhatWasWritten(t *testing.T) {
	t.Parallel()
	_, err := load(t, `{"guard":"match","match":[{"expression":"1 + true"}]}`)
	if err == nil || contains(err.Error(), "caddybolt") || !contains(err.Error(), "1 + true") {
		t.Errorf("%v", err)
	}
}

// Caddy's matcher writes a line at ERROR for each expression that fails, here with
// the claim in it. Attack: fill the log with a token that lacks a claim.
func TestExpressionThatFailsLogsNothing(t *testing.T) { // not parallel: it borrows the standard error stream
	id := signedIn(`{"number":424242}`)
	const expr = "[1][{http.auth.claims.number}] == 1"
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	saved := os.Stderr
	os.Stderr = write // loggers of tests take it when they are made
	guard := mustLoad(t, "match expression `"+expr+"`")
	not := mustLoad(t, "match not expression `"+expr+"`")
	ctx, _ := authtest.NewContext(t, nil)
	matcher := &caddyhttp.MatchExpression{Expr: expr}
	err = matcher.Provision(ctx)
	os.Stderr = saved
	if err != nil {
		t.Fatal(err)
	}
	_ = guard.Check(withClaims(t, id), id)
	_ = not.Check(withClaims(t, id), id)
	_, _ = write.WriteString("--- control\n")
	_, _ = matcher.MatchWithError(withClaims(t, id))
	_ = write.Close()
	log, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	ours, caddys, _ := bytes.Cut(log, []byte("--- control\n"))
	if len(ours) > 0 {
		t.Errorf("the guard wrote %q", ours)
	}
	if !bytes.Contains(caddys, []byte("424242")) {
		t.Errorf("control: Caddy's matcher wrote %q: is the rewriting still needed?", caddys)
	}
}
