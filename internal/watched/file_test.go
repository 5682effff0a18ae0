// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package watched

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// fixture is a file whose last change is long ago, unless a test says otherwise.
type fixture struct {
	*File
	t *testing.T
}

func newFixture(t *testing.T, content string) fixture {
	t.Helper()
	later := clock.Func(func() time.Time { return time.Now().Add(time.Minute) })
	f := fixture{&File{Path: filepath.Join(t.TempDir(), "file"), Limit: 16, Clock: later}, t}
	f.write(f.Path, content)
	return f
}

func (f fixture) write(path, content string) {
	f.t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f fixture) want(content string) {
	f.t.Helper()
	if got, err := f.Read(); err != nil || string(got) != content {
		f.t.Errorf("%q, %v, want %q", got, err, content)
	}
}

func (f fixture) wantErr(want error) {
	f.t.Helper()
	got, err := f.Read()
	if got != nil || !errors.Is(err, want) {
		f.t.Errorf("%q, %v, want %v", got, err, want)
	}
	if err != nil && strings.Contains(err.Error(), f.Path) {
		f.t.Errorf("the error shows the path: %v", err)
	}
}

func TestFileIsReadWhenItChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "one")
	f.want("one")
	f.wantErr(ErrUnchanged)
	f.write(f.Path, "three")
	f.want("three")
	f.wantErr(ErrUnchanged)
	stamp := time.Now().Add(-time.Hour)
	f.must(os.Chtimes(f.Path, stamp, stamp)) // the same content
	f.wantErr(ErrUnchanged)
	f.write(f.Path, "")
	f.want("")
}

// Attack: a key that was withdrawn stays in force because the file without it
// has the size and the time of the one before, as cp -p, rsync -t and Nix write.
func TestOtherFileOfTheSameSizeAndTimeIsRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "one")
	stamp := time.Now().Add(-time.Hour)
	f.must(os.Chtimes(f.Path, stamp, stamp))
	f.want("one")
	f.write(f.Path+".new", "two")
	f.must(os.Chtimes(f.Path+".new", stamp, stamp))
	f.must(os.Rename(f.Path+".new", f.Path))
	f.want("two")
	f.wantErr(ErrUnchanged) // control
}

// Attack: two changes within one step of the file system's clock.
func TestSecondChangeWithinOneStepOfTheClockIsRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "one")
	stamp := time.Now().Truncate(time.Second)
	f.must(os.Chtimes(f.Path, stamp, stamp))
	f.Clock = clock.Fixed(stamp.Add(unsettled - 1))
	f.want("one")
	f.wantErr(ErrUnchanged)
	f.write(f.Path, "two")
	f.must(os.Chtimes(f.Path, stamp, stamp))
	f.want("two")

	f.Clock = clock.Fixed(stamp.Add(unsettled)) // control: long enough ago, it is not opened
	f.wantErr(ErrUnchanged)
	f.write(f.Path, "six")
	f.must(os.Chtimes(f.Path, stamp, stamp))
	f.wantErr(ErrUnchanged)
}

func TestFileThatIsNotThereIsSaidOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "one")
	f.want("one")
	f.must(os.Rename(f.Path, f.Path+".aside"))
	f.wantErr(fs.ErrNotExist)
	f.wantErr(ErrUnchanged)
	f.must(os.Rename(f.Path+".aside", f.Path))
	f.want("one")
}

func TestFileThatCannotBeReadIsReadLater(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "one")
	f.want("one")
	for _, tc := range []struct {
		want error
		set  func() error
	}{
		{TooLargeError(16), func() error { return os.WriteFile(f.Path, make([]byte, 17), 0o600) }},
		{ErrIrregular, func() error { return errors.Join(os.Remove(f.Path), os.Mkdir(f.Path, 0o700)) }},
	} {
		f.must(tc.set())
		for range 3 {
			f.wantErr(tc.want)
		}
	}
	f.must(os.Remove(f.Path))
	f.write(f.Path, "two")
	f.want("two")
}

func TestCauseHoldsNoPath(t *testing.T) {
	t.Parallel()
	_, err := Read("./no/such/file", 1)
	if err == nil || !strings.Contains(err.Error(), "./no/such/file") {
		t.Errorf("control: %v", err)
	}
	if got := Cause(err); strings.Contains(got.Error(), "such/file") || !errors.Is(got, fs.ErrNotExist) {
		t.Errorf("%v", got)
	}
	other := errors.New("x")
	if Cause(other) != other { //nolint:errorlint // itself
		t.Error("an error of another kind is changed")
	}
}
