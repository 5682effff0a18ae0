// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddybolt/caddy-bolt/auth"
)

// showsNone fails tb when the text shows one of the secrets, as it is or as
// JSON would write it.
func showsNone(tb testing.TB, what, text string, secrets []string) {
	tb.Helper()
	for i, s := range secrets {
		if s == "" {
			continue
		}
		quoted, _ := json.Marshal(s)
		if strings.Contains(text, s) || bytes.Contains([]byte(text), bytes.Trim(quoted, `"`)) {
			// never the secret itself: a test's output is a log too
			tb.Errorf("%s shows secret %d of %d", what, i+1, len(secrets))
		}
	}
}

// errorText is everything that printing an error, or what it wraps, shows.
func errorText(err error) string {
	text := fmt.Sprintf("%v\n%+v\n%#v\n", err, err, err)
	switch wrapper := err.(type) { //nolint:errorlint // the tree itself is walked
	case interface{ Unwrap() error }:
		if inner := wrapper.Unwrap(); inner != nil {
			text += errorText(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range wrapper.Unwrap() {
			text += errorText(inner)
		}
	}
	return text
}

// presented are the texts that r has in its headers and its query and base has
// not, whole and in pieces. Short ones are left out: they are words.
func presented(base, r *http.Request) []string {
	const short = 12
	known := make(map[string]bool)
	for _, text := range texts(base) {
		known[text] = true
	}
	var found []string
	for _, text := range texts(r) {
		if known[text] {
			continue
		}
		pieces := strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(" ;=.&", c) })
		for _, piece := range append(pieces, text) {
			if len(piece) >= short {
				found = append(found, piece)
			}
		}
		if len(pieces) > 0 && len(found) == 0 {
			found = append(found, "") // presented, too short to be watched for
		}
	}
	return found
}

// texts are the values of the headers and of the query.
func texts(r *http.Request) []string {
	var all []string
	for _, values := range r.Header {
		all = append(all, values...)
	}
	for _, values := range r.URL.Query() {
		all = append(all, values...)
	}
	return all
}

// identityText is everything that an identity shows.
func identityText(id *auth.Identity) string {
	return fmt.Sprintf("%v\n%+v\n%q\n%s\n%s", id, *id, id.Claims.Object(), id.Claims.JSON(), id.Permissions)
}
