// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
)

// lab is where programs are started.
type lab struct {
	repository string
	folder     string // for this run
	cache      string // over all runs
	caddy      string // the program
	minter     *minter
	tokens     map[string][]string
	upstream   string // the address of an application behind a proxy
	stop       []func()
}

// newLab builds Caddy, makes keys and starts an application to be proxied.
func newLab(ctx context.Context, root string) (*lab, error) {
	l := &lab{repository: root, cache: filepath.Join(root, ".cache", "bench"), tokens: map[string][]string{}}
	var err error
	if l.folder, err = os.MkdirTemp("", "bench-"); err != nil {
		return nil, err
	}
	l.stop = append(l.stop, func() { _ = os.RemoveAll(l.folder) })
	l.minter, err = newMinter(l.folder)
	if err = errors.Join(err, os.MkdirAll(l.cache, 0o700), l.buildCaddy(ctx)); err != nil {
		l.close()
		return nil, err
	}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
	l.stop = append(l.stop, app.Close)
	l.upstream = strings.TrimPrefix(app.URL, "http://")
	return l, nil
}

func (l *lab) close() {
	for i := len(l.stop) - 1; i >= 0; i-- {
		l.stop[i]()
	}
}

// folderFor makes a folder for a program.
func (l *lab) folderFor(name string) (string, error) { return os.MkdirTemp(l.folder, name+"-") }

// tokensOf returns n tokens, which are made once.
func (l *lab) tokensOf(alg string, n int) ([]string, error) {
	if have := l.tokens[alg]; len(have) >= n {
		return have[:n], nil
	}
	made, err := l.minter.tokens(alg, n)
	if err != nil {
		return nil, err
	}
	l.tokens[alg] = made
	return made, nil
}
