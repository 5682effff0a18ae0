// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package watched

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrIrregular is the error of a directory, a pipe, a device or a socket.
var ErrIrregular = errors.New("is not a regular file")

// TooLargeError is the error of a file of more bytes than it says.
type TooLargeError int64

func (e TooLargeError) Error() string { return fmt.Sprintf("is larger than %d bytes", int64(e)) }

// Read reads a regular file of at most so many bytes. It never waits: nothing is
// opened that is not a regular file, since a pipe may have nobody who writes.
// What is wrong with the file itself is an *fs.PathError; Cause takes the path
// out of it.
func Read(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := check(info, limit); err != nil {
		return nil, err
	}
	// It may have become a pipe meanwhile: O_NONBLOCK waits for nobody. Where
	// the system does not know the flag, it does nothing.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if err := check(info, limit); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit { // it grew
		return nil, TooLargeError(limit)
	}
	return data, nil
}

func check(info fs.FileInfo, limit int64) error {
	if !info.Mode().IsRegular() {
		return ErrIrregular
	}
	if info.Size() > limit {
		return TooLargeError(limit)
	}
	return nil
}

// Cause leaves the path out of an error of package os: where a placeholder
// stands for the path, it may be the secret itself.
func Cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
