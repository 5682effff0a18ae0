// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package matching

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

// Attack: fill the log, and fill it with claims, by a token that lacks a claim.
// Caddy's own matcher, the control, writes a line at ERROR for each request.
func TestExpressionThatFailsIsNotLogged(t *testing.T) { // not parallel: it borrows the standard error stream
	const expr = "[1][{test.number}] == 1"
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	saved := os.Stderr
	os.Stderr = write // loggers of tests take it when they are made
	ours := []*Sets{
		mustLoad(t, `[{"expression":"`+expr+`"}]`),
		mustLoad(t, `[{"expression":{"expr":"`+expr+`","name":"x"}}]`),
		mustLoad(t, `[{"not":[{"expression":"`+expr+`"}]}]`),
		mustLoad(t, `[{"not":[{"not":[{"expression":"`+expr+`"}]}]}]`),
		mustLoad(t, `[{"path":["/other"],"expression":"`+expr+`"}]`),
		mustLoad(t, `[{"not":[{"path":["/other"],"expression":"`+expr+`"}]}]`),
	}
	ctx, _ := authtest.NewContext(t, nil)
	caddys := &caddyhttp.MatchExpression{Expr: expr}
	err = caddys.Provision(ctx)
	os.Stderr = saved
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r := newRequest(t)
		for _, s := range ours {
			_, _ = s.Match(r)
		}
	}
	_, _ = write.WriteString("--- control\n")
	_, _ = caddys.MatchWithError(newRequest(t))
	_ = write.Close()
	log, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	before, after, _ := bytes.Cut(log, []byte("--- control\n"))
	if len(before) > 0 {
		t.Errorf("written: %s", before)
	}
	if !bytes.Contains(after, []byte("424242")) {
		t.Errorf("control: Caddy's matcher wrote %q: is the rewriting still needed?", after)
	}
}

// The captures of a regular expression are found under the name of the matcher,
// as Caddy does it.
func TestNameOfAnExpressionNamesItsCaptures(t *testing.T) {
	t.Parallel()
	r := newRequest(t)
	s := mustLoad(t, `[{"expression":{"expr":"path_regexp('^/(rep)orts$')","name":"area"}}]`)
	if got := outcome(s.Match(r)); got != "match" {
		t.Fatal(got)
	}
	if got, _ := replacer(r).GetString("http.regexp.area.1"); got != "rep" {
		t.Errorf("captured %q", got)
	}
}

// Text that a client can shape is data, whatever it reads like.
func TestValueThatReadsLikeAnExpressionIsText(t *testing.T) {
	t.Parallel()
	s := mustLoad(t, `[{"expression":"{http.request.header.X-Name} == 'admin'"}]`)
	for value, want := range map[string]string{
		"admin": "match", "": "no match", "x": "no match",
		"' || true || '": "no match", "{" + failedKey + "}": "no match", "{env.HOME}": "no match", "')\n) || (true": "no match",
	} {
		r := newRequest(t)
		r.Header.Set("X-Name", value)
		if got := outcome(s.Match(r)); got != want {
			t.Errorf("%q: %s", value, got)
		}
	}
}

func TestSetsWithoutAnExpressionAreNotWatched(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`[{"path":["/a"]}]`: false, `[{"not":[{"path":["/a"]}]}]`: false, `[{}]`: false,
		`[{` + yes + `}]`: true, `[{"path":["/a"]},{"not":[{"not":[{` + yes + `}]}]}]`: true,
	} {
		if got := mustLoad(t, text).watched; got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

// CEL takes 100,000 characters; what is put around an expression takes few of
// them.
func TestLongExpressionsLoad(t *testing.T) {
	t.Parallel()
	expression := func(length int) string {
		const rest = `{test.level} == 3 && '' != ''`
		text := strings.Replace(rest, "''", "'"+strings.Repeat("x", length-len(rest))+"'", 1)
		return `[{"expression":"` + text + `"}]`
	}
	for _, length := range []int{1_000, 60_000, 99_000} {
		if got := outcome(mustLoad(t, expression(length)).Match(newRequest(t))); got != "match" {
			t.Errorf("%d characters: %s", length, got)
		}
	}
	for _, length := range []int{99_960, 100_100} {
		_, err := load(t, expression(length))
		if err == nil || !strings.Contains(err.Error(), "exceeds limit") || !strings.Contains(err.Error(), "100000") || len(err.Error()) > 500 {
			t.Errorf("%d characters: %.600v", length, err)
		}
	}
}
