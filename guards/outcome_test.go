// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
)

// leaf is a guard that says one thing to everybody, signed in or not.
type leaf struct{ err error }

func (l *leaf) Check(*http.Request, *auth.Identity) error { return l.err }

// answers are what a guard may say, by outcome.
var answers = map[outcome][]error{
	passed:          {nil},
	forbidden:       {auth.Forbidden("x"), auth.ErrForbidden, fmt.Errorf("x: %w", auth.ErrForbidden), auth.ForbiddenScope("a", "x")},
	notEvaluated:    {auth.ErrEvaluation, fmt.Errorf("x: %w", auth.ErrEvaluation), errors.Join(auth.ErrForbidden, auth.ErrEvaluation)},
	unauthenticated: {auth.ErrUnauthenticated, fmt.Errorf("x: %w", auth.ErrUnauthenticated), errors.Join(auth.ErrForbidden, auth.ErrUnauthenticated)},
	notDecided: {
		errors.New("no answer"), context.Canceled, auth.Unavailable(auth.ReasonStoreUnavailable, errors.New("no answer")),
		auth.Unavailable(auth.ReasonStoreUnavailable, auth.ErrForbidden), auth.ErrNoCredentials,
		auth.Invalid(auth.ReasonTokenExpired, ""), auth.ErrUserNotFound,
	},
}

var outcomeNames = map[outcome]string{
	passed: "P", forbidden: "F", notEvaluated: "E", unauthenticated: "A", notDecided: "U",
}

func TestErrorsAreSorted(t *testing.T) {
	t.Parallel()
	for want, errs := range answers {
		for _, err := range errs {
			if got := outcomeOf(err); got != want {
				t.Errorf("%v is %s, want %s", err, outcomeNames[got], outcomeNames[want])
			}
		}
	}
}

// tree builds guards from a text: P, F, E, A and U are leaves; "any(...)",
// "all(...)" and "not(...)" hold others, separated by spaces.
func tree(tb testing.TB, text string) auth.Guard {
	tb.Helper()
	g, rest := parseTree(tb, text)
	if rest != "" {
		tb.Fatalf("%q is left over", rest)
	}
	return g
}

func parseTree(tb testing.TB, text string) (auth.Guard, string) {
	tb.Helper()
	for o, name := range outcomeNames {
		if text[0] == name[0] {
			return &leaf{answers[o][0]}, text[1:]
		}
	}
	word, text := text[:3], text[4:]
	var guards []auth.Guard
	for text[0] != ')' {
		var g auth.Guard
		if text[0] == ' ' {
			text = text[1:]
		}
		g, text = parseTree(tb, text)
		guards = append(guards, g)
	}
	switch word {
	case "any":
		return &Any{guards: guards}, text[1:]
	case "all":
		return &All{guards: guards}, text[1:]
	case "not":
		return &Not{guard: guards[0]}, text[1:]
	}
	tb.Fatalf("unknown %q", word)
	return nil, ""
}

// The table of the design: P pass, F forbidden, E not evaluated, A asks for a
// log-in, U could not decide.
func TestTruthTable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"not(P)": "F", "not(F)": "P", "not(E)": "E", "not(A)": "A", "not(U)": "U",
		"not(not(P))": "P", "not(not(F))": "F", "not(not(U))": "U", "not(not(E))": "E",

		"any(P)": "P", "any(F)": "F", "any(E)": "E", "any(A)": "A", "any(U)": "U",
		"any(P P)": "P", "any(P F)": "P", "any(P E)": "P", "any(P A)": "P", "any(P U)": "P",
		"any(F P)": "P", "any(F F)": "F", "any(F E)": "E", "any(F A)": "A", "any(F U)": "U",
		"any(E P)": "P", "any(E F)": "E", "any(E E)": "E", "any(E A)": "A", "any(E U)": "U",
		"any(A P)": "P", "any(A F)": "A", "any(A E)": "A", "any(A A)": "A", "any(A U)": "U",
		"any(U P)": "P", "any(U F)": "U", "any(U E)": "U", "any(U A)": "U", "any(U U)": "U",

		"all(P)": "P", "all(F)": "F", "all(E)": "E", "all(A)": "A", "all(U)": "U",
		"all(P P)": "P", "all(P F)": "F", "all(P E)": "E", "all(P A)": "A", "all(P U)": "U",
		"all(F P)": "F", "all(F F)": "F", "all(F E)": "E", "all(F A)": "A", "all(F U)": "U",
		"all(E P)": "E", "all(E F)": "E", "all(E E)": "E", "all(E A)": "A", "all(E U)": "U",
		"all(A P)": "A", "all(A F)": "A", "all(A E)": "A", "all(A A)": "A", "all(A U)": "U",
		"all(U P)": "U", "all(U F)": "U", "all(U E)": "U", "all(U A)": "U", "all(U U)": "U",

		"any(F F P)": "P", "any(F U P)": "P", "all(P P P)": "P", "all(P P U)": "U", "all(F P U)": "U",

		// depth 2 and 3: what nobody decided never becomes a pass
		"not(any(P F))": "F", "not(any(F F))": "P", "not(any(F U))": "U", "not(any(F E))": "E", "not(any(F A))": "A",
		"not(any(P U))": "F", "not(all(P P))": "F", "not(all(P F))": "P", "not(all(F U))": "U", "not(all(F E))": "E",
		"not(all(U F))": "U", "not(all(P U))": "U", "any(not(U) F)": "U", "any(not(U) P)": "P", "any(not(F) U)": "P",
		"all(not(F) not(E))": "E", "all(not(F) not(F))": "P",
		"not(all(P any(F U)))": "U", "not(any(all(F U) F))": "U", "not(all(F not(U)))": "U", "not(any(F all(P E)))": "E",
		"not(not(any(F U)))": "U", "any(F not(all(F U)))": "U", "any(P not(all(F U)))": "P", "all(P not(any(F F)))": "P",
		"all(P not(any(F E)))": "E", "all(P not(any(A F)))": "A", "not(all(not(F) not(P)))": "P", "not(any(not(F) not(U)))": "F",
		"any(not(any(F not(all(P F)))) F)": "F", "any(not(any(F not(all(P P)))) F)": "P", "any(not(any(F not(all(P U)))) F)": "U",
	} {
		err := tree(t, text).Check(nil, signedIn(`{}`))
		if got := outcomeNames[outcomeOf(err)]; got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

// Which of several refusals is told: the first of the heaviest.
func TestFirstOfTheHeaviestIsTold(t *testing.T) {
	t.Parallel()
	first, second := auth.ForbiddenScope("a", ""), auth.ForbiddenScope("b", "")
	for _, g := range []auth.Guard{
		&Any{guards: []auth.Guard{&leaf{first}, &leaf{second}}},
		&All{guards: []auth.Guard{&leaf{nil}, &leaf{first}, &leaf{second}}},
	} {
		if err := g.Check(nil, signedIn(`{}`)); auth.ScopesOf(err) != "a" {
			t.Errorf("%T tells %q", g, auth.ScopesOf(err))
		}
	}
}

// What was never provisioned decides nothing.
func TestGuardsWithoutGuardsDecideNothing(t *testing.T) {
	t.Parallel()
	for _, g := range []auth.Guard{new(Any), new(All), new(Not), new(Match), &Not{guard: new(Any)}, &Not{guard: new(Match)}} {
		if err := g.Check(nil, signedIn(`{}`)); outcomeOf(err) != notDecided {
			t.Errorf("%T: %v", g, err)
		}
	}
}

// source draws numbers from bytes, for as long as there are any.
type source struct{ data []byte }

func (s *source) draw(n int) int {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return int(b) % n
}

// grow builds a tree of guards, and collects its leaves.
func grow(s *source, depth int, leaves *[]*leaf) auth.Guard {
	kind := s.draw(6)
	if depth == 0 || len(s.data) == 0 || kind < 2 {
		o := outcome(s.draw(5))
		l := &leaf{answers[o][s.draw(len(answers[o]))]}
		*leaves = append(*leaves, l)
		return l
	}
	if kind == 2 {
		return &Not{guard: grow(s, depth-1, leaves)}
	}
	guards := make([]auth.Guard, 1+s.draw(3))
	for i := range guards {
		guards[i] = grow(s, depth-1, leaves)
	}
	if kind == 3 {
		return &All{guards: guards}
	}
	return &Any{guards: guards}
}

// FuzzGuardAlgebra builds a tree of guards out of the bytes. Attack: find a way
// of writing a condition that lets in somebody whom nobody decided to let in.
func FuzzGuardAlgebra(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		data := make([]byte, random.IntN(40))
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 60 {
			return
		}
		var leaves []*leaf
		checkAlgebra(t, grow(&source{data}, 5, &leaves), leaves)
	})
}

func TestRandomTreesOfGuards(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	decided, let := 0, 0
	for range 20_000 {
		data := make([]byte, 4+random.IntN(36))
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		var leaves []*leaf
		g := grow(&source{data}, 5, &leaves)
		checkAlgebra(t, g, leaves)
		switch outcomeOf(g.Check(nil, signedIn(`{}`))) {
		case passed:
			let++
			decided++
		case forbidden:
			decided++
		}
	}
	// control: the trees are not all of one kind
	if let < 1000 || decided-let < 1000 || decided > 19_000 {
		t.Errorf("%d of %d decided trees let pass: the draw is one-sided", let, decided)
	}
}

// checkAlgebra checks what must hold for every tree.
func checkAlgebra(t *testing.T, g auth.Guard, leaves []*leaf) {
	t.Helper()
	id := signedIn(`{}`)
	was := outcomeOf(g.Check(nil, id))

	if _, isLeaf := g.(*leaf); !isLeaf {
		// no composition lets in who is not signed in, not even of leaves that do
		if err := g.Check(nil, nil); outcomeOf(err) != unauthenticated {
			t.Errorf("nobody: %v", err)
		}
	}

	// what turns undecided turns no refusal into a pass, and no refusal that an
	// outer "not" would not invert into one that it would
	for _, l := range leaves {
		saved := l.err
		for _, o := range []outcome{notDecided, notEvaluated, unauthenticated} {
			l.err = answers[o][0]
			now := outcomeOf(g.Check(nil, id))
			if now == passed && was != passed {
				t.Errorf("a leaf that became %s turned %s into a pass", outcomeNames[o], outcomeNames[was])
			}
			if now == forbidden && was != forbidden {
				t.Errorf("a leaf that became %s turned %s into forbidden", outcomeNames[o], outcomeNames[was])
			}
		}
		l.err = saved
	}

	// a decision holds whatever the undecided leaves would have said
	if was != passed && was != forbidden {
		return
	}
	var open []*leaf
	for _, l := range leaves {
		if o := outcomeOf(l.err); o != passed && o != forbidden {
			open = append(open, l)
		}
	}
	if len(open) > 6 {
		return
	}
	saved := make([]error, len(open))
	for i, l := range open {
		saved[i] = l.err
	}
	for bits := range 1 << len(open) {
		for i, l := range open {
			l.err = nil
			if bits>>i&1 == 1 {
				l.err = auth.ErrForbidden
			}
		}
		if now := outcomeOf(g.Check(nil, id)); now != was {
			t.Errorf("%s became %s once the undecided had decided", outcomeNames[was], outcomeNames[now])
		}
	}
	for i, l := range open {
		l.err = saved[i]
	}
}
