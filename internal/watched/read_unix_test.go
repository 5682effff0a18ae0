// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package watched

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Attack: whoever may write into the folder puts a pipe there, of which a read
// never ends.
func TestWhatIsNoRegularFileIsNotRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skipf("no pipes here: %v", err)
	}
	if err := os.Symlink(pipe, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, link, dir, "/dev/null", "/dev/zero"} {
		if data, err := Read(path, 16); data != nil || !errors.Is(err, ErrIrregular) {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
	regular := filepath.Join(dir, "regular")
	if err := os.WriteFile(regular, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := Read(regular, 16); err != nil || string(data) != "x" {
		t.Errorf("control: %q, %v", data, err)
	}
}

// What could not be read is read as soon as it can be, though nothing of the
// file has changed since.
func TestFileThatMayBeReadAgainIsRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "one")
	f.want("one")
	f.write(f.Path, "three")
	away, why := f.Path+".away", fs.ErrPermission
	hide := func() { f.must(os.Chmod(f.Path, 0)) }
	show := func() { f.must(os.Chmod(f.Path, 0o600)) }
	if os.Geteuid() == 0 { // who may read everything
		why = ErrIrregular
		hide = func() {
			f.must(os.Rename(f.Path, away))
			f.must(os.Mkdir(f.Path, 0o700))
		}
		show = func() {
			f.must(os.Remove(f.Path))
			f.must(os.Rename(away, f.Path))
		}
	}
	hide()
	for range 3 {
		f.wantErr(why)
	}
	show()
	f.want("three")
}
