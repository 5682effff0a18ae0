// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// configFlags name a configuration.
type configFlags struct {
	file    string
	adapter string
}

func (f *configFlags) add(cmd *cobra.Command, meaning string) {
	cmd.Flags().StringVar(&f.file, "config", "", meaning)
	cmd.Flags().StringVar(&f.adapter, "adapter", "", "The adapter of --config (default caddyfile for a file of that name, else JSON)")
}

// load returns the configuration as JSON. It says nothing, unlike the function
// of Caddy, which logs.
func (f *configFlags) load() ([]byte, error) {
	text, err := os.ReadFile(f.file)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	name := f.adapter
	if base := filepath.Base(f.file); name == "" && (strings.HasPrefix(base, "Caddyfile") || strings.HasSuffix(base, ".caddyfile")) {
		name = "caddyfile"
	}
	if name == "" {
		if !json.Valid(text) {
			return nil, fmt.Errorf("--config: %q is not JSON; another format is named with --adapter", f.file)
		}
		return text, nil
	}
	adapter := caddyconfig.GetAdapter(name)
	if adapter == nil {
		return nil, usage("--adapter: there is no adapter %q", name)
	}
	adapted, _, err := adapter.Adapt(text, map[string]any{"filename": f.file})
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	return adapted, nil
}

// configuration is what commands need of one: the app "auth", provisioned as
// Caddy does it, and the modules that others hold.
type configuration struct {
	ctx  caddy.Context
	apps map[string]json.RawMessage
}

// provision loads the app. No server is started and no store opened.
func (f *configFlags) provision() (*configuration, error) {
	text, err := f.load()
	if err != nil {
		return nil, err
	}
	var parts struct {
		Storage json.RawMessage            `json:"storage"`
		Apps    map[string]json.RawMessage `json:"apps"`
	}
	if err := json.Unmarshal(text, &parts); err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	app := parts.Apps["auth"]
	if app == nil {
		app = json.RawMessage("{}")
	}
	quiet := &caddy.Logging{Logs: map[string]*caddy.CustomLog{
		caddy.DefaultLoggerName: {BaseLog: caddy.BaseLog{Level: "ERROR"}},
	}}
	ctx, err := caddy.ProvisionContext(&caddy.Config{
		Logging:    quiet,
		StorageRaw: parts.Storage,
		AppsRaw:    caddy.ModuleMap{"auth": app},
	})
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	return &configuration{ctx: ctx, apps: parts.Apps}, nil
}

// found is a module of a configuration.
type found struct {
	path string // as Caddy's admin API has it: /apps/auth/authenticators/0
	raw  json.RawMessage
}

// find returns the modules of that name, whose name stands in the member key;
// those of the app "auth" come first.
func (c *configuration) find(key, name string) []found {
	var list []found
	apps := slices.Sorted(maps.Keys(c.apps))
	slices.SortStableFunc(apps, func(a, b string) int {
		switch {
		case a == "auth" && b != "auth":
			return -1
		case b == "auth" && a != "auth":
			return 1
		default:
			return 0
		}
	})
	for _, app := range apps {
		findIn(c.apps[app], "/apps/"+app, key, name, &list)
	}
	return list
}

func findIn(raw json.RawMessage, path, key, name string, list *[]found) {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) == nil {
		var word string
		if json.Unmarshal(object[key], &word) == nil && word == name {
			delete(object, key)
			if alone, err := json.Marshal(object); err == nil {
				*list = append(*list, found{path: path, raw: alone})
			}
		}
		for _, member := range slices.Sorted(maps.Keys(object)) {
			findIn(object[member], path+"/"+member, key, name, list)
		}
		return
	}
	var elements []json.RawMessage
	if json.Unmarshal(raw, &elements) == nil {
		for i, element := range elements {
			findIn(element, path+"/"+strconv.Itoa(i), key, name, list)
		}
	}
}
