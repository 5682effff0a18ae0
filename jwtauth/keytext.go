// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/caddybolt/caddy-bolt/internal/secret"
	"github.com/caddybolt/caddy-bolt/internal/watched"
)

// maxKeyFile is the largest key file that is read, in bytes.
const maxKeyFile = 1 << 20

var errEmptyFile = errors.New("is empty")

// keyText is what public_key and private_key say: a key as text, a placeholder
// for such text, or the path of a file that holds it.
type keyText struct {
	data   []byte
	inline bool   // the configuration itself holds the key
	from   string // the path or the placeholder, as it is written; else empty
}

// located says in an error where the key comes from.
func (t keyText) located(err error) error {
	if t.from == "" {
		return err
	}
	return fmt.Errorf("%q: %w", t.from, err)
}

// readKeyText resolves the option. No error quotes the text unless it reads
// like a path or a file of that name was found: it may be a key that somebody
// forgot to dress up as PEM.
func readKeyText(text string) (keyText, error) {
	if isJWKText(text) { // its braces are no placeholders
		return keyText{data: []byte(text), inline: true}, nil
	}
	resolved, err := secret.Resolve(text)
	if err != nil {
		return keyText{}, err
	}
	if isJWKText(resolved) || strings.Contains(resolved, pemBegin) {
		key := keyText{data: []byte(resolved), inline: secret.IsInline(text)}
		if isPlaceholder(text) {
			key.from = text
		}
		return key, nil
	}
	data, err := readKeyFile(resolved)
	if err != nil {
		var path *fs.PathError
		if missing := errors.As(err, &path); missing && !isPathLike(text) {
			return keyText{}, fmt.Errorf("reading the file: %w (a key that is given as text begins with %s or is a JWK)", watched.Cause(err), strings.TrimSpace(pemBegin))
		}
		return keyText{}, fmt.Errorf("reading %q: %w", text, watched.Cause(err))
	}
	return keyText{data: data, from: text}, nil
}

// readKeyFile reads a file of keys.
func readKeyFile(path string) ([]byte, error) {
	data, err := watched.Read(path, maxKeyFile)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errEmptyFile
	}
	return data, nil
}

// isPathLike reports whether the text can be shown: keys in base64 or
// hexadecimal do not begin like this.
func isPathLike(text string) bool {
	for _, prefix := range []string{"/", "./", "../", "{"} {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return strings.Contains(text, `:\`)
}

// isPlaceholder reports whether the text is one placeholder and nothing else.
func isPlaceholder(text string) bool {
	return strings.HasPrefix(text, "{") && strings.IndexByte(text, '}') == len(text)-1
}

// isJWKText tells a JSON object from a placeholder.
func isJWKText(text string) bool {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), "{")
	return ok && strings.HasPrefix(strings.TrimSpace(rest), `"`)
}

// publicKey makes a key of what public_key says.
func (r keyRules) publicKey(text keyText) (*key, error) {
	if isJWKText(string(text.data)) {
		j, err := parseJWK(text.data)
		if err != nil {
			return nil, err
		}
		if j.Type == "oct" {
			return nil, errors.New("is a secret, which belongs to secret")
		}
		return r.jwkKey(j)
	}
	public, err := parsePublicPEM(text.data)
	if err != nil {
		return nil, err
	}
	return r.newPublicKey(public, "", 0)
}

// privateKey makes a key, and one that signs, of what private_key says.
func (r keyRules) privateKey(text keyText) (*key, crypto.Signer, error) {
	if isJWKText(string(text.data)) {
		j, err := parseJWK(text.data)
		if err != nil {
			return nil, nil, err
		}
		pin, err := j.usable("sign")
		if err != nil {
			return nil, nil, err
		}
		private, err := j.private()
		if err != nil {
			return nil, nil, err
		}
		k, err := r.newPublicKey(private.Public(), j.ID, pin)
		return k, private, err
	}
	private, err := parsePrivatePEM(text.data)
	if err != nil {
		return nil, nil, err
	}
	k, err := r.newPublicKey(private.Public(), "", 0)
	return k, private, err
}

// jwkKey makes a key of a JWK that is meant for verifying.
func (r keyRules) jwkKey(j *jwk) (*key, error) {
	pin, err := j.usable("verify")
	if err != nil {
		return nil, err
	}
	if j.Type == "oct" {
		k, err := j.secret()
		if err != nil {
			return nil, err
		}
		return r.newSecretKey(k, j.ID, pin)
	}
	public, err := j.public()
	if err != nil {
		return nil, err
	}
	return r.newPublicKey(public, j.ID, pin)
}
