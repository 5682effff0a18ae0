// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package command adds "caddy auth" to Caddy's command line: it makes, shows and
// revokes tokens, makes API keys, and shows keys.
//
// No secret stands on the command line, where other users of the machine and
// the shell's history would see it: secrets come from files or standard input.
package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "auth",
		Usage: "<token|inspect|key|keys|revoke>",
		Short: "Makes tokens and API keys for the auth directive, shows its keys, revokes tokens",
		Long: `
Makes tokens that a jwt of the auth directive accepts, and API keys; shows the
keys that a running Caddy fetches from elsewhere; tells a running Caddy to refuse
a token.

The exit status is 0 when it was done, 1 when it could not be done, 2 when the
command line is wrong.`,
		CobraFunc: func(cmd *cobra.Command) {
			cmd.AddCommand(tokenCommand(), inspectCommand(), keyCommand(), keysCommand(), revokeCommand())
			prepare(cmd, func(_ *cobra.Command, args []string) error {
				if len(args) == 0 {
					return usage("token, inspect, key, keys or revoke?")
				}
				return usage("unrecognized command %q; there are: token, inspect, key, keys, revoke", args[0])
			})
			cmd.Args = cobra.ArbitraryArgs // the function above knows better what is wrong with them
		},
	})
}

// exitUsage is the exit status for a wrong command line.
const exitUsage = 2

// usageError is an error of the command line itself.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usage(format string, args ...any) error {
	return usageError{fmt.Sprintf(format, args...)}
}

// prepare makes f the function of the command. Its error is printed as one
// line, without Caddy's log format around it, and becomes the exit status.
func prepare(cmd *cobra.Command, f func(*cobra.Command, []string) error) {
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return finish(cmd, f(cmd, args)) }
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return finish(cmd, usage("unexpected argument; values belong to flags, as in --sub alice"))
		}
		return nil
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return finish(cmd, usageError{err.Error()})
	})
}

func finish(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	cmd.PrintErrf("Error: %v\n", err)
	var wrong usageError
	if !errors.As(err, &wrong) {
		return err
	}
	cmd.PrintErrf("See %s --help\n", cmd.CommandPath())
	exit := func(caddycmd.Flags) (int, error) { return exitUsage, nil }
	return caddycmd.WrapCommandFuncForCobra(exit)(cmd, nil)
}
