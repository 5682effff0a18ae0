// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// fetchWait is how long keys of another server are waited for.
const fetchWait = 10 * time.Second

// inspectFlags are the flags of "caddy auth inspect".
type inspectFlags struct {
	tokenFile string
	config    configFlags
	key       checkFlags
	address   string
	asJSON    bool
}

func inspectCommand() *cobra.Command { return newInspectCommand(clock.Clock{}) }

func newInspectCommand(now clock.Clock) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect [--token-file <file|->] [--config <file> | --secret-file <file> | --public-key <file> | --jwks-file <file>] [flags]",
		Short: "Shows a JSON Web Token, and says whether it is accepted and why not",
		Long: `
Shows what a token holds: its header, its claims, its times. The token comes from
a file or, by default, from standard input. It is not printed itself.

With --config, each jwt of that configuration says what it makes of the token, as
it would say to a request; with a key, a jwt with this key does. The words are
those of {http.auth.error}. Whether the token was revoked, the running Caddy knows
alone: --address asks its admin API.

The exit status is 0 when a jwt accepts the token, or when none was asked, 1 when
none accepts it, 2 when the command line is wrong.`,
		Example: `  caddy auth inspect --config Caddyfile --token-file token.txt
  caddy auth inspect --config Caddyfile --address localhost:2019 < token.txt
  caddy auth inspect --secret-file secret.txt --token-file token.txt
  xclip -o | caddy auth inspect`,
	}
	var f inspectFlags
	flags := cmd.Flags()
	flags.StringVar(&f.tokenFile, "token-file", "-", "The file that holds the token; - is standard input")
	f.config.add(cmd, "The configuration whose jwt blocks are asked")
	f.key.add(cmd)
	flags.StringVar(&f.address, "address", "", "The address of the admin API of a running Caddy, such as localhost:2019, to ask whether the token was revoked")
	flags.BoolVar(&f.asJSON, "json", false, "Print JSON, for programs")
	prepare(cmd, func(cmd *cobra.Command, _ []string) error {
		for _, flag := range []string{"token-file", "config", "secret-file", "public-key", "jwks-file", "address"} {
			if flags.Changed(flag) && flags.Lookup(flag).Value.String() == "" {
				return usage("--%s is empty", flag) // a variable that is not set must not verify nothing
			}
		}
		return f.run(cmd, now.Now())
	})
	return cmd
}

func (f *inspectFlags) run(cmd *cobra.Command, now time.Time) error {
	if f.key.given() && f.config.file != "" {
		return usage("give a key or --config")
	}
	if f.tokenFile == "-" && f.key.secretFile == "-" {
		return usage("the token and the secret cannot both come from standard input: give --token-file")
	}
	if f.address != "" && !f.key.given() && f.config.file == "" {
		return usage("--address goes with a key or --config")
	}
	if err := f.key.check(); err != nil {
		return err
	}
	token, err := readToken(f.tokenFile, cmd.InOrStdin())
	if err != nil {
		return fmt.Errorf("--token-file: %w", err)
	}
	var blocks []block
	switch {
	case f.config.file != "":
		blocks, err = f.config.blocks()
	case f.key.given():
		blocks, err = f.key.blocks(cmd)
	}
	if err != nil {
		return err
	}
	shape := token.split()
	verdicts := make([]verdict, 0, len(blocks))
	accepted := false
	for _, b := range blocks {
		v, id := b.judge(cmd.Context(), token.text)
		if id != nil && f.address != "" {
			if err := f.askRevoked(&v, id); err != nil {
				return err
			}
		}
		accepted = accepted || v.Accepted
		verdicts = append(verdicts, v)
	}
	if err := f.show(cmd.OutOrStdout(), token, shape, verdicts, now); err != nil {
		return err
	}
	switch {
	case shape != nil && len(blocks) == 0:
		return shape
	case accepted || len(blocks) == 0:
		return nil
	case len(blocks) == 1:
		return errors.New("the token is not accepted")
	default:
		return fmt.Errorf("the token is accepted by none of %d jwt", len(blocks))
	}
}

// askRevoked turns the verdict if the token was revoked.
func (f *inspectFlags) askRevoked(v *verdict, id *auth.Identity) error {
	admin := adminFlags{address: f.address}
	why, err := admin.revokedBy(id)
	if err != nil {
		return fmt.Errorf("asking whether the token was revoked: %w", err)
	}
	v.asked = true
	if why != "" {
		v.Accepted, v.Reason, v.Detail = false, string(auth.ReasonTokenRevoked), why
	}
	return nil
}

// block is a jwt that is asked.
type block struct {
	name string
	auth.Authenticator
}

// verdict is what a jwt makes of the token.
type verdict struct {
	JWT      string `json:"jwt"`
	Accepted bool   `json:"accepted"`
	Reason   string `json:"reason,omitempty"`
	Detail   string `json:"detail,omitempty"`
	User     string `json:"user,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
	TokenID  string `json:"token_id,omitempty"`

	asked bool // whether it is revoked
}

// blocks loads every jwt of the configuration. Keys that come from elsewhere
// are fetched as a running Caddy fetches them.
func (f *configFlags) blocks() ([]block, error) {
	config, err := f.provision()
	if err != nil {
		return nil, err
	}
	var list []block
	for _, at := range config.find("authenticator", "jwt") {
		mod, err := config.ctx.LoadModuleByID(jwtModule, at.raw)
		if err != nil {
			return nil, fmt.Errorf("--config: %s: %w", at.path, err)
		}
		if s, ok := mod.(interface{ Look(context.Context) error }); ok {
			if err := s.Look(config.ctx); err != nil {
				return nil, fmt.Errorf("--config: %s: %w", at.path, err)
			}
		}
		authenticator, ok := mod.(auth.Authenticator)
		if !ok {
			return nil, fmt.Errorf("--config: %s: %T is no authenticator", at.path, mod)
		}
		name := at.path
		if s, ok := mod.(auth.Signer); ok && s.Name() != "" {
			name = s.Name() + " at " + at.path
		}
		list = append(list, block{name, authenticator})
	}
	if len(list) == 0 {
		return nil, errors.New("--config: there is no jwt in the configuration")
	}
	return list, nil
}

// judge asks the jwt as a request would that brings the token where it looks
// first. The identity is nil unless it accepts.
func (b block) judge(ctx context.Context, token string) (verdict, *auth.Identity) {
	v := verdict{JWT: b.name}
	r, err := requestWith(ctx, b.Authenticator, token)
	if err != nil {
		v.Detail = err.Error()
		return v, nil
	}
	id, err := b.Authenticate(r)
	for deadline := time.Now().Add(fetchWait); auth.ReasonOf(err) == auth.ReasonKeysUnavailable && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
		id, err = b.Authenticate(r)
	}
	if err != nil {
		v.Reason = string(auth.ReasonOf(err))
		v.Detail = strings.TrimPrefix(strings.TrimPrefix(err.Error(), v.Reason), ": ")
		v.User = auth.CandidateOf(err)
		return v, nil
	}
	v.Accepted, v.User, v.Issuer, v.TokenID = true, id.ID, id.Issuer, id.TokenID
	return v, id
}

// requestWith returns a request with the token.
func requestWith(ctx context.Context, a auth.Authenticator, token string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/", nil)
	if err != nil {
		return nil, err
	}
	source := auth.Source{Header: "Authorization", Scheme: "Bearer"}
	if l, ok := a.(auth.SourceLister); ok && len(l.Sources()) > 0 {
		source = l.Sources()[0]
	}
	switch {
	case source.Header != "":
		r.Header.Set(source.Header, strings.TrimSpace(source.Scheme+" "+token))
	case source.Cookie != "":
		r.Header.Set("Cookie", source.Cookie+"="+token)
	default:
		r.URL.RawQuery = url.Values{source.Query: {token}}.Encode()
	}
	return r, nil
}
