// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/internal/watched"
)

// ErrEmpty is the error of a secret that resolves to nothing.
var ErrEmpty = errors.New("resolves to an empty value")

var errBraces = errors.New("it holds braces that are no placeholder: write \\{ for a brace")

// Resolve returns the text with Caddy's global placeholders, such as
// {env.SECRET_KEY} and {file./run/secrets/key}, replaced by what they stand
// for. Call it in Provision, once. A placeholder that is unknown or empty is
// an error, which never shows a value. It names a placeholder that is empty, and
// not one that is unknown: such braces may be a piece of the secret itself.
func Resolve(text string) (string, error) {
	if text == "" {
		return "", ErrEmpty
	}
	global := caddy.NewReplacer()
	var files error // of the first that cannot be read
	replacer := caddy.NewEmptyReplacer()
	replacer.Map(func(key string) (any, bool) {
		path, ok := strings.CutPrefix(key, "file.")
		if !ok {
			return global.Get(key)
		}
		content, err := readFile(path)
		if err != nil && files == nil {
			files = err
		}
		return content, true
	})
	out, err := replacer.ReplaceOrErr(text, true, true)
	if err != nil {
		if !strings.HasPrefix(err.Error(), "evaluated placeholder {") { // not a known one
			return "", errBraces
		}
		if files != nil {
			return "", fmt.Errorf("%w: %w", err, files)
		}
		return "", err
	}
	if strings.TrimSpace(out) == "" {
		return "", ErrEmpty
	}
	return out, nil
}

// maxFile is the largest file that a placeholder reads, as Caddy's own does.
const maxFile = 1 << 20

// readFile does what Caddy's {file.*} does, but for a file that is none: a pipe
// that nobody writes to would keep Caddy from starting, and a part of what is
// too large is not what was meant.
func readFile(path string) (string, error) {
	data, err := watched.Read(path, maxFile)
	if err != nil {
		return "", watched.Cause(err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), nil
}

// IsInline reports whether the text is the secret itself rather than a
// placeholder for it: Caddy's admin API, autosave file and debug log show such text.
func IsInline(text string) bool {
	return text != "" && !strings.Contains(text, "{env.") && !strings.Contains(text, "{file.")
}
