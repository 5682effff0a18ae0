// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/caddybolt/caddy-bolt/auth"
)

// maxStatus is the largest answer of the admin API that is read.
const maxStatus = 1 << 20

func keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys [--address <admin address>] [--json]",
		Short: "Shows the keys that a running Caddy fetches or makes",
		Long: `
Asks a running Caddy, through its admin API, how it stands with the keys of
jwks_url, oidc and generated_key: how many there are, when their source last
confirmed them, and what was wrong with the last fetch.`,
	}
	address := cmd.Flags().String("address", "", "address of the admin API, such as localhost:2019")
	asJSON := cmd.Flags().Bool("json", false, "print what the admin API answers")
	prepare(cmd, func(cmd *cobra.Command, _ []string) error {
		body, err := askAdmin(*address)
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

// askAdmin returns what /auth/status answers.
func askAdmin(address string) ([]byte, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(address, nil, "", "")
	if err != nil {
		return nil, fmt.Errorf("finding the admin API: %w", err)
	}
	resp, err := caddycmd.AdminAPIRequest(address, http.MethodGet, "/auth/status", nil, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxStatus))
	if err != nil {
		return nil, fmt.Errorf("reading the answer of the admin API: %w", err)
	}
	return body, nil
}

// printKeys prints a line for each source.
func printKeys(w io.Writer, body []byte, now time.Time) error {
	var status struct {
		Keys []auth.KeyStatus `json:"keys"`
	}
	if err := json.Unmarshal(body, &status); err != nil {
		return errors.New("the admin API does not answer as a Caddy with caddy-bolt does")
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
