// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package matching

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

// An expression that is true, one that is false, and some that fail: with a
// claim that is missing, a value of the wrong type, a division by nothing.
const (
	yes   = `"expression":"{test.level} == 3"`
	no    = `"expression":"{test.level} == 4"`
	fails = `"expression":"{test.none} > 3"`
)

// loads is the number of times that sets are loaded where their answer must not
// depend on the order in which Go walks a map.
const loads = 20

func raw(tb testing.TB, text string) caddyhttp.RawMatcherSets {
	tb.Helper()
	var sets caddyhttp.RawMatcherSets
	if err := json.Unmarshal([]byte(text), &sets); err != nil {
		tb.Fatal(err)
	}
	return sets
}

func load(tb testing.TB, text string) (*Sets, error) {
	tb.Helper()
	ctx, _ := authtest.NewContext(tb, nil)
	return Load(ctx, raw(tb, text))
}

func mustLoad(tb testing.TB, text string) *Sets {
	tb.Helper()
	s, err := load(tb, text)
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return s
}

func replacer(r *http.Request) *caddy.Replacer {
	return r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
}

func newRequest(tb testing.TB) *http.Request {
	tb.Helper()
	r := authtest.NewRequest(tb, http.MethodGet, "https://app.example.com/reports")
	replacer(r).Map(func(key string) (any, bool) {
		switch key {
		case "test.level":
			return int64(3), true
		case "test.number":
			return int64(424242), true
		case "test.name":
			return "claim-of-alice", true
		default:
			return nil, strings.HasPrefix(key, "test.")
		}
	})
	return r
}

// outcome is what Match says, in a word.
func outcome(matches bool, err error) string {
	switch {
	case matches && err != nil:
		return "a match with an error"
	case errors.Is(err, ErrFailed):
		return "failed"
	case errors.Is(err, ErrNotPrepared):
		return "not prepared"
	case err != nil:
		return err.Error()
	case matches:
		return "match"
	default:
		return "no match"
	}
}

func TestNoSetsMatchEverything(t *testing.T) {
	t.Parallel()
	ctx, _ := authtest.NewContext(t, nil)
	for name, sets := range map[string]caddyhttp.RawMatcherSets{"nil": nil, "none": {}} {
		s, err := Load(ctx, sets)
		if err != nil {
			t.Fatal(err)
		}
		if got := outcome(s.Match(newRequest(t))); got != "match" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := outcome(Of(nil).Match(newRequest(t))); got != "match" {
		t.Errorf("of nothing: %s", got)
	}
}

func TestOneSetMustMatchAndOfItEveryMatcher(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`[{}]`:                    "match",
		`[{"path":["/reports"]}]`: "match",
		`[{"path":["/other"]}]`:   "no match",
		`[{"path":["/reports"],"method":["GET"]}]`:       "match",
		`[{"path":["/reports"],"method":["POST"]}]`:      "no match",
		`[{"path":["/other"]},{"path":["/reports"]}]`:    "match",
		`[{"path":["/other"]},{"method":["POST"]}]`:      "no match",
		`[{"not":[{"path":["/other"]}]}]`:                "match",
		`[{"not":[{"path":["/reports"]}]}]`:              "no match",
		`[{"not":[{"path":["/other"]},{"path":["*"]}]}]`: "no match",
		`[{"not":null}]`: "match",

		`[{` + yes + `}]`:                                    "match",
		`[{` + no + `}]`:                                     "no match",
		`[{"not":[{` + yes + `}]}]`:                          "no match",
		`[{"not":[{` + no + `}]}]`:                           "match",
		`[{"not":[{"not":[{` + yes + `}]}]}]`:                "match",
		`[{"not":[{"not":[{` + no + `}]}]}]`:                 "no match",
		`[{"path":["/reports"],` + yes + `}]`:                "match",
		`[{"path":["/other"],` + yes + `}]`:                  "no match",
		`[{` + no + `},{` + yes + `}]`:                       "match",
		`[{` + no + `},{` + no + `}]`:                        "no match",
		`[{"not":[{` + no + `,"path":["*"]}],` + yes + `}]`:  "match",
		`[{"not":[{` + yes + `,"path":["*"]}],` + yes + `}]`: "no match",

		`[{"expression":"path('/reports') && {test.level} > 2 // a comment"}]`: "match",
		`[{"expression":"path('/reports') && {test.level} > 3 // a comment"}]`: "no match",
		`[{"expression":{"expr":"{test.level} == 3"}}]`:                        "match",
		`[{"expression":{"expr":"{test.level} == 3","name":"x"}}]`:             "match",
	} {
		if got := outcome(mustLoad(t, text).Match(newRequest(t))); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// Attack: an expression on a claim that one's token lacks. Taken for "no match",
// it opens what "not" guards and skips the rule that restricts; taken for a
// match, it opens the rest.
func TestExpressionThatFailsIsNeitherAMatchNorNone(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{
		`{test.none} > 3`, `!({test.none} > 3)`, `'a' in {test.none}`, `!('a' in {test.none})`, `{test.none}.x == 1`,
		`{test.level} / 0 == 1`, `int({test.name}) > 3`, `[1][{test.level}] == 1`, `{test.none} > 3 && {test.level} == 3`,
		`{test.none} > 3 || {test.level} == 4`, `{test.none} > 3 ? true : true`, "{test.none} > 3 // a comment",
	} {
		quoted, err := json.Marshal(expr)
		if err != nil {
			t.Fatal(err)
		}
		e := `"expression":` + string(quoted)
		for _, text := range []string{
			`[{` + e + `}]`,
			`[{"not":[{` + e + `}]}]`,
			`[{"not":[{"not":[{` + e + `}]}]}]`,
			`[{"path":["/other"]},{` + e + `}]`,
			`[{` + e + `},{"path":["/reports"]}]`,
			`[{"not":[{` + e + `},{"path":["/other"]}]}]`,
			`[{"not":[{"path":["/other"]},{` + e + `}]}]`,
			`[{"path":["/reports"],` + e + `}]`,
			`[{` + e + `,"not":[{` + e + `}]}]`,
			`[{"expression":{"expr":` + string(quoted) + `,"name":"x"}}]`,
		} {
			if got := outcome(mustLoad(t, text).Match(newRequest(t))); got != "failed" {
				t.Errorf("%s: %s", text, got)
			}
		}
	}
}

// CEL's operators go on where one side decides by itself: such an expression did
// not fail.
func TestExpressionThatDecidesInSpiteOfAFailureDidNotFail(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		"{test.none} > 3 || {test.level} == 3":                                "match",
		"{test.level} == 3 || {test.none} > 3":                                "match",
		"{test.none} > 3 && {test.level} == 4":                                "no match",
		"{test.level} == 4 && {test.none} > 3":                                "no match",
		"!({test.none} > 3 && {test.level} == 4)":                             "match",
		"{test.none} != null && {test.none} > 3":                              "no match",
		"({test.none} > 3 || true) && ({test.none} > 3 || {test.level} == 3)": "match",
	} {
		text := `[{"expression":"` + expr + `"}]`
		if got := outcome(mustLoad(t, text).Match(newRequest(t))); got != want {
			t.Errorf("%s: %s, want %s", expr, got, want)
		}
	}
}

// Caddy walks the matchers of a set in random order, another one after each
// start. What another matcher decides does not depend on the expression, so it
// must not depend on which of them is asked first.
func TestAnswerDoesNotDependOnTheOrderOfMatchers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`[{"path":["/other"],` + fails + `}]`:                                      "no match",
		`[{"path":["/reports"],` + fails + `}]`:                                    "failed",
		`[{"path":["/other"],` + fails + `},{"path":["/reports"]}]`:                "match",
		`[{"path":["/other"],"not":[{` + fails + `}]}]`:                            "no match",
		`[{"path":["/reports"],"not":[{` + fails + `}]}]`:                          "failed",
		`[{"not":[{"path":["/other"],` + fails + `}]}]`:                            "match",
		`[{"not":[{"path":["/reports"],` + fails + `}]}]`:                          "failed",
		`[{"not":[{"path":["/other"],` + fails + `},{"path":["/reports"]}]}]`:      "no match",
		`[{"not":[{"path":["/other"],` + fails + `}],` + yes + `}]`:                "match",
		`[{"not":[{"path":["/other"],` + fails + `}],` + no + `}]`:                 "no match",
		`[{"not":[{"path":["/other"],` + fails + `}],` + fails + `}]`:              "failed",
		`[{"not":[{"path":["/reports"],"not":[{` + fails + `}]}]}]`:                "failed",
		`[{"not":[{"path":["/other"],"not":[{` + fails + `}]}]}]`:                  "match",
		`[{` + fails + `,"not":[{` + fails + `}]},{"path":["/reports"]}]`:          "failed",
		`[{` + no + `,"not":[{` + fails + `}]},{"path":["/reports"]}]`:             "match",
		`[{` + fails + `,"caddybolt_test_broken":{},"path":["/other"]}]`:           "no match",
		`[{"path":["/other"],"caddybolt_test_broken":{}}]`:                         "no match",
		`[{"path":["/reports"],"caddybolt_test_broken":{}}]`:                       "failed",
		`[{"not":[{"path":["/reports"],"caddybolt_test_broken":{}}]}]`:             "failed",
		`[{"caddybolt_test_broken":{},"not":[{"path":["/other"],` + fails + `}]}]`: "failed",
	} {
		for range loads {
			if got := outcome(mustLoad(t, text).Match(newRequest(t))); got != want {
				t.Errorf("%s: %s, want %s", text, got, want)
				break
			}
		}
	}
}

// One request is asked many questions: what failed for one is forgotten for the
// next, and sets are used for many requests.
func TestQuestionsOfOneRequestAreApart(t *testing.T) {
	t.Parallel()
	r := newRequest(t)
	sets := map[string]*Sets{
		"match":    mustLoad(t, `[{`+yes+`}]`),
		"no match": mustLoad(t, `[{`+no+`}]`),
		"failed":   mustLoad(t, `[{`+fails+`}]`),
	}
	inNot := map[string]*Sets{
		"no match": mustLoad(t, `[{"not":[{`+yes+`}]}]`),
		"match":    mustLoad(t, `[{"not":[{`+no+`}]}]`),
		"failed":   mustLoad(t, `[{"not":[{`+fails+`}]}]`),
	}
	for range 5 {
		for _, sets := range []map[string]*Sets{sets, inNot} {
			for want, s := range sets { // in random order
				if got := outcome(s.Match(r)); got != want {
					t.Errorf("%s, want %s", got, want)
				}
			}
		}
	}
}

// Attack, against oneself: a variable or a placeholder of our name, set between
// two questions, must not turn a failure into a match.
func TestNobodyElseAnswersForTheProbe(t *testing.T) {
	t.Parallel()
	failing, matching := mustLoad(t, `[{`+fails+`}]`), mustLoad(t, `[{`+yes+`}]`)
	for name, set := range map[string]func(*http.Request){
		"a variable": func(r *http.Request) {
			caddyhttp.SetVar(r.Context(), "caddybolt.match", "x")
		},
		"a copy of the request": func(r *http.Request) {
			*r = *r.WithContext(r.Context())
		},
	} {
		r := newRequest(t)
		for range 3 {
			if got := outcome(failing.Match(r)); got != "failed" {
				t.Errorf("%s: %s", name, got)
			}
			if got := outcome(matching.Match(r)); got != "match" {
				t.Errorf("%s: %s", name, got)
			}
			set(r)
		}
	}
	for _, value := range []any{nil, true, "x"} {
		r := newRequest(t)
		replacer(r).Set(probeKey, value)
		if got := outcome(failing.Match(r)); got != "not prepared" {
			t.Errorf("the placeholder is %v: %s", value, got)
		}
	}
}

// Caddy's code panics where there is no replacer, and nobody answers for the
// probe.
func TestRequestThatCaddyDidNotPrepareDecidesNothing(t *testing.T) {
	t.Parallel()
	bare := httptest.NewRequest(http.MethodGet, "https://app.example.com/reports", nil)
	for _, text := range []string{`[{` + yes + `}]`, `[{"not":[{` + no + `}]}]`, `[{"path":["/reports"]},{` + yes + `}]`} {
		if got := outcome(mustLoad(t, text).Match(bare)); got != "not prepared" {
			t.Errorf("%s: %s", text, got)
		}
	}
	if got := outcome(mustLoad(t, `[{"method":["GET"]}]`).Match(bare)); got != "match" {
		t.Errorf("control: %s", got)
	}
}

// broken is a matcher that cannot decide.
type broken struct{}

func init() { caddy.RegisterModule(broken{}) }

func (broken) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.matchers.caddybolt_test_broken", New: func() caddy.Module { return new(broken) }}
}

func (broken) MatchWithError(*http.Request) (bool, error) {
	return true, errors.New("claim-of-alice is no number")
}

// older is a matcher that fails as matchers did before they could say so.
type older struct{}

func (older) Match(r *http.Request) bool {
	//nolint:staticcheck // deprecated, and what older matchers do
	caddyhttp.SetVar(r.Context(), caddyhttp.MatcherErrorVarKey, errors.New("claim-of-alice is no number"))
	return false
}

// What a matcher says when it fails may hold a claim: it is not told.
func TestErrorOfAMatcherIsNotTold(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*Sets{
		"broken": Of(caddyhttp.MatcherSets{{broken{}}}),
		"older":  Of(caddyhttp.MatcherSets{{older{}}}),
		"none":   Of(caddyhttp.MatcherSets{{"no matcher"}}),
		"loaded": mustLoad(t, `[{"caddybolt_test_broken":{}}]`),
		"not":    mustLoad(t, `[{"not":[{"caddybolt_test_broken":{}}]}]`),
		"second": Of(caddyhttp.MatcherSets{{caddyhttp.MatchPath{"/other"}}, {broken{}}}),
		"first":  Of(caddyhttp.MatcherSets{{broken{}}, {caddyhttp.MatchPath{"/reports"}}}),
	} {
		r := newRequest(t)
		matches, err := s.Match(r)
		if got := outcome(matches, err); got != "failed" {
			t.Errorf("%s: %s", name, got)
		} else if err.Error() != ErrFailed.Error() {
			t.Errorf("%s: %v", name, err)
		}
		if left := caddyhttp.GetVar(r.Context(), caddyhttp.MatcherErrorVarKey); left != nil { //nolint:staticcheck // see above
			t.Errorf("%s leaves %v for the next matcher", name, left)
		}
	}
}

func TestLoadLeavesTheSetsAsTheyAre(t *testing.T) {
	t.Parallel()
	const text = `[{"path":["/reports"],` + yes + `},{"not":[{` + no + `,"method":["POST"]}]},{"expression":{"expr":"true","name":"x"}}]`
	ctx, _ := authtest.NewContext(t, nil)
	given := raw(t, text)
	for range 2 { // they can be loaded again
		if _, err := Load(ctx, given); err != nil {
			t.Fatal(err)
		}
		if want := raw(t, text); !reflect.DeepEqual(given, want) {
			t.Errorf("%s, want %s", given, want)
		}
	}
}

func TestSetsThatCannotBeLoadedAreAnError(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`[{"nothing":1}]`: "unknown module: http.matchers.nothing",
		`[{"path":1}]`:    "loading matchers",
		`[{"path":["/a"]},{"remote_ip":{"ranges":["x"]}}]`: "loading matchers",
		`[{"expression":"1 +"}]`:                           "compiling CEL program",
		`[{"expression":""}]`:                              "compiling CEL program",
		`[{"expression":null}]`:                            "compiling CEL program",
		`[{"expression":"1 + 1"}]`:                         "expects return type of bool",
		`[{"expression":"{test.level}"}]`:                  "expects return type of bool",
		`[{"expression":"nothing(1)"}]`:                    "undeclared reference",
		`[{"expression":1}]`:                               "expression:",
		`[{"expression":["true"]}]`:                        "expression:",
		`[{"expression":{"expression":"true"}}]`:           "expression:",
		`[{"expression":{"expr":"true","nam":"x"}}]`:       "expression:",
		`[{"not":1}]`:                                      "not:",
		`[{"not":{"path":["/a"]}}]`:                        "not:",
		`[{"not":[{"nothing":1}]}]`:                        "unknown module: http.matchers.nothing",
		`[{"not":[{"expression":"1 +"}]}]`:                 "compiling CEL program",
		`[{"not":[{"not":[{"expression":"1 +"}]}]}]`:       "compiling CEL program",

		// Attack, against oneself: text that closes our parentheses.
		`[{"expression":"true) || (true"}]`:                   "compiling CEL program",
		`[{"expression":"true)) || ((true"}]`:                 "compiling CEL program",
		`[{"expression":"{test.none} > 3 // ) || (true\n)"}]`: "compiling CEL program",
		`[{"expression":"true || '''"}]`:                      "compiling CEL program",
	} {
		s, err := load(t, text)
		if s != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", text, s, err, want)
		} else if strings.Contains(err.Error(), "caddybolt.match") {
			t.Errorf("%s: the error shows what was not written: %v", text, err)
		}
	}
}
