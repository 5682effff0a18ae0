// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package apikey

import (
	"errors"

	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/jsonfile"
	"github.com/caddybolt/caddy-bolt/internal/watched"
)

// maxFileSize is room for some hundred thousand keys.
const maxFileSize = 64 << 20

// keysFile is the file of keys.
type keysFile struct {
	watched.File
	name    string // of the file, as the configuration writes it
	maxSize int    // of a key
}

// newKeysFile returns the file of that path. Errors and warnings say its name:
// what a placeholder stands for may be the keys themselves.
func newKeysFile(name, path string, maxSize int, c clock.Clock) *keysFile {
	return &keysFile{File: watched.File{Path: path, Limit: maxFileSize, Clock: c}, name: name, maxSize: maxSize}
}

// read returns the keys of the file, or watched.ErrUnchanged if it would say
// again what it said last. A file that is not there is an error that wraps
// fs.ErrNotExist, once.
func (f *keysFile) read() ([]prepared, error) {
	content, err := jsonfile.Content(&f.File)
	if err != nil {
		return nil, err
	}
	return decodeKeys(content, f.maxSize)
}

// decodeKeys reads {"keys":[…]}.
func decodeKeys(content []byte, maxSize int) ([]prepared, error) {
	var list struct {
		Keys *[]Key `json:"keys"`
	}
	if err := jsonfile.Decode(content, &list); err != nil {
		return nil, err
	}
	if list.Keys == nil {
		return nil, errors.New(`it has no member "keys"`)
	}
	return prepare(*list.Keys, maxSize)
}
