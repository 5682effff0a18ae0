// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package apikey

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
	"github.com/caddybolt/caddy-bolt/internal/clock"
	"github.com/caddybolt/caddy-bolt/internal/watched"
)

// followed is an authenticator that reads a file when the test says so, at a
// time when the file's last change is long ago.
type followed struct {
	*APIKey
	t    *testing.T
	path string
	log  fmt.Stringer
}

func follow(t *testing.T, content string, inline ...Key) *followed {
	t.Helper()
	f := &followed{t: t, path: filepath.Join(t.TempDir(), "keys.json")}
	f.write(content)
	prepared, err := prepare(inline, defaultMaxSize)
	if err != nil {
		t.Fatal(err)
	}
	own, err := newKeySet(prepared)
	if err != nil {
		t.Fatal(err)
	}
	later := clock.Func(func() time.Time { return time.Now().Add(time.Minute) })
	f.APIKey = provisioned(t, &APIKey{Keys: []Key{{Name: "unused", Key: keyOff}}})
	f.inline, f.own, f.clock = prepared, own, later
	f.file = newKeysFile(f.path, f.path, defaultMaxSize, later)
	f.logger, f.log = logged()
	return f
}

func (f *followed) write(content string) {
	f.t.Helper()
	if err := os.WriteFile(f.path, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// accepts fails the test unless exactly these of the known keys are accepted.
func (f *followed) accepts(keys ...string) {
	f.t.Helper()
	want := make(map[string]bool)
	for _, k := range keys {
		want[k] = true
	}
	for _, k := range []string{keyCI, keyWorker, keyOld, keyOff} {
		id, err := f.Authenticate(present(f.t, k))
		if (id != nil) != want[k] || (id == nil && auth.ReasonOf(err) != auth.ReasonUnknownAPIKey) {
			f.t.Errorf("key %s…: %v, %v", k[:6], id, err)
		}
	}
}

func list(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",\n") + `]}` }

func entry(name, key string) string { return fmt.Sprintf(`{"name":%q,"key":%q}`, name, key) }

func TestFileIsReadAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	f := follow(t, list(entry("ci", sha(keyCI))), Key{Name: "own", Key: keyOld})
	if err := f.open(); err != nil {
		t.Fatal(err)
	}
	f.accepts(keyCI, keyOld)

	f.write(list(entry("ci", sha(keyCI)), entry("worker", keyWorker)))
	f.look()
	f.accepts(keyCI, keyOld, keyWorker)

	f.write(list(entry("worker", keyWorker)))
	f.look()
	f.accepts(keyOld, keyWorker)

	f.write(list())
	f.look()
	f.accepts(keyOld)
	if n := strings.Count(f.log.String(), "read again"); n != 3 {
		t.Errorf("said %d times that it was read again:\n%s", n, f.log)
	}
	if strings.Contains(f.log.String(), "sk-") || strings.Contains(f.log.String(), "warn") {
		t.Errorf("logged\n%s", f.log)
	}
}

// Attack: whoever can fill the disk, or cut a copy short, would take away
// everybody's keys, or bring withdrawn ones back.
func TestLastGoodKeysStayWhileTheFileIsBad(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"empty":                       "",
		"half written":                list(entry("worker", keyWorker))[:40],
		"without its end":             strings.TrimSuffix(list(entry("worker", keyWorker)), "}"),
		"another format":              "keys:\n  - name: worker\n",
		"null":                        "null",
		"a list":                      `[` + entry("worker", keyWorker) + `]`,
		"no keys":                     `{}`,
		"keys are null":               `{"keys":null}`,
		"keys are an object":          `{"keys":` + entry("worker", keyWorker) + `}`,
		"a key is null":               `{"keys":[null]}`,
		"unknown member":              `{"keys":[],"key":"x"}`,
		"unknown member of a key":     `{"keys":[{"name":"worker","key":"` + keyWorker + `","expire":"2020-01-01"}]}`,
		"member in another case":      `{"Keys":[]}`,
		"member of a key in another":  `{"keys":[{"name":"worker","key":"` + keyWorker + `","Disabled":true}]}`,
		"member twice":                `{"keys":[],"keys":[` + entry("worker", keyWorker) + `]}`,
		"member of a key twice":       `{"keys":[{"name":"worker","key":"` + keyWorker + `","disabled":true,"disabled":false}]}`,
		"member of the meta twice":    `{"keys":[{"name":"worker","key":"` + keyWorker + `","meta":{"a":1,"a":2}}]}`,
		"flag is text":                `{"keys":[{"name":"worker","key":"` + keyWorker + `","disabled":"true"}]}`,
		"permissions are text":        `{"keys":[{"name":"worker","key":"` + keyWorker + `","permissions":"a b"}]}`,
		"trailing text":               list(entry("worker", keyWorker)) + "{}",
		"byte order mark":             "\ufeff" + list(entry("worker", keyWorker)),
		"bad UTF-8":                   `{"keys":[{"name":"worker","key":"sk-worker-` + "\xff" + `0123456789"}]}`,
		"no name":                     `{"keys":[{"key":"` + keyWorker + `"}]}`,
		"no key":                      `{"keys":[{"name":"worker"}]}`,
		"bad digest":                  list(entry("worker", "sha256:abc")),
		"bad date":                    `{"keys":[{"name":"worker","key":"` + keyWorker + `","expires":"soon"}]}`,
		"a name twice":                list(entry("worker", keyWorker), entry("worker", keyCI)),
		"a value twice":               list(entry("worker", keyWorker), entry("other", sha(keyWorker))),
		"a name of the configuration": list(entry("own", keyWorker)),
		"a key of the configuration":  list(entry("worker", keyOld)),
		"placeholder of nothing":      list(entry("worker", "{env.APIKEY_TEST_UNSET}")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := follow(t, list(entry("ci", keyCI)), Key{Name: "own", Key: keyOld})
			if err := f.open(); err != nil {
				t.Fatal(err)
			}
			f.write(content)
			f.look()
			f.accepts(keyCI, keyOld)
			for range 3 {
				f.look()
			}
			if n := strings.Count(f.log.String(), "cannot be used"); n != 1 {
				t.Errorf("said %d times that it cannot be used:\n%s", n, f.log)
			}
			if strings.Contains(f.log.String(), "sk-") || strings.Contains(f.log.String(), sha(keyWorker)[7:]) {
				t.Errorf("the log shows a key:\n%s", f.log)
			}
			f.write(list(entry("worker", keyWorker)))
			f.look()
			f.accepts(keyWorker, keyOld)
		})
		t.Run(name+", at start", func(t *testing.T) {
			t.Parallel()
			f := follow(t, content, Key{Name: "own", Key: keyOld})
			err := f.open()
			if err == nil {
				t.Fatal("accepted")
			}
			if strings.Contains(err.Error(), "sk-") || !strings.Contains(err.Error(), f.path) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestDeletedFileHasNoKeys(t *testing.T) {
	t.Parallel()
	content := list(entry("ci", keyCI))
	f := follow(t, content, Key{Name: "own", Key: keyOld})
	if err := f.open(); err != nil {
		t.Fatal(err)
	}
	f.accepts(keyCI, keyOld) // control
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		f.look()
		f.accepts(keyOld)
	}
	if n := strings.Count(f.log.String(), "was deleted"); n != 1 {
		t.Errorf("said %d times that it was deleted:\n%s", n, f.log)
	}

	f.write(content[:20]) // half of it is no reason to bring back what was deleted
	f.look()
	f.accepts(keyOld)
	f.write(content)
	f.look()
	f.accepts(keyCI, keyOld)
}

// The same content under the same name after a deletion is a change.
func TestFileThatComesBackIsReadAgain(t *testing.T) {
	t.Parallel()
	f := follow(t, list(entry("ci", keyCI)))
	if err := f.open(); err != nil {
		t.Fatal(err)
	}
	aside := f.path + ".aside"
	if err := os.Rename(f.path, aside); err != nil {
		t.Fatal(err)
	}
	f.look()
	f.accepts()
	if err := os.Rename(aside, f.path); err != nil {
		t.Fatal(err)
	}
	f.look()
	f.accepts(keyCI)
}

// Editors and Kubernetes replace a file, or the link to it.
func TestReplacedFileIsReadAgain(t *testing.T) {
	t.Parallel()
	f := follow(t, "")
	dir := filepath.Dir(f.path)
	stamp := time.Now().Add(-time.Hour)
	for i, key := range []string{keyCI, keyWorker} {
		target := filepath.Join(dir, fmt.Sprintf("v%d", i))
		if err := os.WriteFile(target, []byte(list(entry("ci", sha(key)))), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(target, stamp, stamp); err != nil { // one time, one size
			t.Fatal(err)
		}
		link := filepath.Join(dir, "next")
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link, f.path); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := f.open(); err != nil {
				t.Fatal(err)
			}
			f.accepts(keyCI)
			continue
		}
		f.look()
		f.accepts(keyWorker)
	}
}

// A file system that counts in whole seconds: a second change within the same
// second leaves the time as it is.
func TestChangeWithinOneStepOfTheFileSystemIsSeen(t *testing.T) {
	t.Parallel()
	stamp := time.Now().Add(-time.Hour).Truncate(time.Second)
	for _, tc := range []struct {
		name string
		now  time.Time
		want string
	}{
		{"right after", stamp.Add(2*time.Second - 1), keyWorker},
		{"in the same moment", stamp, keyWorker},
		{"control: long after", stamp.Add(2 * time.Second), keyCI}, // nobody can see that
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := follow(t, list(entry("ci", sha(keyCI))))
			f.file.Clock = clock.Fixed(tc.now)
			set := func() {
				if err := os.Chtimes(f.path, stamp, stamp); err != nil {
					t.Fatal(err)
				}
			}
			set()
			if err := f.open(); err != nil {
				t.Fatal(err)
			}
			f.write(list(entry("ci", sha(keyWorker))))
			set()
			f.look()
			f.accepts(tc.want)
		})
	}
}

func TestFileOfEndlessSizeIsNotRead(t *testing.T) {
	t.Parallel()
	f := follow(t, list(entry("ci", keyCI)))
	if err := f.open(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(f.path, maxFileSize+1); err != nil { // a hole: no disk is used
		t.Fatal(err)
	}
	f.look()
	f.accepts(keyCI)
	if !strings.Contains(f.log.String(), "it is larger than 64 MiB") {
		t.Errorf("logged\n%s", f.log)
	}
}

func TestMissingFileDoesNotStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	ctx, _ := authtest.NewContext(t, nil)
	err := (&APIKey{Keys: []Key{{Name: "own", Key: keyOld}}, File: path}).Provision(ctx)
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error is %v", err)
	}
}

func TestErrorsOfTheFileNameTheLine(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ content, want string }{
		"unknown member": {"{\n\"keys\": [\n{\"sk-secret\": 1}]}", "it has an unknown member, at line 3"},
		"twice":          {"{\"keys\":[],\n\n\"keys\":[]}", "it has a member twice, at line 3"},
		"wrong type":     {"{\n\"keys\": \"sk-secret\"}", "it has a member of the wrong type, at line 2"},
		"not JSON":       {"\n\nsk-secret", "it is not JSON, at line 3"},
		"cut":            {"{\n\"keys\":\n", "it ends too early, at line 3"},
		"empty":          {"", "it ends too early, at line 1"},
		"bad key":        {list(entry("a", keyCI), entry("b", "sha256:0")), `key "b": sha256: is followed by 64 hexadecimal digits`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := decodeKeys([]byte(tc.content), defaultMaxSize); err == nil || err.Error() != tc.want {
				t.Errorf("error is\n%v\nwant\n%v", err, tc.want)
			}
		})
	}
}

func TestFileIsLookedAtUntilTheConfigurationEnds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	write := func(content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		write(list(entry("ci", keyCI)))
		a := &APIKey{File: path}
		ctx, end := authtest.NewContext(t, nil)
		if err := a.Provision(ctx); err != nil {
			t.Fatal(err)
		}
		accepted := func(key string) bool {
			id, _ := a.Authenticate(present(t, key))
			return id != nil
		}
		if !accepted(keyCI) || accepted(keyWorker) {
			t.Error("at the start")
		}
		write(list(entry("worker", keyWorker)))
		time.Sleep(2 * watched.Every)
		synctest.Wait()
		if accepted(keyCI) || !accepted(keyWorker) {
			t.Error("two seconds after the change")
		}
		end() // the goroutine ends, or synctest reports a deadlock
		synctest.Wait()
		write(list(entry("ci", keyCI)))
		time.Sleep(5 * watched.Every)
		if accepted(keyCI) {
			t.Error("the file is followed after the end")
		}
	})
}

func TestKeysAreReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	f := follow(t, list(entry("ci", keyCI)), Key{Name: "own", Key: keyOld})
	if err := f.open(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ctx.Err() == nil; i++ {
			f.write(list(entry("ci", []string{keyCI, keyWorker}[i%2])))
			f.look()
		}
	}()
	for range 2000 {
		if id, err := f.Authenticate(present(t, keyOld)); err != nil || id.ID != "apikey:own" {
			t.Fatalf("%v, %v", id, err)
		}
		a, _ := f.Authenticate(present(t, keyCI))
		if a != nil && a.ID != "apikey:ci" {
			t.Fatalf("%v", a)
		}
	}
	cancel()
	<-done
}

// What is accepted is strict JSON of known members; what is refused gives no
// keys and shows none.
func FuzzKeysFile(f *testing.F) {
	f.Add([]byte(list(entry("ci", keyCI), entry("worker", sha(keyWorker)))))
	f.Add([]byte(`{"keys":[{"name":"a","key":"0123456789abcdef","permissions":["a"],"staff":true,"superuser":true,"expires":"2026-01-01","disabled":true,"meta":{"a":{"b":[1,2]}}}]}`))
	f.Add([]byte(`{"keys":[],"keys":[]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		if bytes.Contains(content, []byte("{file.")) {
			return // reads a file of this machine
		}
		keys, err := decodeKeys(content, defaultMaxSize)
		if err != nil {
			if keys != nil {
				t.Error("keys beside an error")
			}
			return
		}
		if claims, err := auth.ParseClaims(content); err != nil { // one object, nothing twice
			t.Errorf("accepted %q: %v", content, err)
		} else if len(claims.Object()) != 1 {
			t.Errorf("accepted %q", content)
		}
		if _, err := newKeySet(keys); err != nil {
			return
		}
		for _, k := range keys {
			if err := checkName(k.name); err != nil || k.identity.ID != auth.APIKeyPrefix+k.name || k.digest == emptyDigest {
				t.Errorf("accepted %q: %v", content, err)
			}
		}
	})
}

// Attack: whoever reads the log. Where a variable holds the keys themselves
// instead of the path of their file, no error quotes it.
func TestPathOfAVariableIsNotShown(t *testing.T) { // not parallel: it sets the environment
	t.Setenv("APIKEY_TEST_PATH", list(entry("ci", keyCI)))
	ctx, _ := authtest.NewContext(t, nil)
	err := (&APIKey{File: "{env.APIKEY_TEST_PATH}"}).Provision(ctx)
	if want := `file "{env.APIKEY_TEST_PATH}": `; err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), keyCI) {
		t.Errorf("error is %v", err)
	}
	f := follow(t, list(entry("ci", keyCI)))
	f.file.name = "{env.APIKEY_TEST_PATH}"
	if err := f.open(); err != nil {
		t.Fatal(err)
	}
	f.write("{")
	f.look()
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	f.look()
	f.write(list())
	f.look()
	if log := f.log.String(); strings.Contains(log, f.path) || strings.Count(log, "{env.APIKEY_TEST_PATH}") != 3 {
		t.Errorf("logged\n%s", log)
	}
}
