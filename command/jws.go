// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxToken is the largest token that is read, in bytes.
const maxToken = 1 << 20

// jws is a token taken apart, for showing it and for finding out what revokes
// it. Whether it is good, the authenticator says.
type jws struct {
	text            string
	header, payload []byte // as they were encoded
}

// readToken reads a token from a file, or from standard input.
func readToken(path string, stdin io.Reader) (*jws, error) {
	data, err := readBounded(path, stdin, "token", maxToken)
	if err != nil {
		return nil, err
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return nil, errors.New("there is no token")
	}
	return &jws{text: text}, nil
}

// errShape is the error of text that is no token (RFC 7515, section 7.1).
var errShape = errors.New("it is not a JSON Web Token: three parts in base64url, with dots between them")

// split takes the token apart.
func (t *jws) split() error {
	parts := strings.Split(t.text, ".")
	if len(parts) != 3 {
		return errShape
	}
	for i, part := range []*[]byte{&t.header, &t.payload} {
		decoded, err := base64.RawURLEncoding.Strict().DecodeString(parts[i])
		if err != nil || strings.ContainsAny(parts[i], "\r\n") {
			return errShape
		}
		*part = decoded
	}
	return nil
}

// identifiers are what a revocation needs to know.
type identifiers struct {
	id      string // "jti" or, without one, the digest of the payload
	session string // "sid"
	issuer  string
	expires time.Time
}

// identifiers reads them.
func (t *jws) identifiers() (identifiers, error) {
	if err := t.split(); err != nil {
		return identifiers{}, err
	}
	var claims map[string]jsontext.Value
	if err := json.Unmarshal(t.payload, &claims); err != nil || claims == nil {
		return identifiers{}, errors.New("its claims are not a JSON object, or one is there twice: nobody accepts it")
	}
	var ids identifiers
	for name, text := range map[string]*string{"jti": &ids.id, "iss": &ids.issuer, "sid": &ids.session} {
		if value, ok := claims[name]; ok && (value.Kind() != '"' || json.Unmarshal(value, text) != nil) {
			return identifiers{}, fmt.Errorf("its claim %q is not text: nobody accepts it", name)
		}
	}
	if ids.id == "" {
		sum := sha256.Sum256(t.payload)
		ids.id = hex.EncodeToString(sum[:])
	}
	if value, ok := claims["exp"]; ok {
		var seconds float64
		if value.Kind() != '0' || json.Unmarshal(value, &seconds) != nil {
			return identifiers{}, errors.New("its claim \"exp\" is not a number: nobody accepts it")
		}
		ids.expires = time.Unix(int64(min(max(seconds, 1), 253402300799)), 0).UTC()
	}
	return ids, nil
}
