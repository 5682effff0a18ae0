// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// decodeSecret returns the bytes of a secret that is written plainly, or as
// "base64:" (either alphabet, with or without padding) or "hex:" and the
// encoded bytes. Its errors hold nothing of the text.
func decodeSecret(text string) ([]byte, error) {
	var secret []byte
	var err error
	if rest, ok := strings.CutPrefix(text, "base64:"); ok {
		rest = strings.TrimRight(strings.TrimSpace(rest), "=")
		secret, err = base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(rest))
		if err != nil {
			return nil, errors.New("what follows base64: is not base64")
		}
	} else if rest, ok := strings.CutPrefix(text, "hex:"); ok {
		secret, err = hex.DecodeString(strings.TrimSpace(rest))
		if err != nil {
			return nil, errors.New("what follows hex: is not hexadecimal")
		}
	} else {
		secret = []byte(text)
	}
	if len(secret) == 0 {
		return nil, errors.New("the secret is empty")
	}
	return secret, nil
}
