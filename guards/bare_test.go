// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"strings"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

func TestBareGuardsTakeNothing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"allow_any", "optional", "authenticated", "staff", "superuser"} {
		adapts(t, map[string]string{name: `{"guard":"` + name + `"}`})
		refused(t, map[string]string{
			name + " x":         `guard "` + name + `" takes no argument, not "x"`,
			name + " {\n\tx\n}": `guard "` + name + `" takes no block`,
			`{"guard":"` + name + `","permission":"x"}`: "unknown field",
		})
	}
}

func TestUnknownGuardsAreRefusedWithTheNamesThatThereAre(t *testing.T) {
	t.Parallel()
	refused(t, map[string]string{
		"superusr":             `unrecognized guard "superusr"; there are: all, all_permissions, allow_any, any,`,
		"any {\n\tstaf\n}":     `unrecognized guard "staf"; there are: `,
		"not staf":             `unrecognized guard "staf"; there are: `,
		`{"guard":"superusr"}`: "unknown module: http.auth.guards.superusr",
		"permission.x":         `unrecognized guard "permission.x"`,
	})
}

func TestAllowAnyOpensTheListToEverybody(t *testing.T) {
	t.Parallel()
	g := mustLoad(t, "allow_any")
	authtest.TestGuard(t, authtest.GuardCase{New: from("allow_any"), Pass: ids{"anybody": signedIn(`{}`)}})
	if a, ok := g.(auth.Admitter); !ok || a.Admission() != auth.AdmitAnyone {
		t.Errorf("allow_any is no Admitter of anyone")
	}
}

func TestOptionalOpensTheListToWhoPresentsNothing(t *testing.T) {
	t.Parallel()
	g := mustLoad(t, "optional")
	authtest.TestGuard(t, authtest.GuardCase{New: from("optional"), Pass: ids{"anybody": signedIn(`{}`)}})
	if a, ok := g.(auth.Admitter); !ok || a.Admission() != auth.AdmitMissing {
		t.Errorf("optional is no Admitter of who presents nothing")
	}
}

// No other guard opens a list: whoever adds one decides so here.
func TestNoOtherGuardIsAnAdmitter(t *testing.T) {
	t.Parallel()
	for _, g := range []auth.Guard{
		Authenticated{},
		Staff{},
		Superuser{},
		new(Permission), new(AnyPermission), new(AllPermissions), new(Claim),
		new(Scope), new(Backend), new(User), new(Match), new(Any), new(All), new(Not),
	} {
		if _, ok := g.(auth.Admitter); ok {
			t.Errorf("%T is an Admitter", g)
		}
	}
}

func TestAuthenticatedAsksForAnIdentity(t *testing.T) {
	t.Parallel()
	authtest.TestGuard(t, authtest.GuardCase{New: from("authenticated"), Pass: ids{"anybody": signedIn(`{}`)}})
}

// A claim of this name is not the flag: only the authenticator sets that.
func TestStaffAsksForTheFlag(t *testing.T) {
	t.Parallel()
	staff, root, claims := signedIn(`{}`), signedIn(`{}`), signedIn(`{"is_staff":true}`)
	staff.Staff, root.Superuser = true, true
	authtest.TestGuard(t, authtest.GuardCase{
		New:    from("staff"),
		Pass:   ids{"staff": staff},
		Refuse: ids{"nothing": signedIn(`{}`), "superuser": root, "claim": claims, "permission": permitted("staff", "is_staff")},
	})
}

func TestSuperuserAsksForTheFlag(t *testing.T) {
	t.Parallel()
	staff, root, claims := signedIn(`{}`), signedIn(`{}`), signedIn(`{"is_superuser":true}`)
	staff.Staff, root.Superuser = true, true
	authtest.TestGuard(t, authtest.GuardCase{
		New:    from("superuser"),
		Pass:   ids{"superuser": root},
		Refuse: ids{"nothing": signedIn(`{}`), "staff": staff, "claim": claims},
	})
}
