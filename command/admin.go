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
	"unicode/utf16"

	"github.com/spf13/cobra"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// maxAnswer is the largest answer of the admin API that is read.
const maxAnswer = 64 << 20

// adminFlags say which Caddy is asked.
type adminFlags struct {
	address string
	config  configFlags
}

func (f *adminFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.address, "address", "", "The address of the admin API (default that of --config, or localhost:2019)")
	f.config.add(cmd, "The configuration file in which the address of the admin API stands")
}

// locate returns the address of the admin API.
func (f *adminFlags) locate() (string, error) {
	if err := checkAddress(f.address); err != nil {
		return "", err
	}
	if f.address != "" || f.config.file == "" {
		return caddycmd.DetermineAdminAPIAddress(f.address, nil, "", "")
	}
	config, err := f.config.load()
	if err != nil {
		return "", err
	}
	return caddycmd.DetermineAdminAPIAddress("", config, f.config.file, f.config.adapter)
}

// checkAddress refuses URLs and paths, of which Caddy would make a network and a
// host of other names.
func checkAddress(address string) error {
	host := address
	if network, rest, ok := strings.Cut(address, "/"); ok {
		switch {
		case strings.HasPrefix(network, "unix"), strings.HasPrefix(network, "fd"):
			return nil
		case strings.HasPrefix(network, "tcp"):
			host = rest
		}
	}
	if strings.ContainsAny(host, "/?#@") {
		return usage("--address: %q is more than a host and a port: write it as localhost:2019", address)
	}
	return nil
}

// ask sends a request to the admin API and returns the answer. Its refusal is
// an error with the sentence that it gives.
func (f *adminFlags) ask(method, uri string, body []byte) ([]byte, error) {
	address, err := f.locate()
	if err != nil {
		return nil, err
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
// writing, are escaped as in JSON.
func plain(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, "\\u%04x", unit)
		}
	}
	return b.String()
}
