// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

// tokenModule is the endpoint that issues tokens.
const tokenModule = "http.handlers.auth_token"

// mint makes the token of a user of the configuration.
func (f *tokenFlags) mint(cmd *cobra.Command) error {
	if f.config.file == "" || f.user == "" {
		return usage("--config and --user go together")
	}
	var wrong error
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		switch flag.Name {
		case "config", "adapter", "user", "for", "expires-in":
		default:
			wrong = usage("--%s does not go with --user: what the token holds is what auth_token says", flag.Name)
		}
	})
	if wrong != nil {
		return wrong
	}
	var lifetime time.Duration
	if cmd.Flags().Changed("expires-in") {
		var err error
		if lifetime, err = caddy.ParseDuration(f.expiresIn); err != nil || lifetime < time.Second {
			return usage("--expires-in: %q is not a duration of a second or more, such as 5m, 12h or 30d", f.expiresIn)
		}
	}
	config, err := f.config.provision()
	if err != nil {
		return err
	}
	endpoint, err := config.tokenEndpoint(f.endpoint, cmd.Flags().Changed("for"))
	if err != nil {
		return err
	}
	mod, err := config.ctx.LoadModuleByID(tokenModule, endpoint.raw)
	if err != nil {
		return fmt.Errorf("--config: %s: %w", endpoint.path, err)
	}
	minter, ok := mod.(auth.Minter)
	if !ok {
		return fmt.Errorf("%T makes no tokens", mod)
	}
	token, err := minter.Mint(config.ctx, f.user, lifetime)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
	return err
}

// tokenEndpoint returns the auth_token that is for the jwt of that name, or the
// first that takes passwords.
func (c *configuration) tokenEndpoint(name string, named bool) (found, error) {
	for _, at := range c.find("handler", "auth_token") {
		var options struct {
			For      string `json:"for"`
			Exchange bool   `json:"exchange"`
		}
		if err := json.Unmarshal(at.raw, &options); err != nil {
			return found{}, fmt.Errorf("--config: %s: %w", at.path, err)
		}
		if !options.Exchange && (!named || options.For == name) {
			return at, nil
		}
	}
	if named {
		return found{}, fmt.Errorf("--config: there is no auth_token for %q", name)
	}
	return found{}, errors.New("--config: there is no auth_token in the configuration")
}
