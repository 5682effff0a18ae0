// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package apikey

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/caddybolt/caddy-bolt/internal/clock"
)

const (
	// maxFileSize is room for some hundred thousand keys.
	maxFileSize = 64 << 20

	// unsettled is how long after a file's time of change another change may
	// leave that time as it is: file systems count in steps.
	unsettled = 2 * time.Second
)

// keysFile reads the file of keys when it changes. It is not safe for
// concurrent use.
type keysFile struct {
	path    string
	maxSize int // of a key
	clock   clock.Clock

	gone    bool
	seen    fs.FileInfo // when it was read last; nil: never, or gone since
	settled bool        // whether the times of seen tell a change for sure
	sum     [sha256.Size]byte
}

// errUnchanged means that the file is what it was.
var errUnchanged = errors.New("unchanged")

// read returns the keys of the file, or errUnchanged if it would say again
// what it said last. A file that is not there is an error that wraps
// fs.ErrNotExist, once.
func (f *keysFile) read() ([]prepared, error) {
	keys, err := f.readThere()
	if !errors.Is(err, fs.ErrNotExist) {
		f.gone = false
		return keys, err
	}
	if f.gone {
		return nil, errUnchanged
	}
	f.gone, f.seen = true, nil
	return nil, err
}

func (f *keysFile) readThere() ([]prepared, error) {
	now := f.clock.Now()
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, err
	}
	if f.settled && f.seen != nil && os.SameFile(f.seen, info) && f.seen.Size() == info.Size() && f.seen.ModTime().Equal(info.ModTime()) {
		return nil, errUnchanged
	}
	if !info.Mode().IsRegular() { // reading a pipe would wait for ever
		return nil, errors.New("it is not a regular file")
	}
	if info.Size() > maxFileSize {
		return nil, errTooLarge
	}
	content, err := f.load()
	if err != nil {
		return nil, err
	}
	sum, again := sha256.Sum256(content), f.seen != nil
	age := now.Sub(info.ModTime())
	f.seen, f.settled = info, age >= unsettled || age <= -unsettled
	if again && sum == f.sum {
		return nil, errUnchanged
	}
	f.sum = sum
	return decodeKeys(content, f.maxSize)
}

var errTooLarge = fmt.Errorf("it is larger than %d MiB", maxFileSize>>20)

// load reads the whole file, up to a limit.
func (f *keysFile) load() ([]byte, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFileSize { // it grew
		return nil, errTooLarge
	}
	return content, nil
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
