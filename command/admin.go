// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// maxAnswer is the largest answer of the admin API that is read.
const maxAnswer = 64 << 20

// adminFlags say which Caddy is asked.
type adminFlags struct {
	address string
	config  string
	adapter string
}

func (f *adminFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.address, "address", "", "The address of the admin API (default that of --config, or localhost:2019)")
	flags.StringVar(&f.config, "config", "", "The configuration file in which the address of the admin API stands")
	flags.StringVar(&f.adapter, "adapter", "", "The adapter of --config (default by its name: caddyfile, or JSON)")
}

// ask sends a request to the admin API and returns the answer. Its refusal is
// an error with the sentence that it gives.
func (f *adminFlags) ask(method, uri string, body []byte) ([]byte, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(f.address, nil, f.config, f.adapter)
	if err != nil {
		return nil, fmt.Errorf("finding the admin API: %w", err)
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	resp, err := caddycmd.AdminAPIRequest(address, method, uri, nil, reader)
	if err != nil {
		return nil, sentence(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("reading the answer of the admin API: %w", err)
	}
	return answer, nil
}

// sentence is what the admin API says is wrong, without the JSON around it.
func sentence(err error) error {
	before, object, ok := strings.Cut(err.Error(), "{")
	if !ok || !strings.Contains(before, "HTTP ") {
		return err
	}
	var answer struct {
		Error string `json:"error"`
	}
	if json.Unmarshal([]byte("{"+object), &answer) != nil || answer.Error == "" {
		return err
	}
	return errors.New(plain(answer.Error))
}

// errNotOurs is the error of an answer that another program gave.
var errNotOurs = errors.New("the admin API does not answer as a Caddy with caddy-bolt does")

// plain writes text in a way that no terminal takes for a command, and that
// looks like what it is: characters that do not print, or turn the direction of
// writing, are escaped.
func plain(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, "\\u%04x", r)
	}
	return b.String()
}
