// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package watched reads files, and reads them again when they change.
package watched

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// Every is how often a file is to be looked at. Looking costs less than a
// request, and works on network shares and on the links that Kubernetes
// replaces, where notifications do not.
const Every = time.Second

// unsettled is how long after a file's time of change another change may leave
// that time as it is: file systems count in steps.
const unsettled = 2 * time.Second

// ErrUnchanged means that the file is what it was.
var ErrUnchanged = errors.New("unchanged")

// File is a file that is read when it changes. It is not safe for concurrent
// use.
type File struct {
	Path  string
	Limit int64 // the largest size in bytes
	Clock clock.Clock

	gone    bool
	seen    fs.FileInfo // when it was read last; nil: never, or gone since
	settled bool        // whether the times of seen tell a change for sure
	sum     [sha256.Size]byte
}

// Read returns the content of the file, or ErrUnchanged if it would say again
// what it said last. A file that could not be read is read again the next time.
// One that is not there is an error that wraps fs.ErrNotExist, once. No error
// holds the path.
func (f *File) Read() ([]byte, error) {
	content, err := f.read()
	if !errors.Is(err, fs.ErrNotExist) {
		f.gone = false
		return content, err
	}
	if f.gone {
		return nil, ErrUnchanged
	}
	f.gone, f.seen = true, nil
	return nil, err
}

func (f *File) read() ([]byte, error) {
	now := f.Clock.Now()
	info, err := os.Stat(f.Path) // before reading, so that a change meanwhile is seen
	if err != nil {
		return nil, Cause(err)
	}
	if f.isSeen(info) {
		return nil, ErrUnchanged
	}
	content, err := Read(f.Path, f.Limit)
	if err != nil {
		return nil, Cause(err)
	}
	sum, again := sha256.Sum256(content), f.seen != nil
	age := now.Sub(info.ModTime())
	f.seen, f.settled = info, age >= unsettled || age <= -unsettled
	if again && sum == f.sum {
		return nil, ErrUnchanged
	}
	f.sum = sum
	return content, nil
}

// isSeen reports whether it is the file that was read last. Another file may
// have its size and its time: cp -p, rsync -t and Nix see to that.
func (f *File) isSeen(info fs.FileInfo) bool {
	return f.settled && f.seen != nil && os.SameFile(f.seen, info) &&
		f.seen.Size() == info.Size() && f.seen.ModTime().Equal(info.ModTime())
}
