// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package apikey

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"go.uber.org/zap"

	"github.com/caddybolt/caddy-bolt/internal/watched"
)

// open reads the file for the first time, when everything has to be right.
func (a *APIKey) open() error {
	keys, err := a.file.read()
	if err == nil {
		err = a.adopt(keys)
	}
	if err != nil {
		return fmt.Errorf("file %q: %w", a.file.name, err)
	}
	a.warnWeak(keys)
	return nil
}

// adopt puts the keys of the file into force, beside those of the
// configuration.
func (a *APIKey) adopt(fromFile []prepared) error {
	set, err := newKeySet(a.inline, fromFile)
	if err != nil {
		return err
	}
	a.keys.Store(set)
	return nil
}

// follow looks at the file until the configuration ends.
func (a *APIKey) follow(ctx context.Context) {
	ticker := time.NewTicker(watched.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			a.look()
		case <-ctx.Done():
			return
		}
	}
}

// look reads the file again if it changed. What is wrong with it is said once.
func (a *APIKey) look() {
	path := zap.String("file", a.file.name)
	keys, err := a.file.read()
	if errors.Is(err, watched.ErrUnchanged) {
		return
	}
	if errors.Is(err, fs.ErrNotExist) {
		a.keys.Store(a.own)
		a.problem = ""
		a.logger.Warn("the file of API keys was deleted: its keys are refused", path)
		return
	}
	if err == nil {
		err = a.adopt(keys)
	}
	if err != nil {
		if problem := err.Error(); problem != a.problem {
			a.problem = problem
			a.logger.Warn("the file of API keys cannot be used: its last keys stay in force", path, zap.Error(err))
		}
		return
	}
	a.problem = ""
	a.logger.Info("the file of API keys was read again", path, zap.Int("keys", len(keys)))
	a.warnWeak(keys)
}
