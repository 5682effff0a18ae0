// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package extract

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
)

// parse parses the option that stands in the third line of a Caddyfile.
func parse(t *testing.T, option string) (auth.Source, error) {
	t.Helper()
	tokens, err := caddyfile.Tokenize([]byte("\n\n"+option), "Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	d := caddyfile.NewDispenser(tokens)
	d.Next()
	return ParseSource(d)
}

func TestSourceIsParsed(t *testing.T) {
	t.Parallel()
	for option, want := range map[string]auth.Source{
		"header X-API-Key":            {Header: "X-API-Key"},
		"header x-api-key":            {Header: "x-api-key"}, // as it was written
		"header Authorization Bearer": bearer,
		`header "X-API-Key"`:          {Header: "X-API-Key"},
		"cookie session":              session,
		"query token":                 query,
		`query "api key"`:             {Query: "api key"},
		"query token\nnext option":    query,
	} {
		got, err := parse(t, option)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", option, got, err)
		}
	}
}

func TestSourceThatIsNotUnderstoodIsAnErrorWithItsLine(t *testing.T) {
	t.Parallel()
	for option, want := range map[string]string{
		"header":                         `option "header" needs a name`,
		"cookie":                         `option "cookie" needs a name`,
		"query":                          `option "query" needs a name`,
		"query\nname":                    `option "query" needs a name`,
		"body token":                     `"body" is not header, cookie or query`,
		`header Authorization ""`:        `option "header" has an empty scheme`,
		"header Authorization Bearer x":  `option "header" has an argument too many: "x"`,
		"cookie session x":               `option "cookie" has an argument too many: "x"`,
		"query token x":                  `option "query" has an argument too many: "x"`,
		`header ""`:                      "a source names exactly one header, cookie or query parameter",
		`cookie ""`:                      "a source names exactly one header, cookie or query parameter",
		`query ""`:                       "a source names exactly one header, cookie or query parameter",
		"header X_API_Key":               "expected_underscore_headers",
		"header X-Key:":                  `"X-Key:" is not the name of a header`,
		"cookie a=b":                     `"a=b" is not the name of a cookie`,
		`header Authorization "Bearer "`: `"Bearer " is not an authentication scheme`,
	} {
		_, err := parse(t, option)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), ", at Caddyfile:3") {
			t.Errorf("%s: %v; want %s, at Caddyfile:3", option, err, want)
		}
	}
}
