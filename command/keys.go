// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddybolt/caddy-bolt/auth"
)

func keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys [--address <admin address> | --config <file>] [--json]",
		Short: "Shows the keys that a running Caddy fetches or makes",
		Long: `
Asks a running Caddy, through its admin API, how it stands with the keys of
jwks_url, oidc and generated_key: how many there are, when their source last
confirmed them, and what was wrong with the last fetch.`,
	}
	var admin adminFlags
	admin.add(cmd)
	asJSON := cmd.Flags().Bool("json", false, "Print what the admin API answers")
	prepare(cmd, func(cmd *cobra.Command, _ []string) error {
		body, err := admin.ask(http.MethodGet, "/auth/status", nil)
		if err != nil {
			return err
		}
		if *asJSON {
			_, err := cmd.OutOrStdout().Write(body)
			return err
		}
		return printKeys(cmd.OutOrStdout(), body, time.Now())
	})
	return cmd
}

// printKeys prints a line for each source.
func printKeys(w io.Writer, body []byte, now time.Time) error {
	var status struct {
		Keys []auth.KeyStatus `json:"keys"`
	}
	if err := json.Unmarshal(body, &status); err != nil {
		return errNotOurs
	}
	if len(status.Keys) == 0 {
		_, err := fmt.Fprintln(w, "no keys are fetched from elsewhere")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SOURCE\tKEYS\tCONFIRMED\tFETCHES\tFAILURES\tLAST ERROR")
	for _, k := range status.Keys {
		confirmed, last := "never", "-"
		if !k.Confirmed.IsZero() {
			confirmed = now.Sub(k.Confirmed).Round(time.Second).String() + " ago"
		}
		if k.LastError != "" {
			last = k.LastError
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%d\t%d\t%s\n", k.Source, k.Keys, confirmed, k.Fetches, k.Failures, last)
	}
	return table.Flush()
}
