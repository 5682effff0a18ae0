// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package apikey

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/caddybolt/caddy-bolt/internal/clock"
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
	content, err := f.Read()
	var large watched.TooLargeError
	switch {
	case errors.As(err, &large):
		return nil, fmt.Errorf("it is larger than %d MiB", int64(large)>>20)
	case errors.Is(err, watched.ErrIrregular):
		return nil, errors.New("it is not a regular file")
	case err != nil:
		return nil, err
	}
	return decodeKeys(content, f.maxSize)
}

// decodeKeys reads {"keys":[…]}: one JSON object, with members that are known,
// spelled to the letter, and none of them twice.
func decodeKeys(content []byte, maxSize int) ([]prepared, error) {
	var list struct {
		Keys *[]Key `json:"keys"`
	}
	if err := json.Unmarshal(content, &list, json.RejectUnknownMembers(true)); err != nil {
		return nil, explain(content, err)
	}
	if list.Keys == nil {
		return nil, errors.New(`it has no member "keys"`)
	}
	return prepare(*list.Keys, maxSize)
}

// explain says what is wrong and in which line. It does not pass on err, which
// quotes what it found: a key, where somebody wrote {"<key>": "<name>"}.
func explain(content []byte, err error) error {
	what, offset := "is not JSON", int64(len(content))
	var syntactic *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case errors.As(err, &syntactic):
		offset = syntactic.ByteOffset
		if errors.Is(err, jsontext.ErrDuplicateName) {
			what = "has a member twice"
		} else if errors.Is(err, io.ErrUnexpectedEOF) {
			what = "ends too early"
		}
	case errors.As(err, &semantic):
		offset = semantic.ByteOffset
		what = "has a member of the wrong type"
		if errors.Is(err, json.ErrUnknownName) {
			what = "has an unknown member"
		}
	}
	offset = min(max(offset, 0), int64(len(content)))
	return fmt.Errorf("it %s, at line %d", what, 1+bytes.Count(content[:offset], []byte("\n")))
}
