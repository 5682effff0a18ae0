// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package guards

import (
	"testing"

	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

func TestPermissionIsComparedToTheLetter(t *testing.T) {
	t.Parallel()
	root := signedIn(`{"permissions":["reports.view"]}`)
	root.Superuser = true
	authtest.TestGuard(t, authtest.GuardCase{
		New:  from("permission reports.view"),
		Pass: ids{"alone": permitted("reports.view"), "among others": permitted("a", "reports.view", "b")},
		Refuse: ids{
			"none": permitted(), "another": permitted("reports.edit"), "longer": permitted("reports.viewer"),
			"shorter": permitted("reports"), "wildcard": permitted("*", "reports.*"), "case": permitted("Reports.View"),
			"both in one": permitted("a reports.view"), "superuser with a claim": root,
		},
	})
}

func TestAnyPermissionAsksForOne(t *testing.T) {
	t.Parallel()
	authtest.TestGuard(t, authtest.GuardCase{
		New:    from("any_permission a.view b.view"),
		Pass:   ids{"first": permitted("a.view"), "second": permitted("b.view"), "both": permitted("b.view", "a.view")},
		Refuse: ids{"none": permitted(), "another": permitted("c.view"), "joined": permitted("a.view b.view")},
	})
}

func TestAllPermissionsAsksForEveryOne(t *testing.T) {
	t.Parallel()
	authtest.TestGuard(t, authtest.GuardCase{
		New:    from("all_permissions a.view b.view"),
		Pass:   ids{"both": permitted("b.view", "x", "a.view")},
		Refuse: ids{"none": permitted(), "first": permitted("a.view"), "second": permitted("b.view")},
	})
}

func TestPermissionsInTheConfiguration(t *testing.T) {
	t.Parallel()
	adapts(t, map[string]string{
		"permission reports.view": `{"guard":"permission","permission":"reports.view"}`,
		`permission "two words"`:  `{"guard":"permission","permission":"two words"}`,
		"any_permission a":        `{"guard":"any_permission","permissions":["a"]}`,
		"any_permission a b":      `{"guard":"any_permission","permissions":["a","b"]}`,
		"all_permissions a b":     `{"guard":"all_permissions","permissions":["a","b"]}`,
	})
	refused(t, map[string]string{
		"permission":                                        `guard "permission" needs a permission`,
		"permission a b":                                    `guard "permission" has an argument too many: "b"`,
		`permission ""`:                                     "a permission is empty",
		"permission {http.request.method}.x":                "holds a placeholder, which guards do not replace",
		"permission a {\n\tb\n}":                            `guard "permission" takes no block`,
		"any_permission":                                    `guard "any_permission" needs a permission`,
		`all_permissions a ""`:                              "a permission is empty",
		`{"guard":"permission"}`:                            "a permission is empty",
		`{"guard":"permission","permissions":[]}`:           "unknown field",
		`{"guard":"any_permission"}`:                        "at least one permission is required",
		`{"guard":"any_permission","permissions":[]}`:       "at least one permission is required",
		`{"guard":"all_permissions","permissions":["",""]}`: "a permission is empty",
		`{"guard":"all_permissions","permissions":[]}`:      "at least one permission is required",
	})
}
