// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package jsonfile reads JSON files that people write: strictly, and with errors
// that say what is wrong and where, and quote nothing.
package jsonfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/caddybolt/caddy-bolt/internal/watched"
)

// Content returns the content of the file, or watched.ErrUnchanged if it would
// say again what it said last. A file that is not there is an error that wraps
// fs.ErrNotExist, once.
func Content(f *watched.File) ([]byte, error) {
	content, err := f.Read()
	var large watched.TooLargeError
	switch {
	case errors.As(err, &large):
		return nil, fmt.Errorf("it is larger than %d MiB", int64(large)>>20)
	case errors.Is(err, watched.ErrIrregular):
		return nil, errors.New("it is not a regular file")
	default:
		return content, err
	}
}

// Decode reads one JSON value, whose objects have members that are known,
// spelled to the letter, and none of them twice.
func Decode(content []byte, target any) error {
	if err := json.Unmarshal(content, target, json.RejectUnknownMembers(true)); err != nil {
		return explain(content, err)
	}
	return nil
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
