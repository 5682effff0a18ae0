// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

func init() {
	caddy.RegisterModule(greeter{})
	caddy.RegisterModule(impostor{})
}

// greeter is somebody else's guard that opens lists.
type greeter struct{}

func (greeter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.auth.guards.test_greeter", New: func() caddy.Module { return new(greeter) }}
}
func (greeter) Check(*http.Request, *auth.Identity) error { return nil }
func (greeter) Admission() auth.Admission                 { return auth.AdmitMissing }

// impostor is a module that is no guard.
type impostor struct{}

func (impostor) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.auth.guards.test_impostor", New: func() caddy.Module { return new(impostor) }}
}

func TestAnyAllAndNotKeepTheContract(t *testing.T) {
	t.Parallel()
	staff := signedIn(`{}`)
	staff.Staff = true
	both := permitted("a.view")
	both.Staff = true
	const block = " {\n\tstaff\n\tpermission a.view\n}"
	authtest.TestGuard(t, authtest.GuardCase{
		New: from("any" + block), Pass: ids{"staff": staff, "permitted": permitted("a.view"), "both": both},
		Refuse: ids{"neither": signedIn(`{}`)},
	})
	authtest.TestGuard(t, authtest.GuardCase{
		New: from("all" + block), Pass: ids{"both": both},
		Refuse: ids{"staff": staff, "permitted": permitted("a.view"), "neither": signedIn(`{}`)},
	})
	authtest.TestGuard(t, authtest.GuardCase{
		New: from("not permission a.view"), Pass: ids{"staff": staff, "neither": signedIn(`{}`)}, Refuse: ids{"both": both},
	})
	authtest.TestGuard(t, authtest.GuardCase{
		New:  from("not any" + block),
		Pass: ids{"neither": signedIn(`{}`)}, Refuse: ids{"staff": staff, "permitted": permitted("a.view"), "both": both},
	})
	authtest.TestGuard(t, authtest.GuardCase{
		New:  from("all {\n\tany" + block + "\n\tnot {\n\t\tall" + block + "\n\t}\n}"), // exactly one
		Pass: ids{"staff": staff, "permitted": permitted("a.view")}, Refuse: ids{"neither": signedIn(`{}`), "both": both},
	})
}

// Attack: "guard not permission banned" alone would let in everybody who is not
// signed in.
func TestNotLetsNobodyInWhoIsNotSignedIn(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"not permission banned", "not staff", "not not staff", "not match path /x", "match path /reports"} {
		if err := ask(t, mustLoad(t, text), nil); outcomeOf(err) != unauthenticated {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := ask(t, mustLoad(t, "not permission banned"), signedIn(`{}`)); err != nil {
		t.Errorf("control: %v", err)
	}
}

func TestNestedGuardsInTheConfiguration(t *testing.T) {
	t.Parallel()
	const staff, permission = `{"guard":"staff"}`, `{"guard":"permission","permission":"a.b"}`
	adapts(t, map[string]string{
		"any {\n\tpermission a.b\n\tstaff\n}":            `{"guard":"any","guards":[` + permission + `,` + staff + `]}`,
		"all {\n\tstaff\n\tpermission a.b\n}":            `{"guard":"all","guards":[` + staff + `,` + permission + `]}`,
		"any {\n\tstaff\n}":                              `{"guard":"any","guards":[` + staff + `]}`,
		"not permission a.b":                             `{"guard":"not","guards":[` + permission + `]}`,
		"not {\n\tpermission a.b\n}":                     `{"guard":"not","guards":[` + permission + `]}`,
		"not any {\n\tstaff\n\tpermission a.b\n}":        `{"guard":"not","guards":[{"guard":"any","guards":[` + staff + `,` + permission + `]}]}`,
		"not {\n\tany {\n\t\tstaff\n\t}\n}":              `{"guard":"not","guards":[{"guard":"any","guards":[` + staff + `]}]}`,
		"not not staff":                                  `{"guard":"not","guards":[{"guard":"not","guards":[` + staff + `]}]}`,
		"any {\n\tall {\n\t\tstaff\n\t}\n\tsuperuser\n}": `{"guard":"any","guards":[{"guard":"all","guards":[` + staff + `]},{"guard":"superuser"}]}`,
	})
	refused(t, map[string]string{
		"any":                            `guard "any" needs a block with at least one guard`,
		"all {\n}":                       `guard "all" needs a block with at least one guard`,
		"not":                            `guard "not" needs a block with at least one guard`,
		"any staff":                      `guard "any" takes a block with one guard a line, not "staff"`,
		"any permission a {\n\tstaff\n}": `guard "any" takes a block with one guard a line, not "permission"`,
		"not staff superuser":            `guard "staff" takes no argument, not "superuser"`,
		"not {\n\tstaff\n\tsuperuser\n}": "not takes one guard: write not { any { ... } } to refuse whom one of them lets pass",
		"any {\n\tpermission\n}":         `guard "permission" needs a permission`,
		"any {\n\tallow_any\n}":          `guard "allow_any" lets in who is not signed in, and so stands at the top of a list only, not within "any"`,
		"all {\n\tstaff\n\toptional\n}":  `guard "optional" lets in who is not signed in, and so stands at the top of a list only, not within "all"`,
		"not optional":                   `not within "not"`,
		"not {\n\tallow_any\n}":          `not within "not"`,
		"any {\n\tnot {\n\t\tany {\n\t\t\tallow_any\n\t\t}\n\t}\n}":     `guard "allow_any" lets in who is not signed in`,
		"any {\n\ttest_greeter\n}":                                      `guard "test_greeter" lets in who is not signed in`,
		`{"guard":"any"}`:                                               "at least one guard is required",
		`{"guard":"any","guards":[]}`:                                   "at least one guard is required",
		`{"guard":"all","guards":[]}`:                                   "at least one guard is required",
		`{"guard":"not","guards":[]}`:                                   "at least one guard is required",
		`{"guard":"not","guards":[` + staff + `,` + staff + `]}`:        "not takes one guard",
		`{"guard":"any","guards":[{"guard":"allow_any"}]}`:              "position 0: a guard that lets in who is not signed in",
		`{"guard":"all","guards":[` + staff + `,{"guard":"optional"}]}`: "position 1: a guard that lets in who is not signed in",
		`{"guard":"not","guards":[{"guard":"optional"}]}`:               "position 0: a guard that lets in who is not signed in",
		`{"guard":"any","guards":[{"guard":"test_greeter"}]}`:           "position 0: a guard that lets in who is not signed in",
		`{"guard":"any","guards":[{"guard":"test_impostor"}]}`:          "*guards.impostor is not a guard",
		`{"guard":"any","guards":[{"permission":"a"}]}`:                 "module name not specified",
		`{"guard":"any","guards":[{"guard":"permission"}]}`:             "a permission is empty",
		`{"guard":"all","guards":[null]}`:                               "module name not specified",
	})
}

// The guards of the hot path give nothing to the garbage collector.
func TestGuardsThatPassAllocateNothing(t *testing.T) {
	id := permitted("a.view", "b.view")
	id.Staff, id.Superuser = true, true
	for _, text := range []string{
		"allow_any", "optional", "authenticated", "staff", "superuser", "permission a.view", "any_permission x b.view",
		"all_permissions a.view b.view", "backend api_key jwt", "any {\n\tstaff\n\tpermission a.view\n}",
		"all {\n\tstaff\n\tpermission a.view\n\tany {\n\t\tsuperuser\n\t}\n}",
	} {
		g := mustLoad(t, text)
		r := authtest.NewRequest(t, http.MethodGet, "https://app.example.com/")
		if err := g.Check(r, id); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if n := testing.AllocsPerRun(100, func() { _ = g.Check(r, id) }); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}
