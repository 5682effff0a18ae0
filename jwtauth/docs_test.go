// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
)

// The page of the module names every option, and its JSON is one that loads.
func TestPageKnowsEveryOption(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../docs/modules/jwt.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	grammar, _, _ := strings.Cut(page[strings.Index(page, "jwt [<name>] {"):], "}")
	for _, option := range options {
		if !strings.Contains(grammar, "\t"+option) {
			t.Errorf("the grammar lacks %q", option)
		}
		if !strings.Contains(page, "`"+option+"`") {
			t.Errorf("the page does not explain %q", option)
		}
	}

	_, example, _ := strings.Cut(page, "```json\n")
	example, _, _ = strings.Cut(example, "```")
	example = strings.Replace(example, `"authenticator": "jwt",`, "", 1)
	decoder := json.NewDecoder(bytes.NewReader([]byte(example)))
	decoder.DisallowUnknownFields()
	var j JWT
	if err := decoder.Decode(&j); err != nil {
		t.Fatal(err)
	}
	for i, typ := 0, reflect.TypeFor[JWT](); i < typ.NumField(); i++ {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		if name != "" && !strings.Contains(example, `"`+name+`"`) {
			t.Errorf("the JSON lacks %q", name)
		}
	}
}
